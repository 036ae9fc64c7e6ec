"""Examples out of Hugging Face datasets: in memory, saved in a folder, in the cache, or streamed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow

from plait.data.training.examples import BadRow, Example, Side
from plait.data.training.fields import numbers_of, several, text_of
from plait.data.training.files import fingerprint
from plait.data.training.lines import Row, examples
from plait.data.training.pictures import PictureFolder, PictureStore
from plait.errors import InputError, MissingPathError
from plait.extras import require

_BATCH_ROWS = 16  # with pictures of some megabytes each


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns hold what; None or () what the data set does not have.

    Attributes:
        query_text, query_image: of the query; at least one of both.
        document_text, document_image: of its relevant document; at least one of both.
        negatives: columns of hard negatives, each a text, a picture, a struct of "text" and "image", or a
            list of these.
        label: what both sides are about: a text or a whole number, such as a class.
        scores: a teacher's scores of the document and then of the negatives: a list, or one number where
            there are no negatives.
        id: a text or a whole number; without it, the number of the row.
    """

    query_text: str | None = None
    query_image: str | None = None
    document_text: str | None = None
    document_image: str | None = None
    negatives: tuple[str, ...] = ()
    label: str | None = None
    scores: str | None = None
    id: str | None = None

    def names(self) -> list[str]:
        """Return the columns that are read.

        Raises:
            InputError: a side without columns.
        """
        for side, text, image in (
            ("query", self.query_text, self.query_image),
            ("document", self.document_text, self.document_image),
        ):
            if text is None and image is None:
                raise InputError(f"no column for the {side}: give {side}_text, {side}_image or both")
        sides = (self.query_text, self.query_image, self.document_text, self.document_image)
        return [name for name in (*sides, *self.negatives, self.label, self.scores, self.id) if name]


class HuggingFaceSource:
    """Examples of a Hugging Face dataset, a few rows in memory at a time.

    Pictures stored inside the data set are not decoded; their bytes are written to the folder `store`,
    each content once, and examples name those files. Training so reads pictures one at a time, in the
    workers that load data, and whoever moves the store must read the data set anew.

    Args:
        dataset: a `datasets.Dataset` or `IterableDataset`; see also `saved` and `named`.
        columns: which columns hold what.
        store: where pictures that come as bytes are kept.
        images: folder of pictures that come as paths, relative to it or inside it; without it, a
            path is an error.
        name: for reports.

    Raises:
        InputError: columns that the data set does not have; when read, that it is damaged.
        MissingPathError: there is no folder `images`.
    """

    def __init__(
        self,
        dataset: Any,
        columns: Columns,
        *,
        store: str | Path,
        images: str | Path | None = None,
        name: str = "hugging face",
    ) -> None:
        there = dataset.column_names
        wanted = columns.names()
        if there is not None and (missing := [one for one in wanted if one not in there]):
            raise InputError(f"{name}: no column {', '.join(missing)}; the data set has {', '.join(there)}")
        self.name = name
        self.columns = columns
        self._rows = dataset.select_columns(wanted) if there is not None else dataset
        self._print: str | None = getattr(dataset, "_fingerprint", None)
        self._store = PictureStore(store)
        self._pictures = PictureFolder(images) if images is not None else None

    def __iter__(self) -> Iterator[Example | BadRow]:
        yield from examples(self._numbered(), self._example)

    def fingerprint(self) -> str | None:
        """Return a hash of the data set's own and the settings; None of a streamed one."""
        if self._print is None:
            return None
        root = self._pictures.root if self._pictures else None
        return fingerprint("hugging face", self.name, self._print, self.columns, self._store.folder, root)

    def _numbered(self) -> Iterator[Row]:
        number = 0
        try:
            # As Arrow, so that nothing decodes the pictures.
            for table in self._rows.with_format("arrow").iter(batch_size=_BATCH_ROWS):
                for values in table.to_pylist():
                    yield Row(f"{self.name}:row {number}", values, number)
                    number += 1
        except pyarrow.ArrowException as error:
            raise InputError(f"{self.name}: cannot be read beyond row {number} ({error})") from error

    def _example(self, row: Row) -> Example:
        values, columns = row.values, self.columns
        positive = self._side(values, columns.document_text, columns.document_image)
        negatives = [side for name in columns.negatives for side in self._sides(values.get(name), name)]
        return Example(
            id=_plain(values, columns.id) or str(row.offset),
            query=self._side(values, columns.query_text, columns.query_image),
            documents=(positive, *negatives),
            label=_plain(values, columns.label),
            teacher=_scores(values, columns.scores),
        )

    def _side(self, values: Mapping[str, Any], text: str | None, image: str | None) -> Side:
        return Side(
            text_of(values, text) if text else "",
            self._picture(values.get(image), image) if image else "",
        )

    def _sides(self, value: Any, name: str) -> list[Side]:
        """Return the documents in a cell."""
        return [self._document(one, name) for one in several(value)]

    def _document(self, value: Any, name: str) -> Side:
        if isinstance(value, str):
            return Side(text_of({name: value}, name))
        if isinstance(value, dict) and set(value) == {"text", "image"}:
            return self._side(value, "text", "image")
        return Side(image=self._picture(value, name))

    def _picture(self, value: Any, name: str) -> str:
        """Return the path of a picture, "" of none."""
        if isinstance(value, dict) and set(value) == {"bytes", "path"}:  # an Image not decoded
            value = value["bytes"] if value["bytes"] is not None else value["path"]
        if value is None:
            return ""
        if isinstance(value, bytes):
            return self._store.keep(value)
        if not isinstance(value, str):
            raise InputError(
                f'expected "{name}", a picture, its bytes or its path, got {type(value).__name__}'
            )
        if self._pictures is None:
            raise InputError(f'"{name}" holds the path {value!r:.200}: say in which folder pictures are')
        return self._pictures.find(value)


def saved(folder: str | Path, *, split: str | None = None) -> Any:
    """Return the data set that `save_to_disk` wrote into a folder.

    Args:
        split: which, where there are several.

    Raises:
        MissingPathError: there is none.
        InputError: there are several splits, and none of that name; or it is damaged.
        MissingExtraError: `datasets` is not installed.
    """
    datasets = require("datasets")
    try:
        found = datasets.load_from_disk(str(folder))
    except FileNotFoundError as error:
        raise MissingPathError(f"{folder}: holds no data set that save_to_disk wrote") from error
    except (OSError, ValueError, LookupError) as error:
        raise InputError(f"{folder}: the data set in it cannot be read ({error}): save it again") from error
    if not isinstance(found, datasets.DatasetDict):
        return found
    if split not in found:
        raise InputError(f"{folder}: split {split!r}; expected one of {', '.join(found)}")
    return found[split]


def named(
    name: str,
    *,
    split: str,
    config: str | None = None,
    streaming: bool = False,
    cache_folder: str | Path | None = None,
    revision: str | None = None,
) -> Any:
    """Return a data set of the hub by its name, from the cache where it is there.

    Args:
        split: "train", "train[:10%]", ...
        streaming: read it as it comes instead of downloading it first.
        revision: a commit, so that what is read does not change.

    Raises:
        InputError: there is no such data set, configuration or split, or it cannot be reached.
        MissingExtraError: `datasets` is not installed.
    """
    datasets = require("datasets")
    cache = None if cache_folder is None else str(cache_folder)
    try:
        return datasets.load_dataset(
            name, config, split=split, streaming=streaming, cache_dir=cache, revision=revision
        )
    except (OSError, ValueError, RuntimeError) as error:  # those of the network are OSErrors
        raise InputError(
            f"the data set {name!r} ({config or 'default'}, {split}) cannot be loaded ({error}): check "
            "its name; without network, download it where there is one, save_to_disk it, and give that folder"
        ) from error


def _plain(values: Mapping[str, Any], name: str | None) -> str:
    """Return a text or a whole number as a text; "" of nothing."""
    value = values.get(name) if name else None
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InputError(f'expected "{name}", a text or a whole number, got {value!r:.80}')
    return str(value)


def _scores(values: Mapping[str, Any], name: str | None) -> tuple[float, ...]:
    return numbers_of({name: several(values.get(name))}, name) if name else ()
