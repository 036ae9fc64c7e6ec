"""Documents to a folder of training rows: read once, written aside, there wholly or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, TextIO

from plait.errors import InputError, PlaitError
from plait.schema import Unit
from plait.train.self_supervised.dividing import divide
from plait.train.self_supervised.pictures import RowPictures
from plait.train.self_supervised.questions import KINDS, Asking, Kind, Question, questions_of
from plait.train.self_supervised.report import RowsReport
from plait.train.self_supervised.settings import settings_of

_ROWS = "rows.partial"


def write_rows(
    units: Iterable[Unit],
    folder: str | Path,
    *,
    kinds: Collection[Kind] = KINDS,
    most_per_unit: int = 3,
    edits_per_figure: int = 3,
    held_out_share: float = 0.2,
    seed: int = 0,
) -> RowsReport:
    """Write training rows that documents give of themselves, and settings that train a model on them.

    The folder gets training/KIND.jsonl and held-out/KIND.jsonl, in the form of
    `plait.data.training.jsonl`; pictures/; and train.yaml for `plait train`. Each kind is a source of its
    own there, so that training counts it and settings may weigh it. A row's label is its unit's id: rows
    about one section are never each other's negatives. Documents are held out whole.

    Units are read as they come, and not kept: memory grows by some 100 bytes a document. The same units,
    options and seed give the same bytes.

    Args:
        units: those of one document are neighbours, in order; such as `Library.units()`, or
            `plait.data.segmenting.units` of documents that were read.
        folder: an absent or empty one; it becomes whole at once, at the end.
        kinds: of rows; `questions` says what they are.
        most_per_unit: sentences, and figures, that a section is asked for.
        edits_per_figure: edited pictures that ask for each.
        held_out_share: of the rows, about, in (0, 1).
        seed: of the sentences drawn, the edits, and the documents held out.

    Raises:
        InputError: options out of range, a folder in use, no units, or none that can be asked about.
        PlaitError: the disk is full, or the folder cannot be written.
    """
    _check(kinds, most_per_unit, edits_per_figure, held_out_share, seed)
    wanted = [kind for kind in KINDS if kind in kinds]
    target = Path(os.path.abspath(folder))
    with _aside(target) as part:
        (part / "pictures").mkdir()
        pictures = RowPictures(part / "pictures", seed=seed)
        asked = _Asked(wanted, pictures, most=most_per_unit, edits=edits_per_figure, seed=seed)
        # Half a character, which UTF-8 cannot hold, becomes "?": one in a pile is no reason to stop.
        with (part / _ROWS).open("w", encoding="utf-8", errors="replace") as rows:
            asked.write(units, rows)
        asked.check()
        divided = divide(part / _ROWS, part, share=held_out_share, seed=seed)
        (part / _ROWS).unlink()
        report = RowsReport(
            folder=target,
            documents=asked.documents,
            sections=asked.sections,
            silent=asked.silent,
            training={kind: divided.training.get(kind, 0) for kind in wanted},
            held_out={kind: divided.held_out.get(kind, 0) for kind in wanted},
            whole_documents=divided.whole_documents,
            pictures=sum(1 for _ in os.scandir(part / "pictures")),
            missing=pictures.missing,
            damaged=pictures.damaged,
        )
        settings = settings_of(report.training, report.held_out, name=target.name, seed=seed)
        (part / "train.yaml").write_text(settings, encoding="utf-8")
    return report


@dataclass(slots=True)
class _Asked:
    """Documents that are being asked, one unit after another, and what was met on the way."""

    kinds: Collection[Kind]
    pictures: RowPictures
    most: int
    edits: int
    seed: int
    documents: int = 0
    sections: int = 0
    silent: int = 0

    def write(self, units: Iterable[Unit], rows: TextIO) -> None:
        """Write a line of {"kind", "document", "row"} for every question, and its pictures."""
        before: tuple[str, tuple[str, ...]] = ("", ())
        figure_turns, heading_turns = cycle((False, True)), cycle((True, False, False, True))
        for unit in units:
            # A section that goes on, in another unit or on another page, was asked for by its first one.
            is_begun = (unit.document_id, unit.section) == before
            self.documents += unit.document_id != before[0]
            self.sections += 1
            before = (unit.document_id, unit.section)
            figures = self.pictures.usable(unit, most=self.most + 1)
            has_new = any(figure.is_new for figure in figures)
            asking = Asking(
                frozenset(self.kinds),
                self.most,
                self.edits,
                figure_out=has_new and self._figure_out(figure_turns),
                headings_out=not is_begun and self._headings_out(heading_turns),
            )
            found = questions_of(unit, figures, asking, seed=self.seed)
            self.silent += not found
            for number, question in enumerate(found):
                row = self._row(unit, number, question)
                line = {"kind": question.kind, "document": unit.document_id, "row": row}
                rows.write(json.dumps(line, ensure_ascii=False) + "\n")

    def check(self) -> None:
        """Check that something was asked.

        Raises:
            InputError: there was nothing to ask, or about.
        """
        if not self.sections:
            raise InputError("there are no documents to make rows of: add some first, with  plait add FILES")
        if self.silent == self.sections:
            raise InputError(
                f"none of {self.sections:,} sections can be asked about by {', '.join(self.kinds)}: expected "
                "sections of some sentences, 20 words or more, or captioned figures; add other documents"
            )

    def _figure_out(self, turns: Iterator[bool]) -> bool:
        """Tell whether a section's figure is taken out: of every other one, where both are wanted."""
        if "removed" not in self.kinds:
            return False
        return {"figure", "caption"}.isdisjoint(self.kinds) or next(turns)

    def _headings_out(self, turns: Iterator[bool]) -> bool:
        """Tell whether a section's headings are taken out: of half of them, unless nothing else is wanted."""
        return "title" in self.kinds and (len(self.kinds) == 1 or next(turns))

    def _row(self, unit: Unit, number: int, question: Question) -> dict[str, Any]:
        asking, shown = question.asking, question.shown
        edited = "" if asking is None else self.pictures.edited(asking, question.edit)
        kept = "" if shown is None else self.pictures.keep(shown)
        return {
            "id": f"{unit.id}:{number}",
            "label": unit.id,
            "query": _side(question.text, edited),
            "positive": _side(question.document, kept),
        }


def _side(text: str, image: str) -> dict[str, str]:
    return {name: value for name, value in (("text", text), ("image", image)) if value}


def _check(kinds: Collection[Kind], most: int, edits: int, share: float, seed: int) -> None:
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise InputError(f"kinds {', '.join(unknown) or 'missing'}: expected some of {', '.join(KINDS)}")
    if most < 1 or edits < 1 or seed < 0:
        raise InputError(
            f"most_per_unit {most}, edits_per_figure {edits}, seed {seed}: expected 1 or more of the first "
            "two, and a seed of 0 or more"
        )
    if not 0 < share < 1:
        raise InputError(f"a share of {share} to hold out: expected more than 0 and less than 1")


@contextmanager
def _aside(target: Path) -> Iterator[Path]:
    """Give a folder that takes the name of `target` once it is whole, and goes where it does not get so.

    Raises:
        InputError: the target is in use.
        PlaitError: it cannot be written.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target} is in use: give a folder that is absent or empty")
    part = target.with_name(f".{target.name}.partial-{os.getpid()}")
    try:
        part.mkdir(parents=True)
        yield part
        os.replace(part, target)
    except PlaitError:
        raise
    except OSError as error:
        raise PlaitError(
            f"the rows could not be written to {target} ({error}): see that its disk has room, and that the "
            "folder may be written, then start again"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
