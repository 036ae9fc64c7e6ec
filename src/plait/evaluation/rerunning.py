"""Running a stored evaluation again, and comparing every number with what was stored."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from plait.errors import InputError, MissingPathError
from plait.evaluation.manifest import Manifest, settings_in
from plait.evaluation.report import Report
from plait.evaluation.stored import StoredEvaluation, check_free, is_result, load

_EXAMPLES = 5
_NO_EVALUATIONS = ("rerun", "compare", "judgements", "--help")  # what a manifest may not make run


@dataclass(frozen=True, slots=True)
class Rerun:
    """What running an evaluation again has shown.

    Attributes:
        compared: how many numbers there are.
        changes: what differs in what they came from: collection, model, options, versions.
        differences: which numbers differ, in words; only a few of each system.
        differing: how many numbers differ.
    """

    compared: int
    changes: tuple[str, ...]
    differences: tuple[str, ...]
    differing: int

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"same": not self.differing, **asdict(self)}

    def __str__(self) -> str:
        lines = [f"changed: {change}" for change in self.changes]
        if not self.differing:
            return "\n".join([*lines, f"same: all {self.compared:,} numbers"])
        lines.append(f"{self.differing:,} of {self.compared:,} numbers differ:")
        return "\n".join([*lines, *(f"  {difference}" for difference in self.differences)])


def rerun(folder: str | Path, *, keep: Path | None = None, say: Callable[[str], None] = print) -> Rerun:
    """Evaluate again as a stored result was, in a process of its own, and compare.

    Args:
        folder: a result, or a folder of several that one command wrote.
        keep: folder for the new result; None keeps none.
        say: told what is run.

    Raises:
        MissingPathError: there is no result.
        InputError: it is damaged, was not made by the command line, or cannot be made again.
    """
    stored = _results(Path(folder))
    if not stored:
        raise MissingPathError(
            f"{folder} holds no result: expected what  plait eval ... --out FOLDER  writes"
        )
    commands = {(one.manifest.command, one.manifest.folder): one.manifest for one in stored.values()}
    if len(commands) > 1:
        raise InputError(
            f"{folder} holds results of {len(commands)} commands: name one of {', '.join(stored)}"
        )
    (manifest,) = commands.values()
    _check(manifest, folder)
    with ExitStack() as temporary:
        if keep is None:
            keep = Path(temporary.enter_context(tempfile.TemporaryDirectory(prefix="plait-rerun-"))) / "again"
        check_free(keep)
        keep = keep.absolute()
        say(f"running  plait {' '.join(manifest.command)}")
        _run(manifest, keep)
        return compared(stored, _results(keep))


def compared(stored: Mapping[str, StoredEvaluation], again: Mapping[str, StoredEvaluation]) -> Rerun:
    """Return what differs between results, by their names."""
    changes: dict[str, None] = {}
    differences: list[str] = []
    count = differing = 0
    for name, before in stored.items():
        now = again.get(name)
        numbers = _numbers(before)
        others = {} if now is None else _numbers(now)
        for system in dict.fromkeys((*numbers, *others)):
            old, new = numbers.get(system, {}), others.get(system, {})
            unlike = [key for key in dict.fromkeys((*old, *new)) if old.get(key) != new.get(key)]
            count, differing = count + len(old.keys() | new.keys()), differing + len(unlike)
            lead = f"{name}: {system}" if name else system
            differences += [f"{lead}, {key}: {old.get(key)} -> {new.get(key)}" for key in unlike[:_EXAMPLES]]
            if len(unlike) > _EXAMPLES:
                differences.append(f"{lead}: and {len(unlike) - _EXAMPLES:,} more")
        if now is not None:
            changes |= dict.fromkeys(before.manifest.changed(now.manifest))
    return Rerun(count, tuple(changes), tuple(differences), differing)


def _results(folder: Path) -> dict[str, StoredEvaluation]:
    """Return the result that a folder is, under "", or those in its folders, under their names."""
    if is_result(folder):
        return {"": load(folder)}
    found = sorted(file.parent for file in folder.glob("*/manifest.json") if is_result(file.parent))
    return {one.name: load(one) for one in found}


def _check(manifest: Manifest, folder: str | Path) -> None:
    if not manifest.command:
        raise InputError(f"{folder} was not made on the command line: run what made it again yourself")
    if manifest.command[0] != "eval" or manifest.command[1:2] in [(word,) for word in _NO_EVALUATIONS]:
        raise InputError(f"{folder} was made by  plait {' '.join(manifest.command)}: that is no evaluation")
    if not Path(manifest.folder).is_dir():
        raise InputError(
            f"{folder} was made in {manifest.folder}, which is not there any more: make it again"
        )


def _run(manifest: Manifest, out: Path) -> None:
    """Run a command again as it was typed, with the settings then in force, its results in a folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PLAIT_")}
    run = subprocess.run(
        [sys.executable, "-m", "plait", *manifest.command, "--out", str(out)],
        cwd=manifest.folder,
        env=kept | settings_in(manifest.environment),
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if not _results(out):
        raise InputError(f"it could not be evaluated again (exit code {run.returncode}); why is said above")


def _numbers(evaluation: StoredEvaluation) -> dict[str, dict[str, Any]]:
    """Return system -> what -> number, of everything that has to be the same."""
    return {name: dict(_of_report(report)) for name, report in evaluation.systems.items()}


def _of_report(report: Report) -> Iterator[tuple[str, Any]]:
    yield "queries left out", report.unjudged
    for kind in report.kinds:
        yield f"{kind.kind} queries", kind.queries
        for measure, interval in kind.values.items():
            for which in ("mean", "low", "high"):
                yield f"{kind.kind} {measure} ({which})", getattr(interval, which)
    for query, values in report.per_query.items():
        for measure, value in values.items():
            yield f"{measure} of query {query}", value
    for query, why in report.failed.items():
        yield f"query {query} not asked", why
    for query in sorted(report.unasked):
        yield f"query {query} not meant", True
    for query, scores in report.run.items():
        for document, value in scores.items():
            yield f"score of {document} for query {query}", value
