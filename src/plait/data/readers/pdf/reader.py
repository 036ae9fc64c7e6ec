"""PDF files: reading-order text, figures and tables cut out of the page with captions, page images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import pypdfium2
from PIL import Image

from plait.data.readers.base import ReadLimits, ReadTask, document_id, title_from
from plait.data.readers.lines import Line
from plait.data.readers.pdf.assemble import ReadPage, segments_of
from plait.data.readers.pdf.damage import damage_of
from plait.data.readers.pdf.frames import Frame
from plait.data.readers.pdf.links import links_within
from plait.data.readers.pdf.metadata import known_title, metadata_of
from plait.data.readers.pdf.outline import bookmarks_of
from plait.data.readers.pdf.page import PageView
from plait.data.readers.pdf.paragraphs import Paragraph
from plait.data.readers.pdf.parts import PageContent, Part, content_of, parts_of
from plait.data.readers.pictures import PictureStore, looks_blank, reduced
from plait.errors import ReadError
from plait.schema import Document, Page, Picture

_NO_TEXT_DPI = 90
_OCR_DPI = 150
_FEWEST_LETTERS = 8  # a page with pictures and fewer letters has no text layer
_PAGES_AN_OPENING = 500  # PDFium keeps something of every page, in among all else, until the file is closed
_REPAIR = "repair it (printing it to a new PDF often helps), or get another copy"


def read_pdf(task: ReadTask, limits: ReadLimits) -> Document:
    """Return a PDF as a document: paragraphs, figures and tables, each with its place on the page.

    A page that cannot be read is left out with a warning; so are pages that the file declares but
    does not hold, and those beyond `limits.max_pages`. Pages without a text layer are recognised
    where that is wanted and installed, and give their whole image as a figure in any case.

    Raises:
        ReadError: it cannot be opened, or no page of it can be read.
    """
    reading = _Reading(_opened(task), task, limits)
    try:
        pages = list(reading.pages())
        if not pages:
            reason = f"none of its pages can be read ({'; '.join(reading.warnings[:1])})"
            raise ReadError(task.source, reason, _REPAIR)
        metadata, title = metadata_of(reading.pdf), known_title(reading.pdf)
        bookmarks = bookmarks_of(reading.pdf)
        found = len(reading.pdf)
    finally:
        reading.pdf.close()
    printed_title, segments = segments_of(pages, bookmarks)
    warnings = [*reading.warnings, *damage_of(task.path, found_pages=found, empty=reading.empty)]
    return Document(
        id=document_id(task.source),
        title=(title or printed_title or title_from(task.path))[:300],
        source=task.source,
        metadata=metadata,
        segments=tuple(segments),
        pages=tuple(read.page for read in pages),
        warnings=(*warnings, *_silent(pages)),
    )


def _opened(task: ReadTask) -> pypdfium2.PdfDocument:
    try:
        pdf = pypdfium2.PdfDocument(task.path)
        if len(pdf) == 0:
            raise ReadError(task.source, "has no pages", _REPAIR)
        return pdf
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            remedy = "save a copy without the password, then add that"
            raise ReadError(task.source, "is password-protected", remedy) from error
        if "security" in str(error).lower():
            remedy = "save a copy without protection, then add that"
            raise ReadError(task.source, "is protected in a way that cannot be read", remedy) from error
        raise ReadError(task.source, "cannot be opened as a PDF: damaged or cut short", _REPAIR) from error


@dataclass(slots=True)
class _Reading:
    """Reads the pages of an open file, one at a time.

    Attributes:
        warnings: of pages that were left out.
        empty: places of pages that nothing is drawn on, from 0.
    """

    pdf: pypdfium2.PdfDocument
    task: ReadTask
    limits: ReadLimits
    warnings: list[str] = field(default_factory=list)
    empty: list[int] = field(default_factory=list)

    def pages(self) -> Iterator[ReadPage]:
        """Give each page that can be read."""
        store = PictureStore(self.task.spool, max_pixels=self.limits.max_pixels)
        count = min(len(self.pdf), self.limits.max_pages)
        if count < len(self.pdf):
            self.warnings.append(
                f"only the first {count:,} of its {len(self.pdf):,} pages were read, which is the limit"
            )
        for index in range(count):
            if index and index % _PAGES_AN_OPENING == 0:
                self.pdf.close()
                self.pdf = _opened(self.task)
            read = self._page(index, store)
            if read is not None:
                label = self.pdf.get_page_label(index)
                read.page = replace(read.page, label="" if label == str(index + 1) else label)
                yield read
            self.task.tick()

    def _page(self, index: int, store: PictureStore) -> ReadPage | None:
        try:
            with PageView(self.pdf, index, max_pixels=self.limits.max_pixels) as view:
                if view.is_empty():
                    self.empty.append(index)
                return _read_page(view, store, self.limits, index + 1)
        except (pypdfium2.PdfiumError, ValueError) as error:
            reason = str(error) if isinstance(error, ValueError) else "is damaged"
            self.warnings.append(f"page {index + 1} was left out: it {reason}")
            return None


def _read_page(view: PageView, store: PictureStore, limits: ReadLimits, number: int) -> ReadPage:
    """Read one page: its lines, what is drawn, their order; then draw what is to be kept."""
    pieces, drawn = view.lines(), view.drawn()
    letters = sum(len(line.text) for line in pieces)
    if letters >= _FEWEST_LETTERS or (letters and not any(item.is_picture for item in drawn)):
        content = content_of(pieces, drawn, view.box)
        page = Page(number, picture=_page_picture(view, store, limits))
        parts = _parts(content, view, store, limits)
        _add_links(parts, view, content.frame)
        return ReadPage(page, content.frame, parts)
    page = Page(number, picture=_page_picture(view, store, limits), text_from="none")
    if not drawn and not pieces:
        return ReadPage(page, Frame(view.box))
    return _pictured_page(view, store, limits, page, pieces)


def _parts(content: PageContent, view: PageView, store: PictureStore, limits: ReadLimits) -> list[Part]:
    """Return the parts of a page, its figures and tables cut out of its image."""
    boxes = [figure.box for figure in content.figures] + [table.box for table in content.tables]
    if not boxes:
        return parts_of(content, [], [])
    images = view.cut([content.frame.back(box) for box in boxes], dpi=limits.figure_dpi)
    pictures = [None if looks_blank(image) else store.draw(_plain(image)) for image in images]
    count = len(content.figures)
    return parts_of(content, pictures[:count], pictures[count:])


def _plain(image: Image.Image) -> Image.Image:
    """Return a picture without colours in grey: a third of the bytes, and of the time to pack them."""
    red, green, blue = (band.tobytes() for band in image.split())
    return image.getchannel(0) if red == green == blue else image


def _pictured_page(
    view: PageView, store: PictureStore, limits: ReadLimits, page: Page, pieces: Sequence[Line]
) -> ReadPage:
    """Return a page that is a picture: the words recognised in it, then the whole of it as a figure."""
    whole = view.render(dpi=max(_NO_TEXT_DPI, limits.page_dpi))
    if looks_blank(whole):
        return ReadPage(page, Frame(view.box))
    picture = page.picture or store.draw(reduced(whole))
    recognised = _recognised(view, limits)
    if not recognised:
        text = " ".join(line.text for line in pieces)
        part = Part("image", Paragraph(text, view.box, 0.0), run=0, picture=picture)
        return ReadPage(page, Frame(view.box), [part])
    content = content_of(recognised, [], view.box)
    parts = parts_of(content, [], [])
    parts.append(Part("image", Paragraph("", content.frame.box, 0.0), run=len(parts), picture=picture))
    return ReadPage(replace(page, text_from="ocr"), content.frame, parts)


def _recognised(view: PageView, limits: ReadLimits) -> list[Line]:
    """Return the lines that character recognition finds on a page; [] if it is off or not installed."""
    from plait.data.readers import ocr  # NumPy and a recogniser: only for pages that need them

    if not ocr.is_wanted(limits):
        return []
    image = view.render(dpi=_OCR_DPI)
    dpi = 72 * image.width / view.box.width  # less than asked for a page with too many pixels
    return ocr.lines_of(image, dpi, limits) or []


def _page_picture(view: PageView, store: PictureStore, limits: ReadLimits) -> Picture | None:
    if limits.page_dpi <= 0:
        return None
    return store.draw(view.render(dpi=limits.page_dpi), photographic=True)


def _add_links(parts: Sequence[Part], view: PageView, frame: Frame) -> None:
    """Attach the links of a page to the parts that they stand in."""
    links = view.links()
    if links:
        for part in parts:
            part.links = links_within(frame.back(part.paragraph.box), links)


def _silent(pages: Sequence[ReadPage]) -> list[str]:
    """Tell of pages that are pictures only."""
    numbers = [read.page.number for read in pages if read.page.text_from == "none" and read.parts]
    if not numbers:
        return []
    named = ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")
    which = f"{len(numbers)} pages have" if len(numbers) > 1 else "1 page has"
    return [f"{which} no text layer and can be found by picture only (page {named})"]
