"""Words to pictures that have none: a figure and a question as vectors that can be compared.

Both are two halves, side by side.

- By class: the vision tower's classifier knows a thousand things. A figure is its log-odds over them; a
  question is how near it is to their names. So a question that names none of them still asks for its
  neighbours: "a kayak" asks for canoe and paddle.
- By look: a figure is the tower's widest features, whitened; a question is what a linear map, learned from
  captioned drawings, expects to see. It reads the words and their first half: words that no caption had
  may still lie near a class. A line through all captions is only roughly right about any one of them, so
  the drawings whose captions are nearest to the question are remembered too, and show what they look like.

Sources: Norouzi et al., ConSE (arXiv 1312.5650), for the first, turned round: the question, not the figure,
is taken apart into classes; Shigeto et al., Ridge regression, hubness and zero-shot learning (2015), for the
second: words are mapped to pictures, because mapping pictures to words makes a few of them answer everything;
Nadaraya, On estimating regression (1964), for what is remembered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from plait.model.mini.byte_matrix import ByteMatrix, in_bytes
from plait.model.mini.configuration_mini import FigureWordsConfig

_SCALE = ".scale"
_OF = "captions."  # prefix of the tensors of that part


class AskedInBytes(nn.Module):
    """A module whose questions may be multiplied with matrices in the 8 bits that they are stored in.

    Attributes:
        asked: the names of those matrices.
    """

    asked: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:
        super().__init__()
        self._bytes: dict[str, ByteMatrix] = {}

    @property
    def is_in_bytes(self) -> bool:
        """Whether they are from now on, by `ask_in_bytes`."""
        return bool(self._bytes)

    def ask_in_bytes(self, stored: Mapping[str, Tensor]) -> None:
        """Multiply questions so from now on: numbers move by 1e-4, and figures stay what they are.

        Args:
            stored: as of `compressed`; what the state was loaded from.
        """
        self._bytes = {name: ByteMatrix(stored[name], stored[name + _SCALE]) for name in self.asked}

    def _across(self, x: Tensor, name: str) -> Tensor:
        """Return (B, n), the products of (B, d) with each row of a matrix."""
        stored = self._bytes.get(name)
        return stored.across(x) if stored else x @ self.get_parameter(name).T

    def _along(self, shares: Tensor, name: str) -> Tensor:
        """Return (B, d), the sums of a matrix's rows in shares of them, (B, n)."""
        stored = self._bytes.get(name)
        return stored.along(shares) if stored else shares @ self.get_parameter(name)


class FigureWords(AskedInBytes):
    """Vectors of figures and of questions, whose cosine says how well the words fit the figure.

    Args:
        text_width: of the text tower's vectors.
        features: of the vision tower's top.
        classes: of its classifier.
    """

    asked: ClassVar = ("names", "class_basis", "expect.weight")

    def __init__(
        self, config: FigureWordsConfig, *, text_width: int = 384, features: int = 1280, classes: int = 1000
    ) -> None:
        super().__init__()
        self.config = config
        self.name_class: Tensor
        self.centre = _frozen(text_width)
        self.names = _frozen(config.names, text_width)  # unit length, the centre taken off
        self.register_buffer("name_class", torch.zeros(config.names, dtype=torch.int32))
        self.usual_odds = _frozen(classes)
        self.class_basis = _frozen(classes, config.class_width)
        self.look = nn.Linear(features, config.look_width)
        self.expect = nn.Linear(text_width + config.class_width, config.look_width)
        self.captions = CaptionGroups(config, text_width) if config.captions else None

    def figures(self, features: Tensor, odds: Tensor) -> Tensor:
        """Return (B, width), unit length.

        Args:
            features: (B, features), the mean over the picture.
            odds: (B, classes), log-odds before the softmax.
        """
        odds = functional.normalize(odds - odds.mean(-1, keepdim=True), dim=-1)
        by_class = (odds - self.usual_odds) @ self.class_basis
        return _side_by_side(by_class, self.look(features), 1.0)

    def questions(self, texts: Tensor) -> Tensor:
        """Return (B, width), unit length.

        Args:
            texts: (B, text_width), the text tower's vectors, unit length.
        """
        texts, by_class = self.read(texts)
        both = torch.cat([texts, self.config.class_share * by_class], -1)
        expected = self._across(both, "expect.weight") + self.expect.bias
        if self.captions is not None:
            expected = functional.normalize(expected, dim=-1)
            expected = expected + self.config.caption_weight * self.captions(texts)
        return _side_by_side(by_class, expected, self.config.class_weight)

    def ask_in_bytes(self, stored: Mapping[str, Tensor]) -> None:
        """Multiply questions so from now on, with the captions too."""
        super().ask_in_bytes(stored)
        if self.captions is not None:
            self.captions.ask_in_bytes(
                {k.removeprefix(_OF): v for k, v in stored.items() if k.startswith(_OF)}
            )

    def read(self, texts: Tensor) -> tuple[Tensor, Tensor]:
        """Return the texts, (B, text_width), and what they ask by class, (B, class_width), unit length.

        A class is as near as the nearest of its names.
        """
        texts = functional.normalize(texts - self.centre, dim=-1)
        nearness = self._across(texts, "names") / self.config.temperature  # (B, names)
        best = torch.full((len(texts), len(self.usual_odds)), -torch.inf)
        best.scatter_reduce_(1, self.name_class.long().expand(len(texts), -1), nearness, "amax")
        return texts, functional.normalize(self._along(best.softmax(-1), "class_basis"), dim=-1)


class CaptionGroups(AskedInBytes):
    """Groups of captioned pictures that are alike in words and in look.

    Args:
        text_width: of the text tower's vectors.
    """

    asked: ClassVar = ("words", "looks")

    def __init__(self, config: FigureWordsConfig, text_width: int) -> None:
        super().__init__()
        self.temperature = config.caption_temperature
        self.words = _frozen(config.captions, text_width)  # unit length, the centre taken off
        self.looks = _frozen(config.captions, config.look_width)  # unit length
        self.log_weights = _frozen(config.captions)

    def forward(self, texts: Tensor) -> Tensor:
        """Return (B, look_width), unit length: the looks of the groups, most of those nearest to the words.

        Args:
            texts: (B, text_width), unit length, the centre taken off.
        """
        nearness = self._across(texts, "words") / self.temperature + self.log_weights  # (B, groups)
        return functional.normalize(self._along(nearness.softmax(-1), "looks"), dim=-1)


def compressed(words: FigureWords) -> dict[str, Tensor]:
    """Return the tensors as they are stored: matrices in 8 bits, a scale for each row.

    A row's cosine with what it was stays above 0.999.
    """
    stored: dict[str, Tensor] = {}
    for name, value in words.state_dict().items():
        if value.ndim < 2:
            stored[name] = value.contiguous()
            continue
        stored[name], stored[name + _SCALE] = in_bytes(value)
    return stored


def is_compressed(stored: Mapping[str, Tensor]) -> bool:
    """Return whether matrices are stored in 8 bits, not as they are."""
    return any(name.endswith(_SCALE) for name in stored)


def uncompressed(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state that `compressed` was made of, up to rounding."""
    return {
        name: value.float() * stored[name + _SCALE][:, None] if name + _SCALE in stored else value
        for name, value in stored.items()
        if not name.endswith(_SCALE)
    }


def _frozen(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(shape), requires_grad=False)


def _side_by_side(left: Tensor, right: Tensor, left_weight: float) -> Tensor:
    """Return both, each of unit length times its weight, as one vector of unit length."""
    left, right = functional.normalize(left, dim=-1), functional.normalize(right, dim=-1)
    return functional.normalize(torch.cat([left_weight * left, right], -1), dim=-1)
