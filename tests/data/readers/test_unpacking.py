"""ZIP files made to harm: nothing outside, nothing without bound."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest

from plait.data.readers.base import ReadLimits, ReadTask
from plait.data.readers.unpacking import Members, check_zip, safe_name
from plait.data.readers.xml_trees import BadXmlError, declares_entities, tree_of
from plait.errors import ReadError

_BOMB = b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>'


def packed(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.fixture
def task(tmp_path):
    def make(data: bytes) -> ReadTask:
        path = tmp_path / "x.zip"
        path.write_bytes(data)
        return ReadTask(path, "x.zip", tmp_path, tmp_path)

    return make


def patched(data: bytes, field: int, value: bytes) -> bytes:
    """Return a ZIP file with a field of its first member's entry in the list of members overwritten."""
    at = data.index(b"PK\x01\x02") + field
    return data[:at] + value + data[at + len(value) :]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_give_what_was_packed(task, tmp_path, method):
    large = bytes(range(256)) * 10_000
    with Members(
        task(packed({"a.txt": b"one", "b/c.bin": large, "empty": b""}, method)), ReadLimits()
    ) as zipped:
        assert zipped.names == ("a.txt", "b/c.bin", "empty")
        assert [zipped.read(name) for name in zipped.names] == [b"one", large, b""]
        zipped.copy("b/c.bin", tmp_path / "copied")
    assert (tmp_path / "copied").read_bytes() == large


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a/b.txt", "a/b.txt"),
        ("a\\b.txt", "a/b.txt"),
        ("./a//b.txt", "a/b.txt"),
        ("a\nb\x1b[31m.txt", "a_b_[31m.txt"),
        ("\u202etxt.exe", "_txt.exe"),
        ("é" * 200 + ".html", "é" * 87 + ".html"),
        ("../a", None),
        ("a/../../b", None),
        ("a\\..\\..\\b", None),
        ("/etc/passwd", None),
        ("\\\\host\\share", None),
        ("C:\\a", None),
        ("a/" * 40 + "b", None),
        ("", None),
    ],
)
def test_names_become_relative_paths_of_plain_parts_or_nothing(name, safe):
    assert safe_name(name) == safe


def test_links_and_names_that_point_elsewhere_are_left_out_and_counted(task):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("../out.txt", "x")
        archive.writestr("in.txt", "x")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("in.txt", "later")
    with Members(task(buffer.getvalue()), ReadLimits()) as zipped:
        assert zipped.names == ("in.txt",)
        assert zipped.read("in.txt") == b"later"
        assert zipped.warnings == [
            "left out 1 member: a later one has the same name",
            "left out 1 member: a link",
            "left out 1 member: its name points out of the archive",
        ]


def test_what_is_unpacked_is_counted_together(task):
    limits = ReadLimits(max_unpacked_mb=2)
    data = packed({"a": bytes(2**20), "b": bytes(2**20)})
    with Members(task(data), limits) as zipped:
        zipped.read("a")
        zipped.read("b")
        with pytest.raises(ReadError, match="more than the limit of 2 MB"):
            zipped.read("a")
    with pytest.raises(ReadError, match="unpacks to 3 MB, more than the limit of 2 MB"):
        check_zip(task(packed({"a": bytes(3 * 2**20)})), limits)


def test_a_member_that_gives_more_than_it_declares_is_damaged(task):
    lying = patched(packed({"a": bytes(5 * 2**20)}), 24, struct.pack("<I", 10))
    with pytest.raises(ReadError, match="'a' in it is damaged"):
        check_zip(task(lying), ReadLimits())


def test_a_file_that_packs_zeros_is_refused_unread(task):
    with pytest.raises(ReadError, match=r"unpacks to 1,0\d\d times its size"):
        Members(task(packed({"a": bytes(65 * 2**20)})), ReadLimits())


def test_members_that_share_their_bytes_are_refused(task):
    data = packed({"a": b"x" * 5000, "b": b"y" * 5000}, zipfile.ZIP_STORED)
    at = data.rindex(b"PK\x01\x02") + 42
    shared = data[:at] + struct.pack("<I", 0) + data[at + 4 :]
    with pytest.raises(ReadError, match="members share their bytes"):
        check_zip(task(shared), ReadLimits())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: patched(data, 8, b"\x01"), "password-protected"),
        (lambda data: patched(data, 10, b"\x0e"), "packed in a way that is not read"),
        (lambda data: patched(data, 16, b"\0\0\0\0"), "'a' in it is damaged"),
        (lambda data: data.replace(b"PK\x03\x04", b"PK\x03\x05"), "'a' in it is damaged"),
        (lambda data: data[:-30], "a ZIP file that is cut off, or damaged"),
        (lambda data: patched(data, 9, b"\x08").replace(b"a", b"\xff"), "names that are not valid text"),
        (lambda data: patched(data, 42, b"\xf0\xf0\xf0\x00"), "members share their bytes"),
    ],
    ids=["encrypted", "method", "checksum", "local head", "cut off", "invalid UTF-8", "offset"],
)
def test_broken_files_say_what_is_wrong(task, change, reason):
    with pytest.raises(ReadError, match=reason):
        check_zip(task(change(packed({"a": b"words " * 100}))), ReadLimits())


def test_one_too_large_for_memory_is_not_read(task):
    zipped = Members(task(packed({"a": bytes(2**20 + 1)})), ReadLimits())
    with zipped, pytest.raises(ReadError, match="'a' in it has 1 MB, more than 1 MB"):
        zipped.read("a", max_mb=1)


def test_xml_with_entities_is_refused_before_a_library_sees_it(task):
    with pytest.raises(ReadError, match=r"'word/document.xml' in it declares XML entities"):
        check_zip(task(packed({"word/document.xml": _BOMB})), ReadLimits())
    with pytest.raises(ReadError, match="declares XML entities"):
        check_zip(task(packed({"a.rels": _BOMB.decode().encode("utf-16")})), ReadLimits())


def test_a_document_type_alone_is_no_harm_and_its_file_is_not_read(tmp_path):
    (tmp_path / "a.dtd").write_text("<!ENTITY b 'read'>")
    data = f"<!DOCTYPE a SYSTEM '{tmp_path / 'a.dtd'}'><a x:y='1' xmlns:x='u'>t&b;</a>".encode()
    assert not declares_entities(data)
    root = tree_of(data)
    assert (root.tag, root.text, root.attrib) == ("a", "t", {"{u}y": "1"})


@pytest.mark.parametrize(
    ("data", "reason"),
    [(_BOMB, "declares entities"), (b"<a>", "not well-formed"), (b"<a>" * 600, "nests more than 500 deep")],
)
def test_bad_xml_is_refused(data, reason):
    with pytest.raises(BadXmlError, match=reason):
        tree_of(data)
