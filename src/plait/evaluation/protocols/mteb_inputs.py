"""What mteb hands over, item by item, and the vectors that a model makes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from PIL import Image as PillowImage
from sentence_transformers import MultiVectorEncoder
from torch import Tensor

from plait.encode.batching import length_batches
from plait.encode.embedder import failures_of
from plait.encode.sides import fitting
from plait.encode.st import RetMultiVectorEncoder, RetSentenceTransformer
from plait.errors import InputError, ModelError
from plait.model.pictures import as_seen, broadened
from plait.schema import asked_with

Role = Literal["query", "document"]

_TEXTS_AT_ONCE = 64  # batches: enough that texts of like length meet
PLURAL = {"query": "queries", "document": "documents", "sample": "samples"}


@dataclass(frozen=True, slots=True)
class Item:
    """One query, document or sample: a text, a picture, or both."""

    text: str
    picture: PillowImage.Image | None

    @property
    def kind(self) -> str:
        """What it holds, as evaluations name kinds of queries; "" if nothing."""
        return asked_with(self.text.strip(), self.picture is not None)


@dataclass(slots=True)
class Reading:
    """What became of the items of a task, by their role.

    Attributes:
        pictures: that the model read.
        unread: pictures left out because the model cannot read them there.
        wordless: texts left out because the model cannot read them there.
        blank: items of which nothing was left to read.
    """

    pictures: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)
    wordless: Counter[str] = field(default_factory=Counter)
    blank: Counter[str] = field(default_factory=Counter)

    def to_dict(self) -> dict[str, dict[str, int]]:
        """Return the JSON form: what is not 0, by role."""
        counters = {name: getattr(self, name) for name in ("pictures", "unread", "wordless", "blank")}
        return {name: {role: n for role, n in found.items() if n} for name, found in counters.items()}

    def clear(self) -> None:
        """Count from 0 again."""
        for counter in (self.pictures, self.unread, self.wordless, self.blank):
            counter.clear()

    def left_out(self) -> list[str]:
        """Return in words what did not reach the model; none if all did."""
        said = (
            (self.unread, "pictures of {} were left out: the model does not read them there"),
            (self.wordless, "texts of {} were left out: the model does not read them there"),
            (self.blank, "{} hold nothing that the model reads, and are like no other"),
        )
        return [
            f"{count:,} " + text.format(PLURAL[role])
            for counter, text in said
            for role, count in counter.items()
            if count
        ]


def items_of(batch: Mapping[str, Any]) -> list[Item]:
    """Return the items of a batch as mteb's data loaders collate it.

    Raises:
        InputError: it holds neither texts nor pictures, or pictures that are none of Pillow's.
    """
    texts, pictures = batch.get("text"), batch.get("image")
    if texts is None and pictures is None:
        raise InputError(f"mteb hands over {', '.join(batch) or 'nothing'}, expected text, image or both")
    count = len(texts if texts is not None else pictures or ())
    return [
        Item(
            str(texts[row] or "") if texts is not None else "",
            None if pictures is None or pictures[row] is None else as_seen(pictures[row]),
        )
        for row in range(count)
    ]


class Encoding:
    """A sentence-transformers model, ReT's among them, asked for the vectors of what mteb hands over.

    A text goes in as a text, a picture as a picture, an item of both as both in one input; nothing goes in
    otherwise than by itself. What is blank gets one vector of zeros.

    Attributes:
        reading: what became of all items since it was last cleared.

    Args:
        encoder: a SentenceTransformer or MultiVectorEncoder, on its device.
        name: what the user calls it.
        allow_partial: leave out what the model cannot read of an item, and count it; else it is an error.
    """

    def __init__(self, encoder: Any, *, name: str, allow_partial: bool) -> None:
        self.encoder, self.name = encoder, name
        self.reading = Reading()
        self._allow_partial = allow_partial
        self.several = isinstance(encoder, MultiVectorEncoder)
        self.reads_pictures = bool(encoder.supports("image"))
        self.reads_both = bool(encoder.supports(("image", "text")))
        self._sided = isinstance(encoder, RetMultiVectorEncoder | RetSentenceTransformer)
        self.width = int(self._asked([Item("a", None)], "query", None)[0].shape[-1])

    def vectors(
        self, batches: Iterable[Mapping[str, Any]], role: Role | None, *, prompt: str | None, batch_size: int
    ) -> list[Tensor]:
        """Return for each item in order (n, d) if the model gives many vectors, else (d,), in float32.

        Args:
            batches: as mteb's data loaders give them.
            role: None where a task has no sides.
            prompt: goes before each text; None means the model's own for the role.

        Raises:
            InputError: an item that the model cannot read, unless that is allowed.
            ModelError: the model fails, or gives numbers that are not finite.
        """
        found: list[Tensor] = []
        for items in _gathered(batches, batch_size):
            found += self._encoded([self._readable(item, role) for item in items], role, prompt, batch_size)
        return found

    def _readable(self, item: Item, role: Role | None) -> Item:
        """Return what the model reads of an item; count what it does not."""
        name = role or "sample"
        if item.picture is not None and not self.reads_pictures:
            self._refuse(f"holds a picture, and {self.name} reads no pictures")
            self.reading.unread[name] += 1
            item = Item(item.text, None)
        elif item.kind == "text+image" and not self.reads_both:
            self._refuse(f"holds words and a picture, and {self.name} does not read both in one input")
            self.reading.wordless[name] += 1
            item = Item("", item.picture)
        self.reading.pictures[name] += item.picture is not None
        self.reading.blank[name] += not item.kind
        return item

    def _refuse(self, what: str) -> None:
        if not self._allow_partial:
            raise InputError(f"an item {what}: use a model that does, such as ReT, or --allow-partial")

    def _encoded(
        self, items: Sequence[Item], role: Role | None, prompt: str | None, batch_size: int
    ) -> list[Tensor]:
        kinds = [item.kind for item in items]
        lengths = [len(item.text) for item in items]
        nothing = torch.zeros((1, self.width) if self.several else (self.width,))
        found = dict.fromkeys(range(len(items)), nothing)
        for rows in length_batches(lengths, kinds=kinds, batch_size=batch_size):
            if kinds[rows[0]]:
                given = self._asked([items[row] for row in rows], role, prompt)
                found |= {row: one for row, one in zip(rows, given, strict=True) if one.numel()}
        return [found[row] for row in range(len(items))]

    def _asked(self, items: Sequence[Item], role: Role | None, prompt: str | None) -> list[Tensor]:
        """Return what the model makes of items of one kind."""
        fits = fitting(f"{len(items)} items", lower="--batch-size")
        with failures_of(self.name, items[0].kind), fits:
            given = self._encode(role)(
                [self._input(item) for item in items],
                prompt=prompt,
                batch_size=len(items),
                convert_to_numpy=False,
                show_progress_bar=False,
            )
        vectors = [one.detach().float().cpu() for one in given]
        if not all(bool(torch.isfinite(one).all()) for one in vectors):
            raise ModelError(
                f"{self.name} gives vectors that hold NaN or infinity: its weights are damaged: get it "
                "again, or use another model"
            )
        return vectors

    def _encode(self, role: Role | None) -> Any:
        if role == "query":
            return self.encoder.encode_query
        # ReT has no encoding without a side; what is compared with its like is a document.
        return self.encoder.encode_document if role or self._sided else self.encoder.encode

    def _input(self, item: Item) -> Any:
        """Return an item as input. A bare text that looks like a path would be opened as a picture."""
        if not self.reads_pictures:
            return item.text
        shown = {} if item.picture is None else {"image": broadened(item.picture)}
        return ({"text": item.text} if item.text.strip() else {}) | shown


def _gathered(batches: Iterable[Mapping[str, Any]], batch_size: int) -> Iterator[list[Item]]:
    """Yield items in order: many texts at a time, of pictures one batch."""
    held: list[Item] = []
    for batch in batches:
        held += items_of(batch)
        if len(held) >= _TEXTS_AT_ONCE * batch_size or any(item.picture for item in held):
            yield held
            held = []
    if held:
        yield held
