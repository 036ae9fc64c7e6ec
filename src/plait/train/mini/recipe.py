"""The whole training of plait-mini, from unpacked packages to a folder that `MiniEncoder.load` reads.

1. features   what the frozen vision tower sees in the pictures of each source; kept in a folder
2. words      the head for words to figures, and one without the group of each held-out source
3. validate   each manual in turn is left out: heads are trained on the others, one for each seed, and its
              questions scored by the lanes of the product
4. fit        the mixture's numbers, on those scores: no figure was seen by the heads that scored it
5. write      the first seed's heads, trained on all sources, the head for words and the mixture

Scores are made anew by every run, so that none outlives the lane that gave it.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image
from safetensors.torch import save_file

from plait.encode.mini_towers import vision_weights
from plait.errors import TrainError
from plait.model.mini.configuration_mini import MiniConfig
from plait.model.mini.lite0 import load_lite0
from plait.model.mini.lite0_top import Lite0Top, load_lite0_top
from plait.model.mini.modeling_mini import PictureHeads
from plait.model.mini.words_mini import FigureWords, compressed
from plait.train.mini.drawings import CLASS_NAMES, DRAWINGS, Drawings, class_names
from plait.train.mini.features import Seen, see
from plait.train.mini.heads import HeadsRecipe, train_heads
from plait.train.mini.pictures import pictures_in
from plait.train.mini.sharing import SharedTowers
from plait.train.mini.sources import SOURCES, Source
from plait.train.mini.validation import HeldOut, Scored, fit, report, score_manual
from plait.train.mini.words import Captions, WordsRecipe
from plait.train.mini.words_recipe import HELD_OUT, captions, fit_without, found_by_title

logger = logging.getLogger(__name__)

_EDITS = 4
_UNRELATED = "openclipart-png"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is trained on what.

    Attributes:
        heads: but for its seed.
        seeds: of the heads; all are validated, the first is shipped.
        sources: of pictures, and of manuals where they have pages.
        drawings: captioned pictures.
        held_out: those of them that are left out in turn.
    """

    heads: HeadsRecipe = field(default_factory=HeadsRecipe)
    words: WordsRecipe = field(default_factory=WordsRecipe)
    seeds: tuple[int, ...] = (0, 1, 2)
    sources: tuple[Source, ...] = SOURCES
    drawings: tuple[Drawings, ...] = DRAWINGS
    held_out: tuple[str, ...] = HELD_OUT

    @property
    def manuals(self) -> tuple[Source, ...]:
        """Those sources that have pages."""
        return tuple(source for source in self.sources if source.pages)

    def heads_of(self, seed: int) -> HeadsRecipe:
        """Return how the heads of one seed are trained."""
        return replace(self.heads, seed=seed)


def run(packages: Path, work: Path, out: Path, recipe: Recipe | None = None) -> None:
    """Train and write model.safetensors, config.json and validation.json.

    Args:
        packages: a folder with each package unpacked, by name; see `drawings.read` and `sources`.
        work: where features are kept between runs.
        out: the model's folder, written at the end with all its lanes.

    Raises:
        TrainError: no seed, or fewer than two manuals.
    """
    recipe = recipe or Recipe()
    if not recipe.seeds or len(recipe.manuals) < 2:
        raise TrainError(
            f"got {len(recipe.seeds)} seeds and {len(recipe.manuals)} manuals, each to be left out in turn: "
            "name a seed and two manuals at least"
        )
    material = gather(packages, work, recipe)
    scored = validate(packages, work, recipe, material)
    fitted = {seed: fit(list(scored.values()), seed) for seed in recipe.seeds}
    logger.info("fitted: %s", fitted)
    found = {**_described(recipe, material), "manuals, mrr x 100": report(scored, fitted)}
    first = recipe.seeds[0]
    heads = train_heads(list(material.seen.values()), material.config.heads, recipe.heads_of(first))
    write(out, replace(material.config, mixture=fitted[first]), heads, material.words)
    (out / "validation.json").write_text(json.dumps(found, indent=2) + "\n", "utf-8")


@dataclass(frozen=True, slots=True)
class Material:
    """What no manual's questions change.

    Attributes:
        seen: source -> its pictures, as the heads read them.
        captions: source -> its captioned pictures.
        words: the head for words, fitted on all of those.
        held_out: source -> the head that was fitted without its group.
    """

    config: MiniConfig
    top: Lite0Top
    towers: SharedTowers
    seen: dict[str, Seen]
    captions: dict[str, Captions]
    words: FigureWords
    held_out: dict[str, HeldOut]


def gather(packages: Path, work: Path, recipe: Recipe) -> Material:
    """Return features and the heads for words."""
    config = MiniConfig()
    state = vision_weights(config.vision)
    top, towers = load_lite0_top(state), SharedTowers(config)
    seen = {source.package: features(source, packages, work, config) for source in recipe.sources}
    captioned = captions(packages, work, state, recipe.drawings)
    names = class_names(packages / CLASS_NAMES)

    def words(held_out: str | None) -> FigureWords:
        return fit_without(held_out, captioned, names, towers.vectors, top, recipe.words, recipe.drawings)

    held_out = {name: HeldOut(captioned[name], words(name)) for name in recipe.held_out}
    return Material(config, top, towers, seen, captioned, words(None), held_out)


def features(source: Source, packages: Path, work: Path, config: MiniConfig) -> Seen:
    """Return the features of a source's pictures, computed now or before."""
    kept = work / "features" / f"{source.package}.npz"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        tower = load_lite0(vision_weights(config.vision))
        found = pictures_in(packages / source.package / "usr", most=source.most_pictures)
        part = kept.with_suffix(".part.npz")
        see(((name, picture) for name, _, picture in found), tower, config, edits=_EDITS).save(part)
        part.rename(kept)
        logger.info("%s: features written", source.package)
    return Seen.read(kept)


def validate(packages: Path, work: Path, recipe: Recipe, material: Material) -> dict[str, Scored]:
    """Return the questions about each manual, scored by heads that were trained without it."""
    unrelated = unrelated_pictures(packages)
    scored = {}
    for manual in recipe.manuals:
        folder = work / "validated" / manual.package
        models, held_out = _models(manual.package, folder, recipe, material)
        spool = folder / "spool"
        spool.mkdir(exist_ok=True)
        pages = packages / manual.package / manual.pages
        scored[manual.package] = score_manual(
            pages, spool, unrelated, material.towers, models, held_out, material.top
        )
        logger.info("%s: questions scored", manual.package)
    return scored


def unrelated_pictures(packages: Path, count: int = 200) -> list[Image.Image]:
    """Return pictures that no manual holds."""
    found = pictures_in(packages / _UNRELATED / "usr", most=count, seed=1)
    return [picture for _, _, picture in found]


def write(folder: Path, config: MiniConfig, heads: PictureHeads, words: FigureWords) -> Path:
    """Write a model in the form that `MiniEncoder.load` reads, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {**heads.state_dict(), **{f"words.{k}": v for k, v in compressed(words).items()}}
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, folder / "model.safetensors")
    (folder / "model.safetensors").chmod(0o644)
    replace(config, words=words.config).write(folder / "config.json")
    return folder


def _models(
    manual: str, folder: Path, recipe: Recipe, material: Material
) -> tuple[dict[int, Path], dict[str, tuple[HeldOut, Path]]]:
    """Write models that do not know a manual: one a seed, and one a held-out source of captions."""
    config = material.config
    others = [seen for name, seen in material.seen.items() if name != manual]
    heads = {seed: train_heads(others, config.heads, recipe.heads_of(seed)) for seed in recipe.seeds}
    models = {
        seed: write(folder / f"seed-{seed}", config, own, material.words) for seed, own in heads.items()
    }
    first = heads[recipe.seeds[0]]
    held_out = {
        name: (one, write(folder / f"without-{name}", config, first, one.words))
        for name, one in material.held_out.items()
    }
    return models, held_out


def _described(recipe: Recipe, material: Material) -> dict[str, Any]:
    """Return what was learned from, how, and what the heads for words find in sources they never saw."""
    return {
        "recipe": {"heads": asdict(recipe.heads), "words": asdict(recipe.words)},
        "pictures": {name: len(seen.hashes) for name, seen in material.seen.items()},
        "captioned pictures": {name: len(own.titles) for name, own in material.captions.items()},
        "words to figures, source left out": {
            name: found_by_title(one.words, one.pictures, material.towers.vectors, material.top)
            for name, one in material.held_out.items()
        },
    }
