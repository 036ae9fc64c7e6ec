"""What mteb's tasks gave, as values, as JSON and as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from plait.evaluation.stored import Evaluation


@dataclass(frozen=True, slots=True)
class Scores:
    """What mteb measured of one system on one split of one subset of a task.

    Attributes:
        measure: the task's main one, as mteb names it.
        value: of that measure.
        values: every number that mteb gives, by its name.
    """

    task: str
    subset: str
    split: str
    system: str
    measure: str
    value: float
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What some tasks gave.

    Attributes:
        model: what the user calls it.
        scores: of the model, and of BM25 on tasks of words, in the tasks' order.
        evaluations: folder name -> the same by plait's measures, with intervals, runs and queries; of tasks
            that find or rerank.
        reading: task -> how many pictures the model read and what it did not read, by role.
        warnings: what was left out, one sentence each.
    """

    model: str
    scores: tuple[Scores, ...]
    evaluations: Mapping[str, Evaluation]
    reading: Mapping[str, Mapping[str, Mapping[str, int]]]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, without the evaluations: those have folders of their own."""
        return {
            "model": self.model,
            "scores": [asdict(one) for one in self.scores],
            "reading": dict(self.reading),
            "warnings": list(self.warnings),
        }

    def to_markdown(self) -> str:
        """Return a table: a row for each split of each subset of a task, main measures x 100."""
        systems = list(dict.fromkeys(one.system for one in self.scores))
        rows: dict[tuple[str, ...], dict[str, str]] = {}
        for one in self.scores:
            key = (one.task, one.subset, one.split, one.measure)
            rows.setdefault(key, {})[one.system] = f"{100 * one.value:.2f}"
        head = ["task", "subset", "split", "measure", *systems]
        body = [[*key, *(found.get(system, "-") for system in systems)] for key, found in rows.items()]
        return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *body))
