"""Linear maps as inference runs them: weights packed once, in float32, bfloat16 or int8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from plait.errors import ModelError

Precision = Literal["float32", "bfloat16", "int8"]
Entered = tuple[Tensor, ...]  # what several maps of one input share

_INT8_MAX = 127.0


@dataclass(frozen=True, slots=True)
class Packing:
    """How linear maps are computed.

    Attributes:
        precision: of the products.
        prepack: let oneDNN order float weights once, where it can; such weights cannot be traced,
            compiled or exported.
    """

    precision: Precision = "float32"
    prepack: bool = True


class PackedLinear(nn.Module):
    """x W^T + b, float32 in and out, whatever it computes with inside.

    Args:
        weight: (out, in).
        bias: (out,) or None.
    """

    def enter(self, x: Tensor) -> Entered:
        """Return an input (..., in) as `leave` takes it: maps of one precision share it."""
        return (x,)

    def leave(self, *entered: Tensor) -> Tensor:
        """Return (..., out) of an input that entered."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Return (..., out)."""
        return self.leave(*self.enter(x))


def packed(weight: Tensor, bias: Tensor | None, how: Packing) -> PackedLinear:
    """Return the map, computed in some way.

    Raises:
        ModelError: int8 weights on a device other than a CPU.
    """
    if how.precision == "int8":
        return Int8Linear(weight, bias)
    dtype = torch.bfloat16 if how.precision == "bfloat16" else torch.float32
    return FloatLinear(weight, bias, dtype, prepack=how.prepack)


class FloatLinear(PackedLinear):
    """Products in float32 or bfloat16, summed in float32.

    On a CPU oneDNN gets its weights in its own order, once: at batch 1 their reordering would take as
    long as the product. Where it does not offer that, and on other devices, torch's own product runs.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor | None, dtype: torch.dtype, *, prepack: bool = True
    ) -> None:
        super().__init__()
        self.dtype = dtype
        weight = weight.detach().to(dtype)
        self.prepacked = prepack and can_prepack(weight)
        if self.prepacked:
            weight = torch.ops.mkldnn._reorder_linear_weight(weight)
        self.register_buffer("weight", weight)
        self.register_buffer("bias", None if bias is None else bias.detach().to(dtype))

    weight: Tensor
    bias: Tensor | None

    def enter(self, x: Tensor) -> Entered:
        return (x.to(self.dtype),)

    def leave(self, *entered: Tensor) -> Tensor:
        (x,) = entered
        if self.prepacked:
            out = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")
        else:
            out = functional.linear(x, self.weight, self.bias)
        return out.float()  # type: ignore[no-any-return]


class Int8Linear(PackedLinear):
    """Products of 8-bit integers: a scale for each row of the input, found as it comes, and each output.

    A row's scale is its largest magnitude, so one row never changes what another gives.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        if weight.device.type != "cpu":
            raise ModelError(f"int8 runs on a CPU only, but the model is on {weight.device}: use bfloat16")
        whole, scale = quantized(weight.detach().float())
        self.register_buffer("weight", whole.t().contiguous())  # (in, out)
        self.register_buffer("scale", scale.squeeze(1))  # (out,)
        self.register_buffer("bias", None if bias is None else bias.detach().float())

    weight: Tensor
    scale: Tensor
    bias: Tensor | None

    def enter(self, x: Tensor) -> Entered:
        return quantized(x)

    def leave(self, *entered: Tensor) -> Tensor:
        whole, row_scale = entered
        product = torch._int_mm(whole.flatten(0, -2), self.weight)
        scaled = product.view(*whole.shape[:-1], -1).float().mul_(row_scale)
        if self.bias is None:
            return scaled.mul_(self.scale)
        return torch.addcmul(self.bias, scaled, self.scale, out=scaled)


def quantized(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return x as int8, and the scale of each row, (..., 1): x is about their product."""
    largest = x.abs().amax(-1, keepdim=True).clamp_min_(1e-30)
    return (x * (_INT8_MAX / largest)).round_().to(torch.int8), largest.div_(_INT8_MAX)


def can_prepack(weight: Tensor) -> bool:
    """Return whether oneDNN takes a weight in its own order: on a CPU, where torch has the calls."""
    if weight.device.type != "cpu" or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    if weight.dtype == torch.bfloat16 and not native_bfloat16():
        return False
    return all(hasattr(torch.ops.mkldnn, name) for name in ("_reorder_linear_weight", "_linear_pointwise"))


def native_bfloat16() -> bool:
    """Return whether the processor multiplies bfloat16 itself (AVX512_BF16 or AMX).

    A torch that cannot tell (before `torch.cpu.get_capabilities`) counts as no.
    """
    seen: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(seen.get("avx512_bf16") or seen.get("amx_bf16"))
