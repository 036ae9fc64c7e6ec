"""Near duplicates: what counts as the same, and what does not."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from plait.index.lexical import words
from plait.schema import Passage, Picture, Segment, Unit
from plait.search.sameness import content, nearly_same

TEXT = (
    "Close the safety valve before you open the boiler and drain all of the water that is left in the tank."
)


def unit(*texts: str, figures: tuple[Picture, ...] = (), caption: str = "") -> Unit:
    shown = tuple(Segment("image", picture=picture, caption=caption) for picture in figures)
    return Unit("D:0", "D", 0, "Title", passages=tuple(map(Passage, texts)), figures=shown)


@pytest.fixture
def drawn(tmp_path: Path):
    """Return a function that draws a picture and saves it at a size, as PNG or JPEG."""

    def draw(shape: str, name: str, size: tuple[int, int] = (300, 200)) -> Picture:
        image = Image.new("RGB", (300, 200), "white")
        getattr(ImageDraw.Draw(image), shape)((60, 40, 240, 160), fill="navy", outline="red", width=6)
        image.resize(size, Image.Resampling.LANCZOS).save(tmp_path / name, quality=85)
        return Picture(name, sha256((tmp_path / name).read_bytes()).hexdigest(), *size)

    return draw


def test_a_copy_with_another_word_is_the_same(tmp_path: Path) -> None:
    copy = TEXT.replace("drain all", "empty all")
    # 20 words have 18 runs of three; one other word breaks three of them: 15 of 21 are in both
    assert not nearly_same(content(unit(TEXT)), content(unit(copy)), tmp_path)
    # in four times as many words it breaks three of 80 and more: 77 of 81
    assert nearly_same(content(unit(*[TEXT] * 3, TEXT)), content(unit(*[TEXT] * 3, copy)), tmp_path)


def test_how_words_are_written_and_parted_does_not_matter(tmp_path: Path) -> None:
    first, comma, last = TEXT.partition(" boiler")
    halves = (first.upper(), comma + last + "!")
    assert nearly_same(content(unit(TEXT)), content(unit(*halves)), tmp_path)


def test_few_words_are_no_evidence(tmp_path: Path) -> None:
    assert not nearly_same(content(unit("See overleaf.")), content(unit("See overleaf.")), tmp_path)


def test_the_same_words_with_another_picture_are_not_the_same(tmp_path: Path, drawn) -> None:
    round_one, square = drawn("ellipse", "a.png"), drawn("rectangle", "b.png")
    one, other = (content(unit(TEXT, figures=(picture,))) for picture in (round_one, square))
    assert not nearly_same(one, other, tmp_path)
    assert not nearly_same(one, content(unit(TEXT)), tmp_path)


def test_a_smaller_and_recompressed_picture_is_the_same(tmp_path: Path, drawn) -> None:
    large, small = drawn("ellipse", "a.png"), drawn("ellipse", "b.jpg", (150, 100))
    one, other = (content(unit(figures=(picture,))) for picture in (large, small))
    assert large.sha256 != small.sha256
    assert nearly_same(one, other, tmp_path)
    assert not nearly_same(one, other, None)  # by the files alone


def test_a_stretched_picture_and_one_that_is_gone_are_not_the_same(tmp_path: Path, drawn) -> None:
    one = content(unit(figures=(drawn("ellipse", "a.png"),)))
    assert not nearly_same(one, content(unit(figures=(drawn("ellipse", "b.png", (300, 240)),))), tmp_path)
    gone = drawn("ellipse", "c.jpg", (150, 100))
    (tmp_path / "c.jpg").unlink()
    assert not nearly_same(one, content(unit(figures=(gone,))), tmp_path)


def test_a_part_is_what_it_is_without_its_unit(tmp_path: Path, drawn) -> None:
    picture = drawn("ellipse", "a.png")
    one = unit("Something else entirely.", TEXT, figures=(picture,), caption="A valve")
    other = unit(TEXT, figures=(picture,), caption="Figure 9")
    assert nearly_same(content(one, "p1"), content(other, "p0"), tmp_path)
    assert nearly_same(content(one, "f0"), content(other, "f0"), tmp_path)
    assert not nearly_same(content(one, "p0"), content(other, "p0"), tmp_path)


def shingles(text: str) -> set[tuple[str, ...]]:
    every = words(text, language="none")
    return {tuple(every[at : at + 3]) for at in range(max(1, len(every) - 2))} if every else set()


SPOKEN = st.sampled_from(
    [*(f"word{n}" for n in range(300)), "Don't", "x_y", "2.10", "été,", "(Ω)", "世界の人々が", "valve"]
)


@settings(max_examples=60)
@given(st.data())
def test_texts_are_the_same_if_four_fifths_of_their_threes_of_words_are(data) -> None:
    one = data.draw(st.lists(SPOKEN, min_size=8, max_size=60))
    other = list(one)
    for at in data.draw(st.lists(st.integers(0, len(other) - 1), max_size=3)):
        other[at] = data.draw(SPOKEN)
    texts = " ".join(one), "\n".join(other).upper()
    some, others = map(shingles, texts)
    expected = len(some & others) >= 0.8 * len(some | others)
    assert nearly_same(content(unit(texts[0])), content(unit(texts[1])), None) == expected


def test_a_sentence_without_spaces_is_the_same_but_for_a_few_signs(tmp_path: Path) -> None:
    text = "".join(chr(0x4E00 + 7 * n) for n in range(120))
    changed = text[:60] + "人" + text[61:]
    assert nearly_same(content(unit(text)), content(unit(changed)), tmp_path)  # 114 of 122 threes of pairs
    assert not nearly_same(content(unit(text)), content(unit(text[::-1])), tmp_path)
