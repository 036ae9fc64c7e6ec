"""A benchmark's results on disk: a folder for each task and pool, and the table above them.

OUT/
├── table.md         the paper's table, ours beside what was published
├── table.json       the same, with every measure of every task
├── manifest.json    what it was all made of
└── TASK[-POOL]/     a result as of `plait.evaluation.stored`
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from plait.data.whole_files import whole
from plait.errors import InputError
from plait.evaluation.manifest import Manifest, manifest_of
from plait.evaluation.protocols.encoding import digest
from plait.evaluation.protocols.measuring import Plan, manifest_of_task, name_of
from plait.evaluation.protocols.running import BenchmarkResult
from plait.evaluation.stored import Evaluation, check_free, is_result, load, save


class Results:
    """The folder of a benchmark's results, which may hold those of an earlier run.

    Results that the same files, model and options gave are written anew; so an interrupted run goes on.

    Args:
        out: the folder.
        force: replace whatever results are there.

    Raises:
        InputError: it holds results of something else and not `force`, or what is no result.
    """

    def __init__(self, out: Path, plan: Plan, *, fingerprint: str, force: bool) -> None:
        self._out = out
        if out.exists() and not out.is_dir():
            raise InputError(f"{out} is a file: name a folder for the results")
        for task in plan.benchmark.tasks:
            for which in task.pools:
                expected = manifest_of_task(plan, task, which, fingerprint=fingerprint, seconds=0.0)
                _check(out / name_of(task, which), expected, force=force)

    def save(self, evaluation: Evaluation) -> None:
        """Write one task's result."""
        save(evaluation, self._out / evaluation.collection, force=True)

    def finish(self, result: BenchmarkResult, *, fingerprint: str) -> None:
        """Write the table, and the manifest of all."""
        plan, parts = result.plan, [one.manifest for one in result.tasks]
        manifest = manifest_of(
            plan.benchmark.spec,
            digest(part.collection_fingerprint for part in parts),
            model=plan.model,
            model_fingerprint=fingerprint,
            options={
                "tasks": [one.name for one in result.tasks],
                "k": plan.k,
                "baselines": plan.baselines,
                "approximate": plan.approximate,
                **plan.benchmark.options,
            },
            seed=plan.seed,
            seconds=sum(part.seconds for part in parts),
            command=plan.command,
        )
        _write(self._out / "table.md", result.to_markdown())
        _write(self._out / "table.json", json.dumps(result.to_dict(), indent=1, ensure_ascii=False) + "\n")
        _write(self._out / "manifest.json", manifest.to_json())


def _check(folder: Path, expected: Manifest, *, force: bool) -> None:
    """Check that a result may be written to a folder."""
    if not is_result(folder) or force:
        check_free(folder, force=force)
        return
    there = load(folder).manifest
    if changed := there.changed(replace(expected, versions=there.versions)):
        raise InputError(
            f"{folder} holds a result of something else ({'; '.join(changed)}): --force replaces it, or name "
            "another folder"
        )


def _write(file: Path, text: str) -> None:
    with whole(file) as part:
        part.write_text(text, encoding="utf-8", newline="\n")
