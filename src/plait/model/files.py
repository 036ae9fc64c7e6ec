"""The files of a model: whether a folder holds one, whether they are whole, and what tensors they store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from plait.errors import ModelError

MARKS = ("config.json", "modules.json", "adapter_config.json")  # one of them makes a folder a model
_WEIGHTS = ("*model*.safetensors", "*model*.bin", "*model*.pt", "*.onnx", "openvino_model.xml")
_AGAIN = "its download or copy was not complete"


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor as a safetensors header announces it; `dtype` is the format's word, such as "F32"."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)


def is_model(folder: Path) -> bool:
    """Return whether a folder says that it holds a model."""
    return any((folder / mark).is_file() for mark in MARKS)


def check(folder: Path, *, files: Sequence[str] | None = None) -> None:
    """Check that a model's files are all there and no weights are cut off; no tensor is loaded.

    Args:
        files: shell patterns that must each match a file; None asks for a whole model.

    Raises:
        ModelError: something is missing or damaged.
    """
    if files is not None:
        missing = [pattern for pattern in files if not any(folder.rglob(pattern))]
        if missing:
            raise ModelError(f"{folder} holds no {' and no '.join(missing)}: {_AGAIN}")
        return
    if not is_model(folder):
        raise ModelError(f"{folder} holds no model: expected {' or '.join(MARKS)} in it")
    for part in module_folders(folder):
        if not part.is_dir():
            raise ModelError(f"{folder} lacks the folder {part.name} that its modules.json names: {_AGAIN}")
        _check_shards(part)
    _check_shards(folder)
    if not _has_weights(folder):
        raise ModelError(f"{folder} describes a model, but its weights are missing: {_AGAIN}")
    stored_tensors(folder)


def problem(folder: Path, *, files: Sequence[str] | None = None) -> str:
    """Return what `check` finds wrong; "" when nothing is."""
    try:
        check(folder, files=files)
    except ModelError as error:
        return str(error)
    return ""


def read_json(file: Path) -> Any:
    """Return what a JSON file of a model holds.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} cannot be read ({error}): {_AGAIN}") from error


def weight_files(folder: Path) -> list[Path]:
    """Return the files with weights, of any kind, of the model itself: not those of checkpoints below it."""
    parts = [folder, *module_folders(folder)]
    return sorted({file for part in parts for pattern in _WEIGHTS for file in part.glob(pattern)})


def stored_tensors(folder: Path) -> list[StoredTensor]:
    """Return the tensors of a model's safetensors files, by their headers alone.

    Raises:
        ModelError: a file is damaged, or shorter than its header says.
    """
    files = [file for file in weight_files(folder) if file.suffix == ".safetensors"]
    return [tensor for file in files for tensor in _header(file)]


def module_folders(folder: Path) -> list[Path]:
    """Return the folders, there or not, that modules.json of sentence-transformers names; else none.

    Raises:
        ModelError: it cannot be read.
    """
    # Normalize stores nothing, and what is empty does not survive on the hub.
    return [folder / path for path, kind in _modules(folder) if path and not kind.endswith(".Normalize")]


def _modules(folder: Path) -> list[tuple[str, str]]:
    """Return the path and class of each module of sentence-transformers; none without modules.json."""
    listing = folder / "modules.json"
    if not listing.is_file():
        return []
    try:
        return [(str(module["path"]), str(module["type"])) for module in read_json(listing)]
    except (KeyError, TypeError) as error:
        raise ModelError(f"{listing} is not a list of modules ({error}): {_AGAIN}") from error


def _has_weights(folder: Path) -> bool:
    """Return whether there are weights where the first module has to have them."""
    if (
        folder / "router_config.json"
    ).is_file():  # its modules lie in folders that modules.json does not name
        return True
    first = next((folder / path for path, _ in _modules(folder)), folder)
    return any(file.parent == first for file in weight_files(folder))


def _check_shards(folder: Path) -> None:
    """Check that every file is there that an index of shards names."""
    for index in folder.glob("*.safetensors.index.json"):
        try:
            shards = set(read_json(index)["weight_map"].values())
        except (KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"{index} is not an index of weights ({error}): {_AGAIN}") from error
        missing = sorted(shard for shard in shards if not (folder / shard).is_file())
        if missing:
            lacks = f"{len(missing)} of {len(shards)} files of weights, such as {missing[0]}"
            raise ModelError(f"{folder} lacks {lacks}: {_AGAIN}")


def _header(file: Path) -> list[StoredTensor]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np") as opened:  # also compares the file's size with its header
            slices = [(name, opened.get_slice(name)) for name in opened.keys()]  # noqa: SIM118 - not a dict
            return [StoredTensor(name, part.get_dtype(), tuple(part.get_shape())) for name, part in slices]
    except (OSError, SafetensorError) as error:
        # In the hub's cache the name is a link: what must go is the file behind it.
        raise ModelError(
            f"{file} is damaged or cut off ({error}); delete {file.resolve()}, and get it once more"
        ) from error
