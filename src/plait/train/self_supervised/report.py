"""What became of the documents: rows by kind, and what could not be asked about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from plait.train.self_supervised.questions import WITH_FIGURES, Kind


@dataclass(frozen=True, slots=True)
class RowsReport:
    """What was written.

    Attributes:
        folder: with train.yaml, and the rows and pictures that it speaks of.
        documents, sections: that were read.
        silent: sections that ask nothing: too short, and without figures that no other shows.
        training, held_out: kind -> rows, in the order of the kinds asked for, 0 where there are none.
        whole_documents: False where sections are held out, for there are too few documents.
        pictures: files written.
        missing, damaged: figures that are not where the documents have them, or cannot be opened; they
            are left out.
    """

    folder: Path
    documents: int
    sections: int
    silent: int
    training: Mapping[Kind, int]
    held_out: Mapping[Kind, int]
    whole_documents: bool
    pictures: int
    missing: int = 0
    damaged: int = 0

    @property
    def settings(self) -> Path:
        """The file of settings that trains on these rows."""
        return self.folder / "train.yaml"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {**asdict(self), "folder": str(self.folder), "settings": str(self.settings)}

    def __str__(self) -> str:
        """Return the report in some lines."""
        lines = [
            f"{sum(self.training.values()):,} rows to train on, {sum(self.held_out.values()):,} held out, of "
            f"{self.sections:,} sections of {self.documents:,} documents"
        ]
        lines += [
            f"  {kind:<9} {rows:>7,} to train on, {self.held_out[kind]:,} held out"
            for kind, rows in self.training.items()
        ]
        lines.append(f"  {self.pictures:,} pictures in {self.folder}")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    @property
    def notes(self) -> list[str]:
        """What may surprise, one sentence each."""
        notes = []
        if not self.whole_documents:
            notes.append(
                "too few documents to hold any out whole: sections are held out, which flatters the results"
            )
        rows = {kind: self.training[kind] + self.held_out[kind] for kind in self.training}
        if none := [kind for kind in rows if kind in WITH_FIGURES and not rows[kind]]:
            notes.append(
                f"no figure to ask {', '.join(none)} with: the model is not trained for pictures by it"
            )
        if self.silent:
            notes.append(f"{self.silent:,} sections ask nothing: too few words, and no figure of their own")
        if self.missing:
            notes.append(
                f"{self.missing:,} figures are left out: their files are gone; add their documents again"
            )
        if self.damaged:
            notes.append(f"{self.damaged:,} figures are left out: their files cannot be opened")
        return notes
