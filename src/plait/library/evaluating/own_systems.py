"""The systems that a library's own questions are put to, and their reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from plait.data.collections.base import Collection
from plait.evaluation.evaluate import Answers, score
from plait.evaluation.questions import Questions
from plait.evaluation.recommending import DEPTH, Fusion
from plait.evaluation.report import Report
from plait.evaluation.systems import System, baselines
from plait.index.base import Scores
from plait.scoring.mixture import MixtureParameters

DEFAULT = "plait's default"


class Ranks(Protocol):
    """One way to make a ranking of what lanes say."""

    def scores(self, lanes: Mapping[str, Scores], mixture: MixtureParameters | None) -> Scores | None:
        """Return (N,) scores, NaN where no lane speaks; None if the query asks none of the lanes."""
        ...


def systems_of(current: Fusion, lanes: Sequence[str], beside: Sequence[str] = ()) -> dict[str, Ranks]:
    """Return name -> system: what search does now, the baselines, and each other lane alone.

    Args:
        lanes: of the library.
        beside: of the baselines, where the library has none of that name.
    """
    systems: dict[str, Ranks] = {}
    if current != Fusion():
        systems[f"as set: {current}"] = current
    systems[DEFAULT] = Fusion()
    based = baselines((*lanes, *beside))
    alone = {lane for system in based for lane in system.lanes if len(system.lanes) == 1}
    others = [System(f"{lane} alone", (lane,)) for lane in lanes if lane not in alone]
    return systems | {system.name: system for system in (*based, *others)}


def answered(
    systems: Mapping[str, Ranks],
    questions: Questions,
    lanes: Sequence[Mapping[str, Scores]],
    *,
    beside: Sequence[Mapping[str, Scores]] = (),
    ids: Sequence[str],
    mixture: MixtureParameters | None,
    seed: int,
) -> dict[str, Report]:
    """Return each system's report, on its best 100 of every question.

    Args:
        lanes: for each question, lane -> (N,) scores.
        beside: the same of lanes that only baselines hear; () if there are none.
        ids: (N,) of the units.
        seed: of the intervals.
    """
    asked = [question.labelled for question in questions.asked]
    collection = Collection("own questions", asked, questions.qrels, lambda: iter(()))
    by_id = sorted(range(len(ids)), key=ids.__getitem__)
    reports = {}
    for name, system in systems.items():
        answers = Answers()
        for query, own, other in zip(asked, lanes, beside or [{}] * len(lanes), strict=True):
            scores = system.scores({**other, **own} if isinstance(system, System) else own, mixture)
            if scores is None:
                answers.unasked.add(query.id)
            answers.run[query.id] = {} if scores is None else _best(scores, ids, by_id)
        reports[name] = score(answers, collection, seed=seed)
    return reports


def _best(scores: Scores, ids: Sequence[str], by_id: Sequence[int]) -> dict[str, float]:
    """Return the best 100 that have a score, of equal ones those of greater ids, as measures rank them."""
    ranked = scores[by_id]
    order = np.argsort(ranked, kind="stable")  # NaN last
    found = order[: int(np.count_nonzero(~np.isnan(ranked)))][-DEPTH:]
    return {ids[by_id[place]]: float(ranked[place]) for place in found[::-1]}
