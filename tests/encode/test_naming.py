"""Which names of files say what a picture shows."""

import pytest

from plait.encode.naming import telling_texts, tells
from plait.schema import Passage, Picture, Segment, Unit

SILENT = (
    "0012",
    "IMG 0042",
    "img20240501",
    "DSC00017",
    "P1010023",
    "PXL 20240501 101112345",
    "3f2a9c41",
    "Screenshot 2024 05 01 at 10.11.12 PM",
    "WhatsApp Image 2024 05 01",
    "untitled (3)",
    "Scan 7 copy",
    "x",
    "",
)
TELLING = ("red kayak 2", "ox", "IMG 0042 grandmother", "scanned letters", "猫", "Fußgänger", "file cabinet")


@pytest.mark.parametrize("name", SILENT)
def test_names_that_devices_give_say_nothing(name: str) -> None:
    assert not tells(name)


@pytest.mark.parametrize("name", TELLING)
def test_names_that_hold_a_word_say_something(name: str) -> None:
    assert tells(name)


def unit(
    title: str, *, caption: str = "", section: tuple[str, ...] = (), passages: tuple[Passage, ...] = ()
) -> Unit:
    figure = Segment("image", caption=caption, picture=Picture("p.png", "0" * 64, 9, 9))
    return Unit("a:0", "a", 0, title, section, passages=passages, figures=(figure,))


def test_a_picture_is_read_by_a_name_that_says_something_and_not_by_one_that_does_not() -> None:
    assert telling_texts(unit("red kayak")) == [""]
    assert telling_texts(unit("0012")) == []


def test_words_of_its_own_are_read_whatever_the_name() -> None:
    assert telling_texts(unit("0012", caption="A kayak")) == ["A kayak"]
    assert telling_texts(unit("0012", passages=(Passage("A kayak."),))) == ["A kayak."]
    assert telling_texts(unit("0012", section=("Boats",))) == [""]
