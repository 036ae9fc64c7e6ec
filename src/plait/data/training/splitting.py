"""A part of the rows set aside for validation, of sources or labels that training never sees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from plait.data.training.drawing import generator
from plait.data.training.entities import content_entity, label_entity
from plait.data.training.examples import Side
from plait.errors import InputError

_BATCH_ROWS = 1000


def held_out(
    dataset: Any, *, share: float, by: Literal["source", "label"] = "source", seed: int = 0
) -> tuple[Any, Any]:
    """Return the rows to train on and those to validate on.

    By source, no source is on both sides, and no label either: sources that share one stay together. By
    label, no label is on both sides, and without labels, no relevant document; a source may be.

    Groups are drawn until `share` of the rows is reached as nearly as whole groups allow, and at least one;
    a group that would go over it is passed over. Takes some 30 bytes of memory a row; by source, also 150 a
    label.

    Args:
        dataset: a `datasets.Dataset` as `to_dataset` returns it.
        share: of the rows to set aside, in (0, 1).

    Raises:
        InputError: a share outside (0, 1), or all rows are in one group, which nothing can be held out of.
    """
    if not 0 < share < 1:
        raise InputError(f"a share of {share} to hold out: expected more than 0 and less than 1")
    groups = _sources(dataset) if by == "source" else _labels(dataset)
    names, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise InputError(
            f"all {len(dataset):,} rows belong together by {by}: nothing can be held out; hold out by "
            f"{'label' if by == 'source' else 'source'}, or give a validation set of its own"
        )
    chosen = np.isin(group, _chosen(sizes, share * len(dataset), seed))
    return dataset.select(np.flatnonzero(~chosen)), dataset.select(np.flatnonzero(chosen))


def _chosen(sizes: NDArray[np.intp], wanted: float, seed: int) -> list[int]:
    """Return groups, drawn at random, that hold no more rows than wanted, or the smallest one."""
    order = list(range(len(sizes)))
    generator(seed, "held out").shuffle(order)
    taken: list[int] = []
    rows = 0
    for number in order:
        if rows + sizes[number] <= wanted:
            taken.append(number)
            rows += sizes[number]
    return taken or [int(np.argmin(sizes))]


def _labels(dataset: Any) -> NDArray[np.int64]:
    """Return the entity of each row's label, without one that of its most relevant document."""
    columns = dataset.select_columns(["label", "documents", "grades"])
    return np.fromiter((_entity(row) for row in _rows(columns)), dtype=np.int64, count=len(dataset))


def _entity(row: dict[str, Any]) -> int:
    if row["label"]:
        return label_entity(row["label"])
    grades = row["grades"] or [1.0]
    return content_entity(Side(**row["documents"][grades.index(max(grades))]))


def _sources(dataset: Any) -> NDArray[np.int64]:
    """Return a number for each row that rows of one source, or of sources that share a label, have alike."""
    numbers: dict[str, int] = {}
    together: list[int] = []  # for each source, one that it belongs with; itself where it stands for them
    labels: dict[int, int] = {}
    rows = np.empty(len(dataset), dtype=np.int64)
    for k, row in enumerate(_rows(dataset.select_columns(["source", "label"]))):
        number = numbers.setdefault(row["source"], len(numbers))
        if number == len(together):
            together.append(number)
        rows[k] = number
        if row["label"]:
            other = labels.setdefault(label_entity(row["label"]), number)
            together[_root(together, number)] = _root(together, other)
    roots = np.array([_root(together, number) for number in range(len(together))], dtype=np.int64)
    return roots[rows] if len(rows) else rows


def _root(together: list[int], number: int) -> int:
    while together[number] != number:
        together[number] = together[together[number]]
        number = together[number]
    return number


def _rows(dataset: Any) -> Iterator[dict[str, Any]]:
    for batch in dataset.with_format("arrow").iter(batch_size=_BATCH_ROWS):
        yield from batch.to_pylist()
