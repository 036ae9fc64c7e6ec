"""Hostile files, all in one go: each ends as a document or as a reason, and nothing gets out or stays."""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from tests.data.readers.hostile import archives, markup, pdfs, pictures, places, texts
from tests.data.readers.hostile.lures import SECRET, SECRET_COLOUR, Lures

from plait.data.readers.base import ReadLimits
from plait.data.readers.sandbox.pool import Outcome, ReaderPool
from plait.errors import ReadError
from plait.schema import Document

LIMITS = ReadLimits(
    memory_mb=700,
    cpu_seconds=2,
    wall_seconds=30,
    max_pixels=10_000_000,
    max_file_mb=64,
    max_pages=100,
    max_unpacked_mb=40,
    max_attachments=100,
    page_dpi=20,
    figure_dpi=40,
    ocr="off",
)
GROUPS = (pdfs, archives, pictures, markup, texts)


@dataclass(frozen=True)
class File:
    path: Path
    source: str
    root: Path


@dataclass
class Reading:
    """What came of the whole corpus.

    Attributes:
        outcomes: source -> outcome of each file and each attachment.
        leaks: sources in whose words or pictures a secret was found.
        grown_mb: how much more memory this process held at its peak.
        changed: files outside of the spool that are new, gone or other than before.
        left: what was left in the spool after each outcome's folder was deleted.
        visitors: who came to the socket that listens.
        children: reading processes that live on.
    """

    outcomes: dict[str, Outcome[File]]
    leaks: list[str]
    grown_mb: float
    changed: set[object]
    left: list[str]
    visitors: int
    children: set[str]


@pytest.fixture(scope="module")
def reading(tmp_path_factory) -> Iterator[Reading]:
    place = tmp_path_factory.mktemp("hostile")
    inside, outside, spool = (place / name for name in ("inside", "outside", "spool"))
    for folder in (inside, outside, spool):
        folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        lures = Lures.laid(outside, listener)
        for group in GROUPS:
            for name, data in group.files(lures):
                (inside / name).write_bytes(data)
        names = sorted(os.listdir(inside))
        with places.laid(inside, lures) as paths:
            files = [File(inside / name, name, inside) for name in names]
            files += [File(path, f"{i}: {path.name!a}", inside) for i, path in enumerate(paths)]
            yield read_all(files, inside, outside, spool, listener)


def read_all(files: list[File], inside: Path, outside: Path, spool: Path, listener: socket.socket) -> Reading:
    before, children = state(inside, outside), children_of_this()
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    peak = peak_mb()
    outcomes: dict[str, Outcome[File]] = {}
    leaks = []
    with ReaderPool(2, LIMITS, [inside]) as pool:
        for outcome in pool.read_many(files, spool=spool):
            assert outcome.source not in outcomes
            outcomes[outcome.source] = outcome
            leaks += [outcome.source] if leaked(outcome) else []
            shutil.rmtree(outcome.spool)
    visitors = 0
    try:
        listener.accept()
        visitors = 1
    except BlockingIOError:
        pass
    changed = before ^ state(inside, outside)
    grown = peak_mb() - peak
    return Reading(
        outcomes, leaks, grown, changed, os.listdir(spool), visitors, children_of_this() - children
    )


def leaked(outcome: Outcome[File]) -> bool:
    """Tell whether a secret is in a document's words, or in its pictures."""
    if SECRET in repr(outcome.result):
        return True
    for path in outcome.spool.iterdir():
        if SECRET.encode() in path.read_bytes():
            return True
        with Image.open(path) as image:
            image.thumbnail((300, 300), Image.Resampling.NEAREST)
            if SECRET_COLOUR in {colour for _, colour in image.convert("RGB").getcolors(2**24)}:
                return True
    return False


def state(*folders: Path) -> set[object]:
    found: set[object] = set()
    for folder in folders:
        for path in (folder, *folder.rglob("*")):
            seen = path.lstat()
            found.add((str(path), seen.st_size, seen.st_mode, seen.st_mtime_ns))
    return found


def peak_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0]) / 1024


def children_of_this() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def reason(reading: Reading, source: str) -> str:
    result = reading.outcomes[source].result
    assert isinstance(result, ReadError), f"{source} became a document"
    assert result.source == source
    assert result.remedy
    return result.reason


def words(reading: Reading, source: str) -> str:
    result = reading.outcomes[source].result
    assert isinstance(result, Document), result
    return "\n".join(segment.text for segment in result.segments)


def test_every_file_ends_as_a_document_or_a_reason(reading):
    last = [outcome for outcome in reading.outcomes.values() if outcome.is_last]
    assert len(last) > 180
    assert {outcome.source for outcome in last} == {outcome.item.source for outcome in last}
    for outcome in reading.outcomes.values():
        assert isinstance(outcome.result, Document) or (outcome.result.reason and outcome.result.remedy)


def test_no_reader_fails_by_a_mistake_of_its_own(reading):
    reasons = {
        source: outcome.result.reason
        for source, outcome in reading.outcomes.items()
        if isinstance(outcome.result, ReadError)
    }
    assert {
        source: why for source, why in reasons.items() if "its parser" in why or "its reader" in why
    } == {}


def test_no_secret_is_read(reading):
    assert reading.leaks == []


def test_nobody_calls_the_network(reading):
    assert reading.visitors == 0


def test_nothing_is_written_outside_the_spool_and_nothing_stays_in_it(reading):
    assert reading.changed == set()
    assert reading.left == []


def test_this_process_stays_small_and_has_no_children_left(reading):
    assert reading.grown_mb < 150
    assert reading.children == set()


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("empty.pdf", "empty (0 bytes)"),
        ("text.pdf", "not a PDF"),
        ("cut-short.pdf", "damaged or cut short"),
        ("password.pdf", "password"),
        ("pattern-of-itself.pdf", "took longer than 2 s of CPU"),
        ("two-thousand-million-pixels.png", "more than 10,000,000 pixels"),
        ("cut-short.png", "damaged"),
        ("old.xls", "damaged"),
        ("cut-short.zip", "damaged"),
        ("ratio-bomb.zip", "unpacks to 80 MB"),
        ("overlapping.zip", "share their bytes"),
        ("locked.zip", "password"),
        ("bomb.pptx", "unpacks to 60 MB"),
        ("laughs.docx", "declares XML entities"),
        ("quadratic.docx", "declares XML entities"),
        ("entities.docx", "declares XML entities"),
        ("laughs.svg", "declares entities"),
        ("entity.svg", "declares entities"),
        ("deep.ipynb", "nests too deep"),
        ("deep-parts.eml", "nest"),
        ("noise.mkv", "cannot be opened"),
    ],
)
def test_the_reason_says_what_is_wrong(reading, source, part):
    assert part in reason(reading, source)


@pytest.mark.parametrize("source", ["form-fan-out.pdf", "content-bomb.pdf"])
def test_what_fills_memory_ends_at_the_limit_that_is_met_first(reading, source):
    """On a slow machine two seconds of CPU are over before 700 MB are full."""
    assert re.search("needed more than 700 MB|took longer than 2 s of CPU", reason(reading, source))


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("page-of-html.pdf", "The page was not found."),
        ("states.pdf", "Plain words of a page."),
        ("page-of-nan.pdf", "Plain words of a page."),
        ("lures.html", "Words."),
        ("more-lures.html", "Words."),
        ("book-of-lures.epub", "Words."),
        ("pictures-elsewhere.docx", "Plain words."),
        ("links.zip!/folder/secret.txt", "Inner words."),
        ("far-cell.xlsx", "Words."),
        ("other-places.eml", "Words."),
    ],
)
def test_what_can_be_read_is(reading, source, part):
    assert part in words(reading, source)


def test_a_hundred_thousand_pages_end_at_the_limit(reading):
    result = reading.outcomes["hundred-thousand-pages.pdf"].result
    assert len(result.pages) == LIMITS.max_pages
    assert "100 of its 100,000 pages" in result.warnings[0]


def test_members_of_archives_are_named_below_them(reading):
    start = "other-places.zip!/"
    held = [source.removeprefix(start) for source in reading.outcomes if source.startswith(start)]
    assert "$(touch evil).txt" in held
    assert "\n" not in "".join(held)
    assert not [name for name in held if ".." in name.split("/") or name.startswith(("/", "C:"))]


def test_of_places_only_plain_files_inside_are_read(reading):
    found = {
        source.partition(": ")[2].strip("'"): isinstance(outcome.result, Document)
        for source, outcome in reading.outcomes.items()
        if source.partition(":")[0].isdigit() and outcome.is_last
    }
    read = {name for name, is_read in found.items() if is_read}
    odd = {"new\\nline.txt", "\\udcff\\udcfe.txt", "-rf.txt", "bell\\x07 \\x1b[31m.txt", "$(a).txt"}
    assert read == {"plain.txt", "to-plain.txt", "x" * 250 + ".txt"} | odd
    assert {"folder.pdf", "pipe.txt", "socket.txt", "missing.txt", "to-itself.txt", "zero"} < set(found)


def test_a_link_out_of_the_folder_is_refused_by_name(reading):
    (source,) = (source for source in reading.outcomes if source.endswith(": 'to-secret.txt'"))
    assert "lies outside the folders that are read" in reason(reading, source)
