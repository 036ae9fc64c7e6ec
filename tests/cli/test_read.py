"""plait read: what is in a file, printed, without a library."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from tests.helpers.command_line import plait


@pytest.fixture(scope="module")
def manual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("manual")
    Image.new("RGB", (120, 80), "red").save(folder / "valve.png")
    (folder / "valve.html").write_text(
        "<!doctype html><h1>The valve</h1><p>Close it <a href='b.html'>first</a>.</p>"
        "<figure><img src=valve.png alt='a valve'><figcaption>Figure 1: closed</figcaption></figure>"
        "<table><tr><th>Part<th>Price</tr><tr><td>seal<td>3</tr></table>",
        encoding="utf-8",
    )
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing")
    return folder


def test_a_file_is_printed_as_markdown_and_what_cannot_be_read_is_told(manual: Path, tmp_path: Path) -> None:
    read = plait("read", "*.html", "broken.pdf", "--figures", tmp_path / "figures", cwd=manual)
    assert read.returncode == 1
    assert read.stderr.startswith("plait: skipped broken.pdf: ")
    assert "Traceback" not in read.stderr
    (picture,) = (tmp_path / "figures").iterdir()
    with Image.open(picture) as image:
        assert image.size == (120, 80)
    assert read.stdout.startswith("---\ntitle: The valve\nsource: valve.html\n")
    for block in (
        "# The valve",
        "Close it [first](b.html).",
        f"![a valve]({picture})\n\n*Figure 1: closed*",
        "| Part | Price |\n| --- | --- |\n| seal | 3 |",
    ):
        assert f"\n\n{block}\n" in read.stdout
    assert not (manual / ".plait").exists()


def test_standard_input_is_printed_as_a_line_of_json(manual: Path) -> None:
    read = subprocess.run(
        [sys.executable, "-c", "from plait.cli.main import run; run()", "read", "-", "--json"],
        input=(manual / "valve.html").read_bytes(),
        capture_output=True,
        cwd=manual,
        check=True,
        timeout=240,
    )
    (line,) = read.stdout.splitlines()
    document = json.loads(line)
    assert (document["source"], document["title"]) == ("stdin:standard-input.html", "The valve")
    assert [s["rows"] for s in document["segments"] if s["kind"] == "table"] == [
        [["Part", "Price"], ["seal", "3"]]
    ]
