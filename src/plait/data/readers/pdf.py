"""PDF files: reading-order text, figures cut out of the page with their captions, page images."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import pypdfium2
from PIL import Image

from plait.data.readers.base import ReadLimits, ReadTask, document_id, title_from
from plait.data.readers.figures import Figure, find_figures, is_caption
from plait.data.readers.geometry import Rect
from plait.data.readers.layout import Line, Paragraph, columns, leading_of, paragraphs
from plait.data.readers.pdf_declared import declared_pages
from plait.data.readers.pdf_outline import Headings, running_heads
from plait.data.readers.pdf_page import PageView
from plait.data.readers.pictures import PictureStore, looks_blank, reduced
from plait.errors import ReadError
from plait.schema import Box, Document, Page, Picture, Scalar, Segment

_NO_TEXT_DPI = 90
_FEWEST_LETTERS = 8  # a page with fewer has no text layer
_JUNK_TITLE = re.compile(
    r"^(?:untitled.*|microsoft \w+ - .*|.*\.(?:dvi|tex|docx?|indd|qxd|pdf|ps)|\W*)$", re.I
)
_NAMES = {"Author": "author", "Subject": "subject", "Keywords": "keywords"}
_DATE = re.compile(r"^D:(\d{4})(\d\d)?(\d\d)?")


@dataclass(slots=True)
class _Part:
    """One piece of a page in reading order: a paragraph, or a figure with its picture."""

    paragraph: Paragraph
    picture: Picture | None = None
    caption: str = ""


@dataclass(slots=True)
class _ReadPage:
    """One page as it was read."""

    page: Page
    box: Rect
    parts: list[_Part] = field(default_factory=list)
    has_text: bool = True


def read_pdf(task: ReadTask, limits: ReadLimits) -> Document:
    """Return a PDF as a document: one run of segments a page, each with its place on the page.

    A page that cannot be read is left out with a warning; so are pages that the file declares but
    does not hold. Pages without a text layer give their whole image as a figure.

    Raises:
        ReadError: it cannot be opened, or no page of it can be read.
    """
    data = task.path.read_bytes()
    pdf = _opened(data, task)
    try:
        warnings: list[str] = []
        pages = list(_pages(pdf, task, limits, warnings))
        metadata = _metadata(pdf)
        known_title = pdf.get_metadata_dict().get("Title", "")
    finally:
        pdf.close()
    if not pages:
        raise ReadError(task.source, f"none of its pages can be read ({'; '.join(warnings[:1])})", _REPAIR)
    warnings += _missing(declared_pages(data), metadata["pages"])
    warnings += _silent(pages)
    return _document(task, pages, metadata, known_title, warnings)


_REPAIR = "repair it (printing it to a new PDF often helps), or get another copy"


def _opened(data: bytes, task: ReadTask) -> pypdfium2.PdfDocument:
    try:
        pdf = pypdfium2.PdfDocument(data)
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


def _pages(
    pdf: pypdfium2.PdfDocument, task: ReadTask, limits: ReadLimits, warnings: list[str]
) -> Iterator[_ReadPage]:
    store = PictureStore(task.spool, max_pixels=limits.max_pixels)
    for index in range(len(pdf)):
        number = index + 1
        try:
            page = pdf.get_page(index)
            try:
                read = _read_page(PageView(page, max_pixels=limits.max_pixels), store, limits, number)
            finally:
                page.close()
        except (pypdfium2.PdfiumError, ValueError) as error:
            reason = str(error) if isinstance(error, ValueError) else "is damaged"
            warnings.append(f"page {number} was left out: it {reason}")
            continue
        label = pdf.get_page_label(index)
        yield _labelled(read, "" if label == str(number) else label)


def _labelled(read: _ReadPage, label: str) -> _ReadPage:
    """Return the page with its printed label."""
    read.page = replace(read.page, label=label)
    return read


def _read_page(view: PageView, store: PictureStore, limits: ReadLimits, number: int) -> _ReadPage:
    """Read one page: lines, figures, their order; then draw what is to be kept."""
    lines = view.lines()
    has_text = sum(len(line.text) for line in lines) >= _FEWEST_LETTERS
    drawn = view.drawn()
    figures = find_figures(drawn, lines, view.box) if has_text else []
    image = view.render(dpi=limits.figure_dpi) if figures else None
    page_picture = _page_picture(view, store, limits, image)
    read = _ReadPage(Page(number, picture=page_picture), view.box, has_text=has_text)
    if has_text:
        pictures = _cut(image, figures, view.box, store) if image is not None else []
        read.parts = _parts(lines, figures, pictures)
    elif drawn or lines:
        whole = view.render(dpi=max(_NO_TEXT_DPI, limits.page_dpi))
        if not looks_blank(whole):
            text = " ".join(line.text for line in lines)
            picture = page_picture or store.draw(reduced(whole))
            read.parts = [_Part(Paragraph(text, view.box, 0.0), picture)]
    return read


def _page_picture(
    view: PageView, store: PictureStore, limits: ReadLimits, image: Image.Image | None
) -> Picture | None:
    """Draw the page image; from the larger image that figures were cut out of, if there is one."""
    if limits.page_dpi <= 0:
        return None
    if image is None or limits.page_dpi >= limits.figure_dpi:
        return store.draw(view.render(dpi=limits.page_dpi), photographic=True)
    scale = limits.page_dpi / limits.figure_dpi
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return store.draw(image.resize(size, Image.Resampling.BOX, reducing_gap=None), photographic=True)


def _cut(
    image: Image.Image, figures: Sequence[Figure], page: Rect, store: PictureStore
) -> list[Picture | None]:
    """Cut the figures out of the drawn page; None for one that shows nothing."""
    across, down = image.width / page.width, image.height / page.height
    pictures: list[Picture | None] = []
    for figure in figures:
        left, top = int(figure.box.left * across), int(figure.box.top * down)
        right, bottom = int(figure.box.right * across) + 1, int(figure.box.bottom * down) + 1
        part = image.crop((left, top, min(right, image.width), min(bottom, image.height)))
        pictures.append(None if looks_blank(part) else store.draw(part))
    return pictures


def _parts(
    lines: Sequence[Line], figures: Sequence[Figure], pictures: Sequence[Picture | None]
) -> list[_Part]:
    """Put paragraphs and figures in reading order; captions leave the text for their figures."""
    shown = [
        (figure, picture) for figure, picture in zip(figures, pictures, strict=True) if picture is not None
    ]
    labels = frozenset().union(*(figure.labels for figure, _ in shown))
    owners = {figure.caption: place for place, (figure, _) in enumerate(shown) if figure.caption is not None}
    items: list[tuple[Rect, int, int]] = [  # box, line or -1, figure or -1
        *((line.box, i, -1) for i, line in enumerate(lines) if i not in labels),
        *((figure.box, -1, place) for place, (figure, _) in enumerate(shown)),
    ]
    parts: list[_Part] = []
    captions: dict[int, str] = {}
    order = columns([box for box, _, _ in items], text=[line >= 0 for _, line, _ in items])
    leading = leading_of([lines[items[i][1]] for column in order for i in column if items[i][1] >= 0])
    for column in order:
        run: list[int] = []
        for item in [*column, None]:
            figure_place = items[item][2] if item is not None else -1
            if item is not None and figure_place < 0:
                run.append(items[item][1])
                continue
            parts += _paragraph_parts([(i, lines[i]) for i in run], leading, owners, captions)
            run = []
            if item is not None:
                figure, picture = shown[figure_place]
                label = " ".join(lines[i].text for i in sorted(figure.labels))
                parts.append(_Part(Paragraph(label, figure.box, 0.0, lines=-1 - figure_place), picture))
    for part in parts:
        if part.picture is not None:
            part.caption = captions.get(-1 - part.paragraph.lines, "")
    return parts


def _paragraph_parts(
    run: Sequence[tuple[int, Line]], leading: float, owners: dict[int, int], captions: dict[int, str]
) -> list[_Part]:
    """Join lines to paragraphs; a caption that a figure owns goes to `captions` instead."""
    found: list[_Part] = []
    starts = frozenset(place for place, (_, line) in enumerate(run) if is_caption(line.text))
    place = 0
    for paragraph in paragraphs([line for _, line in run], leading=leading, breaks=starts):
        owner = owners.get(run[place][0])
        place += paragraph.lines
        if owner is None:
            found.append(_Part(paragraph))
        else:
            captions[owner] = paragraph.text
    return found


def _document(
    task: ReadTask,
    pages: Sequence[_ReadPage],
    metadata: dict[str, Scalar],
    known_title: str,
    warnings: list[str],
) -> Document:
    """Drop running heads, find headings and the title, and put it all together."""
    heads = running_heads([[part.paragraph for part in read.parts] for read in pages], [p.box for p in pages])
    for place, read in enumerate(pages, start=1):
        read.parts = [
            part
            for part in read.parts
            if part.picture is not None or (part.paragraph.text and (place, part.paragraph.text) not in heads)
        ]
    headings = Headings([part.paragraph for read in pages for part in read.parts if part.picture is None])
    segments: list[Segment] = []
    for read in pages:
        for part in read.parts:
            section = headings.section(part.paragraph) if part.picture is None else headings.here
            segments.append(_segment(part, read, section))
    title = " ".join(known_title.split())
    if not title or _JUNK_TITLE.match(title):
        title = headings.title or title_from(task.path)
    return Document(
        id=document_id(task.source),
        title=title[:300],
        source=task.source,
        metadata=metadata,
        segments=tuple(segments),
        pages=tuple(read.page for read in pages),
        warnings=tuple(warnings),
    )


def _segment(part: _Part, read: _ReadPage, section: tuple[str, ...]) -> Segment:
    return Segment(
        kind="text" if part.picture is None else "image",
        text=part.paragraph.text,
        picture=part.picture,
        caption=part.caption,
        section=section,
        page=read.page.number,
        box=_fractions(part.paragraph.box, read.box),
    )


def _fractions(box: Rect, page: Rect) -> Box:
    def part(value: float, whole: float) -> float:
        return round(min(1.0, max(0.0, value / whole)), 4)

    return Box(
        part(box.left, page.width),
        part(box.top, page.height),
        part(box.right, page.width),
        part(box.bottom, page.height),
    )


def _metadata(pdf: pypdfium2.PdfDocument) -> dict[str, Scalar]:
    values = pdf.get_metadata_dict(skip_empty=True)
    metadata: dict[str, Scalar] = {"type": "pdf", "pages": len(pdf)}
    for name, ours in _NAMES.items():
        if text := " ".join(values.get(name, "").split()):
            metadata[ours] = text[:300]
    if date := _DATE.match(values.get("CreationDate", "")):
        metadata["created"] = "-".join(part for part in date.groups() if part)
    return metadata


def _missing(declared: int | None, found: Scalar) -> list[str]:
    if declared is None or declared <= int(found):
        return []
    return [f"only {found} of its {declared} pages could be found: the file is damaged"]


def _silent(pages: Sequence[_ReadPage]) -> list[str]:
    """Tell of pages that are pictures only."""
    numbers = [read.page.number for read in pages if not read.has_text and read.parts]
    if not numbers:
        return []
    named = ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")
    which = f"{len(numbers)} pages have" if len(numbers) > 1 else "1 page has"
    return [f"{which} no text layer and can be found by picture only (page {named})"]
