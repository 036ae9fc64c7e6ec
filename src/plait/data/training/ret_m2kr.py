"""Training rows of ReT-M2KR (aimagelab/ReT-M2KR), its M2KR and its M-BEIR part: one format for both.

    {"data_id", "instruction", "question", "image_path", "passage_id", "passage_text",
     "passage_image_path", "answer"}

Known, from the official inference code and the dataset's pages: question, image_path and the passages'
text and image may be null; passage_id is one id or a list; paths are relative to the folder of the
unpacked pictures; a query's text is its instruction and its question with a space between; passages are
stored as {"passage_id", "passage_text", "passage_image_path"}; ids are compared as strings.

Assumed, for the training code is not published: training rows have the fields of the test rows, the
gold passages' text among them, and passage_image_path beside it where passages have pictures, each one
value or a list in the order of passage_id. Of several passages one is drawn. There are no hard negatives.

Without passage_image_path, a row whose passages may have pictures needs the passages' files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from plait.data.training.drawing import drawn
from plait.data.training.examples import BadRow, Example, Side
from plait.data.training.fields import id_of, ids_of, text_of, texts_of
from plait.data.training.files import Paths, files_of, fingerprint
from plait.data.training.index import LineIndex, LineReader
from plait.data.training.lines import Row, examples, json_rows
from plait.data.training.pictures import PictureFolder
from plait.errors import InputError


class RetM2krSource:
    """Examples of ReT-M2KR's training files.

    An index of the passages' files, where given, takes 16 bytes of memory a passage.

    Args:
        paths: files of rows, such as jsonl/m2kr/train/m2kr_up_train.jsonl, or patterns.
        images: the folder the pictures were unpacked in.
        passages: files of passages; those of rows without a passage_image_path are looked up there.
        name: for reports; None: the first file's name without its ending.
        seed: of which passage is drawn; a row that repeats an earlier one draws anew.
        check_headers: see `PictureFolder`.

    Raises:
        MissingPathError: a file or the folder is not there.
    """

    def __init__(
        self,
        paths: Paths,
        *,
        images: str | Path,
        passages: Paths | None = None,
        name: str | None = None,
        seed: int = 0,
        check_headers: bool = False,
    ) -> None:
        self.files = files_of(paths, what="ReT-M2KR rows")
        self.passages = files_of(passages, what="ReT-M2KR passages") if passages is not None else ()
        self.name = name or self.files[0].stem
        self.seed = seed
        self._pictures = PictureFolder(images, headers=check_headers)

    def __iter__(self) -> Iterator[Example | BadRow]:
        if self.passages:
            yield from self._index.problems
        with self._index.reading() if self.passages else nullcontext() as passages:
            for file in self.files:
                yield from examples(json_rows(file), partial(self._example, passages))

    def fingerprint(self) -> str:
        """Return a hash of the settings and the state of the files, pictures not among them."""
        pictures, files = self._pictures, (*self.files, *self.passages)
        settings = ("ret-m2kr", self.name, len(self.files), self.seed, pictures.root, pictures.headers)
        return fingerprint(*settings, files=files)

    @cached_property
    def _index(self) -> LineIndex:
        return LineIndex(self.passages, key="passage_id")

    def _example(self, passages: LineReader | None, row: Row) -> Example:
        values = row.values
        query = Side(
            joined(text_of(values, "instruction"), text_of(values, "question")),
            self._pictures.find(text_of(values, "image_path")),
        )
        return Example(id_of(values, "data_id"), query, (self._passage(passages, row),))

    def _passage(self, passages: LineReader | None, row: Row) -> Side:
        values, names = row.values, ids_of(row.values, "passage_id")
        if not names:
            raise InputError('expected "passage_id", an id or a list of them, got none')
        number = drawn(range(len(names)), seed=self.seed, purpose=f"{names}@{row.offset}")
        if passages is not None and "passage_image_path" not in values:
            found = passages.find(names[number])
            if found is None:
                raise InputError(f"passage {names[number]!r} is in none of the files of passages")
            return self._side(text_of(found, "passage_text"), text_of(found, "passage_image_path"))
        texts, images = (_fitting(values, f"passage_{kind}", len(names)) for kind in ("text", "image_path"))
        passage = self._side(texts[number], images[number])
        if not passage:
            raise InputError(
                f"passage {names[number]!r} has neither text nor image here: look it up in `passages`"
            )
        return passage

    def _side(self, text: str, image: str) -> Side:
        return Side(text, self._pictures.find(image))


def joined(instruction: str, question: str) -> str:
    """Return a query's text: the instruction, a space and the question, or the one that there is."""
    return " ".join(part for text in (instruction, question) if (part := text.strip()))


def _fitting(values: Mapping[str, Any], key: str, count: int) -> list[str]:
    """Return a text for each of `count` passages, "" where the field is not there."""
    texts = texts_of(values, key) or [""] * count
    if len(texts) != count:
        raise InputError(f'{count} "passage_id", but {len(texts)} "{key}": expected one each')
    return texts
