"""Training rows of M2KR as published in Parquet: the configurations {name}_data and {name}_passages.

data        question_id, question, instruction, img_path, pos_item_ids, pos_item_contents; answers and
            further columns are not read. question, instruction and img_path may be null
passages    passage_id, passage_content

A query's text is its instruction and its question with a space between; one of its passages is drawn.
Documents are texts only, and there are no hard negatives.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import nullcontext
from functools import cached_property, partial
from pathlib import Path

from plait.data.training.drawing import drawn
from plait.data.training.examples import BadRow, Example, Side
from plait.data.training.fields import id_of, ids_of, text_of, texts_of
from plait.data.training.files import Paths, files_of, fingerprint
from plait.data.training.index import LineIndex, LineReader
from plait.data.training.instructions import instructions_of
from plait.data.training.lines import Row, examples
from plait.data.training.parquet import parquet_rows, write_lines
from plait.data.training.pictures import PictureFolder
from plait.data.training.ret_m2kr import joined
from plait.errors import InputError

_NEEDED = ("question_id", "question", "pos_item_ids")
_OPTIONAL = ("instruction", "img_path", "pos_item_contents")


class M2krSource:
    """Examples of M2KR's Parquet files.

    Args:
        paths: files of a {name}_data configuration, or patterns such as EVQA_data/train-*.parquet.
        images: the folder the pictures were unpacked in.
        passages: files of its {name}_passages; needed only by rows whose pos_item_contents lack. They
            are copied to a temporary file once, and indexed in 16 bytes of memory a passage.
        instructions_as: name of the data set whose published instructions are drawn from, as while
            the authors trained; None: each row's own.
        name: for reports; None: the first file's folder.
        seed: of the passage and the instruction drawn.
        scratch: where the temporary file goes; None: the system's place for them.
        check_headers: see `PictureFolder`.

    Raises:
        MissingPathError: a file or the folder is not there.
        InputError: no instructions are published under that name.
    """

    def __init__(
        self,
        paths: Paths,
        *,
        images: str | Path,
        passages: Paths | None = None,
        instructions_as: str | None = None,
        name: str | None = None,
        seed: int = 0,
        scratch: str | Path | None = None,
        check_headers: bool = False,
    ) -> None:
        self.files = files_of(paths, what="M2KR rows (Parquet)")
        self.passages = files_of(passages, what="M2KR passages (Parquet)") if passages is not None else ()
        self.name = name or self.files[0].resolve().parent.name
        self.seed = seed
        self._instructions = instructions_of(instructions_as) if instructions_as else ()
        self._pictures = PictureFolder(images, headers=check_headers)
        self._scratch = scratch

    def __iter__(self) -> Iterator[Example | BadRow]:
        if self.passages:
            yield from self._index.problems
        with self._index.reading() if self.passages else nullcontext() as passages:
            for file in self.files:
                rows = parquet_rows(file, needed=_NEEDED, optional=_OPTIONAL)
                yield from examples(rows, partial(self._example, passages))

    def fingerprint(self) -> str:
        """Return a hash of the settings and the state of the files, pictures not among them."""
        pictures = self._pictures
        settings = (
            self.name,
            len(self.files),
            self._instructions,
            self.seed,
            pictures.root,
            pictures.headers,
        )
        return fingerprint("m2kr", *settings, files=(*self.files, *self.passages))

    @cached_property
    def _index(self) -> LineIndex:
        """The index of a copy of the passages in JSON Lines: rows of Parquet cannot be read one at a time."""
        folder = Path(tempfile.mkdtemp(prefix="m2kr-passages-", dir=self._scratch))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        copy = folder / "passages.jsonl"
        needed = ("passage_id", "passage_content")
        bad = write_lines((row for file in self.passages for row in parquet_rows(file, needed=needed)), copy)
        index = LineIndex([copy], key="passage_id")
        index.problems[:0] = bad
        return index

    def _example(self, passages: LineReader | None, row: Row) -> Example:
        values, name = row.values, id_of(row.values, "question_id")
        query = Side(
            joined(self._instruction(row, name), text_of(values, "question")),
            self._pictures.find(text_of(values, "img_path")),
        )
        return Example(name, query, (self._passage(passages, row, name),))

    def _instruction(self, row: Row, name: str) -> str:
        if not self._instructions:
            return text_of(row.values, "instruction")
        return drawn(self._instructions, seed=self.seed, purpose=f"instruction of {name}@{row.offset}")

    def _passage(self, passages: LineReader | None, row: Row, name: str) -> Side:
        names, texts = ids_of(row.values, "pos_item_ids"), texts_of(row.values, "pos_item_contents")
        if not names:
            raise InputError('expected "pos_item_ids", a list of ids, got none')
        if texts and len(texts) != len(names):
            raise InputError(f'{len(names)} "pos_item_ids", but {len(texts)} "pos_item_contents"')
        number = drawn(range(len(names)), seed=self.seed, purpose=f"passage of {name}@{row.offset}")
        if texts and texts[number].strip():
            return Side(texts[number])
        if passages is None:
            raise InputError(f"passage {names[number]!r} has no text here: look it up in `passages`")
        if (found := passages.find(names[number])) is None:
            raise InputError(f"passage {names[number]!r} is in none of the files of passages")
        return Side(text_of(found, "passage_content"))
