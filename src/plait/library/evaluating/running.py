"""A collection put into a library, asked, and scored beside baselines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

from plait.data.collections.base import judged
from plait.encode import load_encoder
from plait.encode.base import Encoder
from plait.errors import InputError
from plait.evaluation.evaluate import MEASURES, Answers, score
from plait.evaluation.manifest import manifest_of
from plait.evaluation.measures import Measure, ranking
from plait.evaluation.stored import Asked, Evaluation
from plait.evaluation.systems import BASELINE_MODEL, System, baselines
from plait.library.evaluating.answering import Search, ask_search, ask_systems
from plait.library.evaluating.copying import Copy, copied, stored_settings, work_folder
from plait.library.evaluating.corpora import Corpus, Labelled, opened
from plait.library.evaluating.fingerprints import of_labels, of_values
from plait.search.fusion import Method
from plait.search.searcher import BM25
from plait.settings import Settings, load_settings

_FIRST_SHOWN = 10
Progress = Callable[[str, int, int], None]  # what is done, how much of it, and of how much; 0: not known


@dataclass(frozen=True, slots=True)
class Options:
    """How a collection is asked and scored.

    Attributes:
        k: how many items each run holds.
        lanes: only these lanes of the model speak; None: all.
        method: how they are combined; None takes `settings.method`.
        recall: as of `Library.search`; None takes `settings.recall`.
        seed: of the intervals.
        strict: whatever would be left out of the collection is an error.
        baselines: BM25, text backbone, image features, score sum and rank fusion are asked too.
        each_lane: each lane of the model is asked alone too.
    """

    k: int = 100
    lanes: tuple[str, ...] | None = None
    method: Method | None = None
    recall: float | None = None
    measures: tuple[str, ...] = MEASURES
    seed: int = 0
    strict: bool = False
    baselines: bool = True
    each_lane: bool = False

    def __post_init__(self) -> None:
        if self.method is not None and self.method not in get_args(Method):
            known = ", ".join(get_args(Method))
            raise InputError(f"unknown fusion method {self.method!r}: use one of {known}")
        if self.recall is not None and not 0 < self.recall <= 1:
            raise InputError(f"recall must be above 0 and at most 1, got {self.recall}")
        if not self.measures or self.k < 1:
            raise InputError(
                f"expected measures and k >= 1, got {len(self.measures)} measures and k={self.k}"
            )
        for name in self.measures:
            if (Measure.parse(name).k or 0) > self.k:
                raise InputError(f"{name} looks at more than the {self.k} best that are kept: raise k")


def evaluate_collection(
    spec: str,
    *,
    model: str | None = None,
    options: Options = Options(),
    work: Path | None = None,
    encoder: Encoder | None = None,
    command: Sequence[str] = (),
    progress: Progress = lambda what, done, total: None,
) -> Evaluation:
    """Return how well a model answers a collection, with baselines beside it.

    Args:
        spec: a folder of corpus.jsonl, queries.jsonl and qrels.tsv, or "files:FOLDER".
        model: its name; None takes `settings.model`.
        work: folder to keep copies in; None keeps none.
        encoder: your own, instead of `model`.
        command: for the manifest.

    Raises:
        MissingPathError: there is no such collection.
        InputError: nothing in it can be measured; an unknown lane; `options.strict` and a problem.
        ModelError: the model cannot be loaded.
    """
    started = time.perf_counter()
    settings = load_settings()
    settings = settings if model is None else replace(settings, model=model)
    corpus = opened(spec, strict=options.strict)
    _check_judged(corpus)
    encoder = encoder or _loaded(settings.model, settings)
    _check_lanes(options.lanes, encoder)
    base = _baseline(encoder, settings) if options.baselines else None
    name = _name(encoder, options.lanes)
    search = _search(options, settings)
    with work_folder(work) as folder, ExitStack() as stack:
        copies = _Copies(corpus, folder, corpus.fingerprint(), settings, options.strict, progress, stack)
        own = copies.of(encoder)
        labelled, searcher = own.labelled, own.copy.library.searcher()
        queries = judged(labelled)
        told = partial(progress, "asking")
        asked = ask_search(searcher, labelled.items, queries, search, depth=options.k, told=told)
        answers = {name: asked}
        for other, systems in _beside(encoder, base, each_lane=options.each_lane):
            there = copies.of(other)
            beside, items = there.copy.library.searcher(), there.labelled.items
            told = partial(progress, "asking what is beside")
            answers |= ask_systems(beside, items, queries, systems, depth=options.k, told=told)
        documents = labelled.items.shown(searcher.snapshot, _worth_showing(asked, labelled))
    manifest = manifest_of(
        spec,
        of_values(copies.fingerprint, of_labels(labelled.queries, labelled.qrels)),
        model=encoder.name,
        model_fingerprint=encoder.fingerprint,
        options=_said(options, search, base, settings),
        seed=options.seed,
        seconds=time.perf_counter() - started,
        command=command,
    )
    scored = partial(score, labels=labelled, measures=options.measures, seed=options.seed)
    return Evaluation(
        collection=labelled.name,
        systems={system: scored(of_system) for system, of_system in answers.items()},
        queries=[Asked.of(query) for query in queries],
        qrels={query.id: labelled.qrels[query.id] for query in queries},
        manifest=manifest,
        seconds=asked.seconds,
        problems=tuple(dict.fromkeys((*labelled.problems, *own.copy.problems))),
        documents=documents,
    )


class _Ready(NamedTuple):
    """A copy, and the collection's labels in its names."""

    copy: Copy
    labelled: Labelled


@dataclass(frozen=True, slots=True)
class _Copies:
    """The libraries that hold a collection, one for each model, open until the end."""

    corpus: Corpus
    folder: Path
    fingerprint: str
    settings: Settings
    strict: bool
    progress: Progress
    stack: ExitStack
    made: dict[str, _Ready] = field(default_factory=dict)

    def of(self, encoder: Encoder) -> _Ready:
        """Return the library of a model, making it when it is first asked for."""
        if encoder.fingerprint not in self.made:
            copy = copied(
                self.corpus,
                self.folder,
                fingerprint=self.fingerprint,
                encoder=encoder,
                settings=self.settings,
                strict=self.strict,
                told=partial(self.progress, f"adding documents ({_name(encoder)})"),
            )
            self.stack.enter_context(copy.library)
            self.made[encoder.fingerprint] = _Ready(copy, self.corpus.labelled(copy.library))
        return self.made[encoder.fingerprint]


def _worth_showing(asked: Answers, labelled: Labelled) -> set[str]:
    """Return the documents that a reader of a result may look for: those found first, and those judged."""
    found = {name for run in asked.run.values() for name in ranking(run)[:_FIRST_SHOWN]}
    return found | {name for query in asked.run for name in labelled.qrels[query]}


def _loaded(name: str, settings: Settings) -> Encoder:
    return load_encoder(
        name, threads=settings.threads, max_pixels=settings.max_pixels, precision=settings.precision
    )


def _baseline(encoder: Encoder, settings: Settings) -> Encoder:
    """Return the encoder of the baselines: the one under evaluation, if it is the same."""
    return encoder if encoder.name == BASELINE_MODEL else _loaded(BASELINE_MODEL, settings)


def _check_judged(corpus: Corpus) -> None:
    """Check, before the work begins, that there is something to measure."""
    collection = corpus.collection
    if not collection.judged():
        first = f"; the first problem: {collection.problems[0]}" if collection.problems else ""
        raise InputError(
            f"there is nothing to measure: no query of {collection.name!r} has a relevant document{first}"
        )


def _check_lanes(lanes: Sequence[str] | None, encoder: Encoder) -> None:
    known = _lanes_of(encoder)
    if unknown := [lane for lane in lanes or () if lane not in known]:
        raise InputError(f"unknown lane {', '.join(unknown)}: {encoder.name} has {', '.join(known)}")


def _lanes_of(encoder: Encoder) -> tuple[str, ...]:
    return (BM25, *(field.name for field in encoder.fields))


def _search(options: Options, settings: Settings) -> Search:
    """Return how a user of these settings searches, as far as the options do not say otherwise."""
    return Search(
        options.method or cast("Method", settings.method),
        options.lanes,
        settings.lane_weights or None,
        settings.recall if options.recall is None else options.recall,
    )


def _beside(
    encoder: Encoder, base: Encoder | None, *, each_lane: bool
) -> Iterator[tuple[Encoder, list[System]]]:
    """Yield encoders with the systems that their lanes' scores make."""
    beside = list(baselines(_lanes_of(base))) if base is not None else []
    same = base is not None and base.fingerprint == encoder.fingerprint
    alone: list[System] = []
    if each_lane:
        said = {system.lanes for system in beside if same and system.method is None}
        alone = [System(f"lane {lane}", (lane,)) for lane in _lanes_of(encoder) if (lane,) not in said]
    if same or alone:
        yield encoder, [*(beside if same else ()), *alone]
    if base is not None and not same:
        yield base, beside


def _name(encoder: Encoder, lanes: Sequence[str] | None = None) -> str:
    """Return what the system is called: the model, without the folders above it, and its lanes if not all."""
    folder = Path(encoder.name)
    name = folder.resolve().name if folder.is_dir() else encoder.name
    return name if lanes is None else f"{name}: {', '.join(lanes)}"


def _said(options: Options, search: Search, base: Encoder | None, settings: Settings) -> dict[str, Any]:
    """Return everything that changes a number, as JSON values."""
    said = {"k": options.k, **asdict(search), "measures": options.measures, "each_lane": options.each_lane}
    stored = {f"settings.{name}": value for name, value in stored_settings(settings).items()}
    baseline = None if base is None else base.fingerprint
    return {**said, "baselines": baseline, "settings.exact_mb": settings.exact_mb, **stored}
