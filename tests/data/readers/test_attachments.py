"""What files hold is read as documents of their own: in order, within limits, and nothing else is."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.data.readers.hostile.archives import nested, packed

from plait.data.readers.base import ReadLimits, document_id
from plait.data.readers.sandbox.attachments import Allowance, clean_name, members_of
from plait.data.readers.sandbox.pool import Outcome, ReaderPool
from plait.errors import ReadError
from plait.schema import Attachment

LIMITS = ReadLimits(memory_mb=700, cpu_seconds=20, wall_seconds=40, ocr="off")


@dataclass(frozen=True)
class File:
    path: Path
    source: str
    root: Path


def read(folder: Path, spool: Path, limits: ReadLimits = LIMITS, **files: bytes) -> list[Outcome[File]]:
    """Read archives, and check what holds of every outcome; their spools are deleted as a caller does."""
    items = []
    for name, data in files.items():
        path = folder / f"{name}.zip"
        path.write_bytes(data)
        items.append(File(path, path.name, folder))
    outcomes = []
    with ReaderPool(2, limits, [folder]) as pool:
        for outcome in pool.read_many(items, spool=spool):
            assert outcome.path.is_file()
            assert outcome.spool == spool / document_id(outcome.source)
            assert not [entry for entry in outcome.spool.iterdir() if entry.is_dir()]
            shutil.rmtree(outcome.spool)
            outcomes.append(outcome)
    assert os.listdir(spool) == []
    return outcomes


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "inside"
    folder.mkdir()
    return folder


def test_files_of_an_archive_come_before_it_and_name_it(place, spool, png):
    page = b"<p>Words.<img src='pictures/a.png' alt='A saw'></p>"
    inner = packed({"deep.txt": b"Deep words."})
    members = {"b.html": page, "pictures/a.png": png(), "c/inner.zip": inner, "a.txt": b"First words."}
    outcomes = read(place, spool, one=packed(members), two=packed({"x.txt": b"Other words."}))
    assert [(o.source, o.is_last, o.result.metadata.get("container")) for o in outcomes] == [
        ("one.zip!/a.txt", False, "one.zip"),
        ("one.zip!/b.html", False, "one.zip"),
        ("one.zip!/c/inner.zip!/deep.txt", False, "one.zip!/c/inner.zip"),
        ("one.zip!/c/inner.zip", False, "one.zip"),
        ("one.zip!/pictures/a.png", False, "one.zip"),
        ("one.zip", True, None),
        ("two.zip!/x.txt", False, "two.zip"),
        ("two.zip", True, None),
    ]
    assert [o.item.source for o in outcomes] == ["one.zip"] * 6 + ["two.zip"] * 2
    shown = outcomes[1].result.segments[-1]
    assert (shown.kind, shown.text) == ("image", "A saw")


def test_archives_are_read_three_deep(place, spool):
    outcomes = read(place, spool, a=nested(b"Words.", levels=5, width=1))
    assert [o.source for o in outcomes] == [
        "a.zip!/0.zip!/0.zip!/0.zip",
        "a.zip!/0.zip!/0.zip",
        "a.zip!/0.zip",
        "a.zip",
    ]
    assert outcomes[0].result.warnings == ("1 file in it was left out: more than 3 archives deep",)


def test_the_limits_of_an_item_hold_over_all_levels(place, spool):
    few = replace(LIMITS, max_attachments=20)
    outcomes = read(place, spool, few, a=nested(b"Words.", levels=3, width=5))
    assert sum(not o.is_last for o in outcomes) == 20
    refused = [o.result.reason for o in outcomes if isinstance(o.result, ReadError)]
    assert refused
    assert all("more than max_attachments (0)" in reason for reason in refused)


@pytest.fixture
def attachments(spool):
    """Files in and beside a spool, as a child that lies would name them."""
    own = spool / "own"
    (own / "in/deeper").mkdir(parents=True)
    for name in ("in/a.txt", "in/deeper/b.txt", "loose.txt", "../outside.txt"):
        (own / name).write_text("12345")
    (own / "in/link.txt").symlink_to(spool / "outside.txt")
    (own / "in/folder").symlink_to(spool)
    os.link(spool / "outside.txt", own / "in/hard.txt")
    return own


def members(own: Path, *names: str, allowance: Allowance, depth: int = 1):
    named = [Attachment(name, f"{own}/{name}") for name in names]
    found, warnings = members_of(named, container="x.zip", spool=own, depth=depth, allowance=allowance)
    return [member.source for member in found], warnings


def test_only_plain_files_of_the_spool_are_taken(attachments):
    names = (
        "in/link.txt",
        "in/folder/outside.txt",
        "in/hard.txt",
        "../outside.txt",
        "loose.txt",
        "in",
        "no/a",
    )
    found, warnings = members(attachments, "in/a.txt", *names, "in/\0", allowance=Allowance(99, 9999))
    assert found == ["x.zip!/in/a.txt"]
    assert warnings == ("8 files in it were left out: not unpacked as plain files",)


def test_an_allowance_shrinks_by_files_and_bytes(attachments):
    allowance = Allowance(3, 9)
    found, warnings = members(attachments, "in/a.txt", "in/deeper/b.txt", allowance=allowance)
    assert (found, allowance) == (["x.zip!/in/a.txt"], Allowance(2, 4))
    assert warnings == ("1 file in it was left out: more than its limits on number and size allow",)
    assert members(attachments, "in/a.txt", allowance=Allowance(0, 99))[0] == []


def test_members_of_one_name_get_sources_of_their_own(attachments):
    named = [
        Attachment("a.txt", f"{attachments}/in/a.txt"),
        Attachment("/a.txt", f"{attachments}/in/deeper/b.txt"),
    ]
    found, _ = members_of(named, container="x.zip", spool=attachments, depth=1, allowance=Allowance(9, 99))
    assert [member.source for member in found] == ["x.zip!/a.txt", "x.zip!/a.txt (2)"]
    assert {member.root for member in found} == {attachments / "in"}


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("a/b.txt", "a/b.txt"),
        ("../../etc/passwd", "etc/passwd"),
        ("C:\\Users\\a.txt", "C:/Users/a.txt"),
        ("a\n\x1b[31mb.txt", "a�[31mb.txt"),
        ("\u202etxt.exe", "�txt.exe"),
        ("\udcff.txt", "?.txt"),
        ("a.zip!/b.txt", "a.zip_/b.txt"),
        ("", "unnamed"),
        ("x" * 400 + ".txt", "x" * 296 + ".txt"),
    ],
)
def test_names_are_cleaned_for_sources(name, clean):
    assert clean_name(name) == clean
