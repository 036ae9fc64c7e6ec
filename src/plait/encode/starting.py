"""A stored model as an encoder of sentence-transformers, on a device."""

from __future__ import annotations

from typing import Any

import torch

from plait.encode import checkpoint
from plait.encode.opening import open_model
from plait.encode.st import RetMultiVectorEncoder, RetSentenceTransformer
from plait.errors import ModelError
from plait.model import hub
from plait.model.files import read_json


def started(name: str, device: str) -> Any:
    """Return the encoder of a stored model, in float32.

    Args:
        name: a folder, a pip package, or a downloaded name on the hub.
        device: of torch.

    Raises:
        ModelError: there is none, it cannot be loaded, or it is plait-mini.
    """
    folder = hub.resolve(name)
    kind = checkpoint.kind_of(folder)
    if kind == "plait-mini":
        raise ModelError("plait-mini is no single model that trains from here: start from a ReT model")
    if kind != "ReT":
        return open_model(folder).to(device)
    several = read_json(folder / "config.json").get("late_interaction", True)
    kind_of_encoder = RetMultiVectorEncoder if several else RetSentenceTransformer
    return kind_of_encoder(
        str(folder), device=device, local_files_only=True, model_kwargs={"dtype": torch.float32}
    )
