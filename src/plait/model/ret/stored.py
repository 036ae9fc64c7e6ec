"""Where a stored model lies, by the options that transformers' `from_pretrained` takes."""

from __future__ import annotations

import os
from pathlib import Path

from plait.model import hub


def stored(path: str | os.PathLike[str], *, local_files_only: bool, revision: str | None = None) -> Path:
    """Return the folder of a model: a folder itself, a pip package's, or one in the hub's cache.

    Args:
        local_files_only: False also fetches from the hub what the cache lacks.
        revision: of a hub name: a branch, tag or commit; None means its main branch.

    Raises:
        ModelError: there is no such model, and what to do about it.
    """
    name = path if revision in (None, "main") else f"{os.fspath(path)}@{revision}"
    return hub.resolve(name, download=not local_files_only)
