"""Each kind of encoder once a session, and the units and pictures that all are asked with."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from tests.helpers.encoders import CASES, Case

from plait.encode import Encoder
from plait.schema import Passage, Picture, Segment, Unit

COLOURS = ("red", "blue", "green")


@pytest.fixture(scope="session", params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture(scope="session")
def saved(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    case.save(folder)
    return folder


@pytest.fixture(scope="session")
def encoder(case: Case, saved: Path) -> Encoder:
    return case.load(saved)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return colour -> the path of a drawing in it."""
    folder = tmp_path_factory.mktemp("pictures")
    return {colour: drawn(folder / f"{colour}.png", colour) for colour in COLOURS}


@pytest.fixture(scope="session")
def units(pictures: dict[str, str]) -> dict[str, Unit]:
    """Return units of every shape, by what is special about them."""
    red, blue, green = (figure(pictures[colour], caption=f"a {colour} circle") for colour in COLOURS)
    texts = ("a red square", "the blue circle with grey paper", "turn left")
    return {
        "usual": unit(0, texts=texts, figures=[red]),
        "without figures": unit(1, texts=texts[1:]),
        "without words": unit(2, figures=[blue, green]),
        "bare": unit(3, title=""),
        "many figures": unit(4, texts=texts[:1], figures=[red, blue, green] * 5),
        "without captions": unit(5, title="", figures=[figure(pictures["red"])]),
    }


def unit(ordinal: int, *, title: str = "Paper", texts=(), figures=()) -> Unit:
    passages = tuple(Passage(text) for text in texts)
    return Unit(f"d:{ordinal}", "d", ordinal, title, passages=passages, figures=tuple(figures))


def figure(path: str, *, caption: str = "") -> Segment:
    return Segment("image", picture=Picture(path, Path(path).stem, 40, 30), caption=caption)


def long_text(last: str) -> str:
    """Return 480 words of which only the last may differ."""
    return "the blue circle of grey paper " * 80 + last


def drawn(path: Path, colour: str) -> str:
    picture = Image.new("RGB", (40, 30), "white")
    ImageDraw.Draw(picture).ellipse((5, 5, 30, 25), fill=colour)
    picture.save(path)
    return str(path)
