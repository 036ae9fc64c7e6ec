"""The name of a sent file is harmless, whatever the client called it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers.tiny_encoder import TinyEncoder

from plait import Library
from plait.errors import InputError
from plait.serve.uploads import FOLDER, forget_upload, safe_name


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


def test_only_what_was_sent_is_deleted_with_its_document(tmp_path: Path) -> None:
    with Library(tmp_path, encoder=TinyEncoder()) as library:
        (library.folder / FOLDER).mkdir()
        for path in (own := tmp_path / "own.txt", sent := library.folder / FOLDER / "sent.txt"):
            path.write_text("The fan belt is worn.")
            library.add([path])
        for document in library.documents():
            forget_upload(library, document.source)
    assert own.exists()
    assert not sent.exists()
