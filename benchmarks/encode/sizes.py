"""Work and the rate of the processor: what an encoding costs at least."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

_ROWS, _IN, _OUT = 512, 1024, 4096  # the largest product of the recurrence, 16 documents


def flops(encode: Callable[..., Tensor], inputs: Mapping[str, Tensor]) -> int:
    """Return the operations of an encoding's products, a multiplication and an addition counted as two."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        encode(**inputs)
    return counter.get_total_flops()


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
    work = 2 * _ROWS * _IN * _OUT
    rates = dict.fromkeys(products, 0.0)
    with torch.inference_mode():
        for _ in range(rounds):
            for name, product in products.items():
                rates[name] = max(rates[name], work / cpu_seconds(product)[0] / 1e9)
    return rates


def cpu_seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Return the CPU time and the wall time of some work, in seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall
