"""A ReT or ReT-2 retrieval model and its processor, from any folder or hub name that holds one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from sentence_transformers.util import load_dir_path

from plait.errors import InputError, ModelError
from plait.extras import require
from plait.model import backbones, hub
from plait.model.ret.modeling_ret import RetForRetrieval
from plait.model.ret.processing_ret import RetProcessor
from plait.model.ret2.configuration_ret2 import Ret2RetrievalConfig
from plait.model.ret2.modeling_ret2 import Ret2ForRetrieval

_ADAPTER = "adapter_config.json"
_OFFICIAL = "retriever"  # what the official release's configurations name themselves


def folder_of(
    name: str,
    *,
    subfolder: str = "",
    token: bool | str | None = None,
    cache_folder: str | None = None,
    revision: str | None = None,
    local_files_only: bool = False,
) -> Path:
    """Return the folder of a model: one here, a pip package's, or fetched as sentence-transformers does.

    Raises:
        ModelError: there is none, or it cannot be fetched.
    """
    if "/" not in name and not Path(name).is_dir():  # no hub id, so that only a package can be meant
        return hub.resolve(name)
    try:
        found = load_dir_path(
            name,
            subfolder,
            token=token,
            cache_folder=cache_folder,
            revision=revision,
            local_files_only=local_files_only,
        )
    except OSError as error:
        raise ModelError(f"{name} cannot be fetched: {error}") from error
    if found is None:
        raise ModelError(
            f"no model {name!r}: it is no folder here, and neither the hub's cache nor the hub, if that was "
            "reached, has it; check the name and the network"
        )
    return Path(found)


def load_model(
    folder: Path, *, name: str, local_files_only: bool = False, options: Mapping[str, Any]
) -> RetForRetrieval:
    """Return the model of a folder: ours, the official release's, or an adapter on either.

    Args:
        name: by which it was asked for; an adapter's model keeps its own.
        local_files_only: of the model that an adapter extends.
        options: of transformers' `from_pretrained`, such as `dtype`.

    Raises:
        ModelError: it is another kind of model, or cannot be loaded.
        InputError: an option that does not exist.
    """
    if (folder / _ADAPTER).is_file():
        return _adapted(folder, local_files_only, options)
    kind = _read(folder / "config.json").get("model_type")
    known = {
        _OFFICIAL: RetForRetrieval,
        RetForRetrieval.config_class.model_type: RetForRetrieval,
        Ret2RetrievalConfig.model_type: Ret2ForRetrieval,
    }
    if kind not in known:
        raise ModelError(f"{folder} holds a {kind!r} model, expected ReT or ReT-2 ({', '.join(known)})")
    try:
        model = known[kind].from_pretrained(folder, **options)
    except TypeError as error:
        raise InputError(f"model_kwargs {', '.join(options)}: {error}; leave out what is unknown") from error
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"{folder} holds a ReT checkpoint that cannot be loaded: {error}") from error
    model.config.name_or_path = model.name_or_path = name
    return model


def load_processor(folder: Path, model: RetForRetrieval, *, options: Mapping[str, Any]) -> RetProcessor:
    """Return the processor stored beside a model.

    Args:
        options: "max_tokens", where texts are to be cut shorter.

    Raises:
        InputError: other options.
        ModelError: there is no processor, or it cannot be loaded.
    """
    if set(options) - {"max_tokens"}:
        raise InputError(f"processor_kwargs are {', '.join(options)}, but ReT takes only max_tokens")
    longest = backbones.max_tokens(model.config.query_config.text_config)
    processor = RetProcessor.from_pretrained(folder, max_tokens=longest)
    if not processor.pads_to_max:  # tokenizers without a limit claim an endless one
        processor.max_tokens = min(longest, processor.tokenizer.model_max_length)
    if "max_tokens" in options:
        limit_texts(processor, options["max_tokens"], model=model)
    return processor


def limit_texts(processor: RetProcessor, tokens: int, *, model: RetForRetrieval) -> None:
    """Let a processor cut texts to so many tokens, if the text backbone can read such texts.

    Raises:
        InputError: it cannot.
    """
    longest = backbones.max_tokens(model.config.query_config.text_config)
    least = longest if processor.pads_to_max else 3  # a word, and the tokens that mark the ends
    if not least <= tokens <= longest:
        wanted = f"{least} to {longest}" if least < longest else f"{longest}, to which its texts are padded"
        raise InputError(f"texts of {tokens} tokens: this text backbone reads {wanted}")
    processor.max_tokens = tokens


def check_adapter_base(model: RetForRetrieval) -> None:
    """Check that whoever loads an adapter, which is stored alone, can find the model that it extends.

    Raises:
        ModelError: the model has an adapter, and no name.
    """
    for name, adapter in getattr(model, "peft_config", {}).items():
        if not adapter.base_model_name_or_path:
            raise ModelError(
                f"the adapter {name!r} extends a model that was never stored, and is stored alone: "
                "save the model first, load it from there, then add the adapter"
            )


def _adapted(folder: Path, local_files_only: bool, options: Mapping[str, Any]) -> RetForRetrieval:
    """Return the model that an adapter extends, with the adapter."""
    require("peft")
    base = str(_read(folder / _ADAPTER).get("base_model_name_or_path"))
    model = load_model(hub.resolve(base, download=not local_files_only), name=base, options=options)
    model.load_adapter(str(folder))
    return model


def _read(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(
            f"{file.parent} holds no readable {file.name}: give the folder of a ReT checkpoint"
        ) from error
