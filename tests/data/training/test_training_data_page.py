"""The formats as the documentation shows them are read, and its Python runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow
from PIL import Image
from pyarrow import parquet
from tests.helpers.pages import run_python

PAGE = Path(__file__).parents[3] / "docs" / "training-data.md"


def test_the_examples_of_the_page_are_read_and_print_what_it_says(tmp_path):
    text = PAGE.read_text()
    for name, content in re.findall(r"`([\w./-]+)`:\n\n```\w+\n(.*?)```", text, flags=re.DOTALL):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".parquet":
            rows = [json.loads(line) for line in content.splitlines()]
            parquet.write_table(pyarrow.Table.from_pylist(rows), file)
        else:
            file.write_text(content)
    for k, address in enumerate(sorted(set(re.findall(r'"([\w/]+\.(?:jpg|png))"', text)))):
        (tmp_path / address).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8 + k, 8), (20 * k, 0, 99)).save(tmp_path / address)
    printed, promised = run_python(text, tmp_path)
    assert printed == promised
