"""Checkpoints that are whole or not there: written aside, listed with their hashes, then moved into place."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from plait.data.whole_files import synced
from plait.errors import TrainError

# In every whole checkpoint, written after all else: its files with their sizes and hashes.
MARKER = "whole.json"
_NAME = re.compile(r"checkpoint-(\d+)")
_DRAFT, _REPLACED = ".writing", ".replaced"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A whole checkpoint.

    Attributes:
        folder: where it lies.
        step: optimizer steps done.
        facts: what the run said of itself when it wrote it.
    """

    folder: Path
    step: int
    facts: Mapping[str, Any] = field(default_factory=dict)


def whole(folder: Path) -> list[Checkpoint]:
    """Return the whole checkpoints in a folder, by step; sizes are looked at, contents are not read."""
    found = []
    for place in folder.glob("checkpoint-*") if folder.is_dir() else ():
        marker = _marker(place)
        if _NAME.fullmatch(place.name) and marker is not None and not _wrong_sizes(place, marker):
            found.append(Checkpoint(place, int(marker["step"]), marker.get("facts", {})))
    return sorted(found, key=lambda checkpoint: checkpoint.step)


def checked(place: Path) -> Checkpoint:
    """Return a checkpoint whose every file has been read and is as it was written.

    Raises:
        TrainError: it is not there, was never finished, or is damaged.
    """
    marker = _marker(place)
    if marker is None:
        seen = "is not a whole checkpoint" if place.is_dir() else "is not there"
        others = [checkpoint.folder.name for checkpoint in whole(place.parent)]
        raise TrainError(f"{place} {seen}: whole ones beside it: {', '.join(others) or 'none'}")
    wrong = _wrong_sizes(place, marker) or [
        name for name, file in marker["files"].items() if _hash(place / name) != file["sha256"]
    ]
    if wrong:
        raise TrainError(
            f"{place}: {wrong[0]} is not as it was written: the disk or a copy damaged it; remove the folder "
            "and resume from an earlier one"
        )
    return Checkpoint(place, int(marker["step"]), marker.get("facts", {}))


@contextmanager
def writing(folder: Path, *, step: int, facts: Mapping[str, Any], advice: str = "") -> Iterator[Path]:
    """Give an empty folder to write a checkpoint into, which becomes `folder`/checkpoint-`step` at the end.

    Until then, and whatever happens meanwhile, the checkpoints that are there stay as they are.

    Args:
        advice: ends the message of the error.

    Raises:
        TrainError: it cannot be written, as on a full disk.
    """
    final = folder / f"checkpoint-{step}"
    draft = folder / (final.name + _DRAFT)
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        yield draft
        _finish(draft, step, facts)
        move_into_place(draft, final)
    # the file system, torch and safetensors each have their own error for a full disk
    except (OSError, RuntimeError, SafetensorError) as error:
        wanted = sum(file.stat().st_size for file in draft.rglob("*") if file.is_file())
        shutil.rmtree(draft, ignore_errors=True)
        raise TrainError(_unwritten(final, wanted, error, advice)) from error


def move_into_place(draft: Path, final: Path) -> None:
    """Give a finished folder its name; what had that name is there, whole, until then, and then removed."""
    replaced = final.with_name(final.name + _REPLACED)
    shutil.rmtree(replaced, ignore_errors=True)
    if final.exists():
        final.rename(replaced)
    draft.rename(final)
    synced(final.parent)
    shutil.rmtree(replaced, ignore_errors=True)


def tidy(folder: Path) -> None:
    """Remove what a killed process left half-done; a half-done replacement is undone."""
    for place in folder.glob(f"*{_REPLACED}"):
        final = place.with_name(place.name.removesuffix(_REPLACED))
        if final.exists():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.rename(final)
    for place in folder.glob(f"*{_DRAFT}"):
        shutil.rmtree(place, ignore_errors=True)


def prune(folder: Path, *, keep: int, best: int | None) -> None:
    """Remove the oldest checkpoints, but for the `keep` latest (at least one) and that of step `best`."""
    latest = whole(folder)[-max(keep, 1) :]
    for checkpoint in whole(folder):
        if checkpoint not in latest and checkpoint.step != best:
            # Under another name first: a killed removal must not leave half a checkpoint under its own.
            doomed = checkpoint.folder.with_name(checkpoint.folder.name + _DRAFT)
            shutil.rmtree(doomed, ignore_errors=True)
            checkpoint.folder.rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)


def _finish(draft: Path, step: int, facts: Mapping[str, Any]) -> None:
    """Write the marker of a draft, and see to it that all of it is on the disk."""
    files = sorted(file for file in draft.rglob("*") if file.is_file())
    listing = {
        file.relative_to(draft).as_posix(): {"bytes": file.stat().st_size, "sha256": _hash(file)}
        for file in files
    }
    marker = draft / MARKER
    marker.write_text(json.dumps({"step": step, "facts": dict(facts), "files": listing}, indent=1) + "\n")
    for file in (*files, marker):
        synced(file)
    for place in (*(file for file in draft.rglob("*") if file.is_dir()), draft):
        synced(place)


def _marker(place: Path) -> dict[str, Any] | None:
    """Return what a checkpoint's marker says; None where there is none to be read."""
    try:
        marker = json.loads((place / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(marker, dict) and isinstance(marker.get("files"), dict) and "step" in marker
    return marker if known else None


def _wrong_sizes(place: Path, marker: Mapping[str, Any]) -> list[str]:
    sizes = {name: place / name for name in marker["files"]}
    return [
        name
        for name, file in sizes.items()
        if not file.is_file() or file.stat().st_size != marker["files"][name]["bytes"]
    ]


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _unwritten(final: Path, wanted: int, error: Exception, advice: str) -> str:
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    free = shutil.disk_usage(final.parent if final.parent.is_dir() else Path("/")).free
    kept = [checkpoint.folder.name for checkpoint in whole(final.parent)]
    intact = f"{kept[-1]} is whole" if kept else "there is no earlier one"
    return (
        f"{final} could not be written ({reason}; {free / 1e6:,.0f} MB are free in {final.parent}, and "
        f"{wanted / 1e6:,.0f} MB were written before it failed); {intact}{advice}"
    )
