"""Picture files: a document of one figure."""

from __future__ import annotations

from plait.data.readers.base import ReadLimits, ReadTask, document_id, title_from
from plait.data.readers.pictures import BadPictureError, PictureStore, TooManyPixelsError
from plait.errors import ReadError
from plait.schema import Document, Segment


def read_image(task: ReadTask, limits: ReadLimits) -> Document:
    """Return a picture file as a document of one image segment, titled by its file name.

    Metadata width and height are those of the picture as it is kept: upright, at most 1,600 px a side.

    Raises:
        ReadError: it cannot be decoded, or has too many pixels.
    """
    try:
        picture = PictureStore(task.spool, max_pixels=limits.max_pixels).keep(task.path.read_bytes())
    except BadPictureError as error:
        large = isinstance(error, TooManyPixelsError)
        remedy = "make it smaller, or raise max_pixels" if large else "save it again as PNG, or leave it out"
        raise ReadError(task.source, f"cannot be used: {error}", remedy) from error
    return Document(
        id=document_id(task.source),
        title=title_from(task.path),
        source=task.source,
        metadata={"type": "image", "width": picture.width_px, "height": picture.height_px},
        segments=(Segment("image", picture=picture),),
    )
