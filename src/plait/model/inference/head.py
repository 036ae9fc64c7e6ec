"""The head of ReT for inference: what does not depend on the tokens is folded, and rows go by kind.

`RetHead` and `RecurrentCell` define what is computed. Here

    adapter, norm, key and value    are one product a step instead of three, see `folding.NormedAffine`
    norms before other maps         only normalise; their scale and shift are in the maps
    a key's constant                is dropped: it adds the same to all scores of a query
    out-projection and both gates   are one product
    the first self-attention        is computed once: its tokens are the same for every input
    rows that lack a modality       go together, past that modality's reader
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from plait.model.inference.folding import Affine, adapted, after_norm, chained, of_linear
from plait.model.inference.kinds import Steps, kinds
from plait.model.inference.linear import Entered, PackedLinear, Packing, packed
from plait.model.recurrence import Attention, GatedReader, RecurrentCell
from plait.model.ret.sides import RetHead, RetOutput, Seen

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "relu": functional.relu,
    "silu": functional.silu,
}

KeyValue = tuple[Tensor, Tensor, Tensor | None]  # (B, n, d) each, and (B, n) True at tokens


class FastHead(RetHead):
    """A `RetHead` that only encodes: the same calls, the same output.

    Args:
        head: what it is made of; it is left as it was.
        how: of the products. Norms, softmax, gates and the tokens themselves stay in float32.
    """

    def __init__(self, head: RetHead, how: Packing) -> None:
        nn.Module.__init__(self)  # RetHead's own would make weights that nothing uses
        cell = head.cell
        assert cell.text is not None  # RetHead makes both readers
        assert cell.vision is not None
        self.config = head.config
        self.text_feature, self.vision_feature = head.text_feature, head.vision_feature
        self.projection = head.projection
        self.steps = len(head.text_adapters)
        self.settings = cell.config
        self.eps = cell.norm.eps
        self.attention = SelfAttention(cell, how)
        self.text = Reader(cell.text, head.text_adapters, cell.norm, how)
        self.vision = Reader(cell.vision, head.vision_adapters, cell.norm, how)
        self.mlp = Mlp(cell, how)
        self.register_buffer("position", cell.position.float())
        self.step: Callable[[Tensor, KeyValue | None, KeyValue | None], Tensor] = self._next
        h, x = self._attended(cell.initial.detach().float())
        self.register_buffer("first", h)
        self.text.register_buffer("first", self.text.query.leave(*x))
        self.vision.register_buffer("first", self.vision.query.leave(*x))

    position: Tensor
    first: Tensor

    def forward(self, batch: int, text: Seen | None, vision: Seen | None) -> RetOutput:
        """Return what `RetHead.forward` does."""
        h = self.first.new_empty(batch, *self.first.shape[1:])
        for kind in kinds(batch, text, vision):
            found = self._recur(kind.count, kind.text, kind.vision)
            if kind.rows is None:
                h = found
            else:
                h[kind.rows] = found
        return self.give(self.projection(h), text, vision)

    def _recur(self, batch: int, text: Steps | None, vision: Steps | None) -> Tensor:
        """Return (batch, q, d), the last tokens of rows of one kind."""
        h = self.first.expand(batch, -1, -1)
        for step in range(self.steps):
            words, picture = self.text.keys_values(step, text), self.vision.keys_values(step, vision)
            if step:
                h = self.step(h, words, picture)
            else:
                h = self._refined(h, self.text.first, words, self.vision.first, picture)
        return h

    def _next(self, h: Tensor, words: KeyValue | None, picture: KeyValue | None) -> Tensor:
        """Return the tokens after a step, from those before it, (B, q, d)."""
        h, x = self._attended(h)
        asks_text = None if words is None else self.text.query.leave(*x)
        asks_vision = None if picture is None else self.vision.query.leave(*x)
        return self._refined(h, asks_text, words, asks_vision, picture)

    def _attended(self, h: Tensor) -> tuple[Tensor, Entered]:
        """Return the tokens after self-attention, and the normed ones, which the readers ask with too."""
        h = h + self.position
        x = self.attention.qkv.enter(functional.layer_norm(h, h.shape[-1:], eps=self.eps))
        return h + self.attention(x), x

    def _refined(
        self,
        h: Tensor,
        asks_text: Tensor | None,
        words: KeyValue | None,
        asks_vision: Tensor | None,
        picture: KeyValue | None,
    ) -> Tensor:
        """Return the tokens after reading, gates and MLP; h and the queries are (B, q, d) or (1, q, d)."""
        forget = torch.full_like(h[:1, :1, :1], self.settings.forget_gate_prior)
        brought = []
        for reader, query, seen in ((self.text, asks_text, words), (self.vision, asks_vision, picture)):
            if query is not None and seen is not None:
                z, entry, forget_term = reader(query.expand(h.shape[0], -1, -1), seen)
                forget = forget + forget_term
                brought.append((z, entry))
        squash = torch.tanh if self.settings.use_tanh else _same
        h = forget.sigmoid() * squash(h)
        for z, entry in brought:
            h = torch.addcmul(h, entry.sigmoid(), squash(z))
        return h + self.mlp(h)  # type: ignore[no-any-return]


class SelfAttention(nn.Module):
    """The tokens read each other."""

    def __init__(self, cell: RecurrentCell, how: Packing) -> None:
        super().__init__()
        attention = cell.self_attention
        self.heads = attention.heads
        self.qkv = _packed(after_norm(attention.in_proj_weight, attention.in_proj_bias, cell.norm), how)
        self.out = _packed(of_linear(attention.out_proj), how)

    def forward(self, x: Entered) -> Tensor:
        """Return (B, q, d), what is added to the tokens.

        Args:
            x: the normed tokens, entered.
        """
        query, key, value = self.qkv.leave(*x).chunk(3, dim=-1)
        return self.out(_attend(query, key, value, self.heads, None))  # type: ignore[no-any-return]


class Reader(nn.Module):
    """The tokens read one modality, layer by layer; see `recurrence.GatedReader`."""

    first: Tensor  # (1, q, d) queries of the first step

    def __init__(
        self, reader: GatedReader, adapters: nn.ModuleList, norm: nn.LayerNorm, how: Packing
    ) -> None:
        super().__init__()
        attention: Attention = reader.attention
        self.heads = attention.heads
        width = norm.normalized_shape[0]
        query, key_value = attention.in_proj_weight[:width], attention.in_proj_weight[width:]
        self.query = _packed(after_norm(query, None, norm), how)
        self.layers = nn.ModuleList(
            KeysValues(adapter, reader.norm, key_value, how)  # type: ignore[arg-type]
            for adapter in adapters
        )
        constant = (key_value[width:].double() @ reader.norm.bias.double()).float()
        brought = Affine(attention.out_proj.weight, attention.out_proj.weight @ constant)
        gates = of_linear(reader.input_gate, plus=reader.prior), of_linear(reader.forget_gate)
        self.out = _packed(chained(brought, *gates), how)

    def keys_values(self, step: int, states: Steps | None) -> KeyValue | None:
        """Return what a step's states are to the tokens; None where there are none."""
        if states is None:
            return None
        return (*self.layers[step](states[step].values), states[step].mask)

    def forward(self, query: Tensor, seen: KeyValue) -> tuple[Tensor, Tensor, Tensor]:
        """Return z, and the logits of its input gate and forget gate, each (B, q, d)."""
        key, value, mask = seen
        z, entry, forget = self.out(_attend(query, key, value, self.heads, mask)).chunk(3, dim=-1)
        return z, entry, forget


class KeysValues(nn.Module):
    """A layer's states to keys and values, both without the constant that the norm's shift gives."""

    def __init__(self, adapter: nn.Linear, norm: nn.LayerNorm, weight: Tensor, how: Packing) -> None:
        super().__init__()
        folded = adapted(adapter, norm, weight)
        self.product = _packed(folded.product, how)
        rows = len(folded.product.bias) - len(weight)
        self.sizes = (len(weight), rows)
        self.share, self.floor = rows / folded.width, folded.rest / folded.width + folded.eps

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values, (B, n, d) each, of backbone states (B, n, w)."""
        key_value, root = self.product(values).split(self.sizes, dim=-1)
        # A mean, not a sum: OpenVINO 2026.4 turns a sum here into one that is wrong beyond a few rows.
        variance = root.square().mean(-1, keepdim=True) * self.share + self.floor
        key, value = (key_value * torch.rsqrt(variance)).chunk(2, dim=-1)
        return key, value


class Mlp(nn.Module):
    """The cell's MLP, behind its norm."""

    def __init__(self, cell: RecurrentCell, how: Packing) -> None:
        super().__init__()
        up, down = cell.mlp[0], cell.mlp[3]
        assert isinstance(up, nn.Linear)
        assert isinstance(down, nn.Linear)
        self.eps = cell.mlp_norm.eps
        self.activation = _ACTIVATIONS[cell.config.activation]
        self.up = _packed(after_norm(up.weight, up.bias, cell.mlp_norm), how)
        self.down = _packed(of_linear(down), how)

    def forward(self, h: Tensor) -> Tensor:
        """Return (B, q, d), what is added to the tokens."""
        x = functional.layer_norm(h, h.shape[-1:], eps=self.eps)
        return self.down(self.activation(self.up(x)))  # type: ignore[no-any-return]


def _packed(affine: Affine, how: Packing) -> PackedLinear:
    return packed(affine.weight, affine.bias, how)


def _attend(query: Tensor, key: Tensor, value: Tensor, heads: int, mask: Tensor | None) -> Tensor:
    """Return (B, q, d), as `recurrence.Attention` attends."""
    query, key, value = (
        tokens.view(*tokens.shape[:2], heads, -1).transpose(1, 2) for tokens in (query, key, value)
    )  # (B, heads, tokens, d / heads)
    shown = None if mask is None else mask[:, None, None, :]
    return (
        functional.scaled_dot_product_attention(query, key, value, attn_mask=shown).transpose(1, 2).flatten(2)
    )


def _same(values: Tensor) -> Tensor:
    return values
