"""mteb's tasks: found by name, checked against what a model reads, and their data loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import mteb
from mteb.abstasks import AbsTaskRetrieval
from mteb.abstasks.aggregated_task import AbsTaskAggregate
from mteb.types import PromptType

from plait.encode.embedder import first_line
from plait.errors import InputError
from plait.evaluation.protocols.mteb_cache import seen_without_the_hub


class Abilities(Protocol):
    """What a check knows of a model.

    Attributes:
        name: what the user calls it.
        does_all: whether it can do tasks other than finding and reranking.
        reads_pictures: alone.
        reads_both: words and a picture in one input.
    """

    @property
    def name(self) -> str: ...
    @property
    def does_all(self) -> bool: ...
    @property
    def reads_pictures(self) -> bool: ...
    @property
    def reads_both(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Part:
    """The data of one split of one subset of a task that finds or reranks.

    Attributes:
        corpus, queries: data sets of Hugging Face, with an "id" column; only queries that are judged.
        qrels: query id -> document id -> grade.
    """

    subset: str
    split: str
    corpus: Any
    queries: Any
    qrels: Mapping[str, Mapping[str, int]]


def chosen(tasks: Sequence[Any]) -> list[Any]:
    """Return mteb's tasks, each given by its name or as it is.

    Raises:
        InputError: there is none of a name, none at all, or one comes twice.
    """
    names = [task if isinstance(task, str) else task.metadata.name for task in tasks]
    if not names or len(set(names)) < len(names):
        raise InputError(f"tasks {', '.join(names) or '(none)'}: name one or more, each once")
    try:
        return [mteb.get_task(task) if isinstance(task, str) else task for task in tasks]
    except KeyError as error:
        told = str(error.args[0]).removeprefix("KeyError: ")
        raise InputError(f"mteb has no such task: {told} All are listed by  mteb available-tasks") from error


def finds(task: Any) -> bool:
    """Return whether a task asks queries of a corpus, or ranks some of it again."""
    return isinstance(task, AbsTaskRetrieval)


def modalities(task: Any) -> dict[str, tuple[str, ...]]:
    """Return what a task holds: "queries" and "documents" -> kinds, or "samples" where it has no sides."""
    told = task.metadata.get_modalities
    if not finds(task):
        return {"samples": tuple(told())}
    return {"queries": tuple(told(PromptType.query)), "documents": tuple(told(PromptType.document))}


def check(task: Any, model: Abilities, *, allow_partial: bool) -> None:
    """Check that a model can do a task and reads all that it holds, before anything is loaded.

    Args:
        allow_partial: what else an item holds may go unread, but not all that its side holds.

    Raises:
        InputError: it cannot.
    """
    name = task.metadata.name
    if isinstance(task, AbsTaskAggregate):
        parts = ",".join(part.metadata.name for part in task.metadata.tasks)
        raise InputError(f"{name} gathers other tasks: name them, mteb:{parts}")
    if not finds(task) and not model.does_all:
        raise InputError(
            f"{name} is of the type {task.metadata.type}, which needs one vector an item, and {model.name} "
            "gives none: it does retrieval and reranking; ask a model of single vectors, such as ReT-2"
        )
    for side, held in modalities(task).items():
        _check_side(name, side, held, model, allow_partial)


def load(task: Any) -> list[Part]:
    """Load a task's data; return the parts of one that finds or reranks, none of others.

    Raises:
        InputError: it is not on this machine and cannot be fetched, or is of another form than its kind's.
    """
    try:
        with seen_without_the_hub():
            task.load_data()
        return list(_parts(task)) if finds(task) else []
    except InputError:
        raise
    except (OSError, ImportError) as error:
        raise InputError(_unreachable(task, error)) from error
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        name, reason = task.metadata.name, f"{type(error).__name__}: {first_line(error)}"
        raise InputError(
            f"mteb cannot read the data of {name} ({reason}): try  mteb.get_task({name!r}).load_data()  alone"
        ) from error


def pictures_of(parts: Sequence[Part]) -> Counter[str]:
    """Return how many pictures there are to encode, by role; none of them is opened."""
    found: Counter[str] = Counter()
    for part in parts:
        found["document"] += _pictures_in(part.corpus)
        found["query"] += _pictures_in(part.queries)
    return found


def _check_side(name: str, side: str, held: Sequence[str], model: Abilities, allow_partial: bool) -> None:
    reads = {"text", "image"} if model.reads_pictures else {"text"}
    missing = [kind for kind in held if kind not in reads]
    seen = f"{name}: its {side} are of {' and '.join(held)}"
    foreign = not {"text", "image"}.issuperset(held)
    some = side != "samples" and not foreign and set(held) > set(missing)  # mteb runs such tasks in part
    if missing and not (some and allow_partial):
        other = "no model of plait's does" if foreign else "use a model that does"
        partial = ", or --allow-partial to leave that out" if some else ""
        raise InputError(f"{seen}, and {model.name} reads no {' and no '.join(missing)}: {other}{partial}")
    both = side != "samples" and set(held) >= {"text", "image"}  # those of tasks without sides come apart
    if both and not missing and not model.reads_both and not allow_partial:
        raise InputError(
            f"{seen}, and {model.name} does not read both in one input: use a model that does, such as ReT, "
            "or --allow-partial to leave out the words of what has a picture"
        )


def _parts(task: Any) -> Iterator[Part]:
    task.convert_v1_dataset_format_to_v2(num_proc=None)
    for subset in task.hf_subsets:
        for split in task.eval_splits:
            data = task.dataset[subset][split]
            qrels = {
                str(query): dict(grades) for query, grades in data["relevant_docs"].items() if len(grades)
            }
            queries = data["queries"]
            rows = [row for row, name in enumerate(queries["id"]) if name in qrels]
            if not rows:
                raise InputError(f"{task.metadata.name}: no query of {subset}, {split} is judged")
            yield Part(subset, split, data["corpus"], queries.select(rows), qrels)


def _pictures_in(rows: Any) -> int:
    """Return how many rows of a data set hold a picture, told from Arrow's null bits."""
    if "image" not in rows.column_names:
        return 0
    batches = rows.select_columns(["image"]).with_format("arrow").iter(batch_size=1000)
    return sum(len(batch) - int(batch["image"].null_count) for batch in batches)


def _unreachable(task: Any, error: Exception) -> str:
    name, data = task.metadata.name, task.metadata.dataset
    place = f"{data.get('path', '?')}, revision {data.get('revision', '?')}"
    fetching = f"python -c \"import mteb; mteb.get_task('{name}').load_data()\""
    return (
        f"the data set of {name} ({place}) is not on this machine and cannot be fetched "
        f"({first_line(error)}): where there is a network run  {fetching}  and bring the folder that HF_HOME "
        "names, else ~/.cache/huggingface"
    )
