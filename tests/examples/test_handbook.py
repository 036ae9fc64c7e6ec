"""The handbook is whole, small, its own, and drawn by its script."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import numpy as np
import pypdfium2
from PIL import Image
from tests.helpers.tiny_encoder import TinyEncoder

from plait import Library, Query

FILES = ("*.md", "*.html")


def pages(examples: Path) -> list[Path]:
    return sorted(p for pattern in FILES for p in (examples / "handbook").glob(pattern))


def test_every_picture_a_page_shows_is_there_and_every_picture_is_shown(examples: Path) -> None:
    shown = set()
    for page in pages(examples):
        shown |= set(re.findall(r'(?:src="|\]\()([\w./-]+\.png)', page.read_text(encoding="utf-8")))
    there = {
        p.relative_to(examples / "handbook").as_posix() for p in (examples / "handbook/pictures").glob("*")
    }
    assert shown == there


def test_every_picture_has_words_for_those_who_cannot_see_it(examples: Path) -> None:
    for page in pages(examples):
        text = page.read_text(encoding="utf-8")
        alternatives = re.findall(r'!\[([^\]]*)\]|alt="([^"]*)"', text)
        assert len(alternatives) == len(re.findall(r"\.png", text))
        assert all(len("".join(words)) > 15 for words in alternatives), page.name


def test_the_handbook_is_small_and_free(examples: Path) -> None:
    files = [p for p in (examples / "handbook").rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) < 2_000_000
    assert "CC0" in (examples / "handbook/LICENSE").read_text()


def test_the_service_sheet_can_be_read(examples: Path) -> None:
    document = pypdfium2.PdfDocument(examples / "handbook/service-sheet.pdf")
    texts = [page.get_textpage().get_text_range() for page in document]
    document.close()
    assert len(texts) == 4
    assert "slow-blow, 10 ampere" in texts[2]
    assert "M2-031" in texts[3]


def test_the_script_draws_what_is_committed_and_always_the_same(examples: Path, tmp_path: Path) -> None:
    script = importlib.import_module("draw_handbook")
    for name in ("once", "twice"):
        script.draw(tmp_path / name)
    drawn = sorted(p.relative_to(tmp_path / "once") for p in (tmp_path / "once").rglob("*.*"))
    assert len(drawn) == 23 + 3 + 2 + 1  # shown pictures, loose ones, queries, the service sheet
    for file in drawn:
        assert (tmp_path / "once" / file).read_bytes() == (tmp_path / "twice" / file).read_bytes(), file
        if file.suffix != ".pdf":
            assert difference(tmp_path / "once" / file, examples / file) < 2.0, file


def test_the_handbook_is_read_without_a_complaint_and_found(examples: Path, tmp_path: Path) -> None:
    with Library(tmp_path, encoder=TinyEncoder()) as library:
        report = library.add([examples / "handbook"])
        assert report.failed == ()
        assert report.warnings == ()
        assert report.added == 13 + 1 + 3  # pages, the service sheet, loose pictures
        assert report.shown == 23
        assert report.figures == 23 + 3 + 5
        (hit,) = library.search(Query.of("how do I set the pressure of the expansion valve?"), k=1)
        assert hit.section[-1] == "The expansion valve"
        (hit,) = library.search(Query.of("torque of each screw of the brew group, taken apart"), k=1)
        assert (hit.source.rpartition("/")[2], hit.page) == ("service-sheet.pdf", 2)


def difference(one: Path, other: Path) -> float:
    """Return the mean difference of two pictures' pixels, of 255; other Pillow versions may round apart."""
    a, b = (np.asarray(Image.open(path).convert("RGB"), np.float32) for path in (one, other))
    assert a.shape == b.shape
    return float(np.abs(a - b).mean())
