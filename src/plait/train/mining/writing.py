"""Rows with their hard negatives, as lines that `plait.data.training.jsonl` reads."""

from __future__ import annotations

import json
import os
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyarrow import compute

from plait.data.training.entities import content_entity
from plait.data.training.examples import Side
from plait.encode.side_vectors import BOTH
from plait.errors import InputError
from plait.train.mining.choosing import Chosen, choose
from plait.train.mining.corpus import Corpus, grades_of, side_of
from plait.train.mining.options import MiningOptions
from plait.train.mining.searching import Found, Search


@dataclass(slots=True)
class Tally:
    """What was written.

    Attributes:
        negatives: new ones by kind.
        rows_without: rows that got none.
        likely_relevant: candidates that were left out for their scores.
        ranks: of relevant documents, where they were scored.
    """

    negatives: Counter[str] = field(default_factory=lambda: Counter(mined=0, wrong_modality=0, stripped=0))
    rows_without: int = 0
    likely_relevant: int = 0
    ranks: array[int] = field(default_factory=lambda: array("q"))


class Writer:
    """Writes rows with the hard negatives that are chosen of what was found for them.

    Args:
        images: the folder that pictures' paths start from.
        prefixed: whether ids begin with the name of their source.
    """

    def __init__(
        self, corpus: Corpus, search: Search, options: MiningOptions, *, images: Path, prefixed: bool
    ) -> None:
        self._corpus, self._search, self._options = corpus, search, options
        self._images, self._prefixed = images, prefixed

    def write(self, found: Iterable[tuple[int, Found]], file: Path) -> Tally:
        """Write all rows, and return what was written.

        Args:
            found: of which row it begins with, and what was found for some rows, in order.

        Raises:
            OSError: the file cannot be written.
        """
        tally = Tally()
        with file.open("w", encoding="utf-8") as stream:
            for start, some in found:
                for line in self._lines(start, some, tally):
                    stream.write(json.dumps(line, ensure_ascii=False) + "\n")
        return tally

    def _lines(self, start: int, found: Found, tally: Tally) -> Iterator[dict[str, Any]]:
        rows = self._corpus.rows.select(range(start, start + len(found.rank))).to_list()
        chosen = [self._chosen(found, k, start + k, row) for k, row in enumerate(rows)]
        sides = self._sides({place for one in chosen for place in (*one.negatives, *one.wrong_modality)})
        tally.ranks.extend(found.rank[found.rank > 0].tolist())
        for k, (row, one) in enumerate(zip(rows, chosen, strict=True)):
            places = (*one.negatives, *one.wrong_modality)
            scored = not np.isnan(found.relevant[k])
            stripped = self._stripped(start + k, row, places) if scored else []
            tally.negatives.update(
                mined=len(one.negatives), wrong_modality=len(one.wrong_modality), stripped=len(stripped)
            )
            tally.rows_without += not places and not stripped
            tally.likely_relevant += one.likely_relevant
            yield line_of(
                row,
                [*(sides[place] for place in places), *stripped],
                name=f"{row['source']}/{row['id']}" if self._prefixed else row["id"],
                images=self._images,
                scores=self._scores(start + k, places) if self._options.teacher else None,
            )

    def _chosen(self, found: Found, k: int, row: int, values: Mapping[str, Any]) -> Chosen:
        contents = self._search.documents.contents
        return choose(
            found,
            k,
            options=self._options,
            name=f"{values['source']} {values['id']}",
            contents=contents,
            never=contents[self._taken(row)],
        )

    def _taken(self, row: int) -> NDArray[np.int64]:
        """Return the numbers of documents that answer a row, and of those that it has."""
        return np.union1d(self._corpus.answers(row), self._corpus.own(row))

    def _sides(self, places: set[int]) -> dict[int, Side]:
        ordered = sorted(places)
        found = self._corpus.documents.select(ordered).to_list()
        return {place: side_of(one) for place, one in zip(ordered, found, strict=True)}

    def _stripped(self, row: int, values: Mapping[str, Any], more: Sequence[int]) -> list[Side]:
        """Return the relevant document without its picture and without its words, if it has both."""
        if not self._options.stripped or self._corpus.kinds[self._corpus.best[row]] != BOTH:
            return []
        grades = grades_of(values)
        whole = side_of(values["documents"][grades.index(max(grades))])
        known = self._corpus.entities[[*self._taken(row), *more]]
        return [
            part
            for part in (Side(text=whole.text), Side(image=whole.image))
            if content_entity(part) not in known
        ]

    def _scores(self, row: int, more: Sequence[int]) -> list[float] | None:
        """Return the model's scores of a row's documents and of more; None where it lacks one."""
        places = np.array([*self._corpus.own(row), *more])
        scores = self._search.pair_scores(int(self._corpus.query[row]), places)
        return [round(float(score), 6) for score in scores] if np.isfinite(scores).all() else None


def check_no_teacher(rows: Any) -> None:
    """Check that no row has a teacher's scores, which new negatives would lack.

    Raises:
        InputError: some have.
    """
    count = sum(
        int(np.count_nonzero(compute.list_value_length(table["teacher"]).to_numpy()))
        for table in rows.with_format("arrow").iter(batch_size=10_000)
    )
    if count:
        raise InputError(
            f"{count:,} rows have a teacher's scores, which new negatives would lack: ask for teacher, which "
            "puts the model's own scores in their place, or take the scores out of the rows"
        )


def folder_of_pictures(wanted: Path | None, *, output: Path, pictures: str) -> Path:
    """Return the folder that pictures' paths shall start from.

    It is the output's own, where all lie in that, and else the deepest that holds all.

    Args:
        wanted: by the user; None: nothing.
        pictures: the deepest folder that holds all pictures; "" where there are none.

    Raises:
        InputError: pictures lie outside of the folder wanted.
    """
    own = Path(os.path.realpath(output.parent))
    if not pictures:
        return own
    deepest = Path(pictures)
    if wanted is None:
        return own if deepest.is_relative_to(own) else deepest
    chosen = Path(os.path.realpath(wanted))
    if not deepest.is_relative_to(chosen):
        raise InputError(f"pictures lie in {deepest}, not all in {wanted}: give a folder that holds them all")
    return chosen


def line_of(
    row: Mapping[str, Any],
    negatives: Sequence[Side],
    *,
    name: str,
    images: Path,
    scores: Sequence[float] | None,
) -> dict[str, Any]:
    """Return a row of a training data set with more hard negatives, as an object of JSON.

    Args:
        name: its id.
        images: the folder that pictures' paths start from.
        scores: a teacher's, of all its documents, the new ones last; None: there are none.
    """
    documents = [_shown(side_of(one), images) for one in row["documents"]]
    added = [_shown(side, images) for side in negatives]
    line: dict[str, Any] = {"id": name, "query": _shown(side_of(row["query"]), images)}
    if row["grades"]:
        line |= {"documents": documents + added, "grades": grades_of(row) + [0.0] * len(added)}
    else:
        line |= {"positive": documents[0], "negatives": documents[1:] + added}
    if row["label"]:
        line["label"] = row["label"]
    if scores is not None:
        line["scores"] = list(scores)
    return line


def _shown(side: Side, images: Path) -> str | dict[str, str]:
    if not side.image:
        return side.text
    shown = {"text": side.text} if side.text.strip() else {}
    return shown | {"image": Path(side.image).relative_to(images).as_posix()}
