"""All stored units of a library, one after another, as whoever trains on them reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from tests.helpers.tiny_encoder import TinyEncoder

from plait import Library
from plait.errors import InputError
from plait.schema import Document, Segment


def document(name: str, sections: int) -> Document:
    segments = (
        Segment("text", f"words {place} of {name}", section=(f"{place}",)) for place in range(sections)
    )
    return Document(name, name.title(), f"{name}.md", segments=tuple(segments))


def test_units_come_by_source_and_place_each_once(tmp_path: Path) -> None:
    with Library(tmp_path, encoder=TinyEncoder()) as library:
        library.add_documents([document("b", 150), document("c", 1), document("a", 3)])
        units = list(library.units())
        assert [unit.id for unit in units] == [
            *(f"a:{place}" for place in range(3)), *(f"b:{place}" for place in range(150)), "c:0"
        ]  # fmt: skip
        assert units[40].passages[0].text == "words 37 of b"
        assert all(library.unit(unit.id) == unit for unit in units[::50])


def test_their_pictures_are_found_from_anywhere(tmp_path: Path) -> None:
    Image.new("RGB", (60, 40), "red").save(tmp_path / "part.png")
    (tmp_path / "page.md").write_text("# Part\n\nThe part is red.\n\n![the part](part.png)\n")
    with Library(tmp_path, encoder=TinyEncoder()) as library:
        library.add([tmp_path / "page.md"])
        (unit,) = library.units()
        (figure,) = unit.figures
        assert figure.picture is not None
        assert Path(figure.picture.path).is_absolute()
        with Image.open(figure.picture.path) as picture:
            assert picture.size == (60, 40)


def test_what_is_added_meanwhile_does_not_come(tmp_path: Path) -> None:
    with Library(tmp_path, encoder=TinyEncoder()) as library:
        library.add_documents([document("a", 100)])
        units = library.units()
        first = next(units)
        library.add_documents([document("b", 2)])
        assert [first.document_id, *{unit.document_id for unit in units}] == ["a", "a"]
        assert len(list(library.units())) == 102


def test_a_library_without_documents_has_none(tmp_path: Path) -> None:
    with Library(tmp_path, encoder=TinyEncoder()) as library:
        assert list(library.units()) == []


def test_the_parts_of_a_stored_document_know_their_neighbours(tmp_path: Path) -> None:
    Image.new("RGB", (60, 40), "red").save(tmp_path / "part.png")
    (tmp_path / "page.md").write_text(
        "# Part\n\nThe part is red.\n\n![the part](part.png)\n\n## Use\n\nTurn it.\n"
    )
    with Library(tmp_path, encoder=TinyEncoder()) as library:
        library.add([tmp_path / "page.md"])
        (stored,) = library.documents()
        first, second = library.parts(stored.id).of_kind("section")
        assert (first.title, second.title) == ("Part", "Use")
        assert (first.next, second.previous, second.parent) == (second.id, first.id, first.id)
        figure = library.part(f"{first.id}.f0")
        assert figure is not None
        assert figure.parent == first.id
        assert figure.picture is not None
        assert Path(figure.picture.path).is_file()
        assert library.part("nothing:0.f0") is None
        assert library.part(f"{first.id}.f7") is None
        with pytest.raises(InputError, match="no document with id 'nothing'"):
            library.parts("nothing")
