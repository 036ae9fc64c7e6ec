"""The examples are scripts beside the package; tests import them from where they lie."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def examples(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the examples folder, importable while the test runs."""
    folder = Path(__file__).resolve().parents[2] / "examples"
    monkeypatch.syspath_prepend(str(folder))
    return folder
