"""What of plait-mini can be adapted, and what goes along unchanged."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from plait.encode.mini import MiniEncoder
from plait.errors import InputError
from plait.model.mini.configuration_mini import MiniConfig
from plait.model.mini.lite0 import EfficientNetLite0
from plait.model.mini.modeling_mini import PictureHeads


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the form of plait-mini.

    Attributes:
        tensors: everything in model.safetensors.
        heads: the picture heads among them, or tuned ones.
    """

    config: MiniConfig
    tensors: Mapping[str, Tensor]
    heads: PictureHeads

    @classmethod
    def read(cls, base: str) -> Model:
        """Return the model of a name or folder."""
        folder = MiniEncoder.load(base).folder
        config = MiniConfig.read(folder / "config.json")
        tensors = load_file(folder / "model.safetensors")
        channels = sum(EfficientNetLite0.widths[stage] for stage in config.vision.stages)
        heads = PictureHeads(config.heads, channels)
        heads.load_state_dict({name: tensors[name] for name in heads.state_dict()})
        return cls(config, tensors, heads.eval().requires_grad_(False))

    def trusting(self, sharpness: float, shift: float) -> Model:
        """Return the model with its evidence of pictures multiplied, and then shifted by some nats."""
        old = self.config.mixture
        mixture = replace(
            old,
            image_tokens=round(old.image_tokens * sharpness, 3),
            image=round(old.image * sharpness, 3),
            image_bias=round(old.image_bias * sharpness + shift, 3),
        )
        return replace(self, config=replace(self.config, mixture=mixture))

    def write(self, folder: Path) -> None:
        """Write it whole or not at all: into a folder beside the final one, renamed when done.

        Raises:
            InputError: the disk is full, or the folder cannot be made there.
        """
        part = folder.with_name(folder.name + ".part")
        tuned = {name: value.contiguous() for name, value in self.heads.state_dict().items()}
        try:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            save_file({**self.tensors, **tuned}, part / "model.safetensors")
            (part / "model.safetensors").chmod(0o644)
            self.config.write(part / "config.json")
            if folder.exists():
                folder.rmdir()
            part.rename(folder)
        except (OSError, SafetensorError) as error:
            shutil.rmtree(part, ignore_errors=True)
            raise InputError(
                f"the adapted model cannot be written to {folder}: {error}; the old one stays in use"
            ) from error

    def changes_from(self, old: Model) -> dict[str, float]:
        """Return the numbers that changed, and by how much the heads did, relative to their size."""
        before, after = old.config.mixture.to_dict(), self.config.mixture.to_dict()
        changed = {name: value for name, value in after.items() if value != before[name]}
        moved = torch.cat([value.flatten() for value in self.heads.state_dict().values()])
        stayed = torch.cat([value.flatten() for value in old.heads.state_dict().values()])
        return {**changed, "heads_moved": round(float((moved - stayed).norm() / stayed.norm()), 4)}
