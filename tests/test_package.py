"""The package itself: light to import, honest about its names, and built with its weights."""

from __future__ import annotations

import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

import plait

HEAVY = ("torch", "transformers", "numpy", "lancedb", "pyarrow", "PIL", "typer", "rich")


def test_importing_plait_loads_nothing_heavy() -> None:
    code = f"import plait, sys; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []


def test_every_public_name_can_be_had() -> None:
    for name in plait.__all__:
        assert getattr(plait, name) is not None
    assert dir(plait) == sorted(plait.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Librry'"):
        plait.Librry  # noqa: B018


def test_reading_a_file_needs_no_torch() -> None:
    code = (
        "import plait.data.readers.sandbox.worker, sys\n"
        "print(*[m for m in ('torch','lancedb') if m in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []


def test_the_installed_package_holds_its_weights_and_types() -> None:
    home = resources.files("plait")
    assert (home / "py.typed").is_file()
    weights = home / "model" / "mini" / "weights" / "plait-mini"
    sizes = [Path(str(f)).stat().st_size for f in weights.iterdir() if f.is_file()]
    assert {f.name for f in weights.iterdir()} >= {"config.json", "model.safetensors", "README.md"}
    assert sum(sizes) < 10_000_000
