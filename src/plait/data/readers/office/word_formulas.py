"""The formulas of a Word document as words: mammoth passes over them."""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterator
from typing import BinaryIO, cast

from plait.data.readers.base import ReadTask
from plait.data.readers.unpacking import Members

_OPEN, _CLOSE = b"<m:oMath>", b"</m:oMath>"
_AROUND = re.compile(rb"</?m:oMathPara>")
_PIECE = re.compile(
    rb'<m:t(?: [^>]{0,100})?>([^<]*)</m:t>|<m:chr m:val="([^"]{1,20})"|(</?m:(?:num|den|d|sup|sub|rad)>)'
)
_SIGNS = {
    b"<m:num>": b"(",
    b"</m:num>": b")",
    b"<m:den>": b"/(",
    b"</m:den>": b")",
    b"<m:d>": b"(",
    b"</m:d>": b")",
    b"<m:sup>": b"^",
    b"<m:sub>": b"_",
    b"<m:rad>": "√".encode(),
}


def with_formulas(task: ReadTask, members: Members, main: str) -> BinaryIO:
    """Return a document, open for reading, whose formulas are words: "(a+b)/(2c)", "x^2", "∑_i=1^n".

    One with formulas is copied into the spool folder; the copy goes when it is closed.

    Args:
        task: the document; its archive was checked.
        main: the part that holds its text.

    Raises:
        ReadError: the part is damaged.
    """
    text = members.read(main) if main in members else b""
    if _OPEN not in text or b"xmlns:w=" not in text:
        return task.path.open("rb")
    # With a name: mammoth asks for the folder of what it reads, though it opens nothing there.
    file = cast(BinaryIO, tempfile.NamedTemporaryFile(dir=task.spool))  # noqa: SIM115
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as copy:
        for name in members.names:
            copy.writestr(name, in_words(text) if name == main else members.read(name))
    file.seek(0)
    return file


def in_words(text: bytes) -> bytes:
    """Return the XML of a document with a run of words in place of each formula."""
    return b"".join(_parts(_AROUND.sub(b"", text)))


def _parts(text: bytes) -> Iterator[bytes]:
    end = 0
    while (start := text.find(_OPEN, end)) >= 0 and (close := text.find(_CLOSE, start)) >= 0:
        yield text[end:start]
        yield b'<w:r><w:t xml:space="preserve">%b</w:t></w:r>' % _words(text[start:close])
        end = close + len(_CLOSE)
    yield text[end:]


def _words(formula: bytes) -> bytes:
    pieces = (match[1] or match[2] or _SIGNS.get(match[3], b"") for match in _PIECE.finditer(formula))
    return b"".join(pieces)
