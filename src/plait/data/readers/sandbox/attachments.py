"""What a document holds, read as documents of their own: which, under what names, and how many."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from plait.data.readers.base import IMAGE_SUFFIXES, ReadLimits
from plait.schema import Attachment

DEEPEST = 3  # a file in an archive in an archive in an archive is read, no deeper one
_LONGEST_NAME = 300
_OVER = "more than its limits on number and size allow"
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


@dataclass(frozen=True, slots=True)
class Member:
    """A file that a document holds, unpacked.

    Attributes:
        source: how the user may name it: "outer.zip!/inner/name.pdf".
        path: the file.
        root: the folder that its pictures may come from: the top one below the spool.
    """

    source: str
    path: Path
    root: Path


@dataclass(slots=True)
class Allowance:
    """What is left of the limits of one item, over all levels of what it holds."""

    files: int
    unpacked_bytes: int

    @classmethod
    def of(cls, limits: ReadLimits) -> Allowance:
        return cls(limits.max_attachments, limits.max_unpacked_mb * 2**20)

    def narrowed(self, limits: ReadLimits) -> ReadLimits:
        """Return the limits for the next file of the item."""
        return replace(
            limits, max_attachments=self.files, max_unpacked_mb=max(1, self.unpacked_bytes // 2**20)
        )


def members_of(
    attachments: Sequence[Attachment], *, container: str, spool: Path, depth: int, allowance: Allowance
) -> tuple[list[Member], tuple[str, ...]]:
    """Return what of a document's attachments is read, and a sentence for each reason to leave some out.

    Args:
        attachments: as the child named them; it may lie.
        container: the document's source.
        spool: its spool; attachments lie in folders below it, and no link leads to them.
        depth: how deep they lie, 1 in a file of the user's.
        allowance: what may still be read; it shrinks.
    """
    if depth > DEEPEST:
        return [], _left_out(len(attachments), f"more than {DEEPEST} archives deep")
    members: dict[str, Member] = {}
    strange = over = 0
    real_spool = Path(os.path.realpath(spool))
    for attachment in attachments:
        path = Path(attachment.path)
        size = _plain_size(path, spool, real_spool)
        if size is None:
            strange += 1
        elif allowance.files < 1 or allowance.unpacked_bytes < size:
            over += 1
        else:
            allowance.files -= 1
            allowance.unpacked_bytes -= size
            source = _unique(f"{container}!/{clean_name(attachment.name)}", members)
            members[source] = Member(source, path, spool / path.relative_to(spool).parts[0])
    warnings = _left_out(strange, "not unpacked as plain files")
    # Pictures last: those that a page among them shows are not stored once more on their own.
    return sorted(members.values(), key=_is_picture), (*warnings, *_left_out(over, _OVER))


def _is_picture(member: Member) -> bool:
    return member.path.suffix.lower() in IMAGE_SUFFIXES


def clean_name(name: str) -> str:
    """Return a member's name as a source can hold it: relative, without control characters, not endless.

    Nor does it hold "!/", which would make it the name of a member of another archive.
    """
    parts = _CONTROLS.sub("\ufffd", name).replace("\\", "/").split("/")
    plain = "/".join(part for part in parts if part not in ("", ".", ".."))
    plain = plain.replace("!/", "_/").encode("utf-8", "replace").decode("utf-8")
    return plain[-_LONGEST_NAME:].lstrip("/") or "unnamed"


def _left_out(count: int, reason: str) -> tuple[str, ...]:
    """Return what to say of so many files; nothing of none."""
    if not count:
        return ()
    return (
        f"{count} file{'s' if count > 1 else ''} in it {'were' if count > 1 else 'was'} left out: {reason}",
    )


def _plain_size(path: Path, spool: Path, real_spool: Path) -> int | None:
    """Return the bytes of a plain file in a folder of the spool that no link leads to; None if it is none."""
    if not path.is_relative_to(spool) or len(path.relative_to(spool).parts) < 2:
        return None
    try:
        found = path.lstat()
        real = os.path.realpath(path, strict=True)
    except (OSError, ValueError):
        return None
    is_plain = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
    return found.st_size if is_plain and real == str(real_spool / path.relative_to(spool)) else None


def _unique(source: str, taken: dict[str, Member]) -> str:
    """Return a source that no other member has: archives may hold one name twice."""
    number, free = 2, source
    while free in taken:
        free, number = f"{source} ({number})", number + 1
    return free
