"""ZIP archives: their files are attachments below the spool, whatever they are named."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from plait.data.readers.base import ReadLimits
from plait.errors import ReadError


def packed(members: dict[str, bytes | str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.fixture
def archive(tmp_path, read):
    """Write an archive, and read it."""

    def run(members: dict[str, bytes | str] | bytes, **limits: int):
        path = tmp_path / "tools.zip"
        path.write_bytes(members if isinstance(members, bytes) else packed(members))
        return read(path, limits=ReadLimits(**limits))

    return run


def test_files_are_attachments_in_folders_of_the_spool(archive, spool, png):
    members = {
        "b/page.html": "<p>x",
        "b/img/a.png": png(),
        "a.txt": "words",
        "b/style.css": "x",
        "in.zip": b"PK",
    }
    document = archive(members)
    assert [attachment.name for attachment in document.attachments] == [
        "a.txt",
        "b/img/a.png",
        "b/page.html",
        "in.zip",
    ]
    paths = [Path(attachment.path) for attachment in document.attachments]
    assert all(path.is_relative_to(spool) for path in paths)
    assert paths[0].read_text() == "words"
    assert (paths[2].parent / "img" / "a.png").read_bytes() == members["b/img/a.png"]
    assert (document.segments, document.warnings) == ((), ())
    assert document.metadata == {"type": "archive", "files": 4}


def test_what_is_left_out_is_told_by_its_reason(archive):
    document = archive(
        {
            "a.txt": "x",
            "b.exe": "x",
            "c.exe": "x",
            "README": "x",
            "__MACOSX/a.txt": "x",
            "large.txt": bytes(2**20 + 1),
            "../evil.txt": "x",
            "a.txt/b.txt": "x",
        },
        max_file_mb=1,
    )
    assert [attachment.name for attachment in document.attachments] == ["a.txt"]
    assert document.warnings == (
        "left out 1 member: its name points out of the archive",
        "left out 2 files: .exe is not read",
        "left out 1 file: its name is taken by another file or folder",
        "left out 1 file: larger than the limit of 1 MB",
        "left out 1 file: named without a suffix",
    )


def test_nothing_is_written_outside_the_spool(archive, tmp_path):
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(tmp_path / "spool")}
    archive({"a.txt": "x", "../../out.txt": "x", "/abs.txt": "x", "..\\b.txt": "x", "c\n\x1b[2Jd.txt": "x"})
    after = {path for path in tmp_path.rglob("*") if not path.is_relative_to(tmp_path / "spool")}
    assert after - before == {tmp_path / "tools.zip"}


def test_kinds_without_number_are_told_together(archive):
    document = archive({"a.txt": "x", **{f"x.k{i}": "x" for i in range(50)}})
    assert len(document.warnings) == 21
    assert "left out 30 files: other kinds are not read" in document.warnings


def test_more_files_than_allowed_are_left_out(archive):
    document = archive({f"{i}.txt": "x" for i in range(5)}, max_attachments=3)
    assert len(document.attachments) == 3
    assert document.warnings == ("left out 2 files: more than max_attachments (3)",)


def test_a_damaged_file_does_not_spoil_the_others(archive):
    data = packed({"a.txt": b"words " * 50, "b.txt": b"x"})
    at = data.index(b"a.txt") + 8
    document = archive(data[:at] + b"\xff\xff\xff" + data[at + 3 :])
    assert [attachment.name for attachment in document.attachments] == ["b.txt"]
    assert document.warnings == ("left out 1 file: damaged",)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({}, "is empty"),
        ({"a.exe": "x"}, r"holds no file that can be read \(left out 1 file: .exe is not read\)"),
        (
            packed({"a.txt": "x"}).replace(
                b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"
            ),
            "password",
        ),
        (b"PK\x03\x04 and no more", "a ZIP file that is cut off, or damaged"),
        ({"a.txt": bytes(65 * 2**20)}, "times its size"),
    ],
    ids=["empty", "nothing to read", "encrypted", "cut off", "bomb"],
)
def test_archives_that_give_nothing_are_refused(archive, members, reason):
    with pytest.raises(ReadError, match=reason):
        archive(members)
