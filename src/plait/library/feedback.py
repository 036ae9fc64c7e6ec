"""What people said of hits: judgements and clicks, kept beside the library and exported as qrels.

.plait/feedback/
├── opinions.jsonl  one opinion a line, in the order in which they came
├── queries.jsonl   the queries that they are about, pictures by their sha256
└── pictures/       those pictures

It is people's, not the documents': exports and snapshots of a library do not hold it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

from plait.data.collections.base import LabelledQuery, Problem
from plait.errors import InputError, LibraryError, QueryError
from plait.library.folder import write_durably
from plait.schema import Query, asked_with

Kind = Literal["judgement", "click"]
BEST_GRADE = 3


@dataclass(frozen=True, slots=True)
class Opinion:
    """What somebody said of one hit.

    Attributes:
        query: id of the query, as `query_id` gives it.
        unit, document, source, page: what was found, and where it stands.
        grade: of a judgement, 0 (wrong) to 3; None takes it back. A click's is 1.
        rank: where the hit stood in the answer, from 1; 0 where nobody told.
        time: in ISO form, UTC.
    """

    kind: Kind
    query: str
    unit: str
    document: str
    source: str
    page: int | None
    grade: int | None
    rank: int = 0
    time: str = ""

    def __post_init__(self) -> None:
        grade_is_whole = self.grade is None or (
            isinstance(self.grade, int) and not isinstance(self.grade, bool)
        )
        if not grade_is_whole or not 0 <= (self.grade or 0) <= BEST_GRADE:
            raise InputError(
                f"a grade is {self.grade!r}: expected a whole number from 0 (wrong) to {BEST_GRADE}, "
                "or null to take a judgement back"
            )


class Feedback:
    """The opinions about one library.

    Args:
        folder: the `.plait` folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "feedback"

    def keep(self, query: Query, opinion: Opinion) -> None:
        """Add an opinion, durably; several processes may do so at a time.

        Args:
            query: the one that `opinion.query` is the id of; its pictures are copied.

        Raises:
            QueryError: one of its pictures cannot be read.
            LibraryError: the folder cannot be written.
        """
        stamped = replace(opinion, time=opinion.time or datetime.now(UTC).isoformat(timespec="seconds"))
        shown = _digests(query)
        try:
            with self._writing():
                if opinion.query not in self._rows():
                    row = {"id": opinion.query, **self._stored(query, shown)}
                    _append(self._folder / "queries.jsonl", row)
                _append(self._folder / "opinions.jsonl", asdict(stamped))
        except OSError as error:
            raise LibraryError(f"cannot write to {self._folder} ({error}): check the disk") from error

    def opinions(self) -> list[Opinion]:
        """Return all that was said, in order; lines that a crash or a hand damaged are left out."""
        found = []
        for row in _lines(self._folder / "opinions.jsonl"):
            try:
                found.append(Opinion(**row))
            except (TypeError, InputError):
                continue
        return found

    def grades(self, *, clicks: bool = False) -> dict[str, dict[str, tuple[int, Opinion]]]:
        """Return query id -> unit id -> the grade that counts, and the opinion it comes from.

        Of several judgements the last counts, and one that was taken back is none. A judgement counts
        more than any click.

        Args:
            clicks: let what was only opened count as relevant, 1.
        """
        found: dict[str, dict[str, tuple[int, Opinion]]] = {}
        every = self.opinions()
        if clicks:
            for one in every:
                if one.kind == "click":
                    found.setdefault(one.query, {})[one.unit] = (1, one)
        last = {(one.query, one.unit): one for one in every if one.kind == "judgement"}
        for (query, unit), one in last.items():
            if one.grade is not None:
                found.setdefault(query, {})[unit] = (one.grade, one)
        return found

    def queries(self) -> dict[str, Query]:
        """Return query id -> query, its pictures as paths."""
        found = {}
        for name, row in self._rows().items():
            images = [{"path": str(self._folder / "pictures" / sha)} for sha in row.get("pictures", ())]
            try:
                found[name] = Query.from_dict({**row.get("query", {}), "images": images})
            except (QueryError, TypeError, ValueError):
                continue
        return found

    def forget(self, kept: AbstractSet[str]) -> int:
        """Remove what was said of documents that are no more, and queries left alone; return how many.

        Args:
            kept: ids of the documents that are still there.
        """
        if not self._folder.is_dir():
            return 0
        with self._writing():
            every = self.opinions()
            stay = [one for one in every if one.document in kept]
            if len(stay) == len(every):
                return 0
            asked = {one.query for one in stay}
            rows = [row for name, row in self._rows().items() if name in asked]
            _rewrite(self._folder / "opinions.jsonl", map(asdict, stay))
            _rewrite(self._folder / "queries.jsonl", rows)
            shown = {sha for row in rows for sha in row.get("pictures", ())}
            for file in (self._folder / "pictures").glob("*"):
                if file.name not in shown:
                    file.unlink(missing_ok=True)
        return len(every) - len(stay)

    def _writing(self) -> FileLock:
        self._folder.mkdir(exist_ok=True)
        return FileLock(self._folder / "lock")

    def _stored(self, query: Query, pictures: Mapping[str, bytes]) -> dict[str, Any]:
        """Return a query as a row; its pictures, by sha256, are kept."""
        (self._folder / "pictures").mkdir(exist_ok=True)
        for digest, data in pictures.items():
            if not (target := self._folder / "pictures" / digest).exists():
                write_durably(target, data)
        values = query.to_dict()
        del values["images"]
        return {"query": values, "pictures": list(pictures)}

    def _rows(self) -> dict[str, dict[str, Any]]:
        """Return the rows of queries by their ids."""
        rows = _lines(self._folder / "queries.jsonl")
        return {row["id"]: row for row in rows if isinstance(row.get("id"), str)}


def query_id(query: Query) -> str:
    """Return what stands for a query: equal ones have equal ids, 16 hex digits, on every machine.

    Raises:
        QueryError: one of its pictures cannot be read.
    """
    told = json.dumps({**query.to_dict(), "images": list(_digests(query))}, sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Judged:
    """Opinions as labelled queries.

    Attributes:
        queries: in the order in which they first came.
        qrels: query id -> name of what was found -> grade.
        problems: what the form cannot hold, and was left out.
    """

    queries: tuple[LabelledQuery, ...]
    qrels: Mapping[str, Mapping[str, int]]
    problems: tuple[Problem, ...]


def judged(feedback: Feedback, name_of: Callable[[Opinion], str], *, clicks: bool = False) -> Judged:
    """Return what people judged as labelled queries; of several units of one name the best grade counts.

    Args:
        name_of: what qrels shall call what was found; "" where they cannot.
        clicks: let what was only opened count as relevant.
    """
    queries, qrels, problems = [], dict[str, dict[str, int]](), list[Problem]()
    asked = feedback.queries()
    for query, units in feedback.grades(clicks=clicks).items():
        place = f"feedback/{query}"
        if query not in asked:
            problems.append(Problem(place, "the query itself is missing or damaged"))
            continue
        of_query: dict[str, int] = {}
        for grade, opinion in units.values():
            if name := name_of(opinion):
                of_query[name] = max(grade, of_query.get(name, 0))
            else:
                problems.append(Problem(place, f"{opinion.source!r} cannot be named here"))
        if of_query:
            queries.append(
                LabelledQuery(query, asked[query], asked_with(asked[query].texts, asked[query].images))
            )
            qrels[query] = of_query
    return Judged(tuple(queries), qrels, tuple(problems))


def _digests(query: Query) -> dict[str, bytes]:
    """Return the query's pictures by their sha256."""
    try:
        every = [image if isinstance(image, bytes) else Path(image).read_bytes() for image in query.images]
    except OSError as error:
        raise QueryError(f"a picture of the query cannot be read: {error}") from error
    return {hashlib.sha256(data).hexdigest(): data for data in every}


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    if not file.is_file():
        return
    with file.open("rb") as stream:
        for line in stream:
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(row, dict):
                yield row


def _append(file: Path, row: Mapping[str, Any]) -> None:
    """Add a line; what a killed writer left of one is closed first."""
    with file.open("ab+") as stream:
        if stream.tell():
            stream.seek(-1, 2)
            if stream.read(1) != b"\n":
                stream.write(b"\n")
        stream.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
        stream.flush()
        os.fsync(stream.fileno())


def _rewrite(file: Path, rows: Any) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write_durably(file, "".join(lines).encode("utf-8", "surrogatepass"))
