"""The results of `run.py` as tables."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.measuring import described


def to_markdown(found: dict[str, Any]) -> str:
    """Return what is kept beside the JSON, of the parts that were measured."""
    return "\n".join(
        f"{show(found[part])}\n" for part, show in _SHOWN.items() if part in found
    ) + _extrapolated(found)


def _steps(part: dict[str, Any]) -> str:
    lines = [
        f"| one step, {_size(part)} | backbones | batch | CPU s | rows/CPU s | peak MB | of it held before |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in part["rows"]:
        what = _way(row)
        if "failed" in row:
            lines.append(f"| {what} | {row['backbones']} | {row['batch']} | {row['failed']} | | | |")
            continue
        lines.append(
            f"| {what} | {row['backbones']} | {row['batch']} | {row['cpu_s']:.1f} | "
            f"{row['batch'] / row['cpu_s']:.2f} | {row['peak_mb']:.0f} | {row['before_mb']:.0f} |"
        )
    return "\n".join([*lines, "", _on(part)])


def _pair(part: dict[str, Any]) -> str:
    [row] = part["rows"]
    if "failed" in row:
        return f"GradCache beside plain steps: {row['failed']}"
    times = list(zip(row["plain_cpu_s"], row["cached_cpu_s"], strict=True))
    ratio = statistics.median(cached / plain for plain, cached in times)
    plain, cached = (statistics.median(row[name]) for name in ("plain_cpu_s", "cached_cpu_s"))
    return (
        f"GradCache takes {ratio:.2f} x the CPU time of a plain step at batch {row['batch']}: {cached:.1f} s "
        f"beside {plain:.1f} s, medians of {len(times)} taken in turns. {_on(part)}"
    )


def _loss(part: dict[str, Any]) -> str:
    [row] = part["rows"]
    what = (
        f"The loss alone, {row['queries']} queries x {row['documents']} documents, {row['tokens']} tokens "
        f"of width {row['width']}"
    )
    if "failed" in row:
        return f"{what}: {row['failed']}"
    return (
        f"{what}, forward and backward: {row['cpu_s']:.1f} CPU s, "
        f"{row['peak_mb'] - row['before_mb']:.0f} MB more at its peak. {_on(part)}"
    )


def _limit(part: dict[str, Any]) -> str:
    [row] = part["rows"]
    what = (
        f"One step of `plait train`, {_size(part)}, batch {row['batch']} by GradCache "
        f"({row['mini_batch_size']} at a time), {row['backbones']} backbones, with the address space limited "
        f"to {row['limit_bytes'] / 1e9:.0f} GB (RLIMIT_AS)"
    )
    if "failed" in row:
        return f"{what}: failed, {row['failed']}"
    return (
        f"{what}: {row['ended']}; {row['peak_mb'] / 1000:.1f} GB resident at its peak, "
        f"{row['reserved_mb'] / 1000:.1f} GB reserved; {row['cpu_s']:.0f} CPU s, reading, checkpoint and "
        f"model included. {_on(part)}"
    )


def _extrapolated(found: dict[str, Any]) -> str:
    """Return what other backbones would take at the large batch: computed, from the smallest one."""
    steps = {
        row["backbones"]: row["peak_mb"]
        for row in reversed(found.get("steps", {}).get("rows", []))
        if row["mini_batch_size"] is not None and "peak_mb" in row
    }
    [row] = found.get("limit", {}).get("rows", [{}])
    if "frozen" not in steps or "peak_mb" not in row:
        return ""
    others = ", ".join(
        f"{name} {(row['peak_mb'] + peak - steps['frozen']) / 1000:.1f} GB"
        for name, peak in steps.items()
        if name != "frozen"
    )
    if not others:
        return ""
    return (
        f"\nComputed, not measured: batch {row['batch']} would come to {others}: the peak measured with "
        "frozen backbones, and by what theirs is more in a step of the smallest batch.\n"
    )


def _way(row: dict[str, Any]) -> str:
    size = row["mini_batch_size"]
    return "plain" if size is None else f"GradCache, {size} at a time"


def _size(part: dict[str, Any]) -> str:
    return "a tiny ReT" if part["tiny"] else "ReT, ViT-B/32 size"


def _on(part: dict[str, Any]) -> str:
    return f"({described(part['machine'])}; seed {part['seed']})"


_SHOWN = {"steps": _steps, "pair": _pair, "loss": _loss, "limit": _limit}
