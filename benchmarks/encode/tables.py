"""The results of `run.py` as tables."""

from __future__ import annotations

from typing import Any


def to_markdown(found: dict[str, Any]) -> str:
    """Return what is kept beside the JSON."""
    return "\n".join(
        [
            _ret(found),
            _rates(found["rates"]),
            _cosines(found["cosines"]),
            _mini(found["mini"]),
            _fresh(found["fresh"]),
            _machine(found["machine"], found["rounds"]),
        ]
    )


def _ret(found: dict[str, Any]) -> str:
    lines = [
        "| ReT, ViT-B/32 size | batch | ms a document (CPU) | ms (clock) | documents/s | x baseline | "
        "least cosine | floor, ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in found["ret"]:
        lines.append(
            f"| {row['kind']}: {row['way']} | {row['batch']} | {row['cpu_ms']:.0f} | {row['wall_ms']:.0f} | "
            f"{1000 / row['cpu_ms']:.1f} | {row['times_as_fast']:.1f} | {row['cosine']:.5f} | "
            f"{row['gflop'] / found['rates'][_precision(row['way'])] * 1000:.0f} |"
        )
    return "\n".join(lines) + "\n"


def _precision(way: str) -> str:
    """Return the fastest precision that a way multiplies in; OpenVINO chooses bfloat16 where there is one."""
    if "mixed" in way:
        return "int8"
    return next((name for name in ("float32", "int8") if name in way), "bfloat16")


def _rates(rates: dict[str, float]) -> str:
    shown = ", ".join(f"{name} {rate:.0f}" for name, rate in rates.items())
    return f"Floor: the operations of all products at the rate of one large product, 10^9/s: {shown}.\n"


def _cosines(rows: list[dict[str, Any]]) -> str:
    lines = ["| weights | precision | least cosine, 33 documents of all kinds |", "|---|---|---|"]
    lines += [f"| {row['weights']} | {row['precision']} | {row['cosine']:.6f} |" for row in rows]
    return "\n".join(lines) + "\n"


def _mini(mini: dict[str, float]) -> str:
    return (
        f"plait-mini: {mini['passages']:.0f} passages/s, {mini['units']:.1f} units of a passage "
        f"and a figure/s, a text query {mini['query_ms']:.0f} ms (CPU time, one thread)\n"
    )


def _fresh(rows: list[dict[str, Any]]) -> str:
    lines = ["| new process | imports, s | load, s | prepare, s | peak MB |", "|---|---|---|---|---|"]
    for row in rows:
        lines.append(
            f"| {row['what']} | {row['import_s']:.1f} | {row['load_s']:.2f} | "
            f"{row.get('prepare_s', 0):.1f} | {row['peak_mb']:.0f} |"
        )
    return "\n".join(lines) + "\n"


def _machine(on: dict[str, Any], rounds: int) -> str:
    special = ", ".join(on["features"]) or "no special features"
    return (
        f"{on['processor']} ({special}), {on['torch_threads']} thread, load {on['load']} at the start, "
        f"torch {on['torch']}, Python {on['python']}; medians of {rounds}"
    )
