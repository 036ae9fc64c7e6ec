"""What a PDF says of itself: title, author, dates, language."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Mapping

import pypdfium2
import pypdfium2.raw as pdfium

from plait.schema import Scalar

_NAMES = {"Author": "author", "Subject": "subject", "Keywords": "keywords", "Producer": "producer"}
_DATES = {"CreationDate": "created", "ModDate": "modified"}
_DATE = re.compile(r"^(?:D:)?(\d{4})(\d\d)?(\d\d)?")
_JUNK_TITLE = re.compile(
    r"^(?:untitled.*|microsoft \w+ - .*|.*\.(?:dvi|tex|docx?|indd|qxd|pdf|ps)|\W*)$", re.I
)
_LONGEST = 300  # characters
_LANGUAGE = re.compile(r"^[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*$")


def metadata_of(document: pypdfium2.PdfDocument) -> dict[str, Scalar]:
    """Return the metadata of an open PDF by our names; what it does not say is left out."""
    values = document.get_metadata_dict(skip_empty=True)
    metadata: dict[str, Scalar] = {"type": "pdf", "pages": len(document)}
    for name, ours in _NAMES.items():
        if text := _words(values, name):
            metadata[ours] = text
    for name, ours in _DATES.items():
        if date := _DATE.match(values.get(name, "")):
            metadata[ours] = "-".join(part for part in date.groups() if part)
    if language := _language(document):
        metadata["language"] = language
    return metadata


def known_title(document: pypdfium2.PdfDocument) -> str:
    """Return the title that the file gives itself; "" if it is a file's name or the like."""
    title = _words(document.get_metadata_dict(skip_empty=True), "Title")
    return "" if _JUNK_TITLE.match(title) else title


def _words(values: Mapping[str, str], name: str) -> str:
    return " ".join(values.get(name, "").split())[:_LONGEST]


def _language(document: pypdfium2.PdfDocument) -> str:
    """Return the language that the catalogue names, as "en-GB"; older PDFiums cannot tell."""
    asked = getattr(pdfium, "FPDFCatalog_GetLanguage", None)
    if asked is None:
        return ""
    units = (ctypes.c_ushort * 64)()
    length = asked(document, units, ctypes.sizeof(units))  # bytes, with the closing zero
    if not 2 < length <= ctypes.sizeof(units):
        return ""
    language = bytes(units)[: length - 2].decode("utf-16-le", "replace").strip()
    return language if _LANGUAGE.match(language) else ""
