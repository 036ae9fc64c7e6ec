"""Pages are told whole, and looked at closely, as an assistant asks for them."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from tests.helpers.tiny_encoder import TinyEncoder

from plait.errors import InputError
from plait.library import Library
from plait.schema import Box, Document, Page, Picture, Segment
from plait.serve.mcp.forms import CropForm, PageForm
from plait.serve.mcp.looking import crop, open_page

SENTENCES = [f"Sentence {number} tells of the valve in quite a few plain words." for number in range(60)]
PLACE = Box(0.5, 0.25, 0.75, 0.5)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """A document of two pages with images, and one without pages, longer than a passage."""
    folder = tmp_path_factory.mktemp("looking")
    pages = tuple(Page(number, picture=_drawn(folder, number)) for number in (1, 2))
    paged = Document(
        "paged",
        "The manual",
        "manual.pdf",
        segments=(
            Segment("text", "The first page.", page=1, box=Box(0, 0, 1, 0.1)),
            Segment("text", "Close the valve.", page=2, box=PLACE),
        ),
        pages=pages,
    )
    long = Document("long", "Long", "long.txt", segments=(Segment("text", " ".join(SENTENCES)),))
    with Library(folder, encoder=TinyEncoder()) as opened:
        opened.add_documents([paged, long])
        yield opened


def _drawn(folder: Path, number: int) -> Picture:
    """Write an image of a page: white, with a black field at `PLACE`."""
    image = Image.new("RGB", (400, 400), "white")
    image.paste("black", (200, 100, 300, 200))
    image.putpixel((0, 0), (number, 0, 0))
    path = folder / f"page-{number}.png"
    image.save(path)
    return Picture(str(path), hashlib.sha256(path.read_bytes()).hexdigest(), 400, 400)


def test_the_words_of_overlapping_passages_come_once(library: Library) -> None:
    ids = [unit.id for unit in library.units() if unit.document_id == "long"]
    told = [str(open_page(library, PageForm(id=id)).structured["text"]) for id in ids]
    assert " ".join(" ".join(told).split()) == " ".join(SENTENCES)


def test_a_page_is_found_by_its_number_and_knows_its_neighbours(library: Library) -> None:
    page = open_page(library, PageForm(document_id="paged", page=2))
    assert page.structured["id"] == "paged:1"
    assert (page.structured["previous"], page.structured["next"]) == ("paged:0", "")
    assert [words for words, _ in page.pictures] == ["The image of paged:1"]
    with pytest.raises(InputError, match="pages 1 to 2"):
        open_page(library, PageForm(document_id="paged", page=3))


def test_a_passage_is_shown_in_its_place_on_the_page_with_a_margin(library: Library) -> None:
    answer = crop(library, CropForm(id="paged:1.p0"))
    box = answer.structured["box"]
    assert box == pytest.approx({"left": 0.48, "top": 0.23, "right": 0.77, "bottom": 0.52})
    ((_, block),) = answer.pictures
    image = Image.open(io.BytesIO(base64.b64decode(block.data))).convert("L")
    assert image.size == (464, 464)  # of 116 x 116 pixels, four times as large
    assert (image.getpixel((232, 232)), image.getpixel((4, 4))) == (0, 255)


def test_without_a_place_or_box_all_of_the_page_is_shown(library: Library) -> None:
    for id in ("paged:1", "paged"):
        answer = crop(library, CropForm(id=id))
        assert answer.structured["box"] is None
        assert "400 x 400 pixels" in answer.text
    with pytest.raises(InputError, match="no picture of long"):
        crop(library, CropForm(id="long:0"))
