"""Work and the rate of the processor: what an encoding costs at least."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedConfig

from plait.model.ret.configuration_ret import RetConfig

_ROWS, _IN, _OUT = 512, 1024, 4096  # the largest product of the recurrence, 16 documents


@dataclass(frozen=True, slots=True)
class Work:
    """Operations of an encoding's products, a multiplication and an addition counted as two.

    Attributes:
        both_towers: of the forward that always runs both, with every norm, adapter and gate by itself.
        folded: of `plait.model.inference`, with only what is there.
    """

    both_towers: float
    folded: float


def work(config: RetConfig, *, rows: int, words: Sequence[int], kind: str, padded_words: int) -> Work:
    """Return the operations of encoding some rows of one kind.

    Args:
        words: tokens of each row's text in `folded`, padding counted.
        padded_words: the same of all rows together in `both_towers`.
    """
    text, vision = config.text_config, config.vision_config
    patches = (vision.image_size // vision.patch_size) ** 2 + 1
    d, q, steps = config.hidden_size, config.num_queries, len(config.layers.text)
    reading = q * 4 * d * d  # query, out-projection and both gates of one modality
    own = q * (4 * d * d + 2 * d * config.intermediate_size + 2 * q * d)  # self-attention and MLP
    constant = q * (5 if kind != "text+image" else 6) * d * d  # the first step's, computed once
    folded = rows * (steps * own - constant)
    if "text" in kind:
        folded += sum(
            _tower(text, n) + steps * n * text.hidden_size * (2 * d + min(d, text.hidden_size)) for n in words
        )
        folded += rows * steps * reading
    if "image" in kind:
        keys = patches * vision.hidden_size * (2 * d + min(d, vision.hidden_size))
        folded += rows * (_tower(vision, patches) + steps * (keys + reading))
    both = rows * (_tower(vision, patches) + steps * (own + 2 * reading + _keys(vision, patches, d)))
    both += rows * (_tower(text, padded_words // rows) + steps * _keys(text, padded_words // rows, d))
    return Work(2.0 * both, 2.0 * folded)


def _tower(config: PreTrainedConfig, tokens: int) -> int:
    """Return the multiplications of a backbone for one row."""
    width = config.hidden_size
    layer = 4 * width * width + 2 * width * config.intermediate_size + 2 * tokens * width
    return tokens * layer * config.num_hidden_layers


def _keys(config: PreTrainedConfig, tokens: int, d: int) -> int:
    """Return the multiplications of an adapter, keys and values for one row."""
    return tokens * (config.hidden_size * d + 2 * d * d)


def matmul_rates(*, rounds: int) -> dict[str, float]:
    """Return 10^9 operations a CPU second of one large product, the best of some rounds, by precision."""
    x, w = torch.randn(_ROWS, _IN), torch.randn(_OUT, _IN)
    small = {"dtype": torch.int8, "low": -127, "high": 127}
    x8, w8 = torch.randint(size=(_ROWS, _IN), **small), torch.randint(size=(_IN, _OUT), **small)
    half = x.bfloat16(), w.bfloat16()
    products: dict[str, Callable[[], Tensor]] = {
        "float32": lambda: functional.linear(x, w),
        "bfloat16": lambda: functional.linear(*half),
        "int8": lambda: torch._int_mm(x8, w8),
    }
    operations = 2 * _ROWS * _IN * _OUT
    rates = dict.fromkeys(products, 0.0)
    with torch.inference_mode():
        for _ in range(rounds):
            for name, product in products.items():
                rates[name] = max(rates[name], operations / cpu_seconds(product)[0] / 1e9)
    return rates


def cpu_seconds(run: Callable[[], object]) -> tuple[float, float]:
    """Return the CPU time and the wall time of some work, in seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return time.process_time() - cpu, time.perf_counter() - wall
