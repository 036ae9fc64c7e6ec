"""Running mteb's tasks one after the other, and keeping what they gave."""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import mteb

from plait.data.collections.base import judged
from plait.encode.embedder import first_line
from plait.errors import InputError, PlaitError
from plait.evaluation.evaluate import MEASURES, Answers, score
from plait.evaluation.manifest import Manifest, manifest_of
from plait.evaluation.protocols.mteb_inputs import PLURAL, Reading
from plait.evaluation.protocols.mteb_outcome import Outcome, Scores
from plait.evaluation.protocols.mteb_search import Bm25Model
from plait.evaluation.protocols.mteb_tasks import Part, finds, load, modalities, pictures_of
from plait.evaluation.report import Report
from plait.evaluation.stored import Asked, Evaluation, check_free, save
from plait.schema import Run, asked_with

BM25 = "BM25"
RESULTS = "mteb"  # the folder of mteb's own, below that of all results
_MOST_PICTURES = 2000  # queries of a task; the pictures of more are not kept with the results
_FAILURES = (ValueError, LookupError, TypeError, ArithmeticError, AttributeError, RuntimeError, OSError)

Runs = Mapping[tuple[str, str], Run]  # subset and split -> what was found


@dataclass(frozen=True, slots=True)
class Labelled:
    """Queries of a part of a task and which documents answer them, as scoring reads them."""

    name: str
    queries: Sequence[Asked]
    qrels: Mapping[str, Mapping[str, int]]


class Runner:
    """Runs tasks on one model.

    Args:
        model: as `mteb.model_of` gives it.
        results: where mteb writes its own results.
        batch_size: items encoded at a time.
        seed: of the intervals.
        options: for the manifests: all else that changes numbers.
        command: for the manifests.
        say: told what is going on.
    """

    def __init__(
        self,
        model: Any,
        results: Path,
        *,
        batch_size: int,
        seed: int,
        options: Mapping[str, Any],
        command: Sequence[str],
        say: Callable[[str], None],
    ) -> None:
        self._model, self._results = model, results
        self._batch_size, self._seed, self._options = batch_size, seed, options
        self._command, self._say = command, say

    def outcome(self, tasks: Sequence[Any], *, done: Callable[[Outcome], None]) -> Outcome:
        """Return what the model gets on all tasks, and BM25 on those of words.

        Args:
            tasks: one or more.
            done: called after each task with what all so far gave.

        Raises:
            InputError: data that cannot be had, or pictures that mteb did not hand over.
            ModelError: the model fails.
        """
        scores: list[Scores] = []
        evaluations: dict[str, Evaluation] = {}
        reading: dict[str, Any] = {}
        warnings: list[str] = []
        for task in tasks:
            name = task.metadata.name
            started = time.perf_counter()
            self._say(f"{name}: loading its data")
            parts = load(task)
            self._say(f"{name}: encoding and searching")
            runs = {self._model.name: self._of_model(task, parts, scores, warnings)}
            reading[name] = self._model.reading.to_dict()
            warnings += [f"{name}: {told}" for told in self._model.reading.left_out()]
            if parts and set(modalities(task).values()) == {("text",)}:
                runs[BM25] = self._measured(task, Bm25Model(), BM25, scores)
            seconds = time.perf_counter() - started
            evaluations |= self._evaluations(task, parts, runs, seconds)
            task.unload_data()
            outcome = Outcome(self._model.name, tuple(scores), evaluations, reading, tuple(warnings))
            done(outcome)
        return outcome

    def _of_model(self, task: Any, parts: Sequence[Part], scores: list[Scores], warnings: list[str]) -> Runs:
        """Return what the model finds, once every picture of the task is accounted for."""
        self._model.reading.clear()
        with TemporaryDirectory(prefix="plait-mteb-") as folder:
            runs = self._measured(task, self._model, self._model.name, scores, mteb.ResultCache(folder))
            self._account(task, parts, warnings)
            shutil.copytree(folder, self._results, dirs_exist_ok=True)
        return runs

    def _account(self, task: Any, parts: Sequence[Part], warnings: list[str]) -> None:
        """Check that the model was handed every picture of a task; if not, and that is allowed, say so."""
        lost = _lost(pictures_of(parts), self._model.reading)
        if lost and not self._options["allow_partial"]:
            raise InputError(
                f"{task.metadata.name}: {lost}, so its scores would be of another task: its metadata says "
                f"{task.metadata.category}; --allow-partial runs it all the same"
            )
        warnings += [f"{task.metadata.name}: {lost}"] if lost else []

    def _measured(self, task: Any, model: Any, system: str, scores: list[Scores], cache: Any = None) -> Runs:
        """Return what a model finds, as mteb asks it; its scores go to the end of the list.

        Args:
            cache: where mteb writes its own results; None means nowhere.
        """
        with TemporaryDirectory(prefix="plait-mteb-") as folder, _no_bars():
            try:
                result = mteb.evaluate(
                    model,
                    task,
                    co2_tracker=False,
                    encode_kwargs={"batch_size": self._batch_size, "show_progress_bar": False},
                    cache=cache,
                    overwrite_strategy="always",
                    prediction_folder=Path(folder),
                    show_progress_bar=False,
                )
            except PlaitError:
                raise
            except _FAILURES as error:
                raise InputError(
                    f"mteb cannot run {task.metadata.name} on {system} "
                    f"({type(error).__name__}: {first_line(error)})"
                ) from error
            scores += _scores(task, result.task_results[0], system)
            return dict(_runs(task, Path(folder) / task.prediction_file_name)) if finds(task) else {}

    def _evaluations(
        self, task: Any, parts: Sequence[Part], runs: Mapping[str, Runs], seconds: float
    ) -> dict[str, Evaluation]:
        found = {}
        for part in parts:
            labelled = _labelled(task, part)
            asked = {query.id for query in judged(labelled)}
            reports = {
                system: self._report(labelled, of_parts[part.subset, part.split])
                for system, of_parts in runs.items()
            }
            found[_folder_name(labelled.name)] = Evaluation(
                collection=labelled.name,
                systems=reports,
                queries=[query for query in labelled.queries if query.id in asked],
                qrels={query: grades for query, grades in labelled.qrels.items() if query in asked},
                manifest=self._manifest(task, part, seconds),
            )
        return found

    def _report(self, labelled: Labelled, run: Run) -> Report:
        every = {query.id: run.get(query.id, {}) for query in labelled.queries}
        return score(Answers(run=every), labelled, measures=MEASURES, seed=self._seed)

    def _manifest(self, task: Any, part: Part, seconds: float) -> Manifest:
        return manifest_of(
            f"mteb:{task.metadata.name}",
            _fingerprint(task, part),
            model=self._model.name,
            model_fingerprint=self._model.mteb_model_meta.revision,
            options={**self._options, "subset": part.subset, "split": part.split, "measures": MEASURES},
            seed=self._seed,
            seconds=seconds,
            command=self._command,
        )


def check_folder(out: Path, *, force: bool) -> None:
    """Check that results may go to a folder: it is empty, not there, or holds results of this command.

    Raises:
        InputError: it holds something else, or results and not `force`.
    """
    if not (out / RESULTS).is_dir():
        check_free(out)
    elif not force:
        raise InputError(f"{out} holds results already: --force replaces them, or name another folder")


def keep(outcome: Outcome, out: Path) -> None:
    """Write what tasks gave: a folder for each part of a task that finds or reranks, and a table of all.

    Raises:
        InputError: a folder holds something else, or cannot be written.
    """
    for name, evaluation in outcome.evaluations.items():
        save(evaluation, out / name, force=True)
    (out / "table.md").write_text(outcome.to_markdown() + "\n", encoding="utf-8")
    (out / "scores.json").write_text(
        json.dumps(outcome.to_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


@contextmanager
def _no_bars() -> Iterator[None]:
    """Keep the progress bars of data sets off the terminal meanwhile."""
    hidden = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if not hidden:
            datasets.enable_progress_bars()


def _lost(there: Mapping[str, int], reading: Reading) -> str:
    """Return in words which pictures of a task mteb did not hand over; "" if it did."""
    handed = {role: reading.pictures[role] + reading.unread[role] for role in there}
    return ", ".join(
        f"mteb handed over {handed[role]:,} of the {count:,} pictures of its {PLURAL[role]}"
        for role, count in there.items()
        if handed[role] < count
    )


def _scores(task: Any, result: Any, system: str) -> Iterator[Scores]:
    for split, rows in result.scores.items():
        for row in rows:
            numbers = {name: float(value) for name, value in row.items() if _is_number(value)}
            yield Scores(
                task.metadata.name,
                row["hf_subset"],
                split,
                system,
                task.metadata.main_score,
                float(row["main_score"]),
                numbers,
            )


def _is_number(value: Any) -> bool:
    """Return whether a value is a finite number: mteb gives NaN where a measure means nothing."""
    return isinstance(value, int | float) and math.isfinite(value)


def _runs(task: Any, predictions: Path) -> Iterator[tuple[tuple[str, str], Run]]:
    """Yield what was found in each subset and split, as mteb measures it."""
    stored = json.loads(predictions.read_text(encoding="utf-8"))
    for subset, of_splits in stored.items():
        if subset == "mteb_model_meta":
            continue
        for split, run in of_splits.items():
            yield (subset, split), {query: _measured_of(task, query, found) for query, found in run.items()}


def _measured_of(task: Any, query: str, found: Mapping[str, float]) -> dict[str, float]:
    """Return what mteb measures of what was found for a query: some tasks leave the query itself out."""
    kept = {name: value for name, value in found.items() if not task.ignore_identical_ids or name != query}
    first = max(kept, key=lambda name: kept[name]) if kept and task.skip_first_result else None
    return {name: value for name, value in kept.items() if name != first}


def _labelled(task: Any, part: Part) -> Labelled:
    name = " ".join(dict.fromkeys((task.metadata.name, part.subset, part.split)))
    rows = part.queries
    if "image" in rows.column_names:
        rows = rows.cast_column("image", datasets.Image(decode=False))
    keeps = len(rows) <= _MOST_PICTURES
    queries = []
    for row in rows:
        picture, text = row.get("image"), row.get("text")
        words = text if isinstance(text, str) else json.dumps(text or "", ensure_ascii=False)
        kind = asked_with(text, picture is not None)
        shown = _bytes_of(picture) if picture is not None and keeps else ""
        queries.append(Asked(str(row["id"]), kind or "blank", words if text else "", shown))
    return Labelled(name, queries, part.qrels)


def _bytes_of(picture: Mapping[str, Any]) -> str | bytes:
    """Return a picture as data sets keep it undecoded: its bytes, or its path."""
    return picture.get("bytes") or picture.get("path") or ""


def _fingerprint(task: Any, part: Part) -> str:
    """Return a hash of what a part of a task is: its data set's revision, queries' ids and judgements."""
    data = {name: str(value) for name, value in task.metadata.dataset.items()}
    told = json.dumps([data, part.subset, part.split, len(part.corpus), part.qrels], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def _folder_name(name: str) -> str:
    return re.sub(r"[^\w.()-]+", "-", name)
