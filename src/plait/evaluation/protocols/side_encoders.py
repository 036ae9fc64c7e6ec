"""What makes vectors of queries and candidates: a model with one lane, or plait-mini with several."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from plait.data.collections.pools import PoolQuery
from plait.data.training.examples import Side
from plait.encode import checkpoint
from plait.encode.base import Encoder
from plait.encode.side_vectors import BOTH, IMAGE, NOTHING, TEXT, WHOLE, WITHOUT_PICTURE, Encoded, kind_of
from plait.encode.sides import Role, SideModel, folder_of
from plait.errors import InputError, QueryError
from plait.schema import Passage, Picture, Query, Segment, Unit
from plait.scoring.vectors import Vectors

MODEL = "model"  # the lane of a model that has one


class SideEncoder(Protocol):
    """Turns queries and candidates into the vectors of some lanes.

    Attributes:
        fingerprint: changes whenever the vectors would.
        widths: lane -> numbers a vector.
        instructed: whether queries are read with their instruction, or as their bare words.
    """

    @property
    def fingerprint(self) -> str: ...
    @property
    def widths(self) -> Mapping[str, int]: ...
    @property
    def instructed(self) -> bool: ...

    def encode(self, sides: Sequence[Side], role: Role) -> Mapping[str, Sequence[Encoded]]:
        """Return lane -> what it is of each side, in order.

        The state is of the side, the same in all lanes: whether all of it, its words alone, or nothing
        was read.
        """
        ...


class OneLane:
    """Implements `SideEncoder` with a ReT, ReT-2 or sentence-transformers model.

    Of words and a picture that the model does not read together, the words are read alone; what it does
    not read at all gets no vector. Both show in the states.

    Args:
        name: as of `SideModel`.
        device: of torch.
        batch_size: sides encoded at a time.

    Raises:
        ModelError: there is no such model, or it cannot be loaded.
        MissingExtraError: sentence-transformers is not installed.

    Attributes:
        several: whether it gives many vectors of a side.
    """

    instructed = True

    def __init__(self, name: str, *, device: str, batch_size: int) -> None:
        self._model = SideModel(name, device=device, batch_size=batch_size)
        self.fingerprint = checkpoint.fingerprint(folder_of(name))
        self.widths = {MODEL: self._model.width}
        self.several = len(self._model.encode([Side("a few words")], "document")[0].vectors) > 1
        self._read = {kind for kind in (TEXT, IMAGE, BOTH) if _reads(self._model, kind)}

    def encode(self, sides: Sequence[Side], role: Role) -> Mapping[str, Sequence[Encoded]]:
        """Return the vectors of the one lane."""
        readable = [self._readable(side) for side in sides]
        found = self._model.encode(readable, role)
        return {MODEL: [_told(*each) for each in zip(found, readable, sides, strict=True)]}

    def _readable(self, side: Side) -> Side:
        """Return what the model reads of a side."""
        for part in (side, replace(side, image=""), replace(side, text="")):
            if part and kind_of(part) in self._read:
                return part
        return Side()


class UnitLanes:
    """Implements `SideEncoder` with an encoder of units, such as plait-mini: a lane for each of its fields.

    A candidate is a unit of one passage and one figure, without a title. Such encoders know no
    instructions, so queries are their bare words and their picture.

    Args:
        lanes: which of the encoder's fields; None: all.
    """

    instructed = False

    def __init__(self, encoder: Encoder, *, lanes: Sequence[str] | None = None) -> None:
        self._encoder = encoder
        self.fingerprint = encoder.fingerprint
        fields = [field for field in encoder.fields if lanes is None or field.name in lanes]
        self.widths = {field.name: field.width for field in fields}
        self._seen_in = [field.name for field in encoder.fields if field.items != "passage"]

    def encode(self, sides: Sequence[Side], role: Role) -> Mapping[str, Sequence[Encoded]]:
        """Return the vectors of every lane."""
        found = self._of_queries(sides) if role == "query" else self._of_candidates(sides)
        states = [self._state(*each) for each in zip(found, sides, strict=True)]
        return {
            lane: [
                Encoded(_vectors(fields.get(lane), width), state, _content(side))
                for fields, state, side in zip(found, states, sides, strict=True)
            ]
            for lane, width in self.widths.items()
        }

    def _of_candidates(self, sides: Sequence[Side]) -> list[Mapping[str, Vectors]]:
        units = [_unit(place, side) for place, side in enumerate(sides)]
        return [vectors.fields for vectors in self._encoder.encode_units(units)]

    def _of_queries(self, sides: Sequence[Side]) -> list[Mapping[str, Vectors]]:
        return [self._of_query(side) for side in sides]

    def _of_query(self, side: Side) -> Mapping[str, Vectors]:
        """Return the vectors of a query; without its picture, where that cannot be opened."""
        for part in (side, replace(side, image="")):
            if not part:
                break
            try:
                query = Query.of(part.text, part.image or None)
                return self._encoder.encode_query(query).fields
            except QueryError:
                continue
        return {}

    def _state(self, fields: Mapping[str, Vectors], side: Side) -> int:
        if not any(len(vectors) for vectors in fields.values()):
            return NOTHING
        seen = any(len(fields.get(name, ())) for name in self._seen_in)
        return WITHOUT_PICTURE if side.image and not seen else WHOLE


def asked_side(query: PoolQuery, *, instructed: bool) -> Side:
    """Return what an encoder reads of a query."""
    return query.side if instructed else replace(query.side, text=query.bare)


def _reads(model: SideModel, kind: int) -> bool:
    try:
        model.check_reads(np.array([kind], np.uint8), "sides")
    except InputError:
        return False
    return True


def _told(found: Encoded, read: Side, side: Side) -> Encoded:
    """Return what was found with the state of the whole side, of which a part may have been read."""
    if found.state == WHOLE and read != side:
        return replace(found, state=WITHOUT_PICTURE)
    return found


def _unit(place: int, side: Side) -> Unit:
    return Unit(
        id=f"candidate:{place}",
        document_id="candidate",
        ordinal=place,
        title="",
        passages=(Passage(side.text),) if side.text.strip() else (),
        figures=(Segment("image", picture=_picture(side.image)),) if side.image else (),
    )


def _picture(path: str) -> Picture:
    """Return the picture of a file, whose size no encoder looks at; one that cannot be read has no bytes."""
    try:
        data = Path(path).read_bytes()
    except OSError:
        data = path.encode()
    return Picture(path, hashlib.sha256(data).hexdigest(), 0, 0)


def _vectors(items: Vectors | None, width: int) -> NDArray[np.float16]:
    """Return (n, d) of the first item: there is one passage and one figure, and windows are cut off."""
    if items is None or not len(items):
        return np.zeros((0, width), np.float16)
    first: NDArray[np.float16] = items[0].astype(np.float16)
    return first


def _content(side: Side) -> int:
    told = hashlib.blake2b(f"{side.text}\0{side.image}".encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(told.digest(), "big")
