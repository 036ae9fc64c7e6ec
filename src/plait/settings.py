"""Defaults and limits: one frozen dataclass, changed by environment variables or a TOML file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from math import isfinite
from pathlib import Path
from typing import Any

from plait.errors import InputError


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may change; each also as PLAIT_<NAME> in the environment.

    Attributes:
        model: encoder of a new library: "plait-mini", or the folder, pip package or downloaded hub name of
            a ReT, ReT-2 or sentence-transformers model.
        vectors: how a new library keeps its vectors, from exact to small: "float16", "int8", "pooled" or
            "binary"; see `scoring.keeping`.
        language: of a new library's words, by name or ISO 639 code ("german", "de"): queries find them in all
            their forms; "none" compares words as they are written.
        threads: batches encoded at a time, each on one torch thread; 0 means one a core.
        precision: of a ReT model's matrix products: "float32", "bfloat16", "mixed", "int8", or "auto",
            which is bfloat16 where the processor multiplies it itself, else float32.
        read_workers: files read at once, each in its own process.
        read_memory_mb: address space of one reading process.
        read_cpu_seconds, read_wall_seconds: time for one file, or for each hundred pages of a longer one.
        max_pixels: largest picture or page that is decoded, in pixels.
        max_file_mb: larger files are refused unread.
        max_pages: more pages, slides, sheets or scenes of a file are left out, with a warning.
        max_unpacked_mb: what an archive, an e-book or an Office document may unpack to.
        max_attachments: more members of an archive or message are left out, with a warning.
        page_dpi: resolution of stored page images; 0 stores none.
        figure_dpi: resolution of figures cut out of pages.
        ocr: what is read by character recognition, where the extra "ocr" is installed: "pages" of documents
            without a text layer, and pictures that look like such pages; "all" pictures; or "off".
        ocr_memory_mb: address space that recognition may take on top of `read_memory_mb`.
        urls: whether addresses on the web may be added; each gives one page and its pictures.
        batch_documents: documents made durable together.
        exact_mb: vector fields that take more memory than this as float32 are searched by small codes, then
            exactly; each smaller one is held in memory.
        recall: the share of the exact best hits that a search of such fields must find, in expectation.
        method: how a search combines lanes: "gated", "zsum" or "rrf", see `search.fusion`.
        lane_weights: what each lane counts in a search, 1 where it is not named, 0 to leave it out; in the
            environment and the file "bm25=2, image=0.5". `plait eval library` finds out which serve best.
        recentring: whether units of text, of figures and of both are moved to one centre in each lane of
            vectors before lanes are combined; see `search.recentring`.
        hub_suppression: the share of what a unit is nearer to any query than others are that is taken off its
            scores, 0 to 1; 0 is off; see `search.hubs`.
        feedback: what the web page's users may leave: "judgements" of hits, also their "clicks", or nothing,
            "off". It stays in the library's folder.
        requests_per_minute: that `plait serve` takes of one caller in the long run; as many may come at once,
            but no more than 1,000.
        request_mb, upload_mb: largest body of a request to `plait serve`, and of one that sends documents.
        request_seconds: after which `plait serve` refuses what it has not begun to answer, unless documents
            are sent; 0 waits for ever.
        search_processes: in which `plait serve` searches: 1 is its own; more hold the library in memory each,
            and answer many at once; 0 takes one a processor, at most 4, once there are 30,000 units.
        rerank: how the first hits are put in order anew, see `search.rerank`; names with commas between,
            "late-interaction", "refine", "cross-encoder:FOLDER", "vlm"; "" leaves them.
        llm_url, llm_model: an OpenAI-compatible endpoint for written answers; "" answers by quoting.
    """

    model: str = "plait-mini"
    vectors: str = "float16"
    language: str = "english"
    threads: int = 0
    precision: str = "auto"
    read_workers: int = 1
    read_memory_mb: int = 1500
    read_cpu_seconds: int = 120
    read_wall_seconds: int = 180
    max_pixels: int = 50_000_000
    max_file_mb: int = 512
    max_pages: int = 20_000
    max_unpacked_mb: int = 2048
    max_attachments: int = 10_000
    page_dpi: int = 90
    figure_dpi: int = 150
    ocr: str = "pages"
    ocr_memory_mb: int = 3000
    urls: bool = False
    batch_documents: int = 16
    exact_mb: int = 64
    recall: float = 0.99
    method: str = "gated"
    lane_weights: Mapping[str, float] = field(default_factory=dict)
    recentring: bool = False
    hub_suppression: float = 0.0
    feedback: str = "judgements"
    requests_per_minute: int = 12_000
    request_mb: int = 32
    upload_mb: int = 512
    request_seconds: float = 0.0
    search_processes: int = 0
    rerank: str = ""
    llm_url: str = ""
    llm_model: str = ""


def load_settings(toml: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Return the defaults, changed by a TOML file (if it exists) and then by the environment.

    Raises:
        InputError: an unknown key, or a value of the wrong type.
    """
    settings = Settings()
    if toml is not None and toml.is_file():
        try:
            values = tomllib.loads(toml.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{toml} is not valid TOML: {error}") from error
        settings = _changed(settings, values, str(toml))
    variables = os.environ if environment is None else environment
    known = {f.name for f in fields(Settings)}
    wanted = {
        name[6:].lower(): value
        for name, value in variables.items()
        if name.startswith("PLAIT_") and name[6:].lower() in known
    }
    return _changed(settings, wanted, "the environment")


def _changed(settings: Settings, values: Mapping[str, object], where: str) -> Settings:
    known = {f.name: type(getattr(settings, f.name)) for f in fields(settings)}
    for name, value in values.items():
        if name not in known:
            raise InputError(f"unknown setting {name!r} in {where}: use one of {', '.join(known)}")
        try:
            made: Any = _MADE.get(known[name], known[name])(value)
            settings = replace(settings, **{name: made})
        except (TypeError, ValueError) as error:
            form = _WEIGHTS_FORM if known[name] is dict else known[name].__name__
            raise InputError(f"setting {name} in {where} must be {form}, got {value!r}") from error
    return settings


def _truth(value: object) -> bool:
    """Return what a word says: "true", "yes", "on" and 1, or "false", "no", "off" and 0."""
    word = str(value).strip().lower()
    if word not in ("true", "yes", "on", "1", "false", "no", "off", "0"):
        raise ValueError(word)
    return word in ("true", "yes", "on", "1")


def _weights(value: object) -> dict[str, float]:
    """Return the weights that "bm25=2, image=0.5", or a table of them, gives."""
    if isinstance(value, Mapping):
        pairs = [(str(lane), weight) for lane, weight in value.items()]
    else:
        parts = (part.partition("=") for part in str(value).split(",") if part.strip())
        pairs = [(lane.strip(), weight) for lane, _, weight in parts]
    found = {lane: float(weight) for lane, weight in pairs}
    if "" in found or len(found) < len(pairs) or not all(isfinite(w) and w >= 0 for w in found.values()):
        raise ValueError(value)
    return found


_MADE: dict[type, Any] = {bool: _truth, dict: _weights}
_WEIGHTS_FORM = 'lanes with numbers of 0 or more, such as "bm25=2, image=0.5"'
