"""Adapting plait-mini to a library: tuned on part of its documents, judged by the part held back."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from plait.encode.mini import NAME
from plait.encode.mini_towers import vision_weights
from plait.encode.pictures import open_picture
from plait.errors import InputError, QueryError
from plait.model.mini.configuration_mini import MiniConfig
from plait.model.mini.lite0 import load_lite0
from plait.schema import Unit
from plait.train.adapting.figures import FigureRecipe, tune_heads
from plait.train.adapting.model import Model
from plait.train.adapting.parts import Part, affordable, parts_of
from plait.train.adapting.questions import Questions
from plait.train.adapting.report import AdaptReport, gains, mean_gain, verdict
from plait.train.mini.features import Seen, see
from plait.train.mini.gate import reciprocal_ranks
from plait.train.mini.lanes import Asked
from plait.train.mini.manuals import pictures_of

logger = logging.getLogger(__name__)

Progress = Callable[[str], None]

_TUNED_STEPS = (30, 60, 120)
_SHARPNESS, _SHIFTS = (0.8, 1.0, 1.25), (-6.0, -3.0, 0.0, 3.0)
_EDITS = 2
_MOST_TUNED = 300  # figures
_MOST_PIXELS = 50_000_000
_ENCODING_SHARE = 0.55  # of the budget; the rest is for questions, edits and fits


def adapt(
    units: Sequence[Unit],
    *,
    base: str = NAME,
    out: Path,
    seed: int = 0,
    budget_seconds: float = 180.0,
    progress: Progress | None = None,
) -> AdaptReport:
    """Adapt a model to a library without a single label, and write it if held-back documents gain.

    The documents ask their own questions: a section's first sentence, an edited figure, both, or heading
    words with a figure. A third of the documents teaches the picture heads its figures; another chooses
    how many steps of that, and with the first how far a picture is trusted; the last third judges old
    against new. The new model is kept only if the mean reciprocal rank there surely gains and no kind
    surely loses (95 % bootstrap intervals).

    Args:
        units: of a library; those of one document are neighbours, in order.
        base: "plait-mini" or a folder of its form.
        out: an absent or empty folder; it becomes one that `MiniEncoder.load` takes, or stays as it is.
        seed: the same units, seed and budget give the same model.
        budget_seconds: processor time, about; of a library that needs more, some documents are looked at.
        progress: told what is being done.

    Raises:
        InputError: too few documents, none that can be asked about, or `out` is in use.
        ModelError: the base cannot be loaded.
    """
    started = time.process_time()
    say = progress or logger.info
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is in use: give a folder that is absent or empty")
    old = Model.read(base)
    chosen = affordable(units, cpu_seconds=_ENCODING_SHARE * budget_seconds, seed=seed)
    parts = parts_of(chosen, seed=seed)
    say(f"reading {len(chosen)} of {len(units)} sections of {len(parts)} documents")
    questions = Questions(chosen, parts, old, seed=seed)
    say(f"the documents ask {len(questions)} questions; tuning")
    new = _choose(questions, old, _figures_of(chosen, parts, old.config, seed=seed), seed=seed)
    before, after = (_ranks(questions.scored(model, "judge"), model) for model in (old, new))
    kinds, gain = gains(before, after), mean_gain(before, after)
    accepted, reason = verdict(kinds, gain)
    if accepted:
        new.write(out)
    say(reason)
    return AdaptReport(
        accepted=accepted,
        reason=reason,
        folder=out if accepted else None,
        kinds=kinds,
        gain=gain,
        documents=len(parts),
        units=len(chosen),
        changes=new.changes_from(old),
        cpu_seconds=time.process_time() - started,
    )


def _figures_of(units: Sequence[Unit], parts: Mapping[str, Part], config: MiniConfig, *, seed: int) -> Seen:
    """Return the figures to learn from and their edits; none that a document of another part shows."""
    mine = pictures_of(unit for unit in units if parts[unit.document_id] == "learn")
    others = pictures_of(unit for unit in units if parts[unit.document_id] != "learn")
    names = sorted(set(mine) - set(others))
    drawn = [names[i] for i in np.random.default_rng(seed).permutation(len(names))[:_MOST_TUNED]]
    pictures = _opened((name, mine[name]) for name in drawn)
    first = next(pictures, None)
    if first is None:
        return Seen((), torch.zeros(0, 1, 1, 1))
    tower = load_lite0(vision_weights(config.vision))
    return see(chain([first], pictures), tower, config, edits=_EDITS)


def _opened(paths: Iterable[tuple[str, str]]) -> Iterator[tuple[str, Image.Image]]:
    """Yield the pictures that can be opened, one at a time: hundreds at once would fill the memory."""
    for name, path in paths:
        with suppress(QueryError):
            yield name, open_picture(path, max_pixels=_MOST_PIXELS)


def _choose(questions: Questions, old: Model, seen: Seen, *, seed: int) -> Model:
    """Return the model that does best on the documents to choose by, one thing after another.

    How words are weighed is left alone: fitted to half of a manual, it lost on the other half of nine.
    """
    tuned = [tune_heads(old.heads, seen, recipe=FigureRecipe(steps=s), seed=seed) for s in _TUNED_STEPS]
    best = _best([old, *(replace(old, heads=heads) for heads in tuned)], questions, "choose")
    trusts = [best.trusting(sharpness, shift) for sharpness in _SHARPNESS for shift in _SHIFTS]
    return _best([best, *trusts], questions, "learn", "choose")


def _best(models: Sequence[Model], questions: Questions, *parts: Part) -> Model:
    """Return the model with the highest mean over all kinds, vague words too; the first of equals."""
    return max(models, key=lambda model: _mean(_ranks(questions.scored(model, *parts), model)))


def _ranks(asked: Sequence[Asked], model: Model) -> dict[str, list[float]]:
    return reciprocal_ranks(asked, model.config.mixture)


def _mean(ranks: Mapping[str, Sequence[float]]) -> float:
    return float(np.mean([np.mean(of_kind) for of_kind in ranks.values()]))
