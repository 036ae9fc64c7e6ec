"""What goes into a model and what comes out, read from its configuration files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plait.errors import ModelError
from plait.model.files import module_folders, read_json
from plait.model.hub import package_models

Config = dict[str, Any]

NOT_KNOWN = "not known"
_ENDLESS = 10**6  # what tokenizers without a limit claim as their longest input is far above this


@dataclass(frozen=True, slots=True)
class Backbone:
    """A pretrained model inside a model.

    Attributes:
        kind: what its configuration calls it, or the package that carries it.
        layers, width: None where not known.
        read: the layers read, 0-based after the embedding, one a step; empty when only the last is.
    """

    kind: str
    layers: int | None = None
    width: int | None = None
    read: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Shape:
    """What goes into a model and what comes out; None where its files do not say.

    Attributes:
        tokens, width: one input becomes `tokens` vectors of that width.
        max_text_tokens: longer texts are cut.
        image_px: side of the square that pictures become.
    """

    text: Backbone | None = None
    vision: Backbone | None = None
    tokens: int | None = None
    width: int | None = None
    max_text_tokens: int | None = None
    image_px: int | None = None


def configuration(folder: Path) -> Config:
    """Return a model's configuration, which sentence-transformers may keep in a folder below; {} without.

    Raises:
        ModelError: it cannot be read.
    """
    for place in (folder, *module_folders(folder)):
        for name in ("config.json", "adapter_config.json"):
            if (place / name).is_file():
                values = read_json(place / name)
                if not isinstance(values, dict):
                    raise ModelError(f"{place / name} holds no configuration, but a {type(values).__name__}")
                return values
    return {}


def shape_of(folder: Path, config: Config) -> Shape:
    """Return the shape of the model in a folder.

    Raises:
        ModelError: its files cannot be read.
    """
    kind = str(config.get("model_type"))
    try:
        if kind == "plait-mini":
            return _mini_shape(config)
        if kind == "retriever" or kind.startswith("plait-ret"):
            return _ret_shape(folder, config)
        if (folder / "modules.json").is_file():
            return _embedder_shape(folder, config)
        return _backbone_shape(folder, config)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        found = f"{type(error).__name__}: {error}"
        raise ModelError(f"the configuration in {folder} is not that of a {kind} model ({found})") from error


def _ret_shape(folder: Path, config: Config) -> Shape:
    """Return the shape of ReT, of one or both sides, ours or the official release's."""
    side = config.get("query_config") or config
    compares_tokens = config.get("late_interaction", config.get("fg_loss", True))
    text, vision = _backbone(side.get("text_config")), _backbone(side.get("vision_config"))
    read = _layers(side, text, vision)
    pooled = side.get("output") == "pooled" or not compares_tokens
    return Shape(
        text=Backbone(text.kind, text.layers, text.width, read[0]),
        vision=Backbone(vision.kind, vision.layers, vision.width, read[1]),
        tokens=1 if pooled else side.get("num_queries"),
        width=side.get("late_proj_output_size"),
        max_text_tokens=_longest(folder, side.get("text_config") or {}),
        image_px=(side.get("vision_config") or {}).get("image_size"),
    )


def _layers(side: Config, text: Backbone, vision: Backbone) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the layers that each backbone gives; () where the configuration names none we know."""
    from plait.model.layers import strategy

    if side.get("text_layers") or side.get("vision_layers"):
        return tuple(side.get("text_layers") or ()), tuple(side.get("vision_layers") or ())
    try:
        chosen = strategy(str(side.get("layer_strategy")), text_depth=text.layers, vision_depth=vision.layers)
    except ModelError:
        return (), ()
    return chosen.text, chosen.vision


def _mini_shape(config: Config) -> Shape:
    """Return the shape of plait-mini, whose token vectors are those of a picture."""
    text, vision, heads = config["text"], config["vision"], config["heads"]
    inside = [_backbone(configuration(place)) for place in package_models(text["package"])]
    layers = inside[0].layers if inside else None
    return Shape(
        text=Backbone(text["package"].replace("_", "-"), layers, text["width"]),
        vision=Backbone(vision["package"].replace("_", "-"), read=tuple(vision["stages"])),
        tokens=heads["grid"] ** 2,
        width=heads["token_width"],
        max_text_tokens=text["max_tokens"],
        image_px=vision["side_px"],
    )


def _embedder_shape(folder: Path, config: Config) -> Shape:
    """Return the shape of a sentence-transformers model; one with a pooling module gives one vector."""
    shape = _backbone_shape(folder, config)
    width, tokens = shape.width, shape.tokens
    for place in module_folders(folder):
        values = read_json(place / "config.json") if (place / "config.json").is_file() else {}
        if "pooling_mode_mean_tokens" in values or "pooling_mode" in values:
            tokens = 1
        width = values.get("out_features") or values.get("word_embedding_dimension") or width
    return Shape(shape.text, shape.vision, tokens, width, shape.max_text_tokens, shape.image_px)


def _backbone_shape(folder: Path, config: Config) -> Shape:
    """Return the shape of any other model, of one modality or of both."""
    both = "text_config" in config or "vision_config" in config
    looks = config.get("vision_config") if both else config if "patch_size" in config else None
    reads = config.get("text_config") if both else None if looks else config
    return Shape(
        text=_backbone(reads) if reads else None,
        vision=_backbone(looks) if looks else None,
        width=config.get("projection_dim") if both else config.get("hidden_size"),
        max_text_tokens=_longest(folder, reads) if reads else None,
        image_px=looks.get("image_size") if looks else None,
    )


def _backbone(values: Config | None) -> Backbone:
    values = values or {}
    kind = str(values.get("model_type") or NOT_KNOWN)
    return Backbone(kind, values.get("num_hidden_layers"), values.get("hidden_size"))


def _longest(folder: Path, text: Config) -> int | None:
    """Return how many tokens a text may have: the least that any of the files allows."""
    said = [
        read_json(place / name).get(key)
        for place in (folder, *module_folders(folder))
        for name, key in (
            ("sentence_bert_config.json", "max_seq_length"),
            ("tokenizer_config.json", "model_max_length"),
        )
        if (place / name).is_file()
    ]
    known = [n for n in (*said, text.get("max_position_embeddings")) if n and n < _ENDLESS]
    return min(known, default=None)
