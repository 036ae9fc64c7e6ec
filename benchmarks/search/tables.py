"""The results of `run.py` as tables, with the targets of this project beside them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from benchmarks.measuring import described

Row = dict[str, Any]
_PLAIT = "plait"


def to_markdown(found: dict[str, Any]) -> str:
    """Return what is kept beside the JSON: for each collection what asking and keeping it takes."""
    parts = [
        collection_tables(list(rows))
        for _, rows in groupby(found["rows"], key=lambda row: (row["data"], row["documents"]))
    ]
    return "\n".join([*parts, _NOTES, f"{described(found['machine'])}\n"])


def collection_tables(rows: list[Row]) -> str:
    """Return the tables of one collection."""
    title = f"## {rows[0]['documents']:,} documents, {rows[0]['data']}\n"
    measured = [row for row in rows if "left_out" not in row]
    left_out = [f"- {row['engine']}: left out, {row['left_out']}" for row in rows if "left_out" in row]
    lines = [title]
    if measured:
        lines += [*_asking(measured, filtered=False), "", *_asking(measured, filtered=True), ""]
        lines += [*_keeping(measured), ""]
    lines += [*(line for row in measured for line in _adding(row))]
    lines += [f"- {line}" for line in targets(measured)]
    return "\n".join([*lines, *left_out, ""])


def at_equal_recall(rows: list[Row], *, filtered: bool) -> dict[str, float | None]:
    """Return engine -> how many times plait's p50 its fastest setting of at least plait's recall takes.

    plait's is its first setting, the default; None for an engine none of whose settings reaches the recall.
    """
    base = [answer for row in rows if row["engine"] == _PLAIT for answer in _answers(row, filtered=filtered)]
    if not base:
        return {}
    found: dict[str, float | None] = {}
    for row in rows:
        if row["engine"] == _PLAIT:
            continue
        reached = [
            answer["p50_ms"]
            for answer in _answers(row, filtered=filtered)
            if answer["recall"] >= base[0]["recall"]
        ]
        found[row["engine"]] = min(reached) / base[0]["p50_ms"] if reached else None
    return found


def targets(rows: list[Row]) -> Iterator[str]:
    """Yield a line for each target set for collections of this size."""
    plait = next((row for row in rows if row["engine"] == _PLAIT), None)
    if plait is None:
        return
    [whole, *_], [few, *_] = (_answers(plait, filtered=filtered) for filtered in (False, True))
    resident = _resident(whole["memory"])
    own = resident - _resident(plait["ask"]["before"])
    limits = {100_000: (20, 0.99, 120), 1_000_000: (200, 0.98, 1200)}
    if plait["documents"] in limits:
        most_ms, least, most_mb = limits[plait["documents"]]
        yield _target("p50", whole["p50_ms"], most_ms, "ms")
        yield _target("recall@10", whole["recall"], least, "", at_least=True)
        yield _target(
            "resident after the queries, interpreter and libraries included", resident, most_mb, "MB"
        )
        yield _target("the same, less what the imports took", own, most_mb, "MB")
    if plait["documents"] == 100_000:
        yield _target("p50 within the filter", few["p50_ms"], 5, "ms")
        yield _target("open", plait["ask"]["open_seconds"], 1, "s")
        yield _target("add 1,000 until found", plait["add"]["seconds"], 2, "s")
    for engine, times in at_equal_recall(rows, filtered=False).items():
        if times is None:
            yield f"{engine}: no setting reached plait's recall of {whole['recall']:.3f}"
        else:
            yield _target(f"{engine}, p50 at equal recall", times, 5, "x plait's", at_least=True)


def _resident(memory: dict[str, float]) -> float:
    return memory["anonymous_mb"] + memory["files_mb"]


def _target(what: str, value: float, limit: float, unit: str, *, at_least: bool = False) -> str:
    met = value >= limit if at_least else value <= limit
    shown = f"{value:.3f}" if unit == "" else f"{value:.3g} {unit}"
    bound = f"{'at least' if at_least else 'at most'} {limit} {unit}".strip()
    return f"{what}: {shown}; target {bound}: {'met' if met else '**missed**'}"


def _asking(rows: list[Row], *, filtered: bool) -> list[str]:
    what = "filtered to 2 %" if filtered else "asking all"
    lines = [
        f"| {what} | setting | recall@10 | p50 ms | p95 ms | CPU ms | x plait at equal recall |",
        "|---|---|---|---|---|---|---|",
    ]
    times = at_equal_recall(rows, filtered=filtered)
    for row in rows:
        fastest = _fastest(rows, row, filtered=filtered)
        for answer in row["ask"]["settings"]:
            if answer["filtered"] != filtered:
                continue
            name = _setting(answer["setting"])
            if "left_out_seconds" in answer:
                seconds = answer["left_out_seconds"]
                lines.append(f"| {row['engine']} | {name} | left out: would take {seconds:.0f} s | | | | |")
                continue
            ratio = times.get(row["engine"]) if answer is fastest else None
            lines.append(
                f"| {row['engine']} | {name}{_rescored(answer)} | {answer['recall']:.3f} | "
                f"{answer['p50_ms']:.1f} | {answer['p95_ms']:.1f} | {answer['cpu_ms']:.1f} | "
                f"{'' if ratio is None else f'{ratio:.1f}'} |"
            )
    return lines


def _fastest(rows: list[Row], row: Row, *, filtered: bool) -> Row | None:
    """Return the setting of an engine that `at_equal_recall` compares."""
    base = [answer for one in rows if one["engine"] == _PLAIT for answer in _answers(one, filtered=filtered)]
    reached = [
        answer
        for answer in _answers(row, filtered=filtered)
        if base and answer["recall"] >= base[0]["recall"]
    ]
    return min(reached, key=lambda answer: answer["p50_ms"], default=None)


def _keeping(rows: list[Row]) -> list[str]:
    lines = [
        "| keeping | build s | peak MB building | MB on disk | open s | first answer s | MB before opening | "
        "resident after the first setting: anonymous MB | of files MB | after all: anonymous | of files |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        build, ask = row["build"], row["ask"]
        first = next((a for a in ask["settings"] if "memory" in a), {"memory": ask["opened"]})["memory"]
        lines.append(
            f"| {row['engine']} | {build['seconds']:.0f} | {build['after']['peak_mb']:.0f} | "
            f"{build['bytes'] / 1e6:.0f} | {ask['open_seconds']:.2f} | {ask['first_answer_seconds']:.2f} | "
            f"{_resident(ask['before']):.0f} | {first['anonymous_mb']:.0f} | {first['files_mb']:.0f} | "
            f"{ask['after']['anonymous_mb']:.0f} | {ask['after']['files_mb']:.0f} |"
        )
    return lines


def _adding(row: Row) -> Iterator[str]:
    if "add" in row:
        add = row["add"]
        yield (
            f"plait, 1,000 encoded documents more: {add['seconds']:.2f} s until one of them is found, "
            f"{add['commit_seconds']:.2f} s of it to store them; the answers after that took "
            f"{add['next_answers_ms']:.0f} ms\n"
        )


def _answers(row: Row, *, filtered: bool) -> list[Row]:
    return [a for a in row["ask"]["settings"] if a["filtered"] == filtered and "recall" in a]


def _setting(setting: dict[str, Any]) -> str:
    return ", ".join(value if name == "way" else f"{name} {value}" for name, value in setting.items())


def _rescored(answer: Row) -> str:
    if "rescored" not in answer:
        return ""
    mask = f", filter {answer['mask_ms']:.1f} ms" if answer["filtered"] else ""
    return f" asked; {answer['rescored']:.0f} rescored{mask}"


_NOTES = """\
The files of an index were read once before it was opened, so that the system's cache held what fits.
Each engine ran alone, in processes kept on one core, with one thread asked for of every library; threads
that an engine starts all the same share that core. Times are the clock's, but "CPU ms". "x plait at equal
recall" compares the fastest setting whose recall@10 is at least that of plait's default (recall 0.99 asked)
with it. Resident memory is that of the process that opened the index and asked: "of files" are pages of
mapped files and libraries, which the system takes back when it needs them.
"""
