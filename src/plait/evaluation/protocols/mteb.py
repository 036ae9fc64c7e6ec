"""mteb's tasks run on plait's models, through mteb's own protocol, with every picture accounted for."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plait.errors import InputError
from plait.extras import require

if TYPE_CHECKING:
    from plait.evaluation.protocols.mteb_outcome import Outcome


def model_of(
    name: str, *, device: str = "auto", allow_partial: bool = False, folder: str | Path | None = None
) -> Any:
    """Return a model that `mteb.evaluate` takes, with its name, revision, modalities and similarity.

    A model of one vector an item can do every kind of task of its modalities. One of token vectors finds
    and reranks, by MaxSim. plait-mini finds and reranks by a search of its own, over all its lanes.

    Args:
        name: "plait-mini"; or a ReT, ReT-2 or sentence-transformers model: a folder, a pip package, or a
            downloaded name on the hub.
        device: of torch, or "auto": a GPU that there is. plait-mini stays on the processor.
        allow_partial: leave out what the model cannot read of an item, and count it; else it is an error.
        folder: where plait-mini keeps the index and the pictures of corpora; None means a temporary folder
            that goes with the model.

    Raises:
        ModelError: there is no such model, or it cannot be loaded.
        MissingExtraError: mteb or sentence-transformers is not installed.
    """
    require("mteb")
    from plait.encode import checkpoint
    from plait.encode.mini import NAME, MiniEncoder
    from plait.encode.starting import started
    from plait.evaluation.protocols.mteb_models import wrapped
    from plait.evaluation.protocols.mteb_search import SearchModel
    from plait.model import hub

    if name == NAME:
        return SearchModel(MiniEncoder.load(), folder=folder)
    where = hub.resolve(name)
    if checkpoint.kind_of(where) == "plait-mini":
        return SearchModel(MiniEncoder.load(str(where)), folder=folder)
    encoder = started(name, _device(device))
    return wrapped(encoder, name=name, revision=checkpoint.fingerprint(where), allow_partial=allow_partial)


def run(
    tasks: Sequence[Any],
    model: Any,
    *,
    device: str = "auto",
    batch_size: int = 32,
    seed: int = 0,
    allow_partial: bool = False,
    out: str | Path | None = None,
    force: bool = False,
    command: Sequence[str] = (),
    say: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Return what a model gets on some of mteb's tasks.

    All tasks are checked against what the model reads before anything runs; after each, the pictures that
    the model read are counted against those of the task's data.

    Args:
        tasks: their names, or mteb's task objects.
        model: a name as of `model_of`, or what that returned.
        batch_size: items encoded at a time.
        seed: of the intervals; mteb's own are fixed.
        allow_partial: as of `model_of`.
        out: a folder for results: mteb's own below `mteb/`, and for each task that finds or reranks a folder
            that `plait eval compare` reads; None keeps nothing.
        force: replace results that are there.
        command: what was typed, for the manifests.
        say: told what is going on.

    Raises:
        InputError: no such task, one the model cannot do or read, data that cannot be had, pictures that
            mteb did not hand over, or a folder that is in use.
        ModelError: there is no such model, or it fails.
        MissingExtraError: mteb or sentence-transformers is not installed.
    """
    require("mteb")
    from plait.evaluation.protocols.mteb_running import RESULTS, Runner, check_folder, keep
    from plait.evaluation.protocols.mteb_tasks import check, chosen

    wanted = chosen(tasks)
    if out is not None:
        check_folder(Path(out), force=force)
    with tempfile.TemporaryDirectory(prefix="plait-mteb-") as spare:
        results = Path(spare if out is None else out, RESULTS)
        asked = model
        if isinstance(model, str):
            asked = model_of(model, device=device, allow_partial=allow_partial, folder=Path(spare, "index"))
        for task in wanted:
            check(task, asked, allow_partial=allow_partial)
        runner = Runner(
            asked,
            results,
            batch_size=batch_size,
            seed=seed,
            options={"allow_partial": allow_partial},
            command=command,
            say=say,
        )
        return runner.outcome(wanted, done=lambda so_far: None if out is None else keep(so_far, Path(out)))


def _device(name: str) -> str:
    import torch

    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise InputError("device is cuda, but torch sees no GPU: give cpu, or auto")
    return ("cuda" if there else "cpu") if name == "auto" else name
