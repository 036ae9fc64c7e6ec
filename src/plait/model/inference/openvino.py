"""ReT as OpenVINO graphs: exported once into a folder, and encoding from there without the model."""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from plait.errors import InputError, ModelError
from plait.extras import require
from plait.model import backbones
from plait.model.inference.fast import check_preparable, folded
from plait.model.inference.linear import Packing
from plait.model.recurrence import LayerStates
from plait.model.ret.inputs import RetInputs, expect_none, present_rows, take
from plait.model.ret.modeling_ret import RetForRetrieval
from plait.model.ret.sides import Seen

_FILE = "openvino_ret.json"
_INPUTS = {
    "text": ("input_ids", "attention_mask"),
    "image": ("pixel_values",),
    "text_image": ("input_ids", "attention_mask", "pixel_values"),
}
_TRACED_ROWS, _CHECKED_ROWS = 4, 9
_LEAST_COSINE = 0.999
_PRECISIONS = {"auto": None, "float32": "f32", "bfloat16": "bf16"}


@torch.no_grad()
def export_openvino(model: RetForRetrieval, folder: str | os.PathLike[str]) -> None:
    """Write a model's graphs into a folder: for text, image and both, of each side that is not shared.

    Batch and text length stay free; weights are kept in float16. Each graph is run once it is written, on
    more rows than it was traced with.

    Args:
        model: a ReT or ReT-2 in float32, low-rank adapters merged; it stays as it was.
        folder: is made if need be; graphs that it holds are replaced.

    Raises:
        ModelError: the model cannot be exported, or a graph does not give the model's own vectors.
        MissingExtraError: openvino is not installed.
    """
    _openvino()
    check_preparable(model)
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    fast = folded(model, Packing(prepack=False), Packing(prepack=False))
    sides = ["query"] if model.document_head is None else ["query", "document"]
    for side in sides:
        for kind in _INPUTS:
            _write(_Graph(fast, side, kind), place / f"{side}-{kind}.xml")
    (place / _FILE).write_text(json.dumps({"sides": sides}) + "\n", encoding="utf-8")
    _check(OpenVinoRet(place), model)


class OpenVinoRet:
    """Encodes by exported graphs; they are read on first use. Several threads may share it.

    Args:
        folder: as `export_openvino` wrote it.
        threads: of OpenVINO; 0 leaves its own choice.
        precision: of matrix products: "float32", "bfloat16", or "auto", OpenVINO's own choice, bfloat16
            where the processor has it.

    Raises:
        ModelError: no exported model there, or an unknown precision.
        MissingExtraError: openvino is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str], *, threads: int = 0, precision: str = "auto") -> None:
        if precision not in _PRECISIONS:
            raise ModelError(f"precision {precision!r}: use one of {', '.join(_PRECISIONS)}")
        core = _openvino().Core()
        hint = _PRECISIONS[precision]
        settings = {"PERFORMANCE_HINT": "LATENCY"}
        settings |= {"INFERENCE_NUM_THREADS": str(threads)} if threads else {}
        settings |= {"INFERENCE_PRECISION_HINT": hint} if hint else {}
        place = Path(folder)
        sides = _sides(place)

        @cache
        def graph(side: str, kind: str) -> Any:
            name = side if side in sides else "query"
            return core.compile_model(str(place / f"{name}-{kind}.xml"), "CPU", settings)

        self._graph = graph

    def encode_queries(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        text_mask: Tensor | None = None,
        image_mask: Tensor | None = None,
    ) -> Tensor:
        """Return what `RetForRetrieval.encode_queries` does, float32.

        Raises:
            InputError: a row with neither text nor image.
        """
        return self._encode(
            "query", RetInputs(input_ids, attention_mask, pixel_values, text_mask, image_mask)
        )

    def encode_documents(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        text_mask: Tensor | None = None,
        image_mask: Tensor | None = None,
    ) -> Tensor:
        """Return what `RetForRetrieval.encode_documents` does, float32; errors as of `encode_queries`."""
        return self._encode(
            "document", RetInputs(input_ids, attention_mask, pixel_values, text_mask, image_mask)
        )

    def _encode(self, side: str, inputs: RetInputs) -> Tensor:
        text = _present(inputs.input_ids, inputs.text_mask, inputs.batch, "text")
        image = _present(inputs.pixel_values, inputs.image_mask, inputs.batch, "image")
        found: dict[int, Tensor] = {}
        for kind, chosen in (("text", text & ~image), ("image", image & ~text), ("text_image", text & image)):
            rows = chosen.nonzero().squeeze(1)
            if len(rows):
                given = {name: _values(inputs, name, rows) for name in _INPUTS[kind]}
                vectors = _run(self._graph(side, kind), given)
                found |= dict(zip(rows.tolist(), vectors, strict=True))
        if len(found) < inputs.batch:
            missing = min(set(range(inputs.batch)) - found.keys())
            raise InputError(f"row {missing} has neither text nor image: leave it out")
        return torch.stack([found[row] for row in range(inputs.batch)])


class _Graph(nn.Module):
    """One side's way from tensors of one kind of input to unit vectors, with no choice left."""

    def __init__(self, model: RetForRetrieval, side: str, kind: str) -> None:
        super().__init__()
        own = model.document_towers if side == "document" else None
        document_head = model.document_head if side == "document" else None
        self.model = model
        self.head = model.query_head if document_head is None else document_head
        self.text = model.towers.text if own is None or own.text is None else own.text
        self.vision = model.towers.vision if own is None or own.vision is None else own.vision
        self.config = model.config.query_config if side == "query" else model.config.document_config
        self.names = _INPUTS[kind]

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
    ) -> Tensor:
        """Return (B, tokens, d) or (B, d)."""
        layers, text, vision = self.config.layers, None, None
        if input_ids is not None and attention_mask is not None and self.text is not None:
            pooled = self.config.reads_text_feature
            read = backbones.read_text(
                self.text, layers.text, input_ids=input_ids, attention_mask=attention_mask, pooled=pooled
            )
            words = attention_mask.bool()
            text = Seen([LayerStates(values, words) for values in read.layers], read.pooled)
        if pixel_values is not None and self.vision is not None:
            pooled = self.config.reads_vision_feature
            read = backbones.read_vision(self.vision, layers.vision, pixel_values=pixel_values, pooled=pooled)
            vision = Seen([LayerStates(values) for values in read.layers], read.pooled)
        rows = next(given.shape[0] for given in (input_ids, pixel_values) if given is not None)
        return self.model._compared(self.head(rows, text, vision).normalized())


def _write(graph: _Graph, file: Path) -> None:
    """Trace a graph and write it.

    Raises:
        ModelError: it cannot be traced.
    """
    given = _example(graph.config, _TRACED_ROWS, graph.names)
    rows = torch.export.Dim("rows", min=1, max=4096)
    free: dict[str, dict[int, Any]] = {name: {0: rows} for name in graph.names}
    if not backbones.pads_to_max(graph.config.text_config) and "input_ids" in free:
        words = torch.export.Dim("words", min=2, max=backbones.max_tokens(graph.config.text_config))
        free |= {name: {0: rows, 1: words} for name in _INPUTS["text"]}
    try:
        with warnings.catch_warnings(), _unlogged():
            warnings.simplefilter("ignore")  # of what torch and OpenVINO deprecate in each other
            traced = torch.export.export(graph.eval(), (), given, dynamic_shapes=free, strict=False)
            made = _converted(traced)
    except (RuntimeError, ValueError, TypeError) as error:  # torch's UserError among them
        raise ModelError(f"the {file.stem} graph cannot be exported: {error}") from error
    _openvino().save_model(made, str(file), compress_to_fp16=True)


@contextmanager
def _unlogged() -> Iterator[None]:
    """Keep from the log that OpenVINO lists operations which this torch no longer has."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _converted(traced: torch.export.ExportedProgram) -> Any:
    """Return OpenVINO's form of a traced graph, by its front end: `convert_model` would report the call."""
    decoders = require("openvino.frontend.pytorch.fx_decoder")
    front_end = require("openvino.frontend").FrontEndManager().load_by_framework("pytorch")
    decoder = decoders.TorchFXPythonDecoder.from_exported_program(traced)  # must outlive the conversion
    return front_end.convert(front_end.load(decoder))


def _check(exported: OpenVinoRet, model: RetForRetrieval) -> None:
    """Check that the graphs give the model's own vectors.

    Raises:
        ModelError: they do not; the message names the graph.
    """
    sides = (
        (model.config.query_config, exported.encode_queries, model.encode_queries),
        (model.config.document_config, exported.encode_documents, model.encode_documents),
    )
    for config, encode, expect in sides:
        for kind, names in _INPUTS.items():
            given = _example(config, _CHECKED_ROWS, names)
            least = float(functional.cosine_similarity(encode(**given), expect(**given), dim=-1).min())
            if least < _LEAST_COSINE:
                raise ModelError(
                    f"the exported {kind} graph gives cosine {least:.4f} with the model's vectors, expected "
                    f"{_LEAST_COSINE} or more: encode with plait.model.inference.fast.prepare instead"
                )


def _example(config: Any, rows: int, names: tuple[str, ...]) -> dict[str, Tensor]:
    """Return made-up inputs, texts of unlike lengths among them."""
    generator = torch.Generator().manual_seed(rows)
    limit = backbones.max_tokens(config.text_config)
    width = limit if backbones.pads_to_max(config.text_config) else min(limit, rows + 2)
    side = backbones.image_size(config.vision_config)
    lengths = 2 + torch.arange(rows) % (width - 1)
    inputs = {
        "input_ids": torch.randint(config.text_config.vocab_size, (rows, width), generator=generator),
        "attention_mask": (torch.arange(width)[None] < lengths[:, None]).long(),
        "pixel_values": torch.randn(rows, 3, side, side, generator=generator),
    }
    return {name: inputs[name] for name in names}


def _openvino() -> Any:
    """Return openvino, imported without the package that reports every import to its makers.

    Raises:
        MissingExtraError: it is not installed.
    """
    if "openvino" not in sys.modules:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # means: not there
    return require("openvino")


def _sides(folder: Path) -> list[str]:
    """Return the sides that a folder holds.

    Raises:
        ModelError: it holds no exported model.
    """
    try:
        sides: list[str] = json.loads((folder / _FILE).read_text(encoding="utf-8"))["sides"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder} holds no {_FILE}: export a model into it with export_openvino") from error
    return sides


def _present(values: Tensor | None, mask: Tensor | None, batch: int, name: str) -> Tensor:
    """Return (B,) whether each row has the modality."""
    rows = present_rows(mask)
    if values is None:
        expect_none(rows, mask, name)
        return torch.zeros(batch, dtype=torch.bool)
    return torch.ones(batch, dtype=torch.bool) if mask is None else mask != 0


def _values(inputs: RetInputs, name: str, rows: Tensor) -> Tensor:
    """Return one input of some rows of the batch, all of which have it."""
    mask = inputs.image_mask if name == "pixel_values" else inputs.text_mask
    values: Tensor | None = getattr(inputs, name)
    if values is None:  # an attention mask that says nothing
        return torch.ones_like(_values(inputs, "input_ids", rows))
    present = present_rows(mask)
    taken = take(values, mask, present)
    return taken[rows if present is None else torch.searchsorted(present, rows)]


def _run(graph: Any, given: Mapping[str, Tensor]) -> Tensor:
    """Return what a compiled graph gives, by a request of this call's own, so that threads may share it."""
    found = graph.infer_new_request({name: tensor.contiguous().numpy() for name, tensor in given.items()})
    return torch.from_numpy(found[0].copy())
