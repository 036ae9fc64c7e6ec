"""What is compared: a system of a stored result, or a run file with judgements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from plait.data.collections.base import LabelledQuery, Labels, judged
from plait.data.collections.trec import read_qrels
from plait.errors import InputError, MissingPathError
from plait.evaluation.manifest import Manifest
from plait.evaluation.measures import Measure, per_query
from plait.evaluation.runs import read_run
from plait.evaluation.stored import Asked, Shown, load
from plait.schema import Qrels, Run


@dataclass(frozen=True, slots=True)
class Judgements:
    """What a run file is judged by.

    Attributes:
        asked: query id -> what it asks, of every query that counts, in order.
    """

    qrels: Qrels
    asked: Mapping[str, Asked]

    @classmethod
    def of_file(cls, path: str | Path) -> Judgements:
        """Return those of a TREC file; its queries have neither words nor kinds.

        Raises:
            MissingPathError, InputError: as `read_qrels`; or nothing in it is relevant.
        """
        qrels = {query: grades for query, grades in read_qrels(path).items() if max(grades.values()) > 0}
        if not qrels:
            raise InputError(f"{path} names no relevant document (a grade above 0): nothing can be measured")
        return cls(qrels, {query: Asked(query, "") for query in qrels})

    @classmethod
    def of_labels(cls, labels: Labels[LabelledQuery]) -> Judgements:
        """Return those of a collection.

        Raises:
            InputError: nothing in it is relevant.
        """
        asked = {query.id: Asked.of(query) for query in judged(labels)}
        if not asked:
            raise InputError(f"collection {labels.name!r} has no judged query: nothing can be measured")
        return cls({query: labels.qrels[query] for query in asked}, asked)


@dataclass(frozen=True, slots=True)
class Result:
    """What one system answered.

    Attributes:
        name: as it was named, for a person.
        run: what it found.
        stored: query id -> measure -> value, without the kinds of queries that the system cannot be asked;
            empty of a run file.
        manifest: None of a run file.
        documents: id -> what a person sees of it, as far as they were kept.
        failed: query id -> why it could not be asked.
    """

    name: str
    judgements: Judgements
    run: Run
    stored: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    manifest: Manifest | None = None
    documents: Mapping[str, Shown] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures that are stored; () of a run file."""
        return tuple(next(iter(self.stored.values()), {}))

    @property
    def answered(self) -> tuple[str, ...]:
        """The judged queries that it has values or a line for, in order."""
        has = self.run if self.manifest is None else self.stored
        return tuple(query for query in self.judgements.asked if query in has)

    @property
    def silent(self) -> tuple[str, ...]:
        """The judged queries of which a run file has no line; () of a stored result."""
        if self.manifest is not None:
            return ()
        return tuple(query for query in self.judgements.asked if query not in self.run)

    def values(self, measure: str, queries: Sequence[str]) -> list[float]:
        """Return the value of each query: as stored, else from the run; 0 where it has no answer.

        Raises:
            InputError: an unknown measure.
        """
        if measure in self.measures:
            return [self.stored[query][measure] if query in self.stored else 0.0 for query in queries]
        if self.measures and not can_be_worked_out(measure):
            raise InputError(
                f"{self.name} has no {measure!r}: expected {', '.join(self.measures)}, or what a run "
                "gives: success@K, recall@K, ndcg@K, mrr"
            )
        qrels = {query: self.judgements.qrels.get(query, {}) for query in queries}
        return list(per_query(self.run, qrels, [measure])[measure].values())

    def remarks(self, measures: Sequence[str]) -> list[str]:
        """Return a remark if the run ends before some measures do that are worked out from it."""
        cutoffs = {name: Measure.parse(name).k or 0 for name in measures if name not in self.measures}
        longest = max(map(len, self.run.values()), default=0) if cutoffs else 0
        beyond = [name for name, k in cutoffs.items() if k > longest]
        if not beyond:
            return []
        return [
            f"{self.name} names at most {longest} documents for a query: {', '.join(beyond)} look at more"
        ]


def read_results(addresses: Sequence[str], *, judged_by: Judgements | None = None) -> list[Result]:
    """Return what each address holds: a folder, "FOLDER::system name", or a TREC run file.

    A folder alone means its model under evaluation. A run file is judged by `judged_by`, or by the
    judgements of the first folder among the addresses.

    Raises:
        MissingPathError: there is no such file or folder.
        InputError: a damaged result, a malformed run, an unknown system, or a run file without judgements.
    """
    folders = {address: _of_folder(address) for address in addresses if not Path(address).is_file()}
    if judged_by is None:
        judged_by = next((result.judgements for result in folders.values()), None)
    return [folders.get(address) or _of_file(address, judged_by) for address in addresses]


def _of_folder(address: str) -> Result:
    folder, name = (address, "") if Path(address).is_dir() else _split(address)
    stored = load(folder)
    name = name or stored.model_name
    if name not in stored.systems:
        raise InputError(f"{folder} has no system {name!r}: there are {', '.join(stored.systems)}")
    report = stored.systems[name]
    asked = {query.id: query for query in stored.queries}
    not_asked = {kind.kind for kind in report.kinds if not kind.values}
    return Result(
        name=address,
        judgements=Judgements(stored.qrels, asked),
        run=report.run,
        stored={q: values for q, values in report.per_query.items() if asked[q].kind not in not_asked},
        manifest=stored.manifest,
        documents=stored.documents,
        failed=report.failed,
    )


def _split(address: str) -> tuple[str, str]:
    """Return folder and system of an address."""
    folder, _, name = address.rpartition("::")
    if not folder or not Path(folder).is_dir():
        raise MissingPathError(f"{address}: no such result folder, FOLDER::system, or run file")
    return folder, name


def _of_file(address: str, judged_by: Judgements | None) -> Result:
    run = read_run(address)
    if judged_by is None:
        raise InputError(f"{address} is a run file: name its judgements with --qrels FILE or --collection")
    if not any(query in run for query in judged_by.asked):
        raise InputError(
            f"{address} answers none of the {len(judged_by.asked)} judged queries, such as "
            f"{next(iter(judged_by.asked))!r}: do its judgements belong to another collection?"
        )
    return Result(name=address, judgements=judged_by, run=run)


def can_be_worked_out(measure: str) -> bool:
    """Return whether a run and judgements are enough for a measure of that name."""
    try:
        Measure.parse(measure)
    except InputError:
        return False
    return True
