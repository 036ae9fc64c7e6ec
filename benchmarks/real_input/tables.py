"""The tables of gimp_help.py, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.measuring import described
from benchmarks.real_input.systems import BASELINE, DEFAULT, SYSTEMS

_TABLES = {
    "success@1": "success@1 x 100, by unit",
    "success@10": "success@10 x 100, by unit",
    "mrr": "MRR x 100, by unit",
    "page success@1": "success@1 x 100, by page",
    "page success@10": "success@10 x 100, by page",
}


def to_markdown(found: Mapping[str, Any]) -> str:
    """Return what `gimp_help.measure` found as a page."""
    lines = ["# The GIMP manual (gimp-help-en)", "", _added(found["added"], found["corpus"]), ""]
    lines.append(
        f"Model {found['model']['name']} ({found['model']['fingerprint'][:12]}). "
        f"{described(found['machine'])}. Questions drawn with seed {found['seed']}."
    )
    for name, caption in _TABLES.items():
        lines += ["", f"## {caption}", "", *_table(found["kinds"], name)]
    lines += ["", _means(found["means"]), "", _notes(found["kinds"]), ""]
    lines += ["    python -m benchmarks.real_input.fetch gimp-help-en"]
    lines += ["    python -m benchmarks.real_input.gimp_help"]
    return "\n".join(lines) + "\n"


def _added(added: Mapping[str, Any], corpus: Mapping[str, Any]) -> str:
    pictures = added["bytes_of_pictures"] / max(1, added["documents"])
    return (
        f"{added['documents']} pages ({added['units']} units, {corpus['units_with_figures']} of them with "
        f"figures, {added['figures']} in all) added in {added['seconds'] / 60:.1f} minutes: "
        f"{added['documents_per_second']:.1f} documents/s, peak memory {added['peak_mb']:.0f} MB (with "
        f"the readers), {added['bytes_per_document'] / 1000:.0f} kB a document on disk, "
        f"{pictures / 1000:.0f} kB of it pictures; {len(added['failed'])} pages failed."
    )


def _table(kinds: Mapping[str, Any], measure: str) -> list[str]:
    rows = [["", *(f"{kind} ({values['questions']})" for kind, values in kinds.items())]]
    rows.append(["---"] * len(rows[0]))
    for system in SYSTEMS:
        of_kinds = [values["systems"][system.name] for values in kinds.values()]
        rows.append([system.name, *(_cell(found[measure]) if found else "-" for found in of_kinds)])
    if measure == "mrr":
        gains = [values["default_minus_baseline_mrr"] for values in kinds.values()]
        rows.append([f"{DEFAULT.name} minus {BASELINE.name}", *(_cell(gain, sign=True) for gain in gains)])
    return ["| " + " | ".join(row) + " |" for row in rows]


def _means(means: Mapping[str, Any]) -> str:
    each = "; ".join(f"{name} {100 * value:.1f}" for name, value in means["mrr"].items())
    gain = _cell(means["default_minus_baseline_mrr"], sign=True)
    return f"Mean MRR x 100 over the kinds: {each}. {DEFAULT.name} minus {BASELINE.name}: {gain}."


def _notes(kinds: Mapping[str, Any]) -> str:
    times = ", ".join(f"{kind} {values['search_ms']['p50']:.0f} ms" for kind, values in kinds.items())
    return (
        "In brackets, 95 % bootstrap intervals over questions; differences are paired. A dash: the kind asks "
        f"nothing of those lanes. One search through `Library.search`, median: {times}."
    )


def _cell(found: Mapping[str, float], *, sign: bool = False) -> str:
    form = "+.1f" if sign else ".1f"
    mean, low, high = (format(100 * found[name], form) for name in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"
