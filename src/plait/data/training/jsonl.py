"""Training rows in our own plain format: a JSON object a line.

    {"query": SIDE, "positive": SIDE, "negatives": [SIDE, ...], "label", "scores", "id"}
    {"query": SIDE, "documents": [SIDE, ...], "grades": [...], "label", "scores", "id"}

SIDE        words, or {"text": words or null, "image": path or null} with at least one of both
negatives   documents that look as if they answered the query, but do not; may be left out
documents   instead of positive and negatives: all documents of the query; without grades, the first is
            the relevant one
grades      relevance of each document, 0 or more, one above 0
label       what the query and its relevant documents are about, a string or a whole number: rows of one
            label are never each other's negatives
scores      what a teacher gives each document: the positive, then the negatives in their order
id          unique in the file; without one, "file:line"

Null is as good as leaving a field out; a field of another name is an error, for it may be mistyped.
Paths of pictures are relative to the folder of pictures and stay inside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plait.data.training.examples import BadRow, Example, Side
from plait.data.training.fields import id_of, numbers_of, only, text_of
from plait.data.training.files import Paths, files_of, fingerprint
from plait.data.training.lines import Row, examples, json_rows
from plait.data.training.pictures import PictureFolder
from plait.errors import InputError

_FIELDS = ("query", "positive", "negatives", "documents", "label", "grades", "scores", "id")


class JsonlSource:
    """Examples of files in our own format, as the module describes it.

    Args:
        paths: files, or patterns, whose files are read in order of their names.
        images: the folder of pictures; None: the first file's own.
        name: for reports; None: the first file's name without its ending.
        check_headers: see `PictureFolder`.

    Raises:
        MissingPathError: a file or the folder is not there.
    """

    def __init__(
        self,
        paths: Paths,
        *,
        images: str | Path | None = None,
        name: str | None = None,
        check_headers: bool = False,
    ) -> None:
        self.files = files_of(paths, what="training rows (JSON Lines)")
        self.name = name or self.files[0].stem
        self._pictures = PictureFolder(
            self.files[0].parent if images is None else images, headers=check_headers
        )

    def __iter__(self) -> Iterator[Example | BadRow]:
        for file in self.files:
            yield from examples(json_rows(file), self._example)

    def fingerprint(self) -> str:
        """Return a hash of the settings and the state of the files, pictures not among them."""
        pictures = self._pictures
        return fingerprint("jsonl", self.name, pictures.root, pictures.headers, files=self.files)

    def _example(self, row: Row) -> Example:
        values = row.values
        only(values, _FIELDS)
        return Example(
            id=id_of(values, "id") if values.get("id") is not None else row.place,
            query=self._side(values.get("query"), "query"),
            documents=self._documents(values),
            label=id_of(values, "label") if values.get("label") is not None else "",
            grades=numbers_of(values, "grades"),
            teacher=numbers_of(values, "scores"),
        )

    def _documents(self, values: dict[str, Any]) -> tuple[Side, ...]:
        given = {name for name in ("positive", "negatives", "documents") if values.get(name) is not None}
        if "positive" in given and "documents" not in given:
            positive = self._side(values["positive"], "positive")
            return (positive, *self._sides(values.get("negatives") or [], "negatives"))
        if given == {"documents"}:
            return self._sides(values["documents"], "documents")
        raise InputError(
            f'expected "positive" with or without "negatives", or "documents" alone; '
            f"got {', '.join(sorted(given)) or 'none of them'}"
        )

    def _sides(self, values: Any, key: str) -> tuple[Side, ...]:
        if not isinstance(values, list):
            raise InputError(f'expected "{key}", a list, got {values!r:.80}')
        return tuple(self._side(value, f"{key}[{k}]") for k, value in enumerate(values))

    def _side(self, value: Any, key: str) -> Side:
        if isinstance(value, str):
            value = {"text": value}
        if not isinstance(value, dict):
            raise InputError(f'expected "{key}", words or an object of "text" and "image", got {value!r:.80}')
        only(value, ("text", "image"))
        side = Side(text_of(value, "text"), self._pictures.find(text_of(value, "image")))
        if not side:
            raise InputError(f'"{key}" has neither text nor image')
        return side
