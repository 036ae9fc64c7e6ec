"""The whole training of the shipped heads, stage by stage; every stage leaves what it made in a folder.

1. features   what the frozen vision tower sees in the pictures of each source, and in their edits
2. validate   each manual in turn is left out: heads are trained on the others, and its questions scored
3. fit        the mixture's numbers, on those scores: no figure was seen by the heads that scored it
4. ship       heads trained on all sources, with the mixture, as plait-mini's weights
"""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.torch import save_file

from plait.encode.mini import MiniEncoder
from plait.encode.mini_towers import vision_weights
from plait.model.mini.configuration_mini import MiniConfig
from plait.model.mini.lite0 import load_lite0
from plait.model.mini.modeling_mini import PictureHeads
from plait.search.fusion import z_sum
from plait.train.mini.features import Seen, see
from plait.train.mini.gate import fit_mixture, reciprocal_rank, reciprocal_ranks
from plait.train.mini.heads import HeadsRecipe, train_heads
from plait.train.mini.lanes import Asked, score_questions
from plait.train.mini.manuals import read_manual
from plait.train.mini.pictures import pictures_in
from plait.train.mini.queries import KINDS, ask
from plait.train.mini.sources import MANUALS, SOURCES, Source

logger = logging.getLogger(__name__)

_EDITS = 4
_UNRELATED = "openclipart-png"


def run(packages: Path, work: Path, out: Path, *, recipe: HeadsRecipe | None = None) -> None:
    """Train and write model.safetensors, config.json and validation.json.

    Args:
        packages: a folder with one unpacked Debian package a source, by name.
        work: where features and scores are kept between runs.
        out: the folder of the shipped weights.
    """
    recipe = recipe or HeadsRecipe()
    config = MiniConfig()
    seen = {source.package: features(source, packages, work, config) for source in SOURCES}
    asked = {source.package: validate(source, packages, work, config, seen, recipe) for source in MANUALS}
    fitted = fit_mixture(list(asked.values()))
    out.mkdir(parents=True, exist_ok=True)
    write(train_heads(list(seen.values()), config.heads, recipe), replace(config, mixture=fitted), out)
    report = {"recipe": asdict(recipe), "pictures": {k: len(v.hashes) for k, v in seen.items()}}
    (out / "validation.json").write_text(json.dumps({**report, **summary(asked)}, indent=2) + "\n", "utf-8")


def features(source: Source, packages: Path, work: Path, config: MiniConfig) -> Seen:
    """Return the features of a source's pictures, computed now or before."""
    kept = work / "features" / f"{source.package}.npz"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        tower = load_lite0(vision_weights(config.vision))
        found = pictures_in(packages / source.package / "usr", most=source.most_pictures)
        see(((name, picture) for name, _, picture in found), tower, config, edits=_EDITS).save(kept)
        logger.info("%s: features written", source.package)
    return Seen.read(kept)


def validate(
    manual: Source,
    packages: Path,
    work: Path,
    config: MiniConfig,
    seen: Mapping[str, Seen],
    recipe: HeadsRecipe,
) -> list[Asked]:
    """Return the questions about one manual, scored by heads that were trained without it."""
    kept = work / "asked" / f"{manual.package}.pkl"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        heads = train_heads([s for name, s in seen.items() if name != manual.package], config.heads, recipe)
        folder = work / "heads" / manual.package
        folder.mkdir(parents=True, exist_ok=True)
        write(heads, config, folder)
        spool = work / "spool" / manual.package
        spool.mkdir(parents=True, exist_ok=True)
        units = read_manual(packages / manual.package / manual.pages, spool)
        corpus, questions = ask(units)
        scored = score_questions(
            MiniEncoder.load(str(folder)), units, corpus, questions, unrelated_pictures(packages)
        )
        kept.write_bytes(pickle.dumps(scored))  # our own file, in our own working folder
        logger.info("%s: %d questions scored", manual.package, len(scored))
    loaded: list[Asked] = pickle.loads(kept.read_bytes())
    return loaded


def unrelated_pictures(packages: Path, count: int = 200) -> list[Image.Image]:
    """Return pictures that no manual holds."""
    found = pictures_in(packages / _UNRELATED / "usr", most=count, seed=1)
    return [picture for _, _, picture in found]


def summary(asked: Mapping[str, Sequence[Asked]]) -> dict[str, object]:
    """Return MRR x 100 by kind: for each manual, the mixture fitted on the others beside the baselines."""
    table: dict[str, dict[str, dict[str, float]]] = {}
    for held, questions in asked.items():
        fitted = fit_mixture([other for name, other in asked.items() if name != held])
        words = replace(fitted, image_tokens=0.0, image=0.0, image_bias=-30.0)
        table[held] = {
            "mixture": _by_kind(reciprocal_ranks(questions, fitted)),
            "words only": _by_kind(reciprocal_ranks(questions, words)),
            "z-sum": _by_kind(_z_sum_ranks(questions, ("bm25", "text", "image"))),
            "z-sum, image tokens": _by_kind(_z_sum_ranks(questions, ("bm25", "text", "image_tokens"))),
            "z-sum, words only": _by_kind(_z_sum_ranks(questions, ("bm25", "text"))),
            "questions": {kind: float(sum(one.kind == kind for one in questions)) for kind in KINDS},
        }
    return {"mrr_x_100": table}


def _z_sum_ranks(questions: Sequence[Asked], lanes: Sequence[str]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for one in questions:
        chosen = {name: one.lanes[name] for name in lanes if name in one.lanes}
        scores = z_sum(chosen) if chosen else np.zeros(len(one.answers), np.float32)
        found.setdefault(one.kind, []).append(reciprocal_rank(scores, one))
    return found


def _by_kind(ranks: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {kind: round(100 * float(np.mean(ranks[kind])), 1) for kind in KINDS if kind in ranks}


def write(heads: PictureHeads, config: MiniConfig, folder: Path) -> None:
    """Write heads and configuration in the form that `MiniEncoder.load` reads."""
    tensors = {name: value.detach().contiguous() for name, value in heads.state_dict().items()}
    save_file(tensors, folder / "model.safetensors")
    (folder / "model.safetensors").chmod(0o644)
    config.write(folder / "config.json")
