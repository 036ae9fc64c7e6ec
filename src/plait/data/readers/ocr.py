"""Words of a picture of a page, by character recognition: the extra "ocr" (rapidocr), which works offline."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from plait.data.readers.base import ReadLimits
from plait.data.readers.geometry import Rect
from plait.data.readers.lines import Line
from plait.extras import require

_SUREST = 0.6  # of recognition, from 0 to 1: below, specks and drawings are read as letters
_UNSURE = 0.8  # of all of a page: below, it may stand on its head
_TYPE_SHARE = 0.72  # of a line's box that is the size of its type
_TALL = 1.5  # a box so much higher than wide holds text that runs upwards or downwards
_SMALLEST_PAGE_PX = 500
_FEWEST_ROWS = 6  # of text on what looks like a page
_FEWEST_STROKES = 15  # that one row of pixels cuts through, in a line of text
_USUAL_STROKES = 35  # of a column of text; rows of labels in a diagram have fewer


def is_wanted(limits: ReadLimits) -> bool:
    """Tell whether pages without a text layer are to be recognised, and can be."""
    return limits.ocr != "off" and importlib.util.find_spec("rapidocr") is not None


def lines_of(image: Image.Image, dpi: float, limits: ReadLimits) -> list[Line] | None:
    """Return the lines of text in a picture of a page; None if recognition is off or not installed.

    A page that lies on its side or its head is turned before it is read. Takes 3 to 7 seconds of CPU a
    page of A4 at 150 dpi, and about 1 GB.

    Args:
        image: any mode.
        dpi: its resolution; boxes are in points from its top left corner.
        limits: `ocr` and `ocr_memory_mb`.
    """
    if not is_wanted(limits):
        return None
    _make_room(limits)
    pixels = np.asarray(image.convert("RGB"))[:, :, ::-1]
    turned, found = _best_turn(pixels)
    scale = 72 / dpi
    return [
        Line(text, _upright(_around(corners), turned, image.size, scale), _size(corners) * scale)
        for corners, text, score in found
        if score >= _SUREST and text.strip()
    ]


def _best_turn(pixels: NDArray[np.uint8]) -> tuple[int, _Found]:
    """Return by how many quarters to the left a page stands upright, and what is found then."""
    found = _recognised(pixels)
    tries: tuple[int, ...]
    if _lies_on_its_side(found):
        tries = (1, 3)
    elif found and _sureness(found) < _UNSURE:
        tries = (2,)
    else:
        return 0, found
    turns = [(turn, _recognised(np.ascontiguousarray(np.rot90(pixels, turn)))) for turn in tries]
    return max(
        [(0, found), *turns], key=lambda one: _sureness(one[1]) * len("".join(t for _, t, _ in one[1]))
    )


def _sureness(found: _Found) -> float:
    """Return how sure recognition is of what it found, from 0 to 1: the mean over letters."""
    return sum(score * len(text) for _, text, score in found) / max(1, _letters(found))


def _letters(found: _Found) -> int:
    return sum(len(text) for _, text, _ in found)


def looks_like_a_page(image: Image.Image) -> bool:
    """Tell a picture of a printed page from a photograph or a drawing.

    Paper is one light colour over most of the picture; print is dark, little of it, in rows of many strokes.
    """
    if min(image.size) < _SMALLEST_PAGE_PX:
        return False
    grey = np.asarray(image.convert("L").resize(_reduced(image.size)), np.uint8)
    paper = int(np.bincount(grey.ravel(), minlength=256)[128:].argmax()) + 128
    light = float((np.abs(grey.astype(np.int16) - paper) < 25).mean())
    dark = grey < paper - 70
    if light < 0.6 or not 0.005 < float(dark.mean()) < 0.3:
        return False
    return _has_lines(dark) or _has_lines(dark.T)  # the page may lie on its side


def _has_lines(dark: NDArray[np.bool_]) -> bool:
    """Tell whether dark pixels stand in rows as those of printed lines do."""
    strokes = (dark[:, 1:] & ~dark[:, :-1]).sum(axis=1)
    rows = strokes >= _FEWEST_STROKES
    begins = int((rows[1:] & ~rows[:-1]).sum())
    return begins >= _FEWEST_ROWS and float(np.median(strokes[rows])) >= _USUAL_STROKES


_Found = list[tuple[NDArray[np.float32], str, float]]  # corners (4, 2) in pixels, words, how sure


@lru_cache(maxsize=1)
def _engine() -> Any:
    """Return the recogniser, with the models that its package brings, on one thread."""
    require("onnxruntime").disable_telemetry_events()
    return require("rapidocr").RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,
            "Rec.rec_batch_num": 6,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )


def _recognised(pixels: NDArray[np.uint8]) -> _Found:
    """Return the lines found in a picture (height, width, 3), blue first."""
    answer = _engine()(pixels)
    if answer.boxes is None or answer.txts is None:
        return []
    return [
        (np.asarray(corners, np.float32), str(text), float(score))
        for corners, text, score in zip(answer.boxes, answer.txts, answer.scores, strict=True)
    ]


def _lies_on_its_side(found: _Found) -> bool:
    """Tell whether most of what was found is much higher than wide."""
    sides = [_around(corners) for corners, _, _ in found]
    tall = sum(box.height > _TALL * box.width for box in sides)
    return len(sides) >= 3 and tall > 0.6 * len(sides)


def _around(corners: NDArray[np.float32]) -> Rect:
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return Rect(left, top, right, bottom)


def _upright(box: Rect, turned: int, size: tuple[int, int], scale: float) -> Rect:
    """Return a box of the turned picture as it lies on the picture that was given, in points."""
    width, height = size
    if turned == 1:  # what was right was at the top when it was read
        box = Rect(width - box.bottom, box.left, width - box.top, box.right)
    elif turned == 2:
        box = Rect(width - box.right, height - box.bottom, width - box.left, height - box.top)
    elif turned == 3:
        box = Rect(box.top, height - box.right, box.bottom, height - box.left)
    return Rect(*(value * scale for value in box))


def _size(corners: NDArray[np.float32]) -> float:
    """Return the size of the type, in pixels, from the shorter side of a line's box."""
    one, other = corners[1] - corners[0], corners[2] - corners[1]
    return _TYPE_SHARE * min(math.hypot(*one.tolist()), math.hypot(*other.tolist()))


def _reduced(size: Sequence[int]) -> tuple[int, int]:
    scale = min(1.0, 1000 / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _make_room(limits: ReadLimits) -> None:
    """Let a reading process that is kept small take the memory that recognition needs."""
    from plait.data.readers.sandbox.confinement import more_memory

    more_memory(limits)
