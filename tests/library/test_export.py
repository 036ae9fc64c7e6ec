"""A library in one file and back: the same answers, or a refusal that changes nothing."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tarfile
from hashlib import blake2b
from pathlib import Path

import pytest
from tests.helpers.libraries import answers, flip, make_library, write_page
from tests.helpers.tiny_encoder import TinyEncoder

from plait import Library
from plait.errors import InputError, LibraryError, LibraryFormatError, MissingPathError
from plait.library.export import EXPORT_FORMAT
from plait.library.folder import LibraryFolder
from plait.library.reports import Progress

WRITER = """
import sys
from pathlib import Path
from tests.helpers.libraries import write_page
from tests.helpers.tiny_encoder import TinyEncoder
from plait import Library

folder = Path(sys.argv[1])
with Library(folder, encoder=TinyEncoder()) as library:
    for number in range(10_000):
        for name in ("left", "right"):
            write_page(folder, name, f"generation {number}", "green" if number % 2 else "gray")
        library.add([folder / "left.html", folder / "right.html"])
        print(number, flush=True)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> LibraryFolder:
    return make_library(tmp_path_factory.mktemp("original") / "manual")


@pytest.fixture(scope="module")
def file(folder: LibraryFolder) -> Path:
    file = folder.root.parent / "manual.plait"
    with Library(folder.root, create=False) as library:
        library.export(file)
    return file


def test_an_imported_library_answers_as_the_exported(
    folder: LibraryFolder, file: Path, tmp_path: Path
) -> None:
    seen: list[Progress] = []
    report = Library.import_from(file, tmp_path / "new", progress=seen.append)
    assert (report.documents, report.units, report.pictures, report.missing_pictures) == (3, 6, 2, ())
    assert report.bytes == file.stat().st_size
    assert seen[-1].source == "2 pictures"
    assert answers(tmp_path / "new") == answers(folder.root)
    with Library(tmp_path / "new", encoder=TinyEncoder()) as library:
        assert library.verify().problems == []
        write_page(tmp_path / "new", "scale", "Weigh the beans.")
        assert library.add([tmp_path / "new"]).added == 1
    assert [path.name for path in sorted((tmp_path / "new").iterdir())] == [".plait", "scale.html"]


def test_settings_travel_too(tmp_path: Path) -> None:
    folder = make_library(tmp_path / "manual")
    (folder.path / "settings.toml").write_text('llm_model = "mine"\n')
    with Library(folder.root, create=False) as library:
        library.export(tmp_path / "a.plait")
    Library.import_from(tmp_path / "a.plait", tmp_path / "new")
    assert (tmp_path / "new" / ".plait" / "settings.toml").read_text() == 'llm_model = "mine"\n'


def test_any_tar_reads_the_file(file: Path) -> None:
    with tarfile.open(file) as tar:
        names = tar.getnames()
    assert names[:2] == ["plait-export.json", "rows/000000.arrow"]
    assert len([name for name in names if name.startswith("pictures/")]) == 2


@pytest.mark.parametrize("seed", range(40))
def test_a_flipped_byte_is_refused_and_nothing_is_made(file: Path, tmp_path: Path, seed: int) -> None:
    bad = tmp_path / "bad.plait"
    data = file.read_bytes()
    if seed < 10:  # the end, which holds the checksum itself
        bad.write_bytes(data[-80:])
        flip(bad, seed)
        bad.write_bytes(data[:-80] + bad.read_bytes())
    else:
        bad.write_bytes(data)
        flip(bad, seed)
    with pytest.raises(LibraryFormatError, match=r"is damaged|no plait export"):
        Library.import_from(bad, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("size", [0, 1, 79, 80, 81, 600, -1, -80, -81])
def test_a_file_cut_short_is_refused(file: Path, tmp_path: Path, size: int) -> None:
    bad = tmp_path / "bad.plait"
    bad.write_bytes(file.read_bytes()[:size])
    with pytest.raises(LibraryFormatError, match=r"cut short|is damaged"):
        Library.import_from(bad, tmp_path / "new")


def sealed(parts: dict[str, bytes], export_format: int = EXPORT_FORMAT) -> bytes:
    """Return an export of some parts whose checksum fits."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w|") as tar:
        for name, data in parts.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    digest = blake2b(sink.getvalue(), digest_size=32).hexdigest()
    return sink.getvalue() + f"plait export {export_format} {digest}\n".encode()


def parts_of(file: Path) -> dict[str, bytes]:
    with tarfile.open(file) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def test_a_newer_export_or_library_format_is_refused_with_both_numbers(file: Path, tmp_path: Path) -> None:
    parts = parts_of(file)
    new = tmp_path / "new.plait"
    new.write_bytes(sealed(parts, EXPORT_FORMAT + 1))
    with pytest.raises(LibraryFormatError, match="format 2, this plait reads up to 1"):
        Library.import_from(new, tmp_path / "new")
    head = json.loads(parts["plait-export.json"])
    library = {**json.loads(head["library"]), "format": 99}
    new.write_bytes(
        sealed({**parts, "plait-export.json": json.dumps({**head, "library": json.dumps(library)}).encode()})
    )
    with pytest.raises(LibraryFormatError, match="format 99, this plait reads up to"):
        Library.import_from(new, tmp_path / "new")


@pytest.mark.parametrize(
    "name", ["../evil.png", "pictures/../../evil.png", "pictures/ab/evil.png", "/evil.png"]
)
def test_a_part_that_would_land_elsewhere_is_refused(file: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "bad.plait").write_bytes(sealed({**parts_of(file), name: b"evil"}))
    with pytest.raises(LibraryFormatError, match="no picture of it"):
        Library.import_from(tmp_path / "bad.plait", tmp_path / "new")
    assert not list(tmp_path.rglob("evil*"))
    assert list((tmp_path / "new").iterdir()) == []


def test_a_library_that_is_there_is_not_touched(file: Path, tmp_path: Path) -> None:
    folder = make_library(tmp_path / "manual")
    with pytest.raises(LibraryError, match="there is a library at"):
        Library.import_from(file, folder.root)
    with pytest.raises(MissingPathError, match="no such file"):
        Library.import_from(tmp_path / "none.plait", tmp_path / "new")


def test_a_file_that_is_there_is_overwritten_only_if_asked(folder: LibraryFolder, tmp_path: Path) -> None:
    file = tmp_path / "a.plait"
    file.write_text("mine")
    with Library(folder.root, create=False) as library:
        with pytest.raises(InputError, match="exists"):
            library.export(file)
        assert file.read_text() == "mine"
        library.export(file, force=True)
        with pytest.raises(LibraryError, match="cannot write"):
            library.export(tmp_path / "nowhere" / "b.plait")
    assert list(tmp_path.iterdir()) == [file]


def test_a_damaged_library_is_not_exported(tmp_path: Path) -> None:
    folder = make_library(tmp_path / "manual")
    for data in folder.store.glob("units.lance/data/*"):
        flip(data)
    with (
        Library(folder.root, create=False) as library,
        pytest.raises(LibraryFormatError, match="plait doctor"),
    ):
        library.export(tmp_path / "a.plait")
    assert not (tmp_path / "a.plait").exists()
    assert list((folder.path / "snapshots").iterdir()) == []


def test_a_lost_picture_is_named(tmp_path: Path) -> None:
    folder = make_library(tmp_path / "manual")
    (picture, *_) = (folder.path / "pictures").glob("*/*")
    picture.unlink()
    with Library(folder.root, create=False) as library:
        assert library.export(tmp_path / "a.plait").missing_pictures == (picture.stem,)
    assert Library.import_from(tmp_path / "a.plait", tmp_path / "new").missing_pictures == (picture.stem,)


def test_an_export_is_of_one_moment_while_another_process_writes(tmp_path: Path) -> None:
    folder = make_library(tmp_path / "manual")
    command = [sys.executable, "-c", WRITER, str(folder.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        try:
            for round_ in range(3):
                writer.stdout.readline()
                with Library(folder.root, create=False) as library:
                    library.export(tmp_path / f"{round_}.plait")
        finally:
            writer.kill()
    for round_ in range(3):
        target = tmp_path / f"new{round_}"
        assert Library.import_from(tmp_path / f"{round_}.plait", target).missing_pictures == ()
        with Library(target, encoder=TinyEncoder()) as library:
            generations = [re.findall(r"generation \d+", unit.text) for unit in library.units()]
            (first, second) = [found for found in generations if found]
            assert first == second, "of two moments"
            assert library.verify().problems == []
