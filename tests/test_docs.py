"""The Python of the documents runs as it stands, offline, in an empty folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.helpers.pages import run_python

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("page", ["encoders.md", "model-family.md", "models.md"])
def test_the_python_of_a_page_runs_and_prints_what_its_comments_say(page, tmp_path):
    printed, promised = run_python((DOCS / page).read_text(), tmp_path)
    said = [line.replace("torch.Size([", "(").replace("])", ")") for line in printed]
    assert said == [line.replace(" and ", " ") for line in promised]
