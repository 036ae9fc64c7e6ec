"""Optional packages: the module, or the pip command that brings it."""

from __future__ import annotations

import importlib
from types import ModuleType

from plait.errors import MissingExtraError

# module -> the extra of plait that installs it
_EXTRA_OF = {
    "fastapi": "serve",
    "uvicorn": "serve",
    "python_multipart": "serve",
    "prometheus_client": "serve",
    "mcp": "mcp",
    "pytrec_eval": "eval",
    "mteb": "mteb",
    "sentence_transformers": "embedders",
    "peft": "lora",
    "openvino": "openvino",
    "accelerate": "train",
    "datasets": "train",
    "tensorboard": "train",
    "yaml": "train",
    "trackio": "trackio",
    "wandb": "wandb",
    "rapidocr": "ocr",
    "onnxruntime": "ocr",
    "pi_heif": "heic",
    "cv2": "video",
    "langchain_core": "langchain",
    "llama_index": "llama-index",
    "haystack": "haystack",
}


def require(module: str) -> ModuleType:
    """Return an optional module, imported.

    Raises:
        MissingExtraError: it is not installed; the message names the pip command.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        extra = _EXTRA_OF.get(module.partition(".")[0])
        wanted = f'"plait[{extra}]"' if extra else module
        raise MissingExtraError(f"{module} is not installed: run  pip install {wanted}") from error
