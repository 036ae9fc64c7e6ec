"""What mining found: for people, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class MiningReport:
    """What mining found.

    Attributes:
        output: the file of rows.
        images: the folder that their pictures' paths start from; None: the output's own.
        model: that searched, as the user calls it.
        rows: that were read, all of which are in the output.
        candidates: distinct documents that were searched.
        negatives: new ones, by kind: "mined", "wrong_modality", "stripped".
        rows_without: rows that got none.
        likely_relevant: candidates between the ranks that were left out for their scores, of all rows.
        median_rank: of the relevant document among those not known to be relevant, 1 the best; 0 where none
            could be scored.
        unreadable: queries and documents with a picture that could not be opened, or nothing that the model
            reads: such documents are never negatives, and their rows get none.
        bad_candidates: lines of the file of candidates that could not be used.
        seconds: of this session.
    """

    output: Path
    images: Path | None
    model: str
    rows: int
    candidates: int
    negatives: Mapping[str, int]
    rows_without: int
    likely_relevant: int
    median_rank: float
    unreadable: int
    bad_candidates: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        images = None if self.images is None else str(self.images)
        return asdict(self) | {"output": str(self.output), "images": images}

    def __str__(self) -> str:
        kinds = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in self.negatives.items())
        lines = [
            f"rows       {self.rows:,}, {self.rows_without:,} without a new negative",
            f"documents  {self.candidates:,} searched with {self.model}",
            f"negatives  {kinds}",
            f"left out   {self.likely_relevant:,} candidates as likely to be relevant",
            f"rank       {self.median_rank:g} of the relevant document, median",
            f"time       {self.seconds:,.1f} s",
        ]
        if self.unreadable:
            lines.append(f"note       {self.unreadable:,} queries or documents could not be read")
        if self.bad_candidates:
            lines.append(f"note       {self.bad_candidates:,} lines of candidates could not be used")
        told = f", images: {self.images}" if self.images is not None else ""
        return "\n".join([*lines, f"train on   {{format: jsonl, paths: {self.output}{told}}}"])
