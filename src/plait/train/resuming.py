"""Where a run goes on: its own folder, and a checkpoint that its settings and data still fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from plait.data.locking import locked
from plait.errors import InputError, TrainError
from plait.train import checkpoints
from plait.train.checkpoints import Checkpoint
from plait.train.settings_file import differences

Resume = Literal["auto", "never"] | Path

# What may be another on the way without changing what the steps so far have done.
_FREE = (
    "output.", "cache", "data.", "max_bad_share", "model.start", "validation.data.",
    "evaluation.every", "evaluation.at_start", "evaluation.patience", "evaluation.least_gain",
    "evaluation.batch_size", "evaluation.measures", "trainer.stop_after_steps", "trainer.workers",
    "trainer.device", "trainer.threads", "trainer.log_every", "trainer.checkpoint_every",
    "trainer.keep_checkpoints", "trainer.report_to",
)  # fmt: skip
_OURS = ("checkpoints", "model", "tensorboard", "report.json")
_SHOWN = 5


@contextmanager
def alone(folder: Path, *, first: bool) -> Iterator[None]:
    """Keep other runs out of a folder meanwhile.

    Args:
        first: whether this process is the first of its run: the others follow it in.

    Raises:
        TrainError: another run is in it.
        InputError: the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"output.folder {folder} cannot be made ({error}): give another") from error
    if not first:
        yield
        return
    with locked(folder, doing="training in", instead="another output.folder", refusal=TrainError):
        yield


def start_of(folder: Path, resume: Resume, *, first: bool) -> Checkpoint | None:
    """Return the checkpoint that a run goes on from; None begins anew.

    "auto" takes the latest whole one, if there is any; "never" begins anew, and what is in the folder moves
    to earlier-1, earlier-2, ... within it.

    Args:
        folder: of the run.
        first: whether this process is the first of its run, which tidies up.

    Raises:
        TrainError: the checkpoint named is not there, or damaged.
    """
    places = folder / "checkpoints"
    if first:
        checkpoints.tidy(places)
    if resume == "never":
        if first:
            _set_aside(folder)
        return None
    if isinstance(resume, Path):
        return checkpoints.checked(resume)
    found = checkpoints.whole(places)
    return checkpoints.checked(found[-1].folder) if found else None


def check_fits(start: Checkpoint, settings: Mapping[str, Any], *, data: str, rows: int) -> None:
    """Check that going on from a checkpoint gives what one run without a break would have.

    Args:
        settings: of this run, plain.
        data, rows: digest and number of its training rows.

    Raises:
        InputError: settings or data are others than the checkpoint's.
    """
    ways = f"go back to them, begin anew with --fresh, or give another --output; {start.folder.name} stays"
    changed = {
        place: values
        for place, values in differences(dict(settings), dict(start.facts.get("settings", {}))).items()
        if not place.startswith(_FREE)
    }
    if changed:
        shown = [f"{place} was {was!r}, is {now!r}" for place, (now, was) in list(changed.items())[:_SHOWN]]
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        raise InputError(f"{start.folder} was trained with other settings: {'; '.join(shown)}{more}: {ways}")
    if data != start.facts.get("data"):
        raise InputError(
            f"{start.folder} was trained on other rows ({start.facts.get('rows'):,} then, {rows:,} now, or "
            f"in another order): {ways}"
        )


def _set_aside(folder: Path) -> None:
    found = [folder / name for name in _OURS if (folder / name).exists()]
    if not found:
        return
    number = 1
    while (folder / f"earlier-{number}").exists():
        number += 1
    place = folder / f"earlier-{number}"
    place.mkdir()
    for one in found:
        one.rename(place / one.name)
