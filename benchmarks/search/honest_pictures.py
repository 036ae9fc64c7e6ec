"""Pictures that nothing is written about, and words that ask for them: what can be told of such hits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.torch import load_file

from benchmarks.search.honest_everyday import everyday
from plait import Query
from plait.encode.mini import MiniEncoder
from plait.encode.mini_towers import vision_weights
from plait.model.mini.configuration_mini import MiniConfig
from plait.model.mini.lite0_top import load_lite0_top
from plait.model.mini.words_mini import FigureWords, uncompressed
from plait.train.mini.archives import figures_of
from plait.train.mini.calibrating import Values
from plait.train.mini.caption_features import Sighted

_MOST, _TITLES, _HITS = 600, 150, 5


def shown(work: Path, *, seed: int) -> list[tuple[Values, bool]]:
    """Return what is said of the first hits to titles of clip art and to everyday questions.

    Half of the titles are of pictures that are there. The head for words never saw clip art.

    Args:
        work: where the training of plait-mini keeps its features and the models it validates.
    """
    encoder = MiniEncoder.load(str(work / "validated" / "python-silx-doc" / "without-openclipart"), threads=1)
    art = Sighted.read(work / "captions" / "openclipart.npz").captions
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(art.titles))
    titles = np.array([art.titles[row].lower() for row in rows])
    every = rng.permutation(np.unique(titles))
    there = np.isin(titles, every[: len(every) // 2])
    rows, titles = rows[there][:_MOST], titles[there][:_MOST]
    top = load_lite0_top(vision_weights(MiniConfig().vision))
    figures = figures_of(_words(encoder.folder), top, art.features[rows, 0])
    values = {"units": float(np.log(len(rows)))}
    asked = [*rng.permutation(np.unique(titles))[:_TITLES], *every[len(every) // 2 :][:_TITLES], *everyday(0)]
    found: list[tuple[Values, bool]] = []
    for text in asked:
        scores = figures @ encoder.encode_query(Query.of(str(text))).fields["figure_words"][0, 0]
        for hit in np.argsort(-scores)[:_HITS]:
            found.append(({**values, "figure_words": float(scores[hit])}, bool(titles[hit] == text)))
    return found


def _words(folder: Path) -> FigureWords:
    """Return a model's head for words to figures."""
    config = MiniConfig.read(folder / "config.json")
    assert config.words is not None
    head = FigureWords(config.words, text_width=config.text.width)
    tensors = load_file(folder / "model.safetensors")
    head.load_state_dict(
        uncompressed({k.removeprefix("words."): v for k, v in tensors.items() if k.startswith("words.")})
    )
    return head.eval().requires_grad_(False)
