"""Picture files: a document of one figure, or of a page for each picture of a scan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from PIL import Image

from plait.data.readers.base import ReadLimits, ReadTask, document_id, title_from
from plait.data.readers.media.picture_notes import notes_of
from plait.data.readers.pictures import (
    DAMAGED,
    BadPictureError,
    PictureStore,
    TooManyPixelsError,
    check_size,
    looks_blank,
    opened,
)
from plait.errors import ReadError
from plait.schema import Document, Page, Segment

_SUBFILE_TYPE = 254
_REDUCED = 1
_USUAL_DPI = 150.0


def read_image(task: ReadTask, limits: ReadLimits) -> Document:
    """Return a picture file as a document of one image segment, titled by what it says or by its file name.

    A TIFF file of several pictures has a page for each; of an animation, only the first picture is read.
    Metadata width and height are those of the (first) picture as it is kept: upright, at most 1,600 px a
    side; what cameras and programs noted of title, author, time and device is metadata, too. Where it was
    taken is left out.

    Raises:
        ReadError: it cannot be decoded, or has too many pixels.
        MissingExtraError: a HEIC picture, and the extra that reads them is not installed.
    """
    store = PictureStore(task.spool, max_pixels=limits.max_pixels)
    try:
        data = task.path.read_bytes()
        with opened(data, max_pixels=limits.max_pixels) as image:
            notes = notes_of(image)
            words = _words_on(image, limits)
            first = store.keep_opened(image, data)
            pages = _Pages(task, limits, store, image)
            later = list(pages) if image.format == "TIFF" else []
    except BadPictureError as error:
        large = isinstance(error, TooManyPixelsError)
        remedy = "make it smaller, or raise max_pixels" if large else "save it again as PNG, or leave it out"
        raise ReadError(task.source, f"cannot be used: {error}", remedy) from error
    shown = Segment("image", text=notes.description, picture=first)
    document = Document(
        id=document_id(task.source),
        title=notes.title or title_from(task.path),
        source=task.source,
        metadata={"type": "image", "width": first.width_px, "height": first.height_px, **notes.metadata},
        segments=(shown, *words),
        warnings=tuple(pages.warnings),
    )
    if not later:
        return document
    own = [replace(segment, page=1) for segment in document.segments]
    return replace(
        document,
        metadata={**document.metadata, "pages": 1 + len(later)},
        segments=(*own, *(segment for _, segments in later for segment in segments)),
        pages=(Page(1, picture=first, text_from=_source_of(words)), *(page for page, _ in later)),
    )


class _Pages:
    """The later pages of a scan, each with its segments; iterated once.

    Attributes:
        warnings: what had to be left out.
    """

    def __init__(self, task: ReadTask, limits: ReadLimits, store: PictureStore, image: Image.Image) -> None:
        self.warnings: list[str] = []
        self._task = task
        self._limits = limits
        self._store = store
        self._image = image

    def __iter__(self) -> Iterator[tuple[Page, list[Segment]]]:
        for number, frame in self._frames():
            if looks_blank(frame):
                yield Page(number, text_from="none"), []
                continue
            picture = self._store.draw(frame)
            words = [replace(segment, page=number) for segment in _words_on(frame, self._limits)]
            page = Page(number, picture=picture, text_from=_source_of(words))
            yield page, [Segment("image", picture=picture, page=number), *words]
            self._task.tick()

    def _frames(self) -> Iterator[tuple[int, Image.Image]]:
        """Yield the later pictures and their numbers, without those that only show another one smaller."""
        for index in range(1, self._limits.max_pages + 1):
            try:
                self._image.seek(index)
            except EOFError:
                return
            except DAMAGED:
                self.warnings.append(f"what follows page {index} is damaged and was left out")
                return
            if index == self._limits.max_pages:
                self.warnings.append(f"only the first {index} pages were read")
                return
            if self._is_copy():
                continue
            try:
                check_size(self._image, max_pixels=self._limits.max_pixels)
                self._image.load()
            except BadPictureError as error:
                self.warnings.append(f"left out page {index + 1}: {error}")
            except DAMAGED:
                self.warnings.append(f"left out page {index + 1}: it is damaged")
            else:
                yield index + 1, self._image

    def _is_copy(self) -> bool:
        try:
            return bool(int(self._image.tag_v2.get(_SUBFILE_TYPE, 0)) & _REDUCED)  # type: ignore[attr-defined]
        except DAMAGED:
            return False


def _source_of(words: list[Segment]) -> Literal["ocr", "none"]:
    return "ocr" if words else "none"


def _words_on(image: Image.Image, limits: ReadLimits) -> list[Segment]:
    """Return the words of a picture that looks like a scanned page, where recognition is installed."""
    if limits.ocr == "off":
        return []
    from plait.data.readers import ocr

    if not ocr.is_wanted(limits) or not (limits.ocr == "all" or ocr.looks_like_a_page(image)):
        return []
    dpi = image.info.get("dpi", (_USUAL_DPI,))[0]
    lines = ocr.lines_of(image, float(dpi) if dpi and dpi > 1 else _USUAL_DPI, limits)
    text = "\n".join(line.text for line in lines or ())
    return [Segment("text", text=text)] if text else []
