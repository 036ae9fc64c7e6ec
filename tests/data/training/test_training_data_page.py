"""The formats as the documentation shows them are read, and its Python runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow
from PIL import Image
from pyarrow import parquet

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
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL))
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == re.findall(r"print\(.*\)  # (.*)", code)
