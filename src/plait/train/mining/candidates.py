"""Documents that are in no row, as more candidates: one a line, in the form that rows give theirs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from plait.data.training.examples import BadRow, Side
from plait.data.training.fields import only, text_of
from plait.data.training.lines import json_rows
from plait.data.training.pictures import PictureFolder
from plait.errors import InputError, MissingPathError


class Candidates:
    """Documents of a file of JSON Lines: {"text": words or null, "image": path or null}.

    Paths of pictures are relative to the file's folder, and stay inside it. A line that cannot be used is
    left out; `bad` says how many were when the file was last read to its end, and `first_bad` which first.

    Raises:
        MissingPathError: there is no such file.
    """

    def __init__(self, file: Path) -> None:
        if not file.is_file():
            raise MissingPathError(f"{file}: no such file of candidates (JSON Lines)")
        self._file, self._pictures = file, PictureFolder(file.parent)
        self.bad, self.first_bad = 0, ""

    def __iter__(self) -> Iterator[Side]:
        bad, first = 0, ""
        for row in json_rows(self._file):
            try:
                if isinstance(row, BadRow):
                    raise InputError(row.reason)
                only(row.values, ("text", "image"))
                side = Side(text_of(row.values, "text"), self._pictures.find(text_of(row.values, "image")))
                if not side:
                    raise InputError("neither text nor image")
            except InputError as error:
                bad, first = bad + 1, first or f"{row.place}: {error}"
                continue
            yield side
        self.bad, self.first_bad = bad, first
