"""Models that answer mteb by a search of their own: plait-mini by its lanes, and BM25."""

from __future__ import annotations

import hashlib
import io
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mteb._create_dataloaders import create_dataloader
from mteb.languages import ISO_TO_LANGUAGE
from mteb.models.model_meta import ModelMeta, ScoringFunction
from mteb.types import PromptType
from PIL import Image as PillowImage

from plait.data.segmenting import units
from plait.encode.base import Encoder
from plait.errors import InputError
from plait.evaluation.protocols.mteb_inputs import Item, Reading, items_of
from plait.index.backends.lancedb import LanceIndex
from plait.index.base import Entry, StoredDocument
from plait.index.bm25 import Bm25
from plait.index.languages import language_named
from plait.index.lexical import term_counts
from plait.schema import Document, Picture, Query, Segment
from plait.search.searcher import Searcher

_DOCUMENTS_AT_ONCE = 64


class SearchModel:
    """A model of several lanes: documents go into an index of its own, and are found as in a library.

    A document is cut into units as the library cuts one without pages, and its best unit counts. Every
    unit is compared exactly.

    Attributes:
        reading: what became of all items so far.

    Args:
        encoder: whose lanes, and whose mixture of them.
        folder: for the index and the pictures of corpora, each in a folder of its own; None means a temporary
            one that goes with this object.
    """

    does_all = False
    reads_pictures = reads_both = True

    def __init__(self, encoder: Encoder, *, folder: str | Path | None = None) -> None:
        self.name, self.reading = encoder.name, Reading()
        self._encoder, self._corpora = encoder, 0
        self._folder = Path(tempfile.mkdtemp(prefix="plait-mteb-") if folder is None else folder)
        if folder is None:
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._searcher: Searcher | None = None
        self.mteb_model_meta = ModelMeta.create_empty(
            overwrites={
                "name": f"plait/{Path(encoder.name).name}",
                "revision": encoder.fingerprint,
                "modalities": ["text", "image"],
                "similarity_fn_name": ScoringFunction.CUSTOM,
                "model_type": ["hybrid"],
                "framework": ["PyTorch"],
            }
        )

    def index(
        self, corpus: Any, *, task_metadata: Any, hf_subset: str, encode_kwargs: Mapping[str, Any], **_: Any
    ) -> None:
        """Store and encode a corpus, as mteb's `SearchProtocol` has it."""
        self._corpora += 1
        folder = self._folder / str(self._corpora)
        language = _language(task_metadata, hf_subset)
        index = LanceIndex(folder / "index", self._encoder.fields, language=language)
        held: list[Document] = []
        for row, item in _rows(corpus, task_metadata, PromptType.document, encode_kwargs):
            held.append(_document(row, item, folder))
            self._count(item, "document")
            if len(held) == _DOCUMENTS_AT_ONCE:
                self._add(index, held)
                held = []
        self._add(index, held)
        index.optimize()
        self._searcher = Searcher(self._encoder, index.snapshot())

    def search(
        self,
        queries: Any,
        *,
        task_metadata: Any,
        top_k: int,
        encode_kwargs: Mapping[str, Any],
        top_ranked: Mapping[str, Sequence[str]] | None = None,
        **_: Any,
    ) -> dict[str, dict[str, float]]:
        """Return query id -> document id -> score of the best `top_k`, or of those to be ranked again."""
        if self._searcher is None:
            raise InputError("no corpus was indexed: call index first")
        found: dict[str, dict[str, float]] = {}
        for row, item in _rows(queries, task_metadata, PromptType.query, encode_kwargs):
            self._count(item, "query")
            name = str(row["id"])
            wanted = None if top_ranked is None else set(top_ranked.get(name, ()))
            found[name] = self._found(item, top_k, wanted) if item.kind else {}
        return found

    def _found(self, item: Item, top_k: int, wanted: set[str] | None) -> dict[str, float]:
        assert self._searcher is not None
        images = () if item.picture is None else (_png(item.picture),)
        query = Query(texts=(item.text,), images=images)
        k = top_k if wanted is None else max(1, len(self._searcher.snapshot))
        hits = self._searcher.search(query, k=k, per_document=1, recall=1)
        kept = (hit for hit in hits if wanted is None or hit.document_id in wanted)
        return {hit.document_id: hit.score for hit, _ in zip(kept, range(top_k), strict=False)}

    def _add(self, index: LanceIndex, documents: Sequence[Document]) -> None:
        entries = []
        for document in documents:
            parts = units(document)
            figures = sum(len(part.figures) for part in parts)
            stored = StoredDocument(
                document.id, document.title, document.id, {}, "", units=len(parts), figures=figures
            )
            entries.append((stored, parts))
        flat = [part for _, parts in entries for part in parts]
        vectors = iter(self._encoder.encode_units(flat))
        index.add(
            [Entry(stored, parts, tuple(next(vectors) for _ in parts)) for stored, parts in entries if parts]
        )

    def _count(self, item: Item, role: str) -> None:
        self.reading.pictures[role] += item.picture is not None
        self.reading.blank[role] += not item.kind


class Bm25Model:
    """plait's BM25 over the words of documents, asked by the words of queries."""

    def __init__(self) -> None:
        self.mteb_model_meta = ModelMeta.create_empty(
            overwrites={
                "name": "plait/bm25",
                "modalities": ["text"],
                "similarity_fn_name": ScoringFunction.CUSTOM,
                "model_type": ["sparse"],
            }
        )
        self._ids: list[str] = []
        self._bm25 = Bm25.of([])

    def index(
        self, corpus: Any, *, task_metadata: Any, hf_subset: str, encode_kwargs: Mapping[str, Any], **_: Any
    ) -> None:
        """Count the words of a corpus."""
        language = _language(task_metadata, hf_subset)
        rows = list(_rows(corpus, task_metadata, PromptType.document, encode_kwargs))
        self._ids = [str(row["id"]) for row, _ in rows]
        self._bm25 = Bm25.of([term_counts(i.text, language=language) for _, i in rows], language=language)

    def search(
        self,
        queries: Any,
        *,
        task_metadata: Any,
        top_k: int,
        encode_kwargs: Mapping[str, Any],
        top_ranked: Mapping[str, Sequence[str]] | None = None,
        **_: Any,
    ) -> dict[str, dict[str, float]]:
        """Return query id -> document id -> score of the best `top_k` that share a word with the query."""
        found = {}
        for row, item in _rows(queries, task_metadata, PromptType.query, encode_kwargs):
            name = str(row["id"])
            scores = self._bm25.scores([item.text])
            if top_ranked is not None:
                wanted = set(top_ranked.get(name, ()))
                scores[[one not in wanted for one in self._ids]] = 0
            best = np.argsort(-scores, kind="stable")[:top_k]
            found[name] = {self._ids[place]: float(scores[place]) for place in best if scores[place] > 0}
        return found


def _rows(
    rows: Any, task_metadata: Any, role: PromptType, encode_kwargs: Mapping[str, Any]
) -> Iterator[tuple[dict[str, Any], Item]]:
    """Yield each row as mteb prepares it for models, and what it shows."""
    batch_size = encode_kwargs.get("batch_size", 32)
    loader = create_dataloader(rows, task_metadata=task_metadata, prompt_type=role, batch_size=batch_size)
    for batch in loader:
        names = [name for name in ("id", "title", "body") if name in batch]
        for place, item in enumerate(items_of(batch)):
            yield {name: batch[name][place] for name in names}, item


def _document(row: Mapping[str, Any], item: Item, folder: Path) -> Document:
    """Return a row as a document of one text, and one figure after it."""
    name = str(row["id"])
    body = str(row.get("body", item.text))
    segments = [Segment("text", body)] if body.strip() else []
    if item.picture is not None:
        segments.append(Segment("image", picture=_kept(item.picture, folder / "pictures")))
    return Document(name, str(row.get("title") or ""), name, segments=tuple(segments))


def _kept(picture: PillowImage.Image, folder: Path) -> Picture:
    data = _png(picture)
    digest = hashlib.sha256(data).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{digest}.png"
    path.write_bytes(data)
    return Picture(str(path), digest, *picture.size)


def _png(picture: PillowImage.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _language(task_metadata: Any, subset: str) -> str:
    """Return whose stems words are reduced to: the subset's language, if it has one and it is known."""
    scripts = task_metadata.hf_subsets_to_langscripts.get(subset, [])
    try:
        (code,) = {script.partition("-")[0] for script in scripts}
        return language_named(ISO_TO_LANGUAGE[code])
    except (ValueError, KeyError, InputError):
        return "none"
