"""What sentence-transformers accepts as one input, as ReT reads it: a text, a picture, or both."""

from __future__ import annotations

import base64
import binascii
import os
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image as PillowImage
from sentence_transformers.base.modality import infer_modality
from torch import Tensor

from plait.encode.pictures import open_picture
from plait.errors import InputError

MAX_PIXELS = 50_000_000  # of a file opened here; a Pillow image comes as large as its owner lets it
_CHANNELS = (1, 3, 4)


@dataclass(frozen=True, slots=True)
class TextAndImage:
    """One input; a text of white space only is None."""

    text: str | None = None
    image: PillowImage.Image | None = None


def read_input(given: Any) -> TextAndImage:
    """Return one input as text and picture.

    Args:
        given: a str; a picture: a Pillow image, the path of a file (as a str only where the file is
            there and is named like a picture, as everywhere in sentence-transformers), or an array of
            (height, width, 3) or (3, height, width); a dict with "text", "image" or both, None where one
            lacks; or a chat message, or several, whose contents are of these two kinds.

    Raises:
        InputError: neither text nor picture, more than one picture, another kind of input, a file that
            is no picture, or the address of one, for nothing is fetched.
    """
    texts, images = _parts(given)
    words = " ".join(text for text in texts if text.strip())
    if len(images) > 1:
        raise InputError(f"{_shown(given)} holds {len(images)} images, but ReT reads one an input: split it")
    if not words and not images:
        raise InputError(
            f"{_shown(given)} has neither text (empty, or only white space) nor image: leave it out"
        )
    return TextAndImage(words or None, images[0] if images else None)


def _parts(given: Any) -> tuple[list[str], list[PillowImage.Image]]:
    """Return the texts and the pictures of one input, in order."""
    match given:
        case str() if infer_modality(given, supported_modalities=["text", "image"]) == "image":
            return [], [_image(given)]
        case str():
            return [given], []
        case PillowImage.Image() | os.PathLike() | np.ndarray() | Tensor():
            return [], [_image(given)]
        case {"role": _, "content": content}:
            return _content(content)
        case [{"role": _, "content": _}, *_]:
            return _joined(_parts(message) for message in given)
        case Mapping():
            return _named(given)
    raise InputError(
        f"{_shown(given)} is of type {type(given).__name__}, expected a text, an image, or a dict of both"
    )


def _named(given: Mapping[str, Any]) -> tuple[list[str], list[PillowImage.Image]]:
    """Return the parts of a dict; each may be a list, and None where it lacks."""
    other = sorted(
        str(name) for name, value in given.items() if name not in ("text", "image") and value is not None
    )
    if other:
        raise InputError(f"{_shown(given)} holds {', '.join(other)}, but ReT reads only 'text' and 'image'")
    texts, images = _several(given.get("text")), _several(given.get("image"))
    for text in texts:
        if not isinstance(text, str):
            raise InputError(
                f"{_shown(given)}: its text is of type {type(text).__name__}, expected str or None"
            )
    return texts, [_image(image) for image in images]


def _content(content: Any) -> tuple[list[str], list[PillowImage.Image]]:
    """Return the parts of a chat message's content: a text, or a list of typed parts."""
    if isinstance(content, str):
        return [content], []
    if not isinstance(content, list):
        raise InputError(
            f"a message's content is of type {type(content).__name__}, expected str or a list of parts"
        )
    return _joined(
        _parts({name: value for name, value in part.items() if name != "type"})
        if isinstance(part, Mapping)
        else _parts(part)
        for part in content
    )


def _joined(
    parts: Iterable[tuple[list[str], list[PillowImage.Image]]],
) -> tuple[list[str], list[PillowImage.Image]]:
    texts: list[str] = []
    images: list[PillowImage.Image] = []
    for more_texts, more_images in parts:
        texts += more_texts
        images += more_images
    return texts, images


def _several(value: Any) -> list[Any]:
    """Return what a dict holds of one kind; Arrow may write no picture as one without bytes and path."""
    if value is None or (isinstance(value, dict) and value and not any(value.values())):
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _image(given: Any) -> PillowImage.Image:
    """Return a picture from whatever holds one."""
    match given:
        case PillowImage.Image():
            return given
        case str() if given.startswith("data:"):
            return _opened(_decoded(given))
        case str() if given.startswith(("http://", "https://")):
            raise InputError(
                f"{_shown(given)} is an address, and nothing is fetched: give the image or its file"
            )
        case str() | os.PathLike():
            return _opened(os.fspath(given))
        case {"bytes": bytes(encoded)}:  # how datasets keep a picture that they do not decode
            return _opened(encoded)
        case {"path": str(path)}:
            return _opened(path)
        case np.ndarray() | Tensor():
            return _from_numbers(given)
    raise InputError(
        f"{_shown(given)} is of type {type(given).__name__}, expected an image, its path, or an array"
    )


def _opened(source: str | bytes) -> PillowImage.Image:
    return open_picture(source, max_pixels=MAX_PIXELS)


def _decoded(address: str) -> bytes:
    try:
        return base64.b64decode(address.partition(";base64,")[2], validate=True)
    except binascii.Error as error:
        raise InputError(f"{_shown(address)} is no picture in base64: {error}") from error


def _from_numbers(given: np.ndarray[Any, Any] | Tensor) -> PillowImage.Image:
    """Return a picture of bytes, or of real numbers in [0, 1]; its channels (1, 3 or 4) last or first."""
    if isinstance(given, Tensor):  # NumPy has no bfloat16
        given = (given.float() if given.is_floating_point() else given).numpy(force=True)
    values: np.ndarray[Any, Any] = given
    found = f"an array of shape {values.shape}, {values.dtype}"
    if values.ndim != 3:
        raise InputError(f"{found} is no image: expected (height, width, 3); sound and video are not read")
    if values.dtype.kind == "f":
        if not ((values >= 0) & (values <= 1)).all():
            raise InputError(f"{found}, is no image: real numbers must lie in [0, 1], and none be NaN")
        values = (values * 255).round().astype(np.uint8)
    if values.shape[2] not in _CHANNELS:
        values = values.transpose(1, 2, 0)
    if values.dtype != np.uint8 or values.shape[2] not in _CHANNELS:
        raise InputError(f"{found}, is no image: expected 1, 3 or 4 channels of uint8, or of reals in [0, 1]")
    return PillowImage.fromarray(values[:, :, 0] if values.shape[2] == 1 else values)


def _shown(given: Any) -> str:
    return reprlib.repr(given)
