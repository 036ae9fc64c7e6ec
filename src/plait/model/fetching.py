"""Fetching models from the Hugging Face hub: whole, resumable, and with errors that say what to do."""

from __future__ import annotations

import errno
import fnmatch
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from plait.errors import ModelError
from plait.model.files import check

Progress = Callable[[str, int, int], None]  # the file that is coming, the bytes that came, and all there are

HUB_ID = re.compile(r"(?P<repo>\w[\w.-]*/\w[\w.-]*)(?:@(?P<revision>[^@\s]+))?")
_NEEDED = ("*.safetensors", "*.json", "*.txt", "*.model", "*.md", "LICENSE*")
_TWICE = ("onnx/*", "openvino/*")  # the same weights for other engines
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


def fetch(
    name: str,
    *,
    to: Path | None = None,
    files: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Return the folder of a model that was brought, or brought up to date, from the hub.

    Files that came completely are kept when something breaks, and are not fetched again.

    Args:
        name: "owner/name" or "owner/name@revision"; without one, the latest.
        to: an empty folder, or one of an earlier attempt; None is the hub's cache.
        files: shell patterns; None means a whole model: weights in safetensors, configuration, texts, and
            no copies for other engines.
        progress: called as bytes come; None leaves huggingface_hub's own bars.

    Raises:
        ModelError: not a hub id, not on the hub, not open to you, no network, no room, or not a model.
    """
    from huggingface_hub import constants, hf_hub_download, snapshot_download

    repo, revision = split_id(name)
    _check_target(to)
    wanted, unwanted = list(files or _NEEDED), None if files else list(_TWICE)
    everything: Callable[..., Any] = partial(
        snapshot_download,
        repo,
        revision=revision,
        local_dir=to,
        allow_patterns=wanted,
        ignore_patterns=unwanted,
    )
    with _explained(name, to):
        planned = everything(dry_run=True)
        _check_plan(name, [file.filename for file in planned], files)
        missing = [file for file in planned if file.will_download]
        size = sum(file.file_size or 0 for file in missing)
        _check_room(name, size, to or Path(constants.HF_HUB_CACHE))
        count = None if progress is None else _Count(progress, size)
        # One after the other, because an interrupt would have to wait for files that other threads fetch;
        # the largest last, because where weights are missing, `check` notices.
        for file in sorted(missing, key=lambda file: file.file_size or 0):
            bar = None if count is None else count.bar(file.filename)
            hf_hub_download(repo, file.filename, revision=file.commit_hash, local_dir=to, tqdm_class=bar)
        folder = Path(everything())
    check(folder, files=files)
    return folder


def split_id(name: str) -> tuple[str, str | None]:
    """Return ("owner/name", revision) of a hub id; the revision is None if it names none.

    Raises:
        ModelError: it is not a hub id.
    """
    match = HUB_ID.fullmatch(name)
    if match is None:
        raise ModelError(f"{name!r} is no name on the hub: those look like owner/name or owner/name@revision")
    return match["repo"], match["revision"]


def _check_target(to: Path | None) -> None:
    if to is None or not to.exists():
        return
    if not to.is_dir():
        raise ModelError(f"{to} is a file: give a folder to download into")
    if any(to.iterdir()) and not (to / ".cache" / "huggingface").is_dir():
        raise ModelError(f"{to} holds other files: give an empty folder to download into")


def _check_plan(name: str, planned: Sequence[str], files: Sequence[str] | None) -> None:
    """Check, before anything is fetched, that it would be what was asked for."""
    if files is None and not any(fnmatch.fnmatch(file, "*.safetensors") for file in planned):
        raise ModelError(f"{name} holds no safetensors weights on the hub, and plait reads no others")
    if not planned:
        raise ModelError(f"{name} holds no {' or '.join(files or ())} on the hub")


def _check_room(name: str, size: int, target: Path) -> None:
    existing = next(place for place in (target, *target.absolute().parents) if place.exists())
    free = shutil.disk_usage(existing).free
    if size > free:
        raise ModelError(
            f"{name} needs {size / 1e6:,.0f} MB, but {target} has {free / 1e6:,.0f} MB left: make room, or "
            "choose another disk with --to FOLDER or HF_HOME"
        )


class _Count:
    """Adds up what comes of all files, in the shape of tqdm's bars that huggingface_hub reports to."""

    def __init__(self, progress: Progress, size: int) -> None:
        self._progress = progress
        self._size = size
        self._done = 0

    def bar(self, file: str) -> type[Any]:
        """Return what takes the place of one file's bar."""
        from huggingface_hub.utils import tqdm

        untyped: Any = tqdm  # huggingface_hub gives it no types

        def add(count: float | None) -> None:
            self._done += int(count or 0)
            self._progress(file, self._done, self._size)

        class Bar(untyped):  # type: ignore[misc]
            def __init__(self, *args: Any, **options: Any) -> None:
                add(options.get("initial"))  # what an interrupted attempt left
                super().__init__(*args, **{**options, "disable": True})

            def update(self, n: float | None = 1) -> None:
                add(n)

            def update_transfer(self, n: float | None = 1) -> None:
                """Count nothing: these are the bytes of `update` once more, as Xet's network sees them."""

            def set_transfer_postfix_str(self, *args: Any, **options: Any) -> None:
                """Show nothing."""

        return Bar


@contextmanager
def _explained(name: str, to: Path | None) -> Iterator[None]:
    """Turn what huggingface_hub raises into one line that says what to do."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    # What every error of a connection descends from, in httpx and in httpx2, whichever is in use; Xet's own
    # transfer raises RuntimeError.
    connection: type[Exception] = HfHubHTTPError.__bases__[0]
    try:
        yield
    except (OSError, RuntimeError, HFValidationError, connection) as error:
        raise ModelError(f"cannot download {name}: {_reason(error, name, to)}") from error


def _reason(error: Exception, name: str, to: Path | None) -> str:
    """Return what went wrong and what to do, from the most telling error of a chain."""
    from huggingface_hub import constants, errors

    repo, revision = split_id(name)
    place = to or constants.HF_HUB_CACHE
    if isinstance(error, errors.DryRunError) and isinstance(error.__cause__, Exception):
        return _reason(error.__cause__, name, to)
    match error:
        case errors.OfflineModeIsEnabled():
            return "HF_HUB_OFFLINE is set, which forbids it; unset it, or copy the model's folder here"
        case errors.GatedRepoError():
            return f"it is gated; accept its terms at {constants.ENDPOINT}/{repo}, then run  hf auth login"
        case errors.RepositoryNotFoundError():
            return "the hub knows no such model, or it is private; check the name, or run  hf auth login"
        case errors.RevisionNotFoundError():
            return f"it has no revision {revision!r}; leave that out for the latest"
        case errors.HFValidationError():
            return "the hub allows no such name; check it for typing errors"
        case errors.HfHubHTTPError():
            return f"the hub answered {error.response.status_code}; try again later"
        case OSError() if error.errno in _NO_ROOM:
            return f"no room is left in {place}; make some, then run the same command again"
        case OSError() if error.errno in _NOT_ALLOWED:
            return f"{place} cannot be written; choose a folder with --to, or set HF_HOME"
    return (
        f"the connection to {constants.ENDPOINT} failed or broke ({_first_line(error)}); files that came "
        "completely are kept, so run the same command again"
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
