"""ReT and ReT-2 made ready to encode, and for nothing else: `prepare(model)`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from plait.errors import ModelError
from plait.model import backbones
from plait.model.inference.head import FastHead
from plait.model.inference.kinds import in_parts
from plait.model.inference.linear import Packing, Precision, native_bfloat16
from plait.model.inference.towers import pack_linears, shared_copy
from plait.model.ret.configuration_ret import RetConfig, RetRetrievalConfig
from plait.model.ret.inputs import RetInputs
from plait.model.ret.modeling_ret import RetForRetrieval

_PRECISIONS = ("auto", "float32", "bfloat16", "mixed", "int8")
_ROWS_AT_ONCE = 8  # so that they stay in a core's cache (1 MB, measured): 16 were 8 % slower, 4 no faster
_BUCKET = 16  # tokens; lengths are rounded up to it where every shape is recorded anew


def prepare(
    model: RetForRetrieval,
    *,
    precision: Literal["auto", "float32", "bfloat16", "mixed", "int8"] = "auto",
    compile: bool = False,
) -> FastRet:
    """Return what encodes as the model does, faster; the model stays as it was, and may be let go.

    Args:
        model: a ReT or ReT-2, with backbones of any family, in float32; low-rank adapters merged.
        precision: of matrix products; all else stays in float32.
            "auto": bfloat16 where the processor multiplies it itself (AVX512_BF16, AMX), and on GPUs
            that do; else float32.
            "float32": folded only; differs from the model by rounding.
            "bfloat16": anywhere; slow on a CPU that lacks it.
            "mixed": int8 in the head, as "auto" in the backbones, whose layers forgive less.
            "int8": everywhere, on CPUs, best with VNNI. Weights by output, activations by token as they
            come, so that no calibration is needed and no row depends on another. At ViT-B/32's size and
            with random weights the worst token keeps a cosine above 0.999 (benchmarks/encode); a trained
            MiniLM does not, its worst keeps 0.99. So compare the vectors with float32's on your own
            model before you index with it.
        compile: fuse what lies between the products by torch.compile: the first batch of each kind
            then takes a minute, and a C++ compiler is needed on a CPU. On a GPU, steps are also
            recorded as CUDA graphs, and texts padded to multiples of 16 tokens; that was not measured.

    Raises:
        ModelError: an unknown precision, int8 off a CPU, a model not in float32, or one with adapters.
    """
    if precision not in _PRECISIONS:
        raise ModelError(f"precision {precision!r}: use one of {', '.join(_PRECISIONS)}")
    check_preparable(model)
    head, towers = _chosen(precision, model.device)
    fast = folded(model, Packing(head, not compile), Packing(towers, not compile))
    if compile:
        for side in (fast.query_head, fast.document_head):
            if side is not None:
                side.step = _compiled(side.step, model.device)
    return FastRet(fast, head, towers, bucket=_BUCKET if compile and model.device.type == "cuda" else 1)


class FastRet:
    """Encodes as the model that it was prepared from; use `prepare`. Several threads may share it.

    Attributes:
        module: the model that it was prepared from.
        config: that model's.
        precision, tower_precision: of matrix products in the head and in the backbones.
    """

    def __init__(
        self, model: RetForRetrieval, precision: Precision, tower_precision: Precision, *, bucket: int = 1
    ) -> None:
        self.config: RetRetrievalConfig = model.config
        self.precision = precision
        self.tower_precision = tower_precision
        self.module = model
        self._bucket = bucket

    def encode_queries(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        text_mask: Tensor | None = None,
        image_mask: Tensor | None = None,
    ) -> Tensor:
        """Return what `RetForRetrieval.encode_queries` does, float32."""
        inputs = RetInputs(input_ids, attention_mask, pixel_values, text_mask, image_mask)
        return self._encode(self.module.encode_queries, inputs)

    def encode_documents(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        text_mask: Tensor | None = None,
        image_mask: Tensor | None = None,
    ) -> Tensor:
        """Return what `RetForRetrieval.encode_documents` does, float32."""
        inputs = RetInputs(input_ids, attention_mask, pixel_values, text_mask, image_mask)
        return self._encode(self.module.encode_documents, inputs)

    def _encode(self, encode: Callable[..., Tensor], inputs: RetInputs) -> Tensor:
        ids, mask = self._widened(inputs.input_ids, inputs.attention_mask)
        inputs = replace(inputs, input_ids=ids, attention_mask=mask)
        most = _ROWS_AT_ONCE if self.module.device.type == "cpu" else inputs.batch
        with torch.inference_mode():
            parts = [encode(*part) for part in in_parts(inputs, most)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _widened(self, ids: Tensor | None, mask: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """Return texts padded to the next bucket, or to the backbone's limit."""
        if ids is None or self._bucket == 1:
            return ids, mask
        limit = min(backbones.max_tokens(side.text_config) for side in self._sides())
        more = min(-ids.shape[1] % self._bucket, limit - ids.shape[1])
        mask = torch.ones_like(ids) if mask is None else mask
        return functional.pad(ids, (0, more)), functional.pad(mask, (0, more))

    def _sides(self) -> tuple[RetConfig, RetConfig]:
        return self.config.query_config, self.config.document_config


@torch.no_grad()
def folded(model: RetForRetrieval, head: Packing, towers: Packing) -> RetForRetrieval:
    """Return a copy that encodes by packed towers and a `FastHead`; the rest it shares with the model."""
    fast: RetForRetrieval = shared_copy(model).eval()
    for of_side in fast._all_towers():
        pack_linears(of_side, towers)
    fast.query_head = FastHead(fast.query_head, head)
    if fast.document_head is not None:
        fast.document_head = FastHead(fast.document_head, head)
    return fast


def check_preparable(model: RetForRetrieval) -> None:
    """Check that a model can be folded.

    Raises:
        ModelError: it is not in float32, or has low-rank adapters.
    """
    if model.dtype != torch.float32:
        raise ModelError(
            f"the model is in {model.dtype}, expected torch.float32: load it with dtype=torch.float32"
        )
    sides = model.config.query_config, model.config.document_config
    if any(side.text_lora_rank or side.vision_lora_rank for side in sides):
        raise ModelError("the model has low-rank adapters: call merge_adapters() first")


def _chosen(precision: str, device: torch.device) -> tuple[Precision, Precision]:
    """Return the precision of the head and of the backbones."""
    on_gpu = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    native: Precision = "bfloat16" if on_gpu or (device.type == "cpu" and native_bfloat16()) else "float32"
    choices: dict[str, tuple[Precision, Precision]] = {
        "auto": (native, native),
        "float32": ("float32", "float32"),
        "bfloat16": ("bfloat16", "bfloat16"),
        "mixed": ("int8", native),
        "int8": ("int8", "int8"),
    }
    return choices[precision]


def _compiled(step: Any, device: torch.device) -> Any:
    """Return a step compiled: for any shape on a CPU, each shape as a CUDA graph on a GPU."""
    if device.type == "cuda":
        return torch.compile(step, mode="reduce-overhead")
    return torch.compile(step, dynamic=True)
