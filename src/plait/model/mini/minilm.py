"""MiniLM, the frozen text tower: BERT's encoder written out, because importing it costs four seconds.

`transformers` needs seconds to import and most of a first search to load; this file needs only torch
and gives the same numbers (tests compare the two). Weights are read from a folder in the Hugging Face
layout, without copying.

Source: Devlin et al., BERT (arXiv 1810.04805); Wang et al., MiniLM (arXiv 2002.10957).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class MiniLMConfig:
    """The sizes that the checkpoint's config.json names; the names are BERT's."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float

    @classmethod
    def read(cls, path: Path) -> MiniLMConfig:
        """Return the configuration in a checkpoint's config.json; keys that are not sizes are ignored."""
        values = json.loads(path.read_text("utf-8"))
        return cls(**{name: values[name] for name in cls.__dataclass_fields__})


class MiniLM(nn.Module):
    """Token ids in, one vector a token out of every layer."""

    def __init__(self, config: MiniLMConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = _Embeddings(config)
        self.encoder = _Encoder(config)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> list[Tensor]:
        """Return the embedding output and the output of each layer.

        Args:
            ids: (B, n) token ids.
            mask: (B, n) True at words, False at padding; None when nothing is padded.

        Returns:
            num_hidden_layers + 1 tensors (B, n, d).
        """
        x = self.embeddings(ids)
        attend = None if mask is None else mask[:, None, None, :]  # (B, 1, 1, n)
        states = [x]
        for layer in self.encoder.layer:
            x = layer(x, attend)
            states.append(x)
        return states


class _Encoder(nn.Module):
    """The layers, under the name that checkpoints give them."""

    def __init__(self, config: MiniLMConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(_Layer(config) for _ in range(config.num_hidden_layers))


class _Embeddings(nn.Module):
    """Word + position + the one token type that single sentences use."""

    def __init__(self, config: MiniLMConfig) -> None:
        super().__init__()
        self.word_embeddings = _Embedding(config.vocab_size, config.hidden_size)
        self.position_embeddings = _Embedding(config.max_position_embeddings, config.hidden_size)
        self.token_type_embeddings = _Embedding(config.type_vocab_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)

    def forward(self, ids: Tensor) -> Tensor:
        places = self.position_embeddings.weight[: ids.shape[1]] + self.token_type_embeddings.weight[0]
        return self.LayerNorm(self.word_embeddings(ids) + places)  # type: ignore[no-any-return]


class _Layer(nn.Module):
    """Self-attention and a two-layer perceptron, each added to its input and then normalised."""

    def __init__(self, config: MiniLMConfig) -> None:
        super().__init__()
        width, eps = config.hidden_size, config.layer_norm_eps
        self.heads = config.num_attention_heads
        self.attention = nn.ModuleDict(
            {
                "self": nn.ModuleDict({name: _Linear(width, width) for name in ("query", "key", "value")}),
                "output": nn.ModuleDict(
                    {"dense": _Linear(width, width), "LayerNorm": nn.LayerNorm(width, eps)}
                ),
            }
        )
        self.intermediate = nn.ModuleDict({"dense": _Linear(width, config.intermediate_size)})
        self.output = nn.ModuleDict(
            {"dense": _Linear(config.intermediate_size, width), "LayerNorm": nn.LayerNorm(width, eps)}
        )

    def forward(self, x: Tensor, attend: Tensor | None) -> Tensor:
        own, out = self.attention["self"], self.attention["output"]
        q, k, v = (self._split(own[name](x)) for name in ("query", "key", "value"))  # type: ignore[index]
        mixed = functional.scaled_dot_product_attention(q, k, v, attend)  # (B, heads, n, d / heads)
        mixed = mixed.transpose(1, 2).reshape(x.shape)
        x = out["LayerNorm"](x + out["dense"](mixed))  # type: ignore[index]
        inner = functional.gelu(self.intermediate["dense"](x))
        return self.output["LayerNorm"](x + self.output["dense"](inner))  # type: ignore[no-any-return]

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


# The weights are assigned when they are loaded: drawing 22 M random numbers first would be waste, and
# torch's meta device, the usual way around it, takes a second to import its own machinery.
class _Linear(nn.Linear):
    def reset_parameters(self) -> None:
        """Leave the weights unset."""


class _Embedding(nn.Embedding):
    def reset_parameters(self) -> None:
        """Leave the weights unset."""


def load_minilm(folder: Path) -> MiniLM:
    """Return the tower in eval mode, frozen, from a folder with config.json and model.safetensors.

    Raises:
        OSError: a file is missing.
        RuntimeError: the tensors are not those of a BERT encoder of that size.
    """
    model = MiniLM(MiniLMConfig.read(folder / "config.json"))
    state = load_file(folder / "model.safetensors")
    unused = ("pooler.", "embeddings.position_ids")
    model.load_state_dict({k: v for k, v in state.items() if not k.startswith(unused)}, assign=True)
    return model.eval().requires_grad_(False)
