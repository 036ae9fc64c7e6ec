"""Manifests: read as they were written, and what changed is said in words."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from plait.errors import InputError
from plait.evaluation.manifest import Manifest, manifest_of, settings_in, typed_command


def manifest() -> Manifest:
    return manifest_of(
        "./bench",
        "c" * 64,
        model="plait-mini",
        model_fingerprint="m" * 64,
        options={"k": 100, "lanes": ("bm25", "text"), "recall": None},
        seed=3,
        seconds=1.23456,
        command=("eval", "./bench"),
    )


def test_what_is_written_is_read_and_nothing_has_changed() -> None:
    made = manifest()
    again = Manifest.from_json(made.to_json())
    assert again == made
    assert made.changed(again) == []
    assert made.folder == str(Path.cwd())
    assert made.versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"plait", "numpy", "torch"} <= set(made.versions)


def test_what_can_change_numbers_is_named_and_what_cannot_is_not() -> None:
    before = manifest()
    now = replace(
        before,
        collection_fingerprint="d" * 64,
        seed=4,
        options={"k": 10, "lanes": ["bm25", "text"], "method": "rrf"},
        versions={**before.versions, "numpy": "9.9"},
        seconds=99.0,
        machine={},
        command=(),
    )
    assert before.changed(now) == [
        f"collection: {'c' * 12}... -> {'d' * 12}...",
        "seed: 3 -> 4",
        "option k: 100 -> 10",
        "option method: null -> rrf",
        f"version numpy: {before.versions['numpy']} -> 9.9",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "damaged"), ("[]", "damaged"), ('{"format": 1}', "damaged"), ('{"format": 2}', "update plait")],
)
def test_a_manifest_that_cannot_be_read_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Manifest.from_json(text)


def test_a_manifest_with_an_unknown_key_is_refused() -> None:
    values = json.loads(manifest().to_json()) | {"speed": 1}
    with pytest.raises(InputError, match="speed"):
        Manifest.from_json(json.dumps(values))


def test_the_command_is_kept_without_where_its_results_go(monkeypatch: pytest.MonkeyPatch) -> None:
    words = "plait eval ./b --out /tmp/o --k 5 --work=w --force --json --seed 2 --work w"
    monkeypatch.setattr(sys, "argv", words.split())
    assert typed_command() == ("eval", "./b", "--k", "5", "--seed", "2")


def test_settings_are_kept_but_not_those_of_an_endpoint() -> None:
    found = settings_in({"PLAIT_VECTORS": "int8", "PLAIT_LLM_URL": "http://user:secret@host", "PATH": "/bin"})
    assert found == {"PLAIT_VECTORS": "int8"}
