"""What `plait doctor` says: findings, what was checked, and what a repair did."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["library", "store", "scan", "row", "document", "picture", "snapshot", "leftover", "source"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        kind: what it concerns.
        where: a path inside the library folder, a unit's id or a document's source.
        problem: what was seen.
        is_note: nothing is lost or wrong: said only so that nobody wonders.
    """

    kind: Kind
    where: str
    problem: str
    is_note: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}"


@dataclass(slots=True)
class Diagnosis:
    """The state of a library.

    Attributes:
        files, bytes: how many of the store's files and pictures were read, and their size.
        rows, documents, pictures: how many were checked.
        seconds: wall time.
    """

    folder: str
    findings: list[Finding] = field(default_factory=list)
    files: int = 0
    bytes: int = 0
    rows: int = 0
    documents: int = 0
    pictures: int = 0
    seconds: float = 0.0

    @property
    def problems(self) -> list[Finding]:
        """The findings that are not mere notes."""
        return [finding for finding in self.findings if not finding.is_note]

    @property
    def notes(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.is_note]

    @property
    def is_healthy(self) -> bool:
        return not self.problems

    def find(self, kind: Kind, where: str, problem: str, *, is_note: bool = False) -> None:
        """Add a finding."""
        self.findings.append(Finding(kind, where, problem, is_note))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {**asdict(self), "is_healthy": self.is_healthy}


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What a repair did.

    Attributes:
        found: the state before.
        done: what was mended, a sentence each.
        lost: what could not be brought back, a sentence each.
        left: the state after.
    """

    found: Diagnosis
    done: tuple[str, ...]
    lost: tuple[str, ...]
    left: Diagnosis

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "found": self.found.to_dict(),
            "done": list(self.done),
            "lost": list(self.lost),
            "left": self.left.to_dict(),
        }
