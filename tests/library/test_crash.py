"""A library killed while it adds files with pictures: whole documents, and adding again completes it."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from tests.helpers.tiny_encoder import TinyEncoder
from tests.index.soak.killing import Writer
from tests.library import crash_worker

from plait import Library, Query

PAGES = 5
KILLS = 8


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
@pytest.mark.parametrize("what", ["add", "compact"])
def test_killed_at_any_step_a_library_holds_whole_documents_and_is_completed_by_doing_it_again(
    tmp_path, what
):
    chance = random.Random(5)
    folder = tmp_path / "manual"
    killed = 0
    with Writer(tmp_path, "tests.library.crash_worker") as writer:
        usual, seconds = measured(writer, folder, what)
        for generation in range(2, 2 + KILLS):
            write_pages(folder, generation)
            if what == "compact":
                add(folder)
                remove_one(folder)
            adding = Adding()
            hooked = writer.hooked and generation % 4
            order = {
                "folder": str(folder),
                "what": what,
                "call": chance.randint(1, usual) if hooked else 0,
                "how": chance.randrange(3),
                "kill": {"seconds": 10 if hooked else chance.random() * seconds},
            }
            writer.run(order, adding)
            assert not adding.problems
            killed += adding.calls is None
            assert nobody_reads(folder)
            check_whole(folder, {generation} if what == "compact" else {generation - 1, generation})
            if what == "add":
                add(folder)
                check_whole(folder, {generation})
            check_nothing_left(folder)
    assert killed >= KILLS // 3


@pytest.mark.slow
def test_a_library_killed_while_it_is_made_is_made_by_adding_again(tmp_path):
    chance = random.Random(6)
    with Writer(tmp_path, "tests.library.crash_worker") as writer:
        usual, seconds = measured(writer, tmp_path / "first", "add")
        for number in range(KILLS // 2):
            folder = tmp_path / f"manual{number}"
            write_pages(folder, 1)
            adding = Adding()
            call, how = (chance.randint(1, usual), chance.randrange(3)) if writer.hooked else (0, 0)
            kill = {"seconds": 10 if writer.hooked else chance.random() * seconds}
            writer.run({"folder": str(folder), "what": "add", "call": call, "how": how, "kill": kill}, adding)
            assert not adding.problems
            add(folder)
            check_whole(folder, {1})
            check_nothing_left(folder)


def measured(writer: Writer, folder: Path, what: str) -> tuple[int, float]:
    """Return how many calls and seconds a change of every page takes."""
    for generation in (0, 1):
        write_pages(folder, generation)
        if generation == 0 or what == "compact":
            add(folder)
            remove_one(folder)
    adding = Adding()
    began = time.monotonic()
    order = {"folder": str(folder), "what": what, "call": 0, "how": 0, "kill": {"seconds": 10}}
    writer.run(order, adding)
    assert not adding.problems
    assert adding.calls is not None
    return max(adding.calls, 1), time.monotonic() - began


def write_pages(folder: Path, generation: int) -> None:
    folder.mkdir(exist_ok=True)
    for number in range(PAGES):
        image = Image.new("RGB", (60, 60), "white")
        ImageDraw.Draw(image).rectangle((5, 5, 20 + 5 * number, 50), fill=colour(number, generation))
        image.save(folder / f"p{number}.png")
        (folder / f"p{number}.html").write_text(
            f"<html><head><title>Page {number}</title></head><body>"
            f"<h1>First</h1><p>number{number} generation{generation} begins here.</p>"
            f'<figure><img src="p{number}.png"><figcaption>Figure of {generation}</figcaption></figure>'
            f"<h1>Second</h1><p>number{number} generation{generation} ends here.</p></body></html>"
        )


def colour(number: int, generation: int) -> tuple[int, int, int]:
    return (37 * generation % 256, 91 * number % 256, 53 * (generation + number) % 256)


def remove_one(folder: Path) -> None:
    """Add two more pages and remove one, so that a piece of the store is half deleted."""
    more = [folder / "more" / f"{name}.html" for name in ("kept", "gone")]
    for path in more:
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"<h1>{path.stem}</h1><p>Another page.</p>")
    with Library(folder, encoder=TinyEncoder()) as library:
        library.remove(["more"])
        library.add(more)
        assert library.remove([more[1]]) == 1
    more[1].unlink()


def add(folder: Path) -> None:
    with Library(folder, encoder=TinyEncoder()) as library:
        report = library.add([folder])
        assert not report.failed


def check_whole(folder: Path, generations: set[int]) -> None:
    """Every page is of one of the generations, in its words and in its picture, which is there."""
    with Library(folder, encoder=TinyEncoder(), create=False) as library:
        assert library.verify().problems == []
        documents = [one for one in library.documents() if not one.source.startswith("more")]
        assert [document.source for document in documents] == [f"p{n}.html" for n in range(PAGES)]
        units = list(library.units())
        for document in documents:
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


def check_nothing_left(folder: Path) -> None:
    """Once compacted, no file is there that nothing refers to."""
    with Library(folder, encoder=TinyEncoder(), create=False) as library:
        library.compact()
        pictures = {Path(picture.path) for unit in library.units() for picture in unit.pictures}
        assert set((library.folder / "pictures").glob("*/*")) == pictures
        assert not list((library.folder / "spool").glob("*"))
        assert not list(library.folder.rglob(".new-*"))
        assert not list(library.folder.rglob(".tmp*"))


def nobody_reads(folder: Path, seconds: float = 10) -> bool:
    """Return whether every process that read files for the writer of a folder has ended, soon."""
    mark = f"{crash_worker.MARK}={folder}".encode()
    end = time.monotonic() + seconds
    while any(mark in environment_of(process) for process in Path("/proc").glob("[0-9]*")):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def environment_of(process: Path) -> bytes:
    """Return what a process was started with; nothing of one that has ended or belongs to others."""
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""
