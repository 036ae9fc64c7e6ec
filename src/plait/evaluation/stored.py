"""An evaluation as a folder: written wholly or not at all, read again for comparing.

RESULT/
├── manifest.json    what the numbers came from; see `Manifest`
├── report.json      of each system: its run file, and means with intervals by kind; problems
├── report.md        the same for a person
├── queries.jsonl    a query a line, with what every system got for it
├── qrels.tsv        the judgements
├── documents.jsonl  what was found or should have been, if it was kept
├── pictures/        those of queries and documents that came as bytes
└── runs/            what every system answered, as trec_eval reads it

Ids in qrels.tsv and runs/ have white space and "%" as "%20" and so on: trec_eval parts columns there.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from plait.data.collections.base import LabelledQuery, Problem
from plait.data.collections.trec import read_qrels, write_qrels
from plait.errors import InputError, MissingPathError
from plait.evaluation.manifest import Manifest
from plait.evaluation.report import Report
from plait.evaluation.runs import read_run, write_run
from plait.evaluation.summary import to_markdown
from plait.schema import Qrels

_MANIFEST = "manifest.json"
_SPACE = re.compile(r"[\s%]")
Value = TypeVar("Value", int, float)


@dataclass(frozen=True, slots=True)
class Asked:
    """A query as a person sees it.

    Attributes:
        image: a path, the bytes of a picture, or "" if it has none.
    """

    id: str
    kind: str
    text: str = ""
    image: str | bytes = ""

    @classmethod
    def of(cls, labelled: LabelledQuery) -> Asked:
        """Return what a query of a collection asks; of several texts or pictures, the texts and the first."""
        query = labelled.query
        image = query.images[0] if query.images else ""
        if image and isinstance(image, str):
            image = os.path.abspath(image)
        return cls(labelled.id, labelled.kind, " | ".join(query.texts), image)


@dataclass(frozen=True, slots=True)
class Shown:
    """A document as a person sees it: some of its words, and one of its pictures.

    Attributes:
        image: a path, the bytes of a picture, or "" if it has none.
    """

    id: str
    title: str = ""
    text: str = ""
    image: str | bytes = ""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What several systems got on one collection.

    Attributes:
        collection: its name.
        systems: name -> report; the first is the model under evaluation.
        queries: the judged ones, in order: those of each report's `per_query`.
        qrels: of these queries.
        seconds: query id -> how long the model took for it.
        problems: what was left out of the collection.
        documents: id -> what a person sees of it; those relevant and those found first, if they were kept.
    """

    collection: str
    systems: Mapping[str, Report]
    queries: Sequence[Asked]
    qrels: Qrels
    manifest: Manifest
    seconds: Mapping[str, float] = field(default_factory=dict)
    problems: Sequence[Problem] = ()
    documents: Mapping[str, Shown] = field(default_factory=dict)

    @property
    def model_name(self) -> str:
        """The system under evaluation."""
        return next(iter(self.systems))

    @property
    def model(self) -> Report:
        """The report on the system under evaluation."""
        return self.systems[self.model_name]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form: all but the runs, and what documents look like."""
        return {
            **_report_rows(self),
            "queries": list(_query_rows(self, lambda image: image if isinstance(image, str) else "")),
            "manifest": asdict(self.manifest),
        }


@dataclass(frozen=True, slots=True)
class StoredEvaluation(Evaluation):
    """An evaluation read from a folder.

    Pictures are absolute paths. The run of a report is read when it is first looked at.
    """

    folder: Path = Path()


def save(evaluation: Evaluation, folder: str | Path, *, force: bool = False) -> Path:
    """Write an evaluation into a folder of its own, all of it or nothing; return the folder.

    Args:
        force: replace a result that is there.

    Raises:
        InputError: the folder holds something else, or a result and not `force`; or it cannot be written.
    """
    target = Path(os.path.abspath(folder))
    check_free(target, force=force)
    part, old = target.with_name(f".{target.name}.partial"), _set_aside(target)
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        _write(evaluation, part)
        _flush(part)
        if target.exists():
            target.rename(old)
        part.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise InputError(
            f"the result cannot be written to {target}: {error.strerror or error}; name another folder"
        ) from error
    finally:
        _put_back(target)
        shutil.rmtree(part, ignore_errors=True)
    return target


def check_free(folder: str | Path, *, force: bool = False) -> None:
    """Check that a result may be written to a folder, before the work that makes one.

    A result that was being replaced when its process ended is put back first.

    Raises:
        InputError: the folder holds something else, or a result and not `force`; or it is a file.
    """
    target = Path(os.path.abspath(folder))
    _put_back(target)
    if target.exists() and not target.is_dir():
        raise InputError(f"{target} is a file: name a folder for the result")
    if is_result(target) and not force:
        raise InputError(f"{target} holds a result already: --force replaces it, or name another folder")
    if target.is_dir() and not is_result(target) and any(target.iterdir()):
        raise InputError(f"{target} holds something that is no result: name an empty folder, or a new one")


def is_result(folder: str | Path) -> bool:
    """Tell whether a folder holds a result."""
    return all((Path(folder) / name).is_file() for name in (_MANIFEST, "report.json", "queries.jsonl"))


def load(folder: str | Path) -> StoredEvaluation:
    """Return the evaluation that a folder holds.

    Raises:
        MissingPathError: there is none.
        InputError: it is damaged, or a newer plait wrote it.
    """
    root = Path(os.path.abspath(folder))
    if not is_result(root):
        raise MissingPathError(
            f"{root} holds no result: expected what  plait eval COLLECTION --out FOLDER  writes"
        )
    try:
        return _loaded(root)
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise InputError(f"the result in {root} is damaged ({error}): evaluate again") from error


def _set_aside(target: Path) -> Path:
    """Return where a result lies while another takes its place."""
    return target.parent / f".{target.name}.old"


def _put_back(target: Path) -> None:
    if not target.exists() and _set_aside(target).is_dir():
        _set_aside(target).rename(target)


class _StoredRun(Mapping[str, Mapping[str, float]]):
    """A run that is read from its file when it is first looked at."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._run: dict[str, dict[str, float]] | None = None

    def __getitem__(self, query: str) -> Mapping[str, float]:
        return self._read()[query]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def _read(self) -> dict[str, dict[str, float]]:
        if self._run is None:
            self._run = _renamed(read_run(self._file), unquote)
        return self._run


def _write(evaluation: Evaluation, folder: Path) -> None:
    def kept(image: str | bytes) -> str:
        return image if isinstance(image, str) else _kept_picture(folder, image)

    _write_text(folder / _MANIFEST, evaluation.manifest.to_json())
    report = _report_rows(evaluation)
    _write_text(folder / "report.json", json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    _write_text(folder / "report.md", to_markdown(evaluation))
    _write_lines(folder / "queries.jsonl", _query_rows(evaluation, kept))
    write_qrels(folder / "qrels.tsv", _renamed(evaluation.qrels, _word))
    if evaluation.documents:
        shown = evaluation.documents.values()
        _write_lines(folder / "documents.jsonl", (asdict(one) | {"image": kept(one.image)} for one in shown))
    (folder / "runs").mkdir()
    for row, (name, system) in zip(report["systems"], evaluation.systems.items(), strict=True):
        write_run(folder / row["run"], _renamed(system.run, _word), tag=_slug(name))


def _renamed(
    grades: Mapping[str, Mapping[str, Value]], name: Callable[[str], str]
) -> dict[str, dict[str, Value]]:
    """Return a run, or judgements, with other ids of queries and documents."""
    return {name(query): {name(one): value for one, value in of.items()} for query, of in grades.items()}


def _word(name: str) -> str:
    return _SPACE.sub(lambda match: quote(match[0]), name)


def _report_rows(evaluation: Evaluation) -> dict[str, Any]:
    files = _run_files(evaluation.systems)
    return {
        "collection": evaluation.collection,
        "systems": [
            {"name": name, "run": files[name], **_without(report.to_dict(), "collection", "per_query")}
            for name, report in evaluation.systems.items()
        ],
        "problems": [asdict(problem) for problem in evaluation.problems],
    }


def _without(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def _query_rows(evaluation: Evaluation, kept: Callable[[str | bytes], str]) -> Iterator[dict[str, Any]]:
    failed = evaluation.model.failed
    for query in evaluation.queries:
        yield {
            "id": query.id,
            "kind": query.kind,
            "text": query.text or None,
            "image": kept(query.image) or None,
            "seconds": evaluation.seconds.get(query.id),
            "failed": failed.get(query.id),
            "values": {
                name: dict(report.per_query[query.id])
                for name, report in evaluation.systems.items()
                if query.id in report.per_query
            },
        }


def _run_files(names: Iterable[str]) -> dict[str, str]:
    """Return the file of each system's run; two that would share one are numbered."""
    files: dict[str, str] = {}
    for name in names:
        slug, number = _slug(name), 2
        while f"runs/{slug}.run" in files.values():
            slug, number = f"{_slug(name)}-{number}", number + 1
        files[name] = f"runs/{slug}.run"
    return files


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9._]+", "-", name.lower()).strip("-.")[-80:] or "system"


def _kept_picture(folder: Path, data: bytes) -> str:
    """Write a picture into the folder; return its path there."""
    path = Path("pictures") / f"{hashlib.sha256(data).hexdigest()}{_suffix(data)}"
    (folder / "pictures").mkdir(exist_ok=True)
    (folder / path).write_bytes(data)
    return path.as_posix()


def _suffix(data: bytes) -> str:
    return ".jpg" if data.startswith(b"\xff\xd8\xff") else ".png"


def _write_lines(file: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with file.open("w", encoding="utf-8", newline="\n") as stream:
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_text(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8", newline="\n")


def _flush(folder: Path) -> None:
    """Wait until every file of a folder is on the disk."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb+") as opened:
                os.fsync(opened.fileno())


def _loaded(root: Path) -> StoredEvaluation:
    report = json.loads((root / "report.json").read_text(encoding="utf-8"))
    rows = list(_read_lines(root / "queries.jsonl"))
    shown = (Shown(**row) for row in _read_lines(root / "documents.jsonl"))
    return StoredEvaluation(
        collection=report["collection"],
        systems={row["name"]: _report(root, report["collection"], row, rows) for row in report["systems"]},
        queries=tuple(_asked(root, row) for row in rows),
        qrels=_renamed(read_qrels(root / "qrels.tsv"), unquote),
        manifest=Manifest.from_json((root / _MANIFEST).read_text(encoding="utf-8")),
        seconds={row["id"]: row["seconds"] for row in rows if row["seconds"] is not None},
        problems=tuple(Problem(**row) for row in report["problems"]),
        documents={one.id: replace(one, image=_absolute(root, str(one.image))) for one in shown},
        folder=root,
    )


def _report(
    root: Path, collection: str, row: Mapping[str, Any], queries: Sequence[Mapping[str, Any]]
) -> Report:
    name = row["name"]
    per_query = {query["id"]: query["values"][name] for query in queries if name in query["values"]}
    values = {**row, "collection": collection, "per_query": per_query}
    return replace(Report.from_dict(values), run=_StoredRun(root / row["run"]))


def _asked(root: Path, row: Mapping[str, Any]) -> Asked:
    return Asked(row["id"], row["kind"], row["text"] or "", _absolute(root, row["image"] or ""))


def _absolute(root: Path, image: str) -> str:
    return str(root / image) if image else ""


def _read_lines(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file; none if it is not there."""
    if file.is_file():
        with file.open(encoding="utf-8") as stream:
            yield from map(json.loads, stream)
