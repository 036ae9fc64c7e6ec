"""Fitting the head that lets words find pictures, from captioned pictures and class names: no gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from plait.model.mini.configuration_mini import FigureWordsConfig
from plait.model.mini.lite0_top import Lite0Top
from plait.model.mini.words_mini import FigureWords
from plait.scoring.vectors import Vectors
from plait.train.mini.caption_groups import group_captions

Encode = Callable[[Sequence[str]], Vectors]  # texts -> (texts, d), unit length
PROMPTS = ("{}", "A {}.")


@dataclass(frozen=True, slots=True)
class Captions:
    """P captioned pictures of one source.

    Attributes:
        titles: what each is called.
        features: (P, views, 1280) of the vision tower's top; view 0 is the picture itself where it was
            kept, the others are edits.
    """

    source: str
    titles: tuple[str, ...]
    features: Vectors


@dataclass(frozen=True, slots=True)
class WordsRecipe:
    """How the head is fitted.

    Attributes:
        class_shrinkage, look_shrinkage: of the two whitenings, relative to the largest variance.
        ridge: on the map from words, relative to the mean variance of the words' vectors.
        captions: groups of captions at most; 0 for none.
        caption_weight, caption_temperature: as of `FigureWordsConfig`.
    """

    class_width: int = 384
    look_width: int = 384
    class_weight: float = 1.0
    class_share: float = 0.7
    temperature: float = 0.1
    class_shrinkage: float = 0.3
    look_shrinkage: float = 0.03
    ridge: float = 0.6
    captions: int = 4096
    caption_weight: float = 1.25
    caption_temperature: float = 0.065


def fit_words(
    sources: Sequence[Captions],
    class_names: Sequence[Sequence[str]],
    encode: Encode,
    top: Lite0Top,
    recipe: WordsRecipe | None = None,
) -> FigureWords:
    """Return the head.

    Args:
        sources: pictures to learn from; a source weighs as the square root of its size.
        class_names: of each of the classifier's classes, all that it may be called.
        encode: the text tower.
        top: of the vision tower.
    """
    recipe = recipe or WordsRecipe()
    flat = encode([name for names in class_names for name in names])
    of_class = np.repeat(np.arange(len(class_names)), [len(names) for names in class_names])
    means = np.stack([_unit(flat[of_class == row].mean(0)) for row in range(len(class_names))])
    centre = means.mean(0)
    usual, basis = _class_basis(sources, top, recipe)
    config = FigureWordsConfig(
        len(flat),
        recipe.class_width,
        recipe.look_width,
        recipe.class_weight,
        recipe.class_share,
        recipe.temperature,
    )
    words = FigureWords(
        config, text_width=flat.shape[1], features=sources[0].features.shape[2], classes=len(class_names)
    )
    known = {"centre": centre, "names": _unit(flat - centre), "usual_odds": usual, "class_basis": basis}
    _set(words, {**known, "name_class": of_class.astype(np.int32)})
    look, expect = _look(sources, lambda texts: _context(words, encode(texts)), recipe)
    maps = zip(("look.weight", "look.bias", "expect.weight", "expect.bias"), (*look, *expect), strict=True)
    _set(words, dict(maps))
    return (_remembering(words, sources, encode, recipe) if recipe.captions else words).eval()


def _set(words: FigureWords, values: Mapping[str, NDArray[Any]]) -> None:
    own = words.state_dict()
    words.load_state_dict(
        own
        | {name: torch.from_numpy(np.ascontiguousarray(v)).to(own[name].dtype) for name, v in values.items()}
    )


def _context(words: FigureWords, texts: Vectors) -> Vectors:
    """Return what the map to looks reads of some texts."""
    with torch.inference_mode():
        read, by_class = words.read(torch.from_numpy(texts))
        context: Vectors = torch.cat([read, words.config.class_share * by_class], -1).numpy()
    return context


def _class_basis(sources: Sequence[Captions], top: Lite0Top, recipe: WordsRecipe) -> tuple[Vectors, Vectors]:
    """Return the mean of the pictures' log-odds, (classes,), and their whitening, (classes, width)."""
    with torch.inference_mode():
        odds = np.concatenate(
            [top.classify(torch.from_numpy(s.features[:, 0].astype(np.float32))).numpy() for s in sources]
        )
    odds = _unit(odds - odds.mean(1, keepdims=True))
    variances, axes = np.linalg.eigh(np.cov(odds.T))
    scaled = axes / np.sqrt(variances + recipe.class_shrinkage * variances[-1])
    return odds.mean(0), scaled[:, -recipe.class_width :]


def _look(
    sources: Sequence[Captions], encode: Encode, recipe: WordsRecipe
) -> tuple[tuple[Vectors, Vectors], tuple[Vectors, Vectors]]:
    """Return weight and bias of the whitening of the features, and of the map from words to it.

    Features are compared within a source, its mean taken off: drawings differ from photographs in all of
    them, whatever they show.
    """
    seen, asked, weights = [], [], []
    for source in sources:
        views = source.features.shape[1]
        of_prompts = [encode([prompt.format(t.lower()) for t in source.titles]) for prompt in PROMPTS]
        for view in range(views):
            features = source.features[:, view].astype(np.float32)
            for texts in of_prompts:
                seen.append(features - features.mean(0))
                asked.append(texts)
                weights.append(np.full((len(texts), 1), len(texts) ** -0.5 / views, np.float32))
    features, texts, weight = (np.concatenate(part) for part in (seen, asked, weights))
    weight /= weight.sum()
    variances, axes = np.linalg.eigh((features * weight).T @ features)
    whiten = (axes / np.sqrt(variances + recipe.look_shrinkage * variances[-1]))[:, -recipe.look_width :]
    wanted = _unit(features @ whiten)
    mean = (texts * weight).sum(0)
    centred = texts - mean
    spread = (centred * weight).T @ centred
    spread += recipe.ridge * np.trace(spread) / len(spread) * np.eye(len(spread), dtype=np.float32)
    expect = np.linalg.solve(spread, (centred * weight).T @ wanted)
    usual = np.mean([source.features[:, 0].astype(np.float32).mean(0) for source in sources], axis=0)
    return (whiten.T, -usual @ whiten), (expect.T, -mean @ expect)


def _remembering(
    words: FigureWords, sources: Sequence[Captions], encode: Encode, recipe: WordsRecipe
) -> FigureWords:
    """Return the head with what is remembered of the captions; nothing else of it changes."""
    titles, looks, counts = _looks_of_titles(words, sources)
    texts = encode([PROMPTS[-1].format(title) for title in titles])
    centred = _unit(texts - words.centre.numpy())
    groups = group_captions(centred, looks, counts, most=recipe.captions)
    config = replace(
        words.config,
        captions=len(groups.words),
        caption_weight=recipe.caption_weight,
        caption_temperature=recipe.caption_temperature,
    )
    remembering = FigureWords(
        config,
        text_width=len(words.centre),
        features=words.look.in_features,
        classes=len(words.usual_odds),
    )
    remembering.load_state_dict(words.state_dict(), strict=False)
    known = {"words": groups.words, "looks": groups.looks, "log_weights": groups.log_weights}
    _set(remembering, {f"captions.{name}": value for name, value in known.items()})
    return remembering


def _looks_of_titles(
    words: FigureWords, sources: Sequence[Captions]
) -> tuple[list[str], Vectors, NDArray[np.int64]]:
    """Return each title once, the mean look of its pictures, unit length, and how many they are.

    As in `_look`, features are compared within a source.
    """
    whiten = words.state_dict()["look.weight"].numpy().T
    titles: list[str] = []
    looks = []
    for source in sources:
        for view in range(source.features.shape[1]):
            features = source.features[:, view].astype(np.float32)
            looks.append(_unit((features - features.mean(0)) @ whiten))
            titles += [title.lower() for title in source.titles]
    distinct, rows = np.unique(titles, return_inverse=True)
    sums = np.zeros((len(distinct), whiten.shape[1]), np.float32)
    np.add.at(sums, rows, np.concatenate(looks))
    return distinct.tolist(), _unit(sums), np.bincount(rows)


def _unit(vectors: Vectors) -> Vectors:
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit
