"""MiniLM for a few short texts: their tokens in one matrix, without padding, by weights laid out for it.

Gives what `MiniLM` gives, up to rounding, and of each text the same numbers to the last bit, whatever other
texts come with it: a row of a matrix product does not depend on the other rows (some of zeros are added), and
all else is done for each text alone.

Where the processor has bfloat16, the products are in it; residuals, norms and attention stay in float32. Of
500 real queries the cosine with the tower's own vector is then 0.99997 or more.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from plait.model.mini.laid_out import FEWEST_ROWS, Linear, Way, best_way
from plait.model.mini.minilm import MiniLM

# oneDNN compiles a program for each number of rows and keeps the last 1,024 programs, some 150 MB: so few
# numbers, of FEWEST_ROWS or more.
_ROWS = 2 * FEWEST_ROWS


class RowsOfMiniLM:
    """Holds the tower's layers once more, laid out by oneDNN: 21 MB in bfloat16, 42 in float32.

    Args:
        model: the tower, frozen.
        way: how its maps are computed; None: the best there is.
    """

    def __init__(self, model: MiniLM, way: Way | None = None) -> None:
        table = model.embeddings
        self._words, self._normalise = table.word_embeddings.weight, table.LayerNorm
        self._places = table.position_embeddings.weight + table.token_type_embeddings.weight[0]
        way = way or best_way(_maps(model.encoder.layer[0]))
        self._layers = [_Layer(layer, way) for layer in model.encoder.layer]

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
        """Return (tokens, d), those of each text after another, and rows of zeros up to a multiple of 16."""
        ids = torch.tensor([token for ids in texts for token in ids])
        places = torch.cat([self._places[: len(ids)] for ids in texts])
        x: Tensor = self._normalise(self._words[ids] + places)
        return functional.pad(x, (0, 0, 0, -len(x) % _ROWS))


class _Layer:
    """One layer, its three projections of the input joined to one."""

    def __init__(self, layer: nn.Module, way: Way) -> None:
        parts = dict(layer.named_modules())
        self._heads = int(layer.heads)  # type: ignore[arg-type]
        self._projected, self._mixed, self._widened, self._narrowed = map(way, _maps(layer))
        self._after_mixing = parts["attention.output.LayerNorm"]
        self._after_all = parts["output.LayerNorm"]

    def __call__(self, x: Tensor, sizes: Sequence[int]) -> Tensor:
        """Return (tokens, d)."""
        x = self._after_mixing(x + self._mixed(self._attended(self._projected(x).float(), sizes)))
        out: Tensor = self._after_all(x + self._narrowed(self._widened(x)))
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


def _maps(layer: nn.Module) -> list[Linear]:
    """Return a layer's maps: to queries, keys and values in one, out of them, wider, and back."""
    parts = dict(layer.named_modules())
    inputs = [_linear(parts[f"attention.self.{name}"]) for name in ("query", "key", "value")]
    joined = Linear(torch.cat([one.weight for one in inputs]), torch.cat([one.bias for one in inputs]))
    widened = _linear(parts["intermediate.dense"])._replace(gelu=True)
    return [joined, _linear(parts["attention.output.dense"]), widened, _linear(parts["output.dense"])]


def _linear(module: nn.Module) -> Linear:
    assert isinstance(module.weight, Tensor)
    assert isinstance(module.bias, Tensor)
    return Linear(module.weight, module.bias)
