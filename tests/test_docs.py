"""The Python of the documents runs as it stands, offline, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("page", ["encoders.md", "model-family.md", "models.md"])
def test_the_python_of_a_page_runs_and_prints_what_its_comments_say(page, tmp_path):
    code = "\n".join(re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), flags=re.DOTALL))
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert run.returncode == 0, run.stderr
    promised = re.findall(r"print\(.*\)  # (.*)", code)
    said = [line.replace("torch.Size([", "(").replace("])", ")") for line in run.stdout.splitlines()]
    assert said == [line.replace(" and ", " ") for line in promised]
