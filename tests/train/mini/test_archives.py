"""Archives of pictures without words beside a manual: who answers what, and what the lanes say there."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from plait.encode.mini import MiniEncoder
from plait.encode.mini_towers import vision_weights
from plait.model.mini.configuration_mini import MiniConfig, VisionTower
from plait.model.mini.lite0_top import Lite0Top, load_lite0_top
from plait.model.mini.words_mini import FigureWords, uncompressed
from plait.schema import Passage, Query, Unit
from plait.train.mini.archives import ask_beside
from plait.train.mini.lanes import Asked
from plait.train.mini.queries import Question
from plait.train.mini.words import Captions

MANUAL = [
    Unit(f"m:{row}", "m", row, "Tools", ("Care",), passages=(Passage(text),))
    for row, text in enumerate(("Oil the plane once a week.", "A banana is no tool.", "Sharpen the chisel."))
]
QUESTIONS = [
    Question("image", "", "abc", 0),
    Question("text", "Strop the iron on leather.", "", 2),
    Question("text", "Wipe it with a rag.", "", 0),
]
TITLES = ("Banana", "banana", "cow")


@pytest.fixture(scope="module")
def encoder() -> MiniEncoder:
    return MiniEncoder.load(threads=1)


@pytest.fixture(scope="module")
def top() -> Lite0Top:
    return load_lite0_top(vision_weights(VisionTower()))


@pytest.fixture(scope="module")
def words(encoder: MiniEncoder) -> FigureWords:
    head = FigureWords(MiniConfig.read(encoder.folder / "config.json").words)
    stored = load_file(encoder.folder / "model.safetensors")
    head.load_state_dict(
        uncompressed({k.removeprefix("words."): v for k, v in stored.items() if k.startswith("words.")})
    )
    return head.eval()


@pytest.fixture(scope="module")
def pictures() -> Captions:
    features = np.random.default_rng(0).uniform(0, 1, (3, 2, 1280)).astype(np.float32)
    return Captions("drawn", TITLES, features)


def asked_beside(encoder, pictures, words, top, seed: int = 0) -> Sequence[Asked]:
    return ask_beside(encoder, MANUAL, QUESTIONS, pictures, words, top, seed=seed)


def test_titles_are_answered_by_their_pictures_and_sentences_by_the_manual(
    encoder, pictures, words, top
) -> None:
    found = asked_beside(encoder, pictures, words, top)
    answers = sorted(np.flatnonzero(one.answers).tolist() for one in found)
    archive = [rows for rows in answers if min(rows) >= len(MANUAL)]
    assert sorted(map(len, archive)) == [1, 2]  # one cow, two bananas
    assert sorted(row for rows in archive for row in rows) == [3, 4, 5]
    assert [rows for rows in answers if max(rows) < len(MANUAL)] == [[0], [2]]
    assert {len(one.answers) for one in found} == {6}


def test_nothing_is_written_about_the_archive(encoder, pictures, words, top) -> None:
    for one in asked_beside(encoder, pictures, words, top):
        assert set(one.lanes) == {"text", "bm25", "figure_words"}
        assert (one.lanes["bm25"][3:] == 0).all()
        assert np.isnan(one.lanes["figure_words"]).tolist() == [True] * 3 + [False] * 3
        assert not np.isnan(one.lanes["text"][:3]).any()
    (bananas,) = [one for one in asked_beside(encoder, pictures, words, top) if one.answers.sum() == 2]
    assert bananas.lanes["bm25"].argmax() == 1  # where the manual has the word


def test_figures_are_scored_by_the_head_that_is_given(encoder, pictures, words, top) -> None:
    (cow,) = [
        one
        for one in asked_beside(encoder, pictures, words, top)
        if one.answers.sum() == 1 and one.answers[3:].any()
    ]
    seen = torch.from_numpy(pictures.features[:, 0])
    with torch.inference_mode():
        figures = words.figures(seen, top.classify(seen)).numpy()
    expected = figures @ encoder.encode_query(Query.of("A cow.")).fields["figure_words"][0, 0]
    assert sorted(cow.lanes["figure_words"][3:]) == pytest.approx(sorted(expected), abs=1e-5)
    assert cow.lanes["figure_words"][cow.answers] == pytest.approx(expected[2:], abs=1e-5)


def test_the_draw_depends_on_the_seed_alone(encoder, pictures, words, top) -> None:
    def drawn(seed: int) -> list[tuple[list[bool], list[float]]]:
        found = asked_beside(encoder, pictures, words, top, seed)
        return [(one.answers.tolist(), one.lanes["figure_words"][3:].tolist()) for one in found]

    assert drawn(3) == drawn(3)
    assert any(drawn(seed) != drawn(3) for seed in (4, 5, 6))
