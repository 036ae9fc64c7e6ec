"""The algebra of the fast head: linear maps that follow each other become one, exactly up to rounding.

What is subtracted or factored is computed in float64, once; what comes out is float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Affine:
    """x -> x weight^T + bias.

    Attributes:
        weight: (out, in).
        bias: (out,).
    """

    weight: Tensor
    bias: Tensor


@dataclass(frozen=True, slots=True)
class NormedAffine:
    """Adapter, LayerNorm and a linear map as one product.

    With y = A e + b and C the matrix that takes the mean away, LN(y) = g C y / sd(y) + beta, and
    sd(y)^2 = |C A e + C b|^2 / d + eps. So W LN(y) = (W g C A e + W g C b) / sd(y) + W beta, and a QR
    factor R of C [A b] gives the same sd from far fewer numbers: |C A e + C b| = |R [e 1]|. W beta is
    left to the caller.

    Attributes:
        product: e -> the numerator, (out,), followed by R's rows, (r,).
        rest: what of |R [e 1]|^2 does not depend on e.
        width: d.
        eps: of the norm.
    """

    product: Affine
    rest: float
    width: int
    eps: float


def after_norm(weight: Tensor, bias: Tensor | None, norm: nn.LayerNorm) -> Affine:
    """Return a linear map with the scale and shift of the norm before it folded in.

    Args:
        weight, bias: (out, d) and (out,) of the map.
    """
    exact = weight.double()
    shift = exact @ norm.bias.double() + (0.0 if bias is None else bias.double())
    return Affine((exact * norm.weight.double()).float(), shift.float())


def chained(first: Affine, *second: Affine) -> Affine:
    """Return what maps of one intermediate give: the intermediate itself, then each of them."""
    weight, bias = first.weight.double(), first.bias.double()
    weights = [weight, *(then.weight.double() @ weight for then in second)]
    biases = [bias, *(then.weight.double() @ bias + then.bias.double() for then in second)]
    return Affine(torch.cat(weights).float(), torch.cat(biases).float())


def adapted(adapter: nn.Linear, norm: nn.LayerNorm, weight: Tensor) -> NormedAffine:
    """Return a layer's adapter, the norm and a linear map without bias as one.

    Args:
        weight: (out, d) of the linear map.
    """
    centred = torch.cat((adapter.weight.double(), adapter.bias.double()[:, None]), dim=1)  # (d, w + 1)
    centred = centred - centred.mean(0)
    width = adapter.in_features
    factor = torch.linalg.qr(centred, mode="r").R  # (min(d, w + 1), w + 1), upper triangular
    rest = float(factor[width:, width].detach().square().sum())  # the row that meets only the bias
    both = torch.cat(((weight * norm.weight) @ centred.float(), factor[:width].float()))
    return NormedAffine(
        product=Affine(both[:, :width].contiguous(), both[:, width].contiguous()),
        rest=rest,
        width=adapter.out_features,
        eps=norm.eps,
    )


def of_linear(linear: nn.Linear, *, plus: float = 0.0) -> Affine:
    """Return a linear map, with a number added to what it gives."""
    bias = linear.weight.new_zeros(linear.out_features) if linear.bias is None else linear.bias
    return Affine(linear.weight, bias + plus)
