"""Archives and messages in a library: what they hold are documents, kept in step with the file."""

from __future__ import annotations

import io
import zipfile
from email.message import EmailMessage
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from tests.helpers.tiny_encoder import TinyEncoder

from plait import Library, Query

_PAGE = '<html><title>{0}</title><body><h1>{0}</h1><p>{1}</p><img src="seal.png" alt="a seal"></body></html>'


def _png(colour: str) -> bytes:
    image = Image.new("RGB", (120, 90), "white")
    ImageDraw.Draw(image).ellipse((20, 15, 100, 75), fill=colour)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _pack(path: Path, members: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path, encoder=TinyEncoder())


@pytest.fixture
def manuals(tmp_path: Path) -> Path:
    """An archive of a page with its picture, and a note."""
    members = {
        "pump/page.html": _PAGE.format("Pump", "Turn the valve to open the pump."),
        "pump/seal.png": _png("teal"),
        "notes.md": "# Oil\n\nChange the oil once a year.\n",
    }
    return _pack(tmp_path / "manuals.zip", members)


def test_members_are_documents_with_the_pictures_beside_them(library: Library, manuals: Path) -> None:
    report = library.add([manuals])
    assert (report.added, report.failed) == (3, ())
    assert [d.source for d in library.documents()] == [
        "manuals.zip",
        "manuals.zip!/notes.md",
        "manuals.zip!/pump/page.html",
    ]
    hit = library.search(Query.of("open the pump valve"), k=1)[0]
    assert hit.source == "manuals.zip!/pump/page.html"
    assert hit.metadata["container"] == "manuals.zip"
    assert hit.picture is not None
    assert Path(hit.picture).read_bytes() == _png("teal")
    assert library.add([manuals]).unchanged == 1


def test_a_changed_archive_updates_only_what_changed_and_forgets_what_is_gone(
    library: Library, manuals: Path
) -> None:
    library.add([manuals])
    _pack(
        manuals,
        {"notes.md": "# Oil\n\nChange the oil once a year.\n", "new.txt": "Grease the bearing of the fan."},
    )
    report = library.add([manuals])
    assert (report.added, report.updated, report.unchanged, report.removed) == (1, 1, 1, 1)
    assert [d.source for d in library.documents()] == [
        "manuals.zip",
        "manuals.zip!/new.txt",
        "manuals.zip!/notes.md",
    ]
    assert library.search(Query.of("valve of the pump"), k=3)[0].source != "manuals.zip!/pump/page.html"


def test_removing_an_archive_removes_what_it_held(library: Library, manuals: Path) -> None:
    library.add([manuals])
    assert library.remove([manuals]) == 3
    assert library.documents() == []
    library.add([manuals])
    own = next(d.id for d in library.documents() if d.source == "manuals.zip")
    assert library.remove([own]) == 3
    library.add([manuals])
    assert library.remove(["manuals.zip!/notes.md"]) == 1
    manuals.unlink()
    assert library.remove_missing() == 2


def test_a_message_is_found_by_its_body_and_by_what_is_attached(library: Library, tmp_path: Path) -> None:
    message = EmailMessage()
    message["Subject"] = "The broken gasket"
    message["From"] = "Ada <ada@example.org>"
    message["Date"] = "Mon, 02 Nov 2026 10:00:00 +0000"
    message.set_content("The gasket leaks, see the archive.")
    inner = _pack(tmp_path / "inner.zip", {"list.csv": "part,price\ngasket,12\nseal,30\n"})
    message.add_attachment(inner.read_bytes(), maintype="application", subtype="zip", filename="parts.zip")
    inner.unlink()
    (tmp_path / "mail.eml").write_bytes(message.as_bytes())
    report = library.add([tmp_path / "mail.eml"])
    assert report.failed == ()
    assert [d.source for d in library.documents()] == [
        "mail.eml",
        "mail.eml!/parts.zip",
        "mail.eml!/parts.zip!/list.csv",
    ]
    assert library.search(Query.of("gasket leaks"), k=1)[0].title == "The broken gasket"
    assert library.search(Query.of("price of the seal"), k=1)[0].source == "mail.eml!/parts.zip!/list.csv"
    (tmp_path / "mail.eml").write_bytes(message.as_bytes().replace(b"leaks", b"drips"))
    report = library.add([tmp_path / "mail.eml"])
    assert (report.updated, report.removed) == (1, 0)


def test_one_bad_member_does_not_cost_the_others(library: Library, tmp_path: Path) -> None:
    path = _pack(
        tmp_path / "mixed.zip", {"good.txt": "The fan belt is worn.", "bad.pdf": b"%PDF-1.4 nothing"}
    )
    report = library.add([path])
    assert [failure.source for failure in report.failed] == ["mixed.zip!/bad.pdf"]
    assert library.search(Query.of("worn belt"), k=1)[0].source == "mixed.zip!/good.txt"
