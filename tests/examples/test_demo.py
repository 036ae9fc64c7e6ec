"""The demonstration shows what it promises."""

from __future__ import annotations

import importlib
import io
from pathlib import Path

from rich.console import Console
from tests.helpers.tiny_encoder import TinyEncoder


def test_the_demo_asks_three_questions_and_shows_where_to_look(examples: Path, tmp_path: Path) -> None:
    printed = io.StringIO()
    demo = importlib.import_module("demo")
    words, _, _ = demo.demo(tmp_path / "demo", Console(file=printed, width=100), encoder=TinyEncoder())
    assert words[0].section[-1].endswith("the pump ran dry")
    text = printed.getvalue()
    assert "17 documents" in text
    assert "skipped" not in text
    for how in ("words", "a picture", "a picture and words"):
        assert f"Asking with {how} " in text
    for label in ("place:", "file:", "picture:", "spoke:"):
        assert text.count(label) >= 3


def test_the_default_model_finds_the_parts_in_the_photographs(examples: Path, tmp_path: Path) -> None:
    demo = importlib.import_module("demo")
    words, picture, both = demo.demo(tmp_path / "demo", Console(file=io.StringIO()))
    assert any(hit.section[-1].endswith("the pump ran dry") for hit in words)
    assert any("expansion valve" in hit.caption for hit in picture)
    assert any("group seal" in hit.caption for hit in both)
