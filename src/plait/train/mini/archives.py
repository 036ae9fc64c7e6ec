"""Pictures that nothing is written about, beside a manual: where words to figures must help and not harm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from plait.encode.base import Encoder
from plait.index.surroundings import SurroundedBm25
from plait.model.mini.lite0_top import Lite0Top
from plait.model.mini.words_mini import FigureWords
from plait.schema import Query, Unit
from plait.scoring.vectors import UnitVectors, Vectors
from plait.train.mini.lanes import Asked, lanes_of
from plait.train.mini.queries import Question
from plait.train.mini.words import Captions

_MOST_PICTURES, _MOST_TITLES = 700, 30
_NUMBERS = 50  # as names of files; so few, that their vectors cost nothing


def ask_beside(
    encoder: Encoder,
    corpus: Sequence[Unit],
    questions: Sequence[Question],
    pictures: Captions,
    words: FigureWords,
    top: Lite0Top,
    *,
    seed: int = 0,
) -> list[Asked]:
    """Return questions to a manual and an archive of pictures together, and what the words' lanes say.

    They are "A <title>.", answered by the pictures of that title, which have numbers for names; and as many
    sentences of the manual, answered there.

    Args:
        encoder: whose "figure_words" are those of `words`.
        corpus: the manual's units.
        questions: about them; only those of the kind "text" are asked.
        pictures: the archive; none of them was `words` fitted on.
        seed: of the draw of pictures, names, titles and sentences.
    """
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(pictures.titles))[:_MOST_PICTURES]
    titles = np.array([pictures.titles[row].lower() for row in rows])
    names = rng.integers(0, 10_000, _NUMBERS)[rng.integers(0, _NUMBERS, len(rows))]
    archive = [Unit(f"{n}:0", f"{n}", 0, f"{name:04d}") for n, name in enumerate(names)]
    figures = figures_of(words, top, pictures.features[rows, 0])
    vectors = [*encoder.encode_units(corpus), *_shown(encoder, archive, figures)]
    bm25 = SurroundedBm25.of([*corpus, *archive])
    first, every = len(corpus), np.arange(len(vectors))
    asked = [
        (f"A {title}.", first + np.flatnonzero(titles == title))
        for title in rng.permutation(np.unique(titles))[:_MOST_TITLES].tolist()
    ]
    own = [question for question in questions if question.kind == "text"]
    asked += [(own[n].text, np.array([own[n].row])) for n in rng.permutation(len(own))[: len(asked)]]
    return [
        Asked(
            "text",
            {**lanes_of(encoder, Query((text,)), vectors), "bm25": bm25.scores([text])},
            np.isin(every, answers),
        )
        for text, answers in asked
    ]


def figures_of(words: FigureWords, top: Lite0Top, features: Vectors) -> Vectors:
    """Return (P, width), what words are compared with."""
    seen = torch.from_numpy(features.astype(np.float32))
    with torch.inference_mode():
        figures: Vectors = words.figures(seen, top.classify(seen)).numpy()
    return figures


def _shown(encoder: Encoder, archive: Sequence[Unit], figures: Vectors) -> list[UnitVectors]:
    """Return what an encoder would make of units if each had its figure."""
    return [
        UnitVectors({"text": unit.fields["text"], "figure_words": figure[None, None]})
        for unit, figure in zip(encoder.encode_units(archive), figures, strict=True)
    ]
