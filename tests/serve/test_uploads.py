"""The name of a sent file is harmless, whatever the client called it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers.tiny_encoder import TinyEncoder

from plait import Library
from plait.errors import InputError
from plait.serve.uploads import FOLDER, add_upload, safe_name


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("manual.pdf", "manual.pdf"),
        ("../../etc/cron.d/job.txt", "job.txt"),
        ("C:\\temp\\Plan B.PDF", "Plan B.PDF"),
        ("Anleitung für Öl.md", "Anleitung für Öl.md"),
        ("説明書.pdf", "説明書.pdf"),
        (".plait.html", "plait.html"),
        ("a\x00b\n.md", "a_b_.md"),
        ("x" * 300 + ".md", "x" * 197 + ".md"),
    ],
)
def test_only_the_last_part_of_a_name_is_kept(sent: str, kept: str) -> None:
    assert safe_name(sent) == kept


@pytest.mark.parametrize("sent", ["", "..", "/", "noextension", ".md", "a." + "b" * 20, "...."])
def test_a_name_with_nothing_usable_is_refused(sent: str) -> None:
    with pytest.raises(InputError, match=r"manual\.pdf"):
        safe_name(sent)


@given(st.text(max_size=300))
def test_no_name_leaves_the_folder_or_hides_in_it(sent: str) -> None:
    try:
        name = safe_name(sent)
    except InputError:
        return
    assert Path("/up", name).parent == Path("/up")
    assert not name.startswith(".")
    assert len(name.encode("utf-8", "surrogatepass")) <= 255
    assert name.isprintable()


def test_an_archive_is_kept_where_only_a_member_cannot_be_read(tmp_path: Path) -> None:
    sent = io.BytesIO()
    with zipfile.ZipFile(sent, "w") as archive:
        archive.writestr("good.txt", "The fan belt is worn.")
        archive.writestr("bad.pdf", b"%PDF-1.4 nothing")
    with Library(tmp_path, encoder=TinyEncoder()) as library:
        report = add_upload(library, "parts.zip", io.BytesIO(sent.getvalue()))
        assert [failure.source.rpartition("/")[2] for failure in report.failed] == ["bad.pdf"]
        assert (library.folder / FOLDER / "parts.zip").read_bytes() == sent.getvalue()
        assert len(library.documents()) == 2
