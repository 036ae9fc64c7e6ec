"""Documents and queries a second on one core: ReT at ViT-B/32 size, and plait-mini.

    OMP_NUM_THREADS=1 python -m benchmarks.encode.run [--quick] [--openvino] [--compile] [--write NAME]

Weights are random, drawn twice: as transformers initialises them, and bold, with branches as large as what
they add to, norms that scale and biases; trained weights are not at hand. Cosines are the smallest of a
token with the same token of the model in float32.

A round encodes the same documents in every way, one after the other, so that all meet the same state of a
shared machine. CPU time of the process is compared, which others' work disturbs less than the clock. The
baseline always runs both towers and takes documents in the order they come; the others run what is there,
and take like lengths together.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.encode import baseline, inputs, sizes
from benchmarks.encode.tables import to_markdown
from benchmarks.measuring import machine
from plait.encode.batching import length_batches
from plait.encode.mini import MiniEncoder
from plait.model.inference.fast import prepare
from plait.model.ret.configuration_ret import RetRetrievalConfig
from plait.model.ret.modeling_ret import RetForRetrieval
from plait.schema import Query, Unit

RESULTS = Path(__file__).parents[1] / "results"
SEED = 20261121
PRECISIONS = ("float32", "bfloat16", "mixed", "int8")
DOCUMENTS = {1: 4, 16: 32, 32: 32}  # encoded, by how many at a time
BASELINE = "both towers, float32"

Encode = Callable[..., Tensor]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--quick", action="store_true", help="one round, at batch 1 and 16")
    options.add_argument("--openvino", action="store_true", help="also the exported graphs")
    options.add_argument("--compile", action="store_true", help="also float32 and int8 by torch.compile")
    options.add_argument("--threads", type=int, default=1)
    options.add_argument(
        "--write", metavar="NAME", help="keep the results as results/encode-NAME.json and .md"
    )
    asked = options.parse_args()
    torch.set_num_threads(asked.threads)
    with tempfile.TemporaryDirectory(prefix="plait-encode-") as folder:
        found = measure(asked, Path(folder))
    print(to_markdown(found))
    if asked.write:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"encode-{asked.write}.json").write_text(json.dumps(found, indent=1) + "\n")
        (RESULTS / f"encode-{asked.write}.md").write_text(to_markdown(found) + "\n")


def measure(asked: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return all results, as they are written."""
    rounds = 1 if asked.quick else 3
    model = random_model(bold=False)
    ways = {"model, float32": torch.inference_mode()(model.encode_documents)} | fast_ways(
        model, asked, folder
    )
    return {
        "machine": machine() | {"torch_threads": asked.threads, "features": features()},
        "seed": SEED,
        "rounds": rounds,
        "rates": sizes.matmul_rates(rounds=10),
        "ret": [
            row
            for size in ((16, 1) if asked.quick else (16, 1, 32))
            for kind in inputs.KINDS
            for row in measured(model, ways, kind, size=size, rounds=rounds)
        ],
        "cosines": cosines({"as initialised": model, "bold": random_model(bold=True)}),
        "mini": mini(rounds),
        "fresh": fresh(model, folder),
    }


def random_model(*, bold: bool) -> RetForRetrieval:
    """Return a ReT over towers of CLIP ViT-B/32's size, one recurrence for both sides."""
    torch.manual_seed(SEED)
    model = RetForRetrieval(RetRetrievalConfig(share_sides=True)).eval()
    if bold:
        with torch.no_grad():
            for name, weight in model.named_parameters():
                _make_bold(name, weight)
    return model


def _make_bold(name: str, weight: Tensor) -> None:
    noise = torch.randn_like(weight)
    if "norm" in name and name.endswith("weight"):
        weight.mul_((0.3 * noise).exp())
    elif weight.ndim == 1:
        weight.add_(0.1 * noise)
    elif weight.ndim == 2:
        weight.copy_(noise if "embedding" in name else noise / weight.shape[1] ** 0.5)


def fast_ways(model: RetForRetrieval, asked: argparse.Namespace, folder: Path) -> dict[str, Encode]:
    ways = {f"prepared, {p}": prepare(model, precision=p).encode_documents for p in PRECISIONS}
    if asked.compile:
        for precision in ("float32", "int8"):
            fast = prepare(model, precision=precision, compile=True)  # type: ignore[arg-type]
            ways[f"prepared, {precision}, compiled"] = fast.encode_documents
    if asked.openvino:
        from plait.model.inference.openvino import OpenVinoRet, export_openvino

        export_openvino(model, folder / "openvino")
        ways["OpenVINO"] = OpenVinoRet(folder / "openvino", threads=asked.threads).encode_documents
    return ways


def measured(
    model: RetForRetrieval, ways: dict[str, Encode], kind: str, *, size: int, rounds: int
) -> list[dict[str, Any]]:
    """Return a row for each way: documents of one kind, encoded some at a time."""
    chosen = inputs.items(DOCUMENTS[size], seed=SEED)
    arriving = [list(range(at, at + size)) for at in range(0, len(chosen), size)]
    alike = length_batches([len(item.ids) if "text" in kind else 0 for item in chosen], batch_size=size)
    both = [inputs.batch_of_both([chosen[row] for row in rows], kind) for rows in arriving]
    only = [inputs.batch([chosen[row] for row in rows], kind) for rows in alike]
    work: dict[str, tuple[Encode, list[dict[str, Tensor]]]] = {
        BASELINE: (lambda **given: baseline.encode_documents(model, **given), both),
        **{name: (encode, only) for name, encode in ways.items()},
    }
    arrived = [_expected(model, inputs.batch([chosen[row] for row in rows], kind)) for rows in arriving]
    alone = [_expected(model, given) for given in only]
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in work}
    for encode, batches in work.values():
        encode(**batches[0])  # caches and compilers warm up
    for _ in range(rounds):
        for name, (encode, batches) in work.items():
            times[name].append(sizes.cpu_seconds(partial(_run, encode, batches)))
    print(f"{kind}, {size} at a time", file=sys.stderr)
    counts = [given["input_ids"].numel() for given in both]
    done = sizes.work(
        model.config.document_config,
        rows=len(chosen),
        words=[
            given["input_ids"].shape[1] for given in only if "input_ids" in given for _ in given["input_ids"]
        ],
        kind=kind,
        padded_words=sum(counts),
    )
    return [
        {
            "way": name,
            "kind": kind,
            "batch": size,
            "documents": len(chosen),
            "cpu_ms": 1000 * statistics.median(cpu for cpu, _ in taken) / len(chosen),
            "wall_ms": 1000 * statistics.median(wall for _, wall in taken) / len(chosen),
            "times_as_fast": statistics.median(
                base / cpu for (base, _), (cpu, _) in zip(times[BASELINE], taken, strict=True)
            ),
            "cosine": _cosine(work[name], arrived if name == BASELINE else alone),
            "gflop": (done.both_towers if name == BASELINE else done.folded) / len(chosen) / 1e9,
        }
        for name, taken in times.items()
    ]


def cosines(models: dict[str, RetForRetrieval]) -> list[dict[str, Any]]:
    """Return the smallest cosine over ragged batches of 1 and 32 that mix all kinds, for each precision."""
    chosen = inputs.items(33, seed=SEED + 1)
    rows = []
    for weights, model in models.items():
        for precision in PRECISIONS:
            fast = prepare(model, precision=precision)  # type: ignore[arg-type]
            least = 1.0
            for given in (_mixed(chosen[:32]), inputs.batch(chosen[32:], "text+image")):
                found = fast.encode_documents(**given)
                least = min(least, _least(found, _expected(model, given)))
            rows.append({"weights": weights, "precision": precision, "cosine": least})
    return rows


def _mixed(chosen: list[inputs.Item]) -> dict[str, Tensor]:
    both = inputs.batch(chosen, "text+image")
    row = torch.arange(len(chosen))
    return both | {"text_mask": (row % 3 != 1).long(), "image_mask": (row % 3 != 0).long()}


def mini(rounds: int) -> dict[str, float]:
    """Return what plait-mini encodes a CPU second, and how long it takes a query."""
    encoder = MiniEncoder.load(threads=1)
    query = Query(texts=("how do I clean the steam wand after use",))
    encoder.encode_units([*inputs.figures(4, seed=1), *inputs.passages(8, seed=1)])
    encoder.encode_query(query)
    seen: dict[str, list[float]] = {"passages": [], "units": [], "query_ms": []}
    for turn in range(rounds):
        words = inputs.passages(100, seed=SEED + turn)
        shown = _renamed(inputs.figures(32, seed=SEED + turn), turn)
        seen["passages"].append(len(words) / sizes.cpu_seconds(partial(encoder.encode_units, words))[0])
        seen["units"].append(len(shown) / sizes.cpu_seconds(partial(encoder.encode_units, shown))[0])
        asked = [sizes.cpu_seconds(partial(encoder.encode_query, query))[0] for _ in range(9)]
        seen["query_ms"].append(1000 * statistics.median(asked))
    return {name: statistics.median(values) for name, values in seen.items()}


def fresh(model: RetForRetrieval, folder: Path) -> list[dict[str, Any]]:
    """Return imports, loading and peak memory, each in a process of its own."""
    model.save_pretrained(folder / "checkpoint")
    runs = [("plait-mini", "model"), *((str(folder / "checkpoint"), way) for way in ("model", *PRECISIONS))]
    rows = []
    for name, way in runs:
        command = [sys.executable, "-m", "benchmarks.encode.fresh", name, way]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        what = "plait-mini" if name == "plait-mini" else f"ReT, {way}"
        rows.append({"what": what, **json.loads(done.stdout.splitlines()[-1])})
    return rows


def features() -> list[str]:
    """Return what the processor has of what the precisions need."""
    wanted = ("avx2", "avx512_f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_bf16", "amx_int8")
    seen = torch.cpu.get_capabilities()
    return [name for name in wanted if seen.get(name)]


def _run(encode: Encode, batches: Sequence[dict[str, Tensor]]) -> None:
    for given in batches:
        encode(**given)


def _cosine(work: tuple[Encode, list[dict[str, Tensor]]], expected: Sequence[Tensor]) -> float:
    encode, batches = work
    with torch.inference_mode():
        return min(_least(encode(**given), want) for given, want in zip(batches, expected, strict=True))


def _least(found: Tensor, expected: Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(found, expected, dim=-1).min())


def _expected(model: RetForRetrieval, given: dict[str, Tensor]) -> Tensor:
    with torch.inference_mode():
        return model.encode_documents(**given)


def _renamed(units: Sequence[Unit], turn: int) -> list[Unit]:
    """Return units whose figures count as other files than in other turns, so that none is remembered."""
    return [
        replace(
            unit,
            figures=tuple(replace(f, picture=replace(f.picture, sha256=f"{turn}-{k}")) for f in unit.figures),
        )
        for k, unit in enumerate(units)
    ]


if __name__ == "__main__":
    main()
