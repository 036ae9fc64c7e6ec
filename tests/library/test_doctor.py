"""The doctor on real libraries that were really damaged: it finds it, mends it, or says what is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.helpers.libraries import (
    PAGES,
    answers,
    files_of,
    flip,
    make_library,
    rows_changed,
    with_cell,
    with_hurt_vector,
    write_page,
)
from tests.helpers.tiny_encoder import TinyEncoder

from plait import Library
from plait.errors import LibraryFormatError, LibraryLockedError
from plait.library import seals
from plait.library.diagnosis import Diagnosis, RepairReport
from plait.library.doctor import repair, verify
from plait.library.folder import LibraryFolder
from plait.library.manifest import FORMAT
from plait.settings import Settings

HINT = "store/units.lance/_versions/latest_version_hint.json"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> LibraryFolder:
    """A library that no test changes."""
    return make_library(tmp_path_factory.mktemp("original") / "manual")


@pytest.fixture
def folder(original: LibraryFolder, tmp_path: Path) -> LibraryFolder:
    """A copy of it, with its source files."""
    return copied(original, tmp_path)


def copied(original: LibraryFolder, to: Path) -> LibraryFolder:
    shutil.rmtree(to / "manual", ignore_errors=True)
    shutil.copytree(original.root, to / "manual")
    return LibraryFolder.at(to / "manual")


def mend(folder: LibraryFolder) -> RepairReport:
    return repair(folder, encoder=TinyEncoder, settings=Settings())


def no_encoder() -> TinyEncoder:
    raise AssertionError("nothing had to be encoded")


def problems(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    return [(finding.kind, finding.where) for finding in diagnosis.problems]


def without_sources(folder: LibraryFolder) -> None:
    for path in folder.root.iterdir():
        if path.is_file():
            path.unlink()


def test_a_sound_library_has_no_findings(original: LibraryFolder) -> None:
    diagnosis = verify(original)
    assert diagnosis.findings == []
    assert (diagnosis.documents, diagnosis.rows, diagnosis.pictures) == (3, 6, 2)
    sealed = len(seals.read(original)) - 1  # one of them is the list of documents, which is among the copies
    assert diagnosis.files >= 2 * sealed - 4


def test_mending_a_sound_library_changes_nothing(folder: LibraryFolder) -> None:
    before = {name: (folder.path / name).read_bytes() for name in files_of(folder)}
    report = repair(folder, encoder=no_encoder, settings=Settings())
    assert (report.done, report.lost) == ((), ())
    assert {name: (folder.path / name).read_bytes() for name in files_of(folder)} == before


def test_one_flipped_byte_in_any_file_is_found(original: LibraryFolder, tmp_path: Path) -> None:
    folder = copied(original, tmp_path)
    for name in files_of(folder):
        whole = (folder.path / name).read_bytes()
        flip(folder.path / name, seed=1)
        diagnosis = verify(folder)
        assert diagnosis.problems or name == HINT, name
        (folder.path / name).write_bytes(whole)
    assert verify(folder).findings == []


def test_no_search_depends_on_the_hint(folder: LibraryFolder) -> None:
    before = answers(folder.root)
    for hint in (b"", b"{}", b'{"version":1}', b'{"version":99}'):
        (folder.path / HINT).write_bytes(hint)
        assert answers(folder.root) == before
    assert [finding.where for finding in verify(folder).notes] == [HINT]


KINDS = {
    "library.json": "library.json",
    "its copy": "copies/library.json",
    "seals": "seals",
    "the copy of the seals": "copies/seals",
    "list of documents": "copies/documents.arrow",
    "rows": "store/units.lance/data/*",
    "list of a version's files": "store/units.lance/_versions/*.manifest",
    "deletions": "store/units.lance/_deletions/*",
    "transactions": "store/units.lance/_transactions/*",
    "a copy of a small file": "copies/store/units.lance/_versions/*",
    "picture": "pictures/*/*",
}


@pytest.mark.parametrize("pattern", KINDS.values(), ids=KINDS)
def test_one_flipped_byte_is_mended(folder: LibraryFolder, pattern: str) -> None:
    before = answers(folder.root)
    flip(max(folder.path.glob(pattern), key=lambda path: path.stat().st_size), seed=len(pattern))
    report = mend(folder)
    assert report.found.problems
    assert report.done
    assert (report.lost, report.left.problems) == ((), [])
    assert answers(folder.root) == before


@pytest.mark.slow
def test_one_flipped_byte_in_any_file_is_mended(original: LibraryFolder, tmp_path: Path) -> None:
    before = answers(original.root)
    for name in files_of(original):
        folder = copied(original, tmp_path)
        flip(folder.path / name, seed=3)
        report = mend(folder)
        assert (report.lost, report.left.problems) == ((), []), name
        assert answers(folder.root) == before, name


def test_scan_files_are_checked_and_made_again(tmp_path: Path) -> None:
    folder = make_library(tmp_path / "manual", Settings(exact_mb=0))
    (scan, *_) = sorted(folder.store.rglob("*.scan"))
    flip(scan)
    assert problems(verify(folder)) == [("scan", scan.relative_to(folder.path).as_posix())]
    assert mend(folder).left.is_healthy
    assert not scan.exists()


def test_hurt_vectors_are_encoded_again_even_if_the_source_is_gone(folder: LibraryFolder) -> None:
    before = answers(folder.root)
    without_sources(folder)
    with rows_changed(folder) as rows:
        rows[0] = with_hurt_vector(rows[0], "text_vectors", lambda values: np.copyto(values, np.nan))
        (shown,) = [i for i, row in enumerate(rows) if len(row["image_tokens_vectors"][0]) and i][:1]
        rows[shown] = with_hurt_vector(rows[shown], "image_tokens_vectors", lambda v: np.negative(v, out=v))
    assert [kind for kind, _ in problems(verify(folder))].count("row") == 2
    report = mend(folder)
    assert (report.lost, report.left.problems) == ((), [])
    assert all("encoded again" in sentence for sentence in report.done)
    assert answers(folder.root) == before


def test_hurt_words_are_read_again_from_the_source(folder: LibraryFolder) -> None:
    before = answers(folder.root)
    with rows_changed(folder) as rows:
        rows[1] = with_cell(rows[1], "unit", rows[1]["unit"][0].as_py().replace("Ask", "Axe"))
    report = mend(folder)
    assert report.lost == ()
    assert any("read again from its file" in sentence for sentence in report.done)
    assert answers(folder.root) == before
    assert report.left.is_healthy


def test_what_cannot_be_brought_back_is_set_aside_and_named(folder: LibraryFolder) -> None:
    before = answers(folder.root)
    write_page(folder.root, "grinder", "It has been changed since.", "blue")
    with rows_changed(folder) as rows:
        (hurt, *_) = [i for i, row in enumerate(rows) if row["source"][0].as_py() == "grinder.html"]
        rows[hurt] = with_cell(rows[hurt], "unit", rows[hurt]["unit"][0].as_py().replace("grind", "grand"))
    report = mend(folder)
    (sentence,) = report.lost
    assert sentence.startswith("grinder.html: taken out of the library")
    assert report.left.is_healthy
    left = answers(folder.root)
    assert {hit[1] for hits in left for hit in hits} == {"boiler.html", "warranty.html"}
    assert left[0][0][:2] == before[0][0][:2]
    (kept,) = (folder.path / "quarantine").rglob("rows.arrow")
    with pa.OSFile(str(kept)) as file, pa.ipc.open_stream(file) as stream:
        assert "grand" in str(stream.read_all()["unit"].to_pylist())


@pytest.mark.parametrize("name", ["document_id", "ordinal", "document", "terms", "digest"])
def test_a_change_of_any_cell_is_found_and_mended(folder: LibraryFolder, name: str) -> None:
    before = answers(folder.root)
    with rows_changed(folder) as rows:
        old = rows[0][name][0].as_py()
        rows[0] = with_cell(rows[0], name, old + _other(old))
    assert any(kind == "row" for kind, _ in problems(verify(folder)))
    report = mend(folder)
    assert (report.lost, report.left.problems) == ((), [])
    assert answers(folder.root) == before


def _other(value: object) -> object:
    return {str: " ", int: 1, list: [7]}[type(value)]


def test_a_unit_that_is_gone_or_there_twice_is_found_and_mended(folder: LibraryFolder) -> None:
    before = answers(folder.root)
    with rows_changed(folder) as rows:
        del rows[1]
        rows.append(rows[-1])
    assert {kind for kind, _ in problems(verify(folder))} == {"row", "document"}
    assert mend(folder).lost == ()
    assert answers(folder.root) == before


def test_rows_that_nobody_can_read_come_back_from_their_sources(folder: LibraryFolder) -> None:
    before = answers(folder.root)
    for data in folder.store.glob("units.lance/data/*"):
        data.write_bytes(b"\0" * data.stat().st_size)
    report = mend(folder)
    assert (report.lost, report.left.problems) == ((), [])
    assert answers(folder.root) == before


def test_rows_that_nobody_can_read_are_named_where_their_sources_are_gone(folder: LibraryFolder) -> None:
    without_sources(folder)
    for data in folder.store.glob("units.lance/data/*"):
        data.unlink()
    report = mend(folder)
    assert {sentence.split(":")[0] for sentence in report.lost} == {f"{name}.html" for name in PAGES}
    assert report.left.is_healthy
    assert answers(folder.root) == [[], [], []]


def test_without_the_newest_list_of_files_an_older_version_is_brought_up_to_date(
    folder: LibraryFolder,
) -> None:
    with Library(folder.root, encoder=TinyEncoder()) as library:
        library.remove(["grinder.html"])
        write_page(folder.root, "warranty", "The guarantee lasts for nine years.")
        library.add([folder.root / "warranty.html"])
    before = answers(folder.root)
    newest = seals.newest_manifest(folder)
    assert newest is not None
    newest.write_bytes(b"nothing of the kind")
    seals.copy_of(folder, newest.relative_to(folder.path).as_posix()).unlink()
    report = mend(folder)
    assert any("went back to an older version" in sentence for sentence in report.done)
    assert (report.lost, report.left.problems) == ((), [])
    assert answers(folder.root) == before


def test_what_a_stopped_writer_did_not_seal_is_kept_and_sealed(folder: LibraryFolder) -> None:
    for name in ("seals", "copies/seals"):
        (folder.path / name).unlink()
    before = answers(folder.root)
    diagnosis = verify(folder)
    assert diagnosis.is_healthy
    assert all("seal" in finding.where + finding.problem for finding in diagnosis.notes)
    report = mend(folder)
    assert (report.done, report.lost, report.left.findings) == ((), (), [])
    assert answers(folder.root) == before


def test_without_any_list_of_files_the_table_is_made_again_from_the_sources(folder: LibraryFolder) -> None:
    before = answers(folder.root)
    for versions in folder.path.rglob("_versions"):
        shutil.rmtree(versions)
    report = mend(folder)
    assert (report.lost, report.left.problems) == ((), [])
    assert answers(folder.root) == before


def test_a_lost_picture_whose_source_is_gone_stays_a_problem(folder: LibraryFolder) -> None:
    without_sources(folder)
    (picture, *_) = (folder.path / "pictures").glob("*/*")
    picture.unlink()
    report = mend(folder)
    assert len(report.lost) == 1
    assert picture.stem in report.lost[0]
    assert [kind for kind, _ in problems(report.left)] == ["picture"]
    assert len(answers(folder.root)[0]) > 0


def test_library_json_and_its_copy_both_damaged_is_said(folder: LibraryFolder) -> None:
    for name in ("library.json", "copies/library.json"):
        (folder.path / name).write_text("{")
    report = mend(folder)
    assert "library.json" in report.lost[0]
    assert not report.left.is_healthy
    with pytest.raises(LibraryFormatError, match="plait doctor --repair"):
        Library(folder.root)


def test_both_seals_damaged_are_made_again_once_the_rows_prove_whole(folder: LibraryFolder) -> None:
    for name in ("seals", "copies/seals"):
        flip(folder.path / name)
    report = mend(folder)
    assert (report.lost, report.left.findings[1:]) == ((), [])
    assert len(seals.read(folder)) > 3


def test_what_an_interrupted_writer_left_is_a_note_and_goes(folder: LibraryFolder) -> None:
    (folder.path / "spool" / "half").mkdir(parents=True)
    (folder.path / "copies" / ".new-half").write_bytes(b"half")
    (folder.path / "snapshots" / ".new-half").mkdir(parents=True)
    diagnosis = verify(folder)
    assert diagnosis.is_healthy
    assert {finding.where for finding in diagnosis.notes} == {
        "spool",
        "copies/.new-half",
        "snapshots/.new-half",
    }
    assert mend(folder).left.findings == []


def test_a_picture_that_nobody_shows_and_gone_sources_are_notes(folder: LibraryFolder) -> None:
    with Library(folder.root, encoder=TinyEncoder()) as library:
        library._open_index().remove([library.documents()[0].id])
    without_sources(folder)
    diagnosis = verify(folder)
    assert diagnosis.is_healthy
    assert {finding.kind for finding in diagnosis.notes} == {"leftover", "source", "store"}


def test_while_another_writes_the_doctor_waits_and_says_so(
    folder: LibraryFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with folder.writing():
        monkeypatch.setattr(LibraryFolder.writing.__wrapped__, "__kwdefaults__", {"timeout_seconds": 0.1})
        with pytest.raises(LibraryLockedError, match="another process is writing"):
            verify(folder)


def test_a_newer_format_is_refused_with_both_numbers_and_left_alone(folder: LibraryFolder) -> None:
    for file in (folder.path / "library.json", folder.path / "copies" / "library.json"):
        file.write_text(file.read_text().replace(f'"format": {FORMAT}', f'"format": {FORMAT + 1}'))
    before = {name: (folder.path / name).read_bytes() for name in files_of(folder)}
    for call in (lambda: Library(folder.root), lambda: verify(folder), lambda: mend(folder)):
        with pytest.raises(LibraryFormatError, match=f"format {FORMAT + 1}, this plait reads up to {FORMAT}"):
            call()
    assert {name: (folder.path / name).read_bytes() for name in files_of(folder)} == before
