"""Pictures that are too large, too many, or not what they say."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

from PIL import Image
from tests.data.readers.hostile.lures import Lures
from tests.data.readers.hostile.pdfs import noise, repeated_deflate


def files(lures: Lures) -> Iterator[tuple[str, bytes]]:
    """Give names and contents."""
    yield "empty.png", b""
    yield "only-a-mark.png", b"\x89PNG\r\n\x1a\n"
    yield "noise.png", png(40, 40)[:60] + noise(500)
    yield "cut-short.png", png(300, 300)[:-40]
    yield "one-by-a-million.png", png(1, 1_000_000)
    yield "a-million-by-one.png", png(1_000_000, 1)
    yield "two-thousand-million-pixels.png", png(50_000, 50_000, rows=1)
    yield "no-pixels.png", png(0, 0)
    yield (
        "text-bomb.png",
        png(40, 40, before=chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(60 * 2**20)))),
    )
    yield (
        "profile-bomb.png",
        png(40, 40, before=chunk(b"iCCP", b"a\0\0" + repeated_deflate(bytes(2**20), 60))),
    )
    yield "many-frames-png.png", animated_png(10_000)
    yield "many-frames.gif", animated_gif(10_000)
    yield "many-frames.webp", animated_webp(10_000)
    yield "huge-screen.gif", b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0, 0, 0) + gif_frame() + b";"
    yield "no-end.gif", b"GIF89a" + struct.pack("<HHBBB", 9, 9, 0, 0, 0) + b"!\xfe" + b"\xffx" * 9
    yield "directory-of-itself.tif", b"II*\0\x08\0\0\0" + b"\0\0" + struct.pack("<I", 8)
    yield "many-pages.tif", tiff(2_000)
    yield "noise.jpg", jpeg()[:200] + noise(2_000)
    yield "large-on-paper.jpg", jpeg().replace(struct.pack(">HH", 40, 40), struct.pack(">HH", 65_000, 65_000))
    yield (
        "negative.bmp",
        b"BM" + struct.pack("<IHHIIiiHHIIIIII", 99, 0, 0, 54, 40, -99, -(2**31), 1, 24, *[0] * 6),
    )
    yield "noise.webp", b"RIFF\xff\xff\xff\x7fWEBPVP8 " + noise(400)
    yield "noise.heic", b"\0\0\0\x18ftypheic" + noise(400)
    yield "noise.avif", b"\0\0\0\x18ftypavif" + noise(400)
    yield "page.jpg", b"<!doctype html><p>An error page with a picture's name.</p>"


def png(width: int, height: int, *, rows: int | None = None, before: bytes = b"") -> bytes:
    """A grey picture; only the first `rows` have data."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    data = zlib.compress((b"\0" + b"\x80" * width) * (height if rows is None else rows), 1)
    return b"\x89PNG\r\n\x1a\n" + header + before + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def animated_png(frames: int) -> bytes:
    pixels = zlib.compress((b"\0" + b"\x80" * 40) * 40)
    more = []
    for i in range(1, frames):
        control = struct.pack(">IIIIIHHBB", 2 * i - 1, 40, 40, 0, 0, 1, 10, 0, 0)
        more.append(chunk(b"fcTL", control) + chunk(b"fdAT", struct.pack(">I", 2 * i) + pixels))
    first = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 40, 40, 0, 0, 1, 10, 0, 0))
    start = png(40, 40, before=chunk(b"acTL", struct.pack(">II", frames, 0)) + first)
    return start[:-12] + b"".join(more) + start[-12:]


def gif_frame() -> bytes:
    """A frame of 40 by 40."""
    buffer = io.BytesIO()
    Image.new("P", (40, 40), 1).save(buffer, "GIF")
    data = buffer.getvalue()
    return data[data.index(b",") : -1]


def animated_gif(frames: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("P", (40, 40), 1).save(buffer, "GIF")
    data = buffer.getvalue()
    return data[: data.index(b",")] + gif_frame() * frames + b";"


def animated_webp(frames: int) -> bytes:
    buffer = io.BytesIO()
    images = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    images[0].save(buffer, "WEBP", save_all=True, append_images=images[1:])
    data = buffer.getvalue()
    start, end = data.index(b"ANMF"), data.rindex(b"ANMF")
    body = data[8:start] + data[start:end] * frames
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff(pages: int) -> bytes:
    """Directories that follow each other, each a picture of one byte."""
    tags = ((256, 1), (257, 1), (258, 8), (259, 1), (262, 1), (273, 8), (278, 1), (279, 1))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    size = 2 + len(entries) + 4
    starts = [12 + size * i for i in range(pages)]
    listed = zip(starts, [*starts[1:], 0], strict=True)
    return b"II*\0\x0c\0\0\0" + b"\x80\0\0\0" + b"".join(
        struct.pack("<H", len(tags)) + entries + struct.pack("<I", follows) for _, follows in listed
    )  # fmt: skip


def jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 40), "teal").save(buffer, "JPEG")
    return buffer.getvalue()
