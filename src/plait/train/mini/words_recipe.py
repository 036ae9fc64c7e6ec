"""The head for words, from packages to weights: features, fit, and what it finds in sources it never saw."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from plait.model.mini.lite0 import load_lite0
from plait.model.mini.lite0_top import Lite0Top, load_lite0_top
from plait.model.mini.words_mini import FigureWords
from plait.train.mini.caption_features import Sighted, apart, sight
from plait.train.mini.captioned import Captioned, files
from plait.train.mini.drawings import DRAWINGS, TEST, Drawings, read
from plait.train.mini.words import Captions, Encode, WordsRecipe, fit_words

logger = logging.getLogger(__name__)

HELD_OUT = ("furniture", "openclipart", "fluent-3d")  # in turn, each with its group


def captions(
    packages: Path, work: Path, state: Mapping[str, Tensor], drawings: Sequence[Drawings] = DRAWINGS
) -> dict[str, Captions]:
    """Return the captioned pictures of each source, without those that the test set holds too.

    Args:
        packages: see `drawings.read`.
        work: where features are kept between runs.
        state: the vision tower's checkpoint.
    """
    tower, top = load_lite0(state), load_lite0_top(state)

    def seen(name: str, pictures: Iterable[Captioned], views: int) -> Sighted:
        kept = work / "captions" / f"{name}.npz"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            part = kept.with_suffix(".part.npz")
            sight(name, pictures, tower, top, views=views).save(part)
            part.rename(kept)
            logger.info("%s: features written", name)
        return Sighted.read(kept)

    test = seen(TEST, files(TEST, packages / TEST), 2)
    return {s.name: apart(seen(s.name, read(s, packages), s.views), test) for s in drawings}


def fit_without(
    held_out: str | None,
    of: Mapping[str, Captions],
    names: Sequence[Sequence[str]],
    encode: Encode,
    top: Lite0Top,
    recipe: WordsRecipe,
    drawings: Sequence[Drawings] = DRAWINGS,
) -> FigureWords:
    """Return a head that was fitted without a source and its group; with all, if that is None.

    Args:
        of: source -> its pictures.
        names, encode, top: as of `fit_words`.
    """
    groups = {source.name: source.group for source in drawings}
    others = [own for name, own in of.items() if held_out is None or groups[name] != groups[held_out]]
    return fit_words(others, names, encode, top, recipe)


def found_by_title(words: FigureWords, captions: Captions, encode: Encode, top: Lite0Top) -> dict[str, float]:
    """Return how often "A <title>." finds a picture of that title first, or among ten; both x 100."""
    titles = [title.lower() for title in captions.titles]
    asked = list(dict.fromkeys(titles))
    features = torch.from_numpy(captions.features[:, 0].astype(np.float32))
    with torch.inference_mode():
        figures = words.figures(features, top.classify(features))
        questions = words.questions(torch.from_numpy(encode([f"A {title}." for title in asked])))
    scores = (questions @ figures.T).numpy()
    answers = np.array(asked)[:, None] == np.array(titles)
    best = np.where(answers, scores, -np.inf).max(1, keepdims=True)
    ranks = 1 + (np.where(answers, -np.inf, scores) > best).sum(1)
    rates = {f"R@{k}": round(100 * float((ranks <= k).mean()), 1) for k in (1, 10)}
    return {"titles": len(asked), "pictures": len(titles), **rates}
