"""How well search works on a library's own documents: they ask, and a copy of the index answers."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import cast

import numpy as np

from plait.encode import load_encoder
from plait.encode.base import Encoder
from plait.errors import InputError
from plait.evaluation.manifest import Manifest, manifest_of
from plait.evaluation.questions import KINDS, WITH_PICTURES, Question, Questions, draw
from plait.evaluation.recommending import FEWEST_GROUPS, Fusion, Recommendation, Scored, recommend
from plait.evaluation.stored import Asked, Evaluation, Shown
from plait.evaluation.systems import BASELINE_MODEL, IMAGE, TEXT
from plait.index.base import Scores, Snapshot
from plait.library.evaluating.own_copy import BesideLanes, IndexCopy, Rows
from plait.library.evaluating.own_systems import answered, systems_of
from plait.library.library import Library
from plait.schema import Picture, Unit
from plait.scoring.vectors import Rung
from plait.search.fusion import Method

_STRETCH_UNITS = 32  # so many neighbouring units stand for a document where documents are few
_READ_AT_ONCE = 64
_SHOWN_CHARACTERS = 600

Progress = Callable[[str, int, int], None]  # what is done, how many are, and of how many


@dataclass(frozen=True, slots=True)
class OwnOptions:
    """What is asked.

    Attributes:
        count: questions of each kind; fewer where the documents hold no more.
        kinds: of questions, see `evaluation.questions`.
        units: of a library of more, documents drawn at random answer, as if it held no others.
        seed: of documents, questions, halves and intervals.
        baselines: where the model has no lanes of the names "text" and "image", plait-mini's stand beside it:
            all units are encoded for them.

    Raises:
        InputError: units below 1; the rest is checked when questions are drawn.
    """

    count: int = 100
    kinds: Sequence[str] = KINDS
    units: int = 10_000
    seed: int = 0
    baselines: bool = True

    def __post_init__(self) -> None:
        if self.units < 1:
            raise InputError(f"the number of units must be at least 1, got {self.units}")


@dataclass(frozen=True, slots=True)
class OwnEvaluation:
    """What a library's own documents asked, and how well it answered.

    Attributes:
        evaluation: each system's report on every question, by unit; the first is what search does now.
        recommendation: which fusion to use instead, if one is better.
        questions: what was asked, and why fewer of a kind.
        units: all that could answer, as they are without what was asked.
        looked_at: "documents" and "units" that could answer, "of documents" and "of units" there are.
        grouped_by: "document", or "stretch" of neighbouring units, by which queries were halved.
        seconds: step -> wall time.
    """

    evaluation: Evaluation
    recommendation: Recommendation
    questions: Questions
    units: Sequence[Unit]
    looked_at: Mapping[str, int]
    grouped_by: str
    seconds: Mapping[str, float]


def evaluate_own(
    library: Library,
    options: OwnOptions | None = None,
    *,
    command: Sequence[str] = (),
    progress: Progress = lambda what, done, total: None,
) -> OwnEvaluation:
    """Return how well a library answers questions made from its own documents; nothing of it is changed.

    Args:
        command: the words after `plait`, for the manifest.
        progress: called as units are encoded and questions answered.

    Raises:
        InputError: an unknown kind, a count below 1, or a library that no question can be asked of.
        QueryError: the settings weigh a lane that the library lacks.
    """
    options = options or OwnOptions()
    watch = _Watch()
    searcher = library.searcher()  # of one moment, whatever is added meanwhile
    current = Fusion(cast("Method", library.settings.method), library.settings.lane_weights)
    searcher.check_lanes(current.weights)
    rows = _drawn_rows(library, searcher.snapshot, options)
    whole = list(_units_at(library, searcher.snapshot, rows))
    questions = _questions(whole, options, searcher.encoder)
    watch.lap("questions")
    copy = IndexCopy.of(
        searcher,
        cast("Rung", library.status().vectors),
        rows,
        whole,
        questions.changed,
        told=partial(progress, "encoding"),
    )
    beside = _beside(copy, questions, library, progress) if options.baselines else None
    watch.lap("encoding")
    lanes = list(_lanes(copy, questions.asked, progress))
    others = [beside.scores(one.labelled.query) for one in questions.asked] if beside else []
    watch.lap("asking")
    ids = [unit.id for unit in copy.units]
    systems = systems_of(current, copy.lanes, beside.lanes if beside else ())
    reports = answered(
        systems,
        questions,
        lanes,
        beside=others,
        ids=ids,
        mixture=copy.encoder.mixture,
        seed=options.seed,
    )
    watch.lap("scoring")
    grouped_by, scored = _scored(questions.asked, lanes, ids)
    recommendation = recommend(
        scored, ids=ids, lanes=copy.lanes, mixture=copy.encoder.mixture, current=current, seed=options.seed
    )
    watch.lap("recommending")
    evaluation = Evaluation(
        collection=f"own questions of {library.folder.parent.name}",
        systems=reports,
        queries=[Asked.of(question.labelled) for question in questions.asked],
        qrels=questions.qrels,
        manifest=_manifest(library, copy, questions, options, current, watch, command),
        documents=_shown(copy.units, questions, next(iter(reports.values())).run),
    )
    looked_at = _looked_at(searcher.snapshot, whole)
    return OwnEvaluation(
        evaluation, recommendation, questions, copy.units, looked_at, grouped_by, watch.seconds
    )


def _drawn_rows(library: Library, snapshot: Snapshot, options: OwnOptions) -> Rows:
    """Return the rows of whole documents, drawn at random until there are enough units; ascending."""
    by_document = snapshot.documents_of()
    names = sorted(name for name in by_document if len(by_document[name]))
    if not names:
        raise InputError(f"{library.folder} holds no documents to ask: run  plait add PATH  first")
    taken: list[int] = []
    for place in np.random.default_rng(options.seed).permutation(len(names)):
        of_document = by_document[names[place]]
        if not taken or len(taken) + len(of_document) <= options.units:
            taken += of_document
    return np.sort(np.array(taken, np.intp))


def _units_at(library: Library, snapshot: Snapshot, rows: Rows) -> Iterator[Unit]:
    """Yield units, with absolute picture paths."""

    def there(picture: Picture) -> Picture:
        return replace(picture, path=str(library.folder / picture.path))

    for first in range(0, len(rows), _READ_AT_ONCE):
        for unit, _ in snapshot.units(rows[first : first + _READ_AT_ONCE].tolist()):
            yield unit.with_pictures(there)


def _questions(units: Sequence[Unit], options: OwnOptions, encoder: Encoder) -> Questions:
    """Return what the units ask, of the kinds that the model reads."""
    sees = any(field.asks != "text" for field in encoder.fields)
    unseen = [kind for kind in options.kinds if kind in WITH_PICTURES and not sees]
    kinds = [kind for kind in options.kinds if kind not in unseen]
    blind = {str(kind): f"{encoder.name} reads no pictures" for kind in unseen}
    if not kinds:
        raise InputError(f"no question can be asked: {encoder.name} reads no pictures; ask other kinds")
    questions = draw(units, kinds=kinds, count=options.count, seed=options.seed)
    questions = replace(questions, short={**questions.short, **blind})
    if not questions.asked:
        why = "; ".join(f"{kind}: {reason}" for kind, reason in questions.short.items())
        raise InputError(f"no question can be made of these documents: {why}")
    return questions


def _beside(
    copy: IndexCopy, questions: Questions, library: Library, progress: Progress
) -> BesideLanes | None:
    """Return the baselines' lanes that are asked and the library's model has none of; None if it has all."""
    asked = {TEXT} | {IMAGE for one in questions.asked if one.image}
    missing = asked - set(copy.lanes)
    if not missing:
        return None
    settings = library.settings
    encoder = load_encoder(BASELINE_MODEL, threads=settings.threads, max_pixels=settings.max_pixels)
    return BesideLanes.of(copy.units, encoder, missing, told=partial(progress, "encoding for baselines"))


def _lanes(copy: IndexCopy, questions: Sequence[Question], progress: Progress) -> Iterator[dict[str, Scores]]:
    """Yield what each lane says of every unit, question by question."""
    for done, question in enumerate(questions, 1):
        yield copy.scores(question.labelled.query)
        progress("asking", done, len(questions))


def _scored(
    questions: Sequence[Question], lanes: Sequence[Mapping[str, Scores]], ids: Sequence[str]
) -> tuple[str, list[Scored]]:
    """Return what queries are grouped by, and the queries with their groups."""
    rows = {name: row for row, name in enumerate(ids)}
    few = len({question.document_id for question in questions}) < FEWEST_GROUPS
    scored = [
        Scored(
            question.kind,
            _stretch(question.unit_id) if few else question.document_id,
            of_question,
            np.array([rows[name] for name in question.relevant], np.intp),
        )
        for question, of_question in zip(questions, lanes, strict=True)
    ]
    return "stretch" if few else "document", scored


def _stretch(unit_id: str) -> str:
    document, _, ordinal = unit_id.rpartition(":")
    return f"{document}:{int(ordinal) // _STRETCH_UNITS}"


def _manifest(
    library: Library,
    copy: IndexCopy,
    questions: Questions,
    options: OwnOptions,
    current: Fusion,
    watch: _Watch,
    command: Sequence[str],
) -> Manifest:
    digest = hashlib.sha256()
    for unit in copy.units:
        digest.update(repr((unit.id, unit.text, [picture.sha256 for picture in unit.pictures])).encode())
    for question in questions.asked:
        digest.update(repr((question.id, question.text, question.relevant)).encode() + question.image)
    return manifest_of(
        f"library:{library.folder.parent}",
        digest.hexdigest(),
        model=copy.encoder.name,
        model_fingerprint=copy.encoder.fingerprint,
        options={**asdict(options), "search": str(current), "lanes": copy.lanes},
        seed=options.seed,
        seconds=sum(watch.seconds.values()),
        command=command,
    )


def _shown(
    units: Sequence[Unit], questions: Questions, run: Mapping[str, Mapping[str, float]]
) -> dict[str, Shown]:
    """Return what a person sees of the units that answer, and of the best ten of each question."""
    wanted = {name for question in questions.asked for name in question.relevant}
    for scores in run.values():
        wanted.update(sorted(scores, key=lambda name: -scores[name])[:10])
    return {unit.id: _as_shown(unit) for unit in units if unit.id in wanted}


def _as_shown(unit: Unit) -> Shown:
    title = " > ".join(dict.fromkeys(part for part in (unit.title, *unit.section) if part))
    place = f"{title}, page {unit.page}" if unit.page is not None else title
    text = "\n".join(passage.text for passage in unit.passages)[:_SHOWN_CHARACTERS]
    picture = next((figure.picture for figure in unit.figures if figure.picture), unit.page_picture)
    return Shown(unit.id, place, text, picture.path if picture else "")


def _looked_at(snapshot: Snapshot, units: Sequence[Unit]) -> dict[str, int]:
    return {
        "documents": len({unit.document_id for unit in units}),
        "units": len(units),
        "of documents": len(snapshot.documents_of()),
        "of units": len(snapshot),
    }


class _Watch:
    """How long each step took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, step: str) -> None:
        """End a step."""
        now = time.perf_counter()
        self.seconds[step] = now - self._since
        self._since = now
