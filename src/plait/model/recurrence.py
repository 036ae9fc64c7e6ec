"""The gated recurrent cell that fuses text and vision features layer by layer (ReT, arXiv 2503.01980).

The cell reads one layer of each backbone a step and carries a small set of tokens along:

    h  += PE                                     fixed sinusoids, added again at every step
    x   = LN(h)                                  one norm feeds all three attentions
    h  += SelfAttn(x)
    zT  = CrossAttn_T(x, LN_T(E_T))              E_T: this step's text states, already at the cell's width
    zV  = CrossAttn_V(x, LN_V(E_V))
    iT  = sigmoid(W_iT zT + prior_i) mT          mT, mV: 1 where the modality is present, else 0
    iV  = sigmoid(W_iV zV + prior_i) mV
    f   = sigmoid(W_fT zT mT + W_fV zV mV + prior_f)
    h   = f h + iT zT + iV zV                    with `use_tanh`, tanh of h, zT and zV
    h  += MLP(LN_mlp(h))

Its weights are shared over the steps. What differs between steps (the adapters that bring a backbone's
width to the cell's) belongs to the caller, so one cell serves any pair of backbones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from plait.errors import ShapeError

_ACTIVATIONS: dict[str, type[nn.Module]] = {"gelu": nn.GELU, "relu": nn.ReLU, "silu": nn.SiLU}


@dataclass(frozen=True, slots=True)
class RecurrenceConfig:
    """Widths and choices of a cell; the defaults are ReT's.

    Attributes:
        width: d, numbers a token carries.
        tokens: q, tokens that are carried along.
        heads: attention heads; must divide `width`.
        inner: hidden width of the MLP; 0 means 4 * width.
        text, vision: whether the cell can read that modality at all.
        dropout: after both linear maps of the MLP, in [0, 1).
        attention_dropout: of attention weights, in [0, 1).
        input_gate_prior, forget_gate_prior: added to the gates' logits.
        use_tanh: squash the carried tokens and both contributions.
        activation: "gelu", "relu" or "silu", of the MLP.
        initial_std: spread of the learned first tokens.
    """

    width: int = 1024
    tokens: int = 32
    heads: int = 16
    inner: int = 0
    text: bool = True
    vision: bool = True
    dropout: float = 0.05
    attention_dropout: float = 0.05
    input_gate_prior: float = 0.0
    forget_gate_prior: float = 0.0
    use_tanh: bool = False
    activation: str = "gelu"
    initial_std: float = 0.2

    def __post_init__(self) -> None:
        if self.width % self.heads or self.width % 2:
            raise ShapeError(f"width {self.width} must be even and a multiple of the {self.heads} heads")
        if self.activation not in _ACTIVATIONS:
            raise ValueError(f"activation {self.activation!r}: use one of {', '.join(_ACTIVATIONS)}")
        if not (self.text or self.vision):
            raise ValueError("a cell needs at least one modality: set text or vision")


@dataclass(frozen=True, slots=True)
class LayerStates:
    """What one backbone says at one step, for the rows of the batch that have the modality.

    Attributes:
        values: (P, n, width) hidden states, at the cell's width; P <= B rows are present.
        mask: (P, n) bool, False at padding; every row has at least one True. None: no padding.
        rows: (P,) int64, ascending, which rows of the batch `values` belong to; None: all, P = B.
    """

    values: Tensor
    mask: Tensor | None = None
    rows: Tensor | None = None

    @classmethod
    def select(
        cls, values: Tensor, *, mask: Tensor | None = None, present: Tensor | None = None
    ) -> LayerStates | None:
        """Return the states of the present rows; None when no row is.

        Args:
            values: (B, n, width).
            mask: (B, n), nonzero at tokens.
            present: (B,), nonzero where the row has the modality; None: everywhere.
        """
        mask = None if mask is None else mask.bool()
        if present is None or bool(present.bool().all()):
            return cls(values, mask)
        rows = present.nonzero().squeeze(1)
        if not len(rows):
            return None
        return cls(values[rows], None if mask is None else mask[rows], rows)


class RecurrentCell(nn.Module):
    """One step of the recurrence; call it once a layer, starting from `start(batch)`."""

    def __init__(self, config: RecurrenceConfig) -> None:
        super().__init__()
        self.config = config
        width, inner = config.width, config.inner or 4 * config.width
        self.initial = nn.Parameter(torch.empty(1, config.tokens, width))
        self.register_buffer("position", sinusoids(config.tokens, width))
        self.norm = nn.LayerNorm(width)
        self.self_attention = Attention(width, config.heads, dropout=config.attention_dropout)
        self.text = GatedReader(config) if config.text else None
        self.vision = GatedReader(config) if config.vision else None
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, inner),
            nn.Dropout(config.dropout),
            _ACTIVATIONS[config.activation](),
            nn.Linear(inner, width),
            nn.Dropout(config.dropout),
        )
        self.reset_parameters()

    position: Tensor

    def reset_parameters(self) -> None:
        """Draw the first tokens anew; submodules have their own."""
        nn.init.normal_(self.initial, std=self.config.initial_std)

    def start(self, batch: int) -> Tensor:
        """Return (batch, q, d), the learned tokens before any step."""
        return self.initial.expand(batch, -1, -1)

    def forward(
        self, h: Tensor, text: LayerStates | None = None, vision: LayerStates | None = None
    ) -> Tensor:
        """Return the tokens after one step.

        Args:
            h: (B, q, d) tokens so far.
            text, vision: this step's states; None where no row has the modality, which is the same
                as states for no row. A row that a modality lacks gets exactly nothing from it.

        Returns:
            (B, q, d).

        Raises:
            ShapeError: states for a modality that the cell was built without, or of another width.
        """
        h = h + self.position.to(h.dtype)  # loading at half precision keeps buffers as they were
        x = self.norm(h)
        h = h + self.self_attention(x, x)
        read = [
            _reader(reader, states, name)(x, states)
            for name, reader, states in (("text", self.text, text), ("vision", self.vision, vision))
            if states is not None
        ]
        forget = sum((term for _, term in read), start=x.new_tensor(self.config.forget_gate_prior)).sigmoid()
        h = sum((update for update, _ in read), start=forget * (h.tanh() if self.config.use_tanh else h))
        refined: Tensor = h + self.mlp(self.mlp_norm(h))
        return refined


class GatedReader(nn.Module):
    """Reads one modality: cross-attention, and the two gates that look at what it brought."""

    def __init__(self, config: RecurrenceConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.width)
        self.attention = Attention(config.width, config.heads, bias=False, dropout=config.attention_dropout)
        self.input_gate = nn.Linear(config.width, config.width)
        self.forget_gate = nn.Linear(config.width, config.width)
        self.prior = config.input_gate_prior
        self.use_tanh = config.use_tanh

    def forward(self, x: Tensor, states: LayerStates) -> tuple[Tensor, Tensor]:
        """Return (i * z, W_f z), each (B, q, d) and exactly 0 in the rows that lack the modality.

        Args:
            x: (B, q, d) normed tokens.
        """
        rows = states.rows
        z = self.attention(x if rows is None else x[rows], self.norm(states.values), states.mask)
        update = torch.sigmoid(self.input_gate(z) + self.prior) * (z.tanh() if self.use_tanh else z)
        forget = self.forget_gate(z)
        if rows is None:
            return update, forget
        nothing = torch.zeros_like(x, dtype=update.dtype)
        return nothing.index_copy(0, rows, update), nothing.index_copy(0, rows, forget)


class Attention(nn.Module):
    """Multi-head attention with the parameters of `nn.MultiheadAttention`, always by the fused kernel.

    Padding is never attended; dropout falls on the attention weights, in training only.
    """

    def __init__(self, width: int, heads: int, *, bias: bool = True, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))  # query, key, value
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width)) if bias else None
        self.out_proj = nn.Linear(width, width, bias=bias)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Xavier for the three projections, zero biases."""
        nn.init.xavier_uniform_(self.in_proj_weight)
        if self.in_proj_bias is not None:
            nn.init.zeros_(self.in_proj_bias)
            nn.init.zeros_(self.out_proj.bias)

    def forward(self, x: Tensor, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return (P, q, d): each token of x, (P, q, d), attends to states, (P, n, d), where mask, (P, n)."""
        width = x.shape[2]
        bias = self.in_proj_bias
        query = functional.linear(x, self.in_proj_weight[:width], None if bias is None else bias[:width])
        key_value = functional.linear(
            states, self.in_proj_weight[width:], None if bias is None else bias[width:]
        )
        key, value = key_value.chunk(2, dim=-1)
        read = functional.scaled_dot_product_attention(
            self._split(query),
            self._split(key),
            self._split(value),
            attn_mask=None if mask is None else mask[:, None, None, :],
            dropout_p=self.dropout if self.training else 0.0,
        )  # (P, heads, q, d / heads)
        projected: Tensor = self.out_proj(read.transpose(1, 2).flatten(2))
        return projected

    def _split(self, tokens: Tensor) -> Tensor:
        split = tokens.reshape(*tokens.shape[:2], self.heads, tokens.shape[2] // self.heads)
        return split.transpose(1, 2)  # (P, heads, tokens, d / heads)


def sinusoids(tokens: int, width: int) -> Tensor:
    """Return (1, tokens, width): sin and cos in turns, wavelengths from 2 pi to 10000 * 2 pi.

    Source: Vaswani et al., Attention Is All You Need (arXiv 1706.03762), section 3.5.
    """
    place = torch.arange(tokens, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10000.0) / width))
    return torch.stack(((place * rate).sin(), (place * rate).cos()), dim=-1).flatten(1)[None]


def _reader(reader: GatedReader | None, states: LayerStates, name: str) -> GatedReader:
    if reader is None:
        raise ShapeError(f"this cell was built without {name}, but got {name} states")
    width = reader.norm.normalized_shape[0]
    if states.values.ndim != 3 or states.values.shape[2] != width:
        raise ShapeError(f"{name} states are {tuple(states.values.shape)}, expected (P, n, {width})")
    return reader
