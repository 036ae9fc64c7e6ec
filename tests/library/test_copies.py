"""Snapshots to go back to, and compaction after which nothing removed is left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.libraries import answers, flip, make_library, write_page
from tests.helpers.tiny_encoder import TinyEncoder

from plait import Library, Query
from plait.errors import InputError, LibraryFormatError
from plait.index.scan.segment import Segment
from plait.library import snapshots
from plait.library.folder import LibraryFolder
from plait.settings import Settings

READER = """
import sys
from tests.helpers.libraries import QUERIES
from tests.helpers.tiny_encoder import TinyEncoder
from plait import Library, Query

with Library(sys.argv[1], encoder=TinyEncoder()) as library:
    for line in sys.stdin:
        hits = [hit for text in QUERIES for hit in library.search(Query.of(text))]
        print(sorted({hit.source + hit.passage for hit in hits}), flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> LibraryFolder:
    return make_library(tmp_path / "manual")


def change(folder: LibraryFolder) -> None:
    """Remove a document, change another and add a third."""
    with Library(folder.root, encoder=TinyEncoder()) as library:
        library.remove(["boiler.html"])
        write_page(folder.root, "grinder", "Now it has a lever.", "green")
        write_page(folder.root, "scale", "Weigh the beans.", "yellow")
        library.add([folder.root / "grinder.html", folder.root / "scale.html"])


def test_a_restored_library_answers_as_when_it_was_saved(folder: LibraryFolder) -> None:
    before = answers(folder.root)
    with Library(folder.root, encoder=TinyEncoder()) as library:
        info = library.save_snapshot("before")
        assert (info.name, info.documents, info.units) == ("before", 3, 6)
        change(folder)
        library.compact()
        assert answers(folder.root) != before
        library.restore("before")
        assert [h.source for h in library.search(Query.of("descale the boiler"), k=1)] == ["boiler.html"]
        assert library.verify().problems == []
    assert answers(folder.root) == before


def test_a_searching_process_goes_on_through_a_restore(folder: LibraryFolder) -> None:
    command = [sys.executable, "-c", READER, str(folder.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None

        def ask() -> str:
            print(file=reader.stdin, flush=True)
            return reader.stdout.readline()

        first = ask()
        snapshots.save(folder, "first")
        change(folder)
        second = ask()
        snapshots.restore(folder, "first")
        assert ask() == first != second
        with Library(folder.root, encoder=TinyEncoder()) as library:
            library.compact()
        assert ask() == first


def test_snapshots_are_listed_and_deleted(folder: LibraryFolder) -> None:
    before = answers(folder.root)
    assert snapshots.saved(folder) == []
    snapshots.save(folder, "one")
    snapshots.save(folder, "two")
    assert {info.name for info in snapshots.saved(folder)} == {"one", "two"}
    snapshots.delete(folder, "one")
    assert [info.name for info in snapshots.saved(folder)] == ["two"]
    assert answers(folder.root) == before


def test_a_snapshot_shares_its_files_and_outlives_the_library_s(folder: LibraryFolder) -> None:
    snapshots.save(folder, "kept")
    saved = folder.path / "snapshots" / "kept"
    for pattern in ("store/units.lance/data/*", "pictures/*/*"):
        for file in saved.glob(pattern):
            assert file.samefile(folder.path / file.relative_to(saved))
    change(folder)
    with Library(folder.root, encoder=TinyEncoder()) as library:
        library.compact()
    assert {h[1] for hits in answers_of(saved) for h in hits} >= {"boiler.html", "grinder.html"}


def answers_of(saved: Path) -> list[list[tuple[object, ...]]]:
    """Search a snapshot, which is a library, through a name that makes it one."""
    link = saved.parent.parent.parent / "elsewhere"
    link.mkdir()
    (link / ".plait").symlink_to(saved)
    return answers(link)


@pytest.mark.parametrize("name", ["", ".hidden", "../out", "a/b", "x" * 65])
def test_a_name_that_is_no_name_is_refused(folder: LibraryFolder, name: str) -> None:
    with pytest.raises(InputError, match="cannot name a snapshot"):
        snapshots.save(folder, name)


def test_a_name_taken_or_unknown_is_refused(folder: LibraryFolder) -> None:
    snapshots.save(folder, "one")
    with pytest.raises(InputError, match="there is a snapshot 'one' already"):
        snapshots.save(folder, "one")
    for call in (snapshots.restore, snapshots.delete):
        with pytest.raises(InputError, match="no snapshot 'two': there are one"):
            call(folder, "two")


def test_a_damaged_snapshot_is_found_and_changes_nothing(folder: LibraryFolder) -> None:
    snapshots.save(folder, "first")
    change(folder)
    with Library(folder.root, encoder=TinyEncoder()) as library:
        library.compact()
        before = answers(folder.root)
        (data, *_) = (folder.path / "snapshots").rglob("data/*.lance")
        flip(data)
        (finding,) = library.verify().problems
        assert (finding.kind, data.name in finding.where) == ("snapshot", True)
        with pytest.raises(LibraryFormatError, match="snapshot 'first' is damaged, nothing was changed"):
            library.restore("first")
    assert answers(folder.root) == before


def test_of_a_removed_document_no_byte_is_left_after_compaction(tmp_path: Path) -> None:
    secret = "zanzibarquokka"
    folder = make_library(tmp_path / "manual", Settings(exact_mb=0))
    page = write_page(folder.root, "secret", f"The word is {secret}.", "purple")
    with Library(folder.root, encoder=TinyEncoder(), settings=Settings(exact_mb=0)) as library:
        library.add([page])
        (secret_vectors,) = {bytes_of(path) for path in vectors_of(folder, secret)}
        picture = {p.name for p in (folder.path / "pictures").glob("*/*")}
        assert holding(folder, secret.encode()) or holding(folder, b"secret.html")
        assert holding(folder, secret_vectors)
        library.remove(["secret.html"])
        (folder.path / "spool").mkdir()
        (folder.path / "spool" / "half").write_text(secret)
        left = folder.store / "units.lance" / "data" / "of-a-killed-writer.lance"
        left.write_bytes(secret.encode() + secret_vectors)
        report = library.compact()
        assert report.bytes_after < report.bytes_before
        for trace in (secret.encode(), b"secret.html", secret_vectors):
            assert holding(folder, trace) == []
        assert len(picture) - len({p.name for p in (folder.path / "pictures").glob("*/*")}) == 1
        assert not any(secret in text for text in texts_of(folder))
        assert library.verify().findings == []


def vectors_of(folder: LibraryFolder, word: str) -> list[np.ndarray]:
    from plait.library import table

    rows = [row for some in table.every_row(folder.store) for row in some.to_pylist()]
    return [np.array(row["text_vectors"], np.float16) for row in rows if word in (row["unit"] or "")]


def bytes_of(vectors: np.ndarray) -> bytes:
    return vectors[0].tobytes()


def holding(folder: LibraryFolder, trace: bytes) -> list[str]:
    """Return the files that hold some bytes as they are."""
    return [str(f) for f in folder.path.rglob("*") if f.is_file() and trace in f.read_bytes()]


def texts_of(folder: LibraryFolder) -> list[str]:
    """Return what is stored compressed: every text cell, and the list of documents."""
    from plait.library import seals, table

    cells = [str(row) for some in table.every_row(folder.store) for row in some.to_pylist()]
    return [*cells, *seals.catalogue(folder)]


def test_compaction_names_what_still_holds_old_documents(folder: LibraryFolder) -> None:
    snapshots.save(folder, "kept")
    (folder.path / "quarantine").mkdir()
    with Library(folder.root, encoder=TinyEncoder()) as library:
        report = library.compact()
    assert (report.snapshots, report.has_quarantine) == (("kept",), True)
    assert json.loads(json.dumps(report.to_dict()))["snapshots"] == ["kept"]


def test_compaction_keeps_scan_files_of_what_is_there(tmp_path: Path) -> None:
    folder = make_library(tmp_path / "manual", Settings(exact_mb=0))
    with Library(folder.root, encoder=TinyEncoder(), settings=Settings(exact_mb=0)) as library:
        library.remove(["boiler.html"])
        library.compact()
        for file in folder.store.rglob("*.scan"):
            segment = Segment.open(file)
            assert segment.problems() == []
            segment.close()
        assert {d.source for d in library.documents()} == {"grinder.html", "warranty.html"}
