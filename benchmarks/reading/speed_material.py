"""Files to read for a benchmark: of manuals in the cache, and of kinds made on the spot."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Callable
from email.message import EmailMessage
from functools import partial
from pathlib import Path

import docx
import openpyxl
import pptx
from pptx.util import Inches

from benchmarks.reading import sample_figures
from benchmarks.reading.sample import make
from benchmarks.reading.sample_prose import Prose
from benchmarks.reading.speed_items import Item, Material
from benchmarks.real_input.fetch import CACHE

_FILES = 200  # of a manual, drawn from all
_SECTIONS = 20  # of a file that is made


def _manual(name: str, package: str, suffix: str, unit: str, files: int, work: Path) -> Material | None:
    """Return files of an unpacked package, drawn with a fixed seed; None if it is not in the cache."""
    folder = CACHE / package
    every = sorted(path for path in folder.rglob(f"*{suffix}") if path.is_file() and not path.is_symlink())
    if not every:
        return None
    chosen = sorted(random.Random(0).sample(every, min(files, len(every))))
    return Material(name, unit, tuple(Item(path, str(path), folder) for path in chosen))


def _sample(work: Path) -> Material:
    folder = work / "sample"
    articles = make(folder)
    return Material("two-column sample", "pages", tuple(_item(article.path) for article in articles))


def _made(name: str, suffix: str, write: Callable[[Prose, Path, Path], None], work: Path) -> Material:
    """Return ten files that a function has written."""
    folder = work / name
    folder.mkdir()
    picture = work / f"{name}.png"
    sample_figures.photograph(random.Random(1), picture, width_px=640, height_px=400)
    paths = [folder / f"{number}{suffix}" for number in range(10)]
    for number, path in enumerate(paths):
        write(Prose(number), picture, path)
    return Material(f"{name}, {_SECTIONS} sections each", "files", tuple(map(_item, paths)))


def _item(path: Path) -> Item:
    return Item(path, path.name, path.parent)


def _word(prose: Prose, picture: Path, path: Path) -> None:
    document = docx.Document()
    for _ in range(_SECTIONS):
        document.add_heading(prose.heading(), 1)
        for _ in range(5):
            document.add_paragraph(" ".join(prose.sentences(3, 6)))
        document.add_picture(str(picture), width=docx.shared.Inches(4))
    document.save(str(path))


def _slides(prose: Prose, picture: Path, path: Path) -> None:
    show = pptx.Presentation()
    for _ in range(_SECTIONS):
        slide = show.slides.add_slide(show.slide_layouts[1])
        slide.shapes.title.text = prose.heading()
        slide.placeholders[1].text = "\n".join(prose.sentences(3, 5))
        slide.shapes.add_picture(str(picture), Inches(5), Inches(4), Inches(3))
    show.save(str(path))


def _sheet(prose: Prose, picture: Path, path: Path) -> None:
    book = openpyxl.Workbook()
    for _ in range(100 * _SECTIONS):
        book.active.append([prose.word(), *range(8)])
    book.save(path)


def _markdown(prose: Prose, picture: Path, path: Path) -> None:
    parts = (f"# {prose.heading()}\n\n{' '.join(prose.sentences(20, 30))}\n" for _ in range(_SECTIONS))
    path.write_text("\n".join(parts), encoding="utf-8")


def _mail(prose: Prose, picture: Path, path: Path) -> None:
    message = EmailMessage()
    message["Subject"], message["From"] = prose.heading(), "ada@example.org"
    message.set_content("\n\n".join(" ".join(prose.sentences(3, 6)) for _ in range(5 * _SECTIONS)))
    message.add_attachment(picture.read_bytes(), maintype="image", subtype="png", filename="picture.png")
    path.write_bytes(bytes(message))


def _book(prose: Prose, picture: Path, path: Path) -> None:
    """Write an EPUB, a chapter for each section."""
    names = [f"c{number}.xhtml" for number in range(_SECTIONS)]
    manifest = "".join(f'<item id="{n}" href="{n}" media-type="application/xhtml+xml"/>' for n in names)
    spine = "".join(f'<itemref idref="{name}"/>' for name in names)
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("mimetype", "application/epub+zip")
        book.writestr("META-INF/container.xml", _CONTAINER)
        book.writestr("book.opf", _PACKAGE.format(title=prose.heading(), manifest=manifest, spine=spine))
        book.write(picture, "p.png")
        for name in names:
            body = "".join(f"<p>{' '.join(prose.sentences(3, 6))}</p>" for _ in range(5))
            book.writestr(name, _CHAPTER.format(title=prose.heading(), body=body))


_CONTAINER = """<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0"><rootfiles>
<rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""
_PACKAGE = """<package xmlns="http://www.idpf.org/2007/opf" version="3.0">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></metadata>
<manifest><item id="p" href="p.png" media-type="image/png"/>{manifest}</manifest>
<spine>{spine}</spine></package>"""
_CHAPTER = """<html xmlns="http://www.w3.org/1999/xhtml"><head><title>{title}</title></head><body><h1>{title}</h1>
{body}<figure><img src="p.png"/><figcaption>A view.</figcaption></figure></body></html>"""
MATERIAL: dict[str, Callable[[Path], Material | None]] = {
    "latex": partial(_manual, "LaTeX PDFs (texlive-science-doc)", "texlive-science-doc", ".pdf", "pages", 30),
    "sample": _sample,
    "python": partial(_manual, "HTML of Python", "python3.11-doc", ".html", "files", _FILES),
    "sphinx": partial(_manual, "HTML of Sphinx", "sphinx-doc", ".html", "files", _FILES),
    "postgresql": partial(_manual, "HTML of PostgreSQL", "postgresql-doc-15", ".html", "files", _FILES),
    "gimp": partial(_manual, "HTML of GIMP, with pictures", "gimp-help-en", ".html", "files", _FILES),
    "notebooks": partial(_manual, "notebooks (scikit-image)", "python-skimage-doc", ".ipynb", "files", 50),
    "rst": partial(_manual, "text (sources of Sphinx)", "sphinx-doc", ".txt", "files", _FILES),
    "word": partial(_made, "DOCX", ".docx", _word),
    "slides": partial(_made, "PPTX", ".pptx", _slides),
    "sheet": partial(_made, "XLSX of 2,000 rows", ".xlsx", _sheet),
    "markdown": partial(_made, "Markdown", ".md", _markdown),
    "book": partial(_made, "EPUB", ".epub", _book),
    "mail": partial(_made, "e-mail", ".eml", _mail),
}
