"""The top of EfficientNet-Lite0: its widest features, and the ImageNet classes it was trained to tell apart.

The tower's users read its middle; this is what words need: 1280 features that are about things, not
about strokes, and from them 1000 log-odds. Sources and checkpoint names: see lite0.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

_NORM_EPSILON = 1e-3


class Lite0Top(nn.Module):
    """The last convolution, which sees each place alone, and the classifier.

    Attributes:
        width: of the features.
        classes: of the classifier, in the order of ImageNet's 1000.
    """

    width, classes = 1280, 1000

    def __init__(self, inputs: int = 320) -> None:
        super().__init__()
        self.widen = nn.Linear(inputs, self.width)
        self.classify = nn.Linear(self.width, self.classes)

    def forward(self, last: Tensor) -> Tensor:
        """Return (B, h * w, width), each at least 0 and at most 6.

        Args:
            last: (B, inputs, h, w), the last stage's map.
        """
        seen: Tensor = self.widen(last.flatten(2).transpose(1, 2)).clamp_(0, 6)
        return seen


def load_lite0_top(state: Mapping[str, Tensor]) -> Lite0Top:
    """Return the top in eval mode, frozen, from a checkpoint in the published layout.

    Raises:
        KeyError: a tensor is missing: the checkpoint is of another network.
    """
    top = Lite0Top()
    scale = state["_bn1.weight"] * torch.rsqrt(state["_bn1.running_var"] + _NORM_EPSILON)
    with torch.no_grad():
        top.widen.weight.copy_(state["_conv_head.weight"].flatten(1) * scale[:, None])
        top.widen.bias.copy_(state["_bn1.bias"] - state["_bn1.running_mean"] * scale)
        top.classify.weight.copy_(state["_fc.weight"])
        top.classify.bias.copy_(state["_fc.bias"])
    return top.requires_grad_(False).eval()
