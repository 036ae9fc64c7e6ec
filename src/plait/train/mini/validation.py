"""What the manuals say of the recipe: each is asked about itself, by heads that were trained without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from plait.model.mini.lite0_top import Lite0Top
from plait.model.mini.words_mini import FigureWords
from plait.scoring.mixture import MixtureParameters
from plait.search.fusion import z_sum
from plait.train.mini.archives import ask_beside
from plait.train.mini.gate import fit_mixture, reciprocal_rank, reciprocal_ranks
from plait.train.mini.lanes import Asked, pose, score_posed
from plait.train.mini.manuals import read_manual
from plait.train.mini.queries import KINDS, ask
from plait.train.mini.sharing import SharedTowers, SharingEncoder
from plait.train.mini.words import Captions

Table = dict[str, dict[str, float]]  # system -> kind -> MRR x 100

_NOWHERE = -1e3  # an image bias under which no picture is believed
_Z_SUMS = {
    "z-sum of BM25, MiniLM, image vector": ("bm25", "text", "image"),
    "z-sum of BM25, MiniLM, image tokens": ("bm25", "text", "image_tokens"),
    "z-sum of BM25, MiniLM": ("bm25", "text"),
    "MiniLM alone": ("text",),
    "BM25 alone": ("bm25",),
    "image vector alone": ("image",),
    "image tokens alone": ("image_tokens",),
    "words to figures alone": ("figure_words",),
}


@dataclass(frozen=True, slots=True)
class HeldOut:
    """One source of captioned pictures, and the head that was fitted without its group."""

    pictures: Captions
    words: FigureWords


@dataclass(frozen=True, slots=True)
class Scored:
    """The questions about one manual.

    Attributes:
        asked: seed -> questions, scored by that seed's heads.
        archives: source -> titles and sentences, asked of the manual and that source's pictures together.
    """

    asked: Mapping[int, Sequence[Asked]]
    archives: Mapping[str, Sequence[Asked]]


def score_manual(
    pages: Path,
    spool: Path,
    unrelated: Sequence[Image.Image],
    towers: SharedTowers,
    models: Mapping[int, Path],
    held_out: Mapping[str, tuple[HeldOut, Path]],
    top: Lite0Top,
) -> Scored:
    """Return a manual's questions, as every model scores them.

    Args:
        pages: the manual's HTML pages.
        spool: an existing folder for its pictures.
        unrelated: pictures that it does not hold.
        models: seed -> folder of a model whose heads were trained without the manual.
        held_out: sources, each with the folder of a model that has its head for words.
        top: of the vision tower.
    """
    units = read_manual(pages, spool)
    corpus, questions = ask(units)
    posed = pose(units, questions, unrelated)
    asked = {
        seed: score_posed(SharingEncoder(folder, towers), corpus, posed) for seed, folder in models.items()
    }
    archives = {
        name: ask_beside(
            SharingEncoder(folder, towers), corpus, questions, source.pictures, source.words, top
        )
        for name, (source, folder) in held_out.items()
    }
    return Scored(asked, archives)


def fit(scored: Sequence[Scored], seed: int) -> MixtureParameters:
    """Return the mixture that suits some manuals best, as one seed's heads see them."""
    archives = [questions for one in scored for questions in one.archives.values()]
    return fit_mixture([one.asked[seed] for one in scored], archives)


def report(scored: Mapping[str, Scored], fitted: Mapping[int, MixtureParameters]) -> dict[str, Any]:
    """Return MRR x 100 by manual and kind, and how far the mixture moves when data or seeds do.

    A manual's mixture is fitted on the others, with heads of the same seed: every seed is the whole recipe
    once more. "mean of manuals" has the mean over seeds, the least and the most.

    Args:
        scored: manual -> its questions.
        fitted: seed -> the mixture fitted on all manuals.
    """
    without = {
        held: {seed: fit([one for name, one in scored.items() if name != held], seed) for seed in fitted}
        for held in scored
    }
    tables = {
        held: {seed: _table(one.asked[seed], without[held][seed]) for seed in fitted}
        for held, one in scored.items()
    }
    means = [_mean([of_seeds[seed] for of_seeds in tables.values()]) for seed in fitted]
    return {
        "mean of manuals": {system: _spread([mean[system] for mean in means]) for system in means[0]},
        "mean of seeds": {held: _mean(list(of_seeds.values())) for held, of_seeds in tables.items()},
        "questions": {held: _counts(next(iter(one.asked.values()))) for held, one in scored.items()},
        "mixture": {seed: mixture.to_dict() for seed, mixture in fitted.items()},
        "mixture without": {
            held: {seed: mixture.to_dict() for seed, mixture in of_seeds.items()}
            for held, of_seeds in without.items()
        },
    }


def _table(questions: Sequence[Asked], fitted: MixtureParameters) -> Table:
    """Return how each system ranks the questions that it has lanes for."""
    words = replace(fitted, image_tokens=0.0, image=0.0, image_bias=_NOWHERE)
    with_words = [one for one in questions if "text" in one.lanes]
    systems = {
        "mixture": reciprocal_ranks(questions, fitted),
        "mixture, without words to figures": reciprocal_ranks(questions, replace(fitted, figure_words=0.0)),
        "mixture, words only": reciprocal_ranks(with_words, words),
        **{name: _z_sum_ranks(questions, lanes) for name, lanes in _Z_SUMS.items()},
    }
    return {
        name: {k: round(100 * float(np.mean(ranks[k])), 2) for k in KINDS if k in ranks}
        for name, ranks in systems.items()
    }


def _z_sum_ranks(questions: Sequence[Asked], lanes: Sequence[str]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for one in questions:
        if chosen := {name: one.lanes[name] for name in lanes if name in one.lanes}:
            found.setdefault(one.kind, []).append(reciprocal_rank(z_sum(chosen), one))
    return found


def _mean(tables: Sequence[Table]) -> Table:
    """Return the mean of each entry over the tables that have it."""
    systems = {name: {kind for table in tables for kind in table[name]} for name in tables[0]}
    return {
        name: {
            kind: round(float(np.mean([table[name][kind] for table in tables if kind in table[name]])), 2)
            for kind in KINDS
            if kind in kinds
        }
        for name, kinds in systems.items()
    }


def _spread(of_seeds: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """Return kind -> mean, least and most over the seeds that have it: heads decide what is a copy."""
    found: dict[str, list[float]] = {}
    for kind in KINDS:
        if values := [own[kind] for own in of_seeds if kind in own]:
            found[kind] = [round(float(np.mean(values)), 2), min(values), max(values)]
    return found


def _counts(questions: Sequence[Asked]) -> dict[str, int]:
    return {kind: sum(one.kind == kind for one in questions) for kind in KINDS}
