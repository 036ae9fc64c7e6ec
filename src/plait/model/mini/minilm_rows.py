"""MiniLM for a few short texts: their tokens in one matrix, without padding, by weights laid out for it.

Gives what `MiniLM` gives, and of each text the same numbers to the last bit, whatever other texts come with
it: a row of a matrix product does not depend on the other rows, if there are a few of them (of fewer the
product is computed by other means, so rows of zeros are added), and all else is done for each text alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from plait.model.mini.minilm import MiniLM

_FEWEST_ROWS = 8
_USUAL_ROWS = 32  # that the layout of weights is chosen for

Product = Callable[[Tensor], Tensor]


class RowsOfMiniLM:
    """Holds the tower's weights once more, laid out by oneDNN where torch has it: 42 MB, a third faster.

    Args:
        model: the tower, frozen.
    """

    def __init__(self, model: MiniLM) -> None:
        self._embeddings = model.embeddings
        self._layers = [_Layer(layer) for layer in model.encoder.layer]

    def pooled(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """Return (texts, d), the mean over each text's tokens, unit length.

        Args:
            texts: the token ids of each, at least one.
        """
        sizes = [len(ids) for ids in texts]
        with torch.inference_mode():
            x = self._embedded(texts)
            for layer in self._layers:
                x = layer(x, sizes)
            sums = torch.stack([of_text.sum(0) for of_text in torch.split(x[: sum(sizes)], sizes)])
            return functional.normalize(sums, dim=-1)

    def _embedded(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """Return (tokens, d), those of each text after another, and rows of padding if they are few."""
        table = self._embeddings
        ids = torch.tensor([token for ids in texts for token in ids])
        places = torch.cat([torch.arange(len(ids)) for ids in texts])
        at = table.position_embeddings.weight[places] + table.token_type_embeddings.weight[0]
        x: Tensor = table.LayerNorm(table.word_embeddings.weight[ids] + at)
        return functional.pad(x, (0, 0, 0, max(0, _FEWEST_ROWS - len(x))))


class _Layer:
    """One layer, its three projections of the input joined to one."""

    def __init__(self, layer: nn.Module) -> None:
        parts = dict(layer.named_modules())
        inputs = [parts[f"attention.self.{name}"] for name in ("query", "key", "value")]
        self._heads = int(layer.heads)  # type: ignore[arg-type]
        self._projected = _product(inputs)
        self._mixed = _product([parts["attention.output.dense"]])
        self._after_mixing = parts["attention.output.LayerNorm"]
        self._widened = _product([parts["intermediate.dense"]])
        self._narrowed = _product([parts["output.dense"]])
        self._after_all = parts["output.LayerNorm"]

    def __call__(self, x: Tensor, sizes: Sequence[int]) -> Tensor:
        """Return (tokens, d)."""
        x = self._after_mixing(x + self._mixed(self._attended(self._projected(x), sizes)))
        inner = functional.gelu(self._widened(x))
        out: Tensor = self._after_all(x + self._narrowed(inner))
        return out

    def _attended(self, projected: Tensor, sizes: Sequence[int]) -> Tensor:
        """Return (tokens, d), where the tokens of each text look at each other."""
        mixed = projected.new_zeros(len(projected), projected.shape[1] // 3)
        start = 0
        for size in sizes:
            rows = projected[start : start + size].view(size, 3, self._heads, -1)
            q, k, v = rows.permute(1, 2, 0, 3)[:, None]  # (1, heads, size, d / heads)
            found = functional.scaled_dot_product_attention(q, k, v)
            mixed[start : start + size] = found[0].transpose(0, 1).reshape(size, -1)
            start += size
        return mixed


def _product(linears: Sequence[nn.Module]) -> Product:
    """Return what multiplies with the weights of layers of one input, one beside the other."""
    weight = torch.cat([_tensor(linear.weight) for linear in linears])
    bias = torch.cat([_tensor(linear.bias) for linear in linears])
    return _laid_out(weight, bias) or (lambda x: functional.linear(x, weight, bias))


def _laid_out(weight: Tensor, bias: Tensor) -> Product | None:
    """Return the product by oneDNN, a private function of torch; None where it is not there or not right."""
    try:
        ours = torch.ops.mkldnn._reorder_linear_weight(weight, _USUAL_ROWS)

        def product(x: Tensor) -> Tensor:
            out: Tensor = torch.ops.mkldnn._linear_pointwise(x, ours, bias, "none", [], "")
            return out

        with torch.inference_mode():
            return product if _agrees(product, weight, bias) else None
    except (AttributeError, RuntimeError, NotImplementedError, TypeError):
        return None


def _agrees(product: Product, weight: Tensor, bias: Tensor) -> bool:
    """Return whether a product is the plain one up to rounding, and its rows the same beside any others."""
    x = torch.sin(torch.arange(64.0 * weight.shape[1])).view(64, -1)
    whole, plain = product(x), functional.linear(x, weight, bias)
    parts = (slice(0, _FEWEST_ROWS), slice(3, 20), slice(17, 50))
    alike = all(torch.equal(product(x[part]), whole[part]) for part in parts)
    return alike and torch.allclose(whole, plain, atol=1e-4, rtol=1e-4)


def _tensor(value: object) -> Tensor:
    assert isinstance(value, Tensor)
    return value
