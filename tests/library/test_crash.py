"""A library killed while it adds files with pictures: whole documents, and adding again completes it."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from tests.helpers.tiny_encoder import TinyEncoder
from tests.index.soak.killing import Writer

from plait import Library, Query

PAGES = 5
KILLS = 12


class Adding:
    """What is known of one `add` in another process, from its lines."""

    def __init__(self) -> None:
        self.pid = 0
        self.calls: int | None = None
        self.problems: list[str] = []

    def hear(self, line: str) -> bool:
        word, _, rest = line.partition(" ")
        if word == "pid":
            self.pid = int(rest)
        elif word == "done":
            self.calls = int(rest)
        elif word == "problem":
            self.problems.append(rest)
        return word == "begin"


@pytest.mark.slow
def test_killed_at_any_step_a_library_holds_whole_documents_and_is_completed_by_adding_again(tmp_path):
    chance = random.Random(5)
    folder = tmp_path / "manual"
    folder.mkdir()
    write_pages(folder, 0)
    add(folder)
    killed = 0
    with Writer(tmp_path, "tests.library.crash_worker") as writer:
        usual, seconds = measured(writer, folder)
        for generation in range(2, 2 + KILLS):
            write_pages(folder, generation)
            adding = Adding()
            hooked = writer.hooked and generation % 4
            order = {
                "folder": str(folder),
                "call": chance.randint(1, usual) if hooked else 0,
                "how": chance.randrange(3),
                "kill": {"seconds": 10 if hooked else chance.random() * seconds},
            }
            writer.run(order, adding)
            assert not adding.problems
            killed += adding.calls is None
            assert nobody_left(adding.pid)
            check_whole(folder, {generation - 1, generation})
            add(folder)
            check_whole(folder, {generation})
    assert killed >= KILLS // 2


def measured(writer: Writer, folder: Path) -> tuple[int, float]:
    """Return how many calls and seconds an `add` takes that changes every page."""
    write_pages(folder, 1)
    adding = Adding()
    began = time.monotonic()
    writer.run({"folder": str(folder), "call": 0, "how": 0, "kill": {"seconds": 10}}, adding)
    assert not adding.problems
    assert adding.calls is not None
    return max(adding.calls, 1), time.monotonic() - began


def write_pages(folder: Path, generation: int) -> None:
    for number in range(PAGES):
        image = Image.new("RGB", (60, 60), "white")
        ImageDraw.Draw(image).rectangle((5, 5, 20 + 5 * number, 50), fill=colour(number, generation))
        image.save(folder / f"p{number}.png")
        (folder / f"p{number}.html").write_text(
            f"<html><head><title>Page {number}</title></head><body>"
            f"<h1>First</h1><p>number{number} generation{generation} begins here.</p>"
            f'<figure><img src="p{number}.png" alt=""><figcaption>Figure of {generation}</figcaption></figure>'
            f"<h1>Second</h1><p>number{number} generation{generation} ends here.</p></body></html>"
        )


def colour(number: int, generation: int) -> tuple[int, int, int]:
    return (37 * generation % 256, 91 * number % 256, 53 * (generation + number) % 256)


def add(folder: Path) -> None:
    with Library(folder, encoder=TinyEncoder()) as library:
        report = library.add([folder])
        assert not report.failed


def check_whole(folder: Path, generations: set[int]) -> None:
    """Every page is of one of the generations, in its words and in its picture, which is there."""
    with Library(folder, encoder=TinyEncoder(), create=False) as library:
        pictures = set()
        assert [document.source for document in library.documents()] == [f"p{n}.html" for n in range(PAGES)]
        units = list(library.units())
        for document in library.documents():
            own = [unit for unit in units if unit.document_id == document.id]
            seen = {word for unit in own for word in unit.text.split() if word.startswith("generation")}
            assert len(seen) == 1
            generation = int(seen.pop().removeprefix("generation"))
            assert generation in generations
            assert document.units == len(own) > 0
            assert document.figures == sum(len(unit.figures) for unit in own) == 1
            (figure,) = (figure for unit in own for figure in unit.figures)
            assert figure.caption == f"Figure of {generation}"
            number = int(document.source[1])
            with Image.open(figure.picture.path) as image:
                assert image.getpixel((10, 10)) == colour(number, generation)
            hits = library.search(Query.of(image=figure.picture.path), k=1)
            assert hits[0].document_id == document.id
            words = library.search(Query.of(f"number{number} generation{generation}"), k=1, lanes=["bm25"])
            assert words[0].document_id == document.id
            pictures.add(Path(figure.picture.path))
        if len(generations) == 1:
            library.compact()
            assert set((library.folder / "pictures").glob("*/*")) == pictures
            assert not list((library.folder / "spool").glob("*"))
            assert not list(library.folder.glob(".new-*"))


def nobody_left(session: int, seconds: float = 10) -> bool:
    """Return whether every process of a session has ended, soon."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not any(session_of(entry) == session for entry in os.listdir("/proc") if entry.isdigit()):
            return True
        time.sleep(0.05)
    return False


def session_of(process: str) -> int | None:
    """Return the session of a process that has not ended; None of any other."""
    try:
        facts = Path("/proc", process, "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if facts[0] == "Z" else int(facts[3])
