"""Without sentence-transformers the import says what to install."""

from __future__ import annotations

import subprocess
import sys

WITHOUT = """
import sys
sys.modules["sentence_transformers"] = None  # as if it were not installed
try:
    from plait.encode.st import RetMultiVectorEncoder
except ImportError as error:
    print(type(error).__name__, error)
"""


def test_the_missing_extra_is_named():
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, timeout=100, check=True
    )
    assert run.stdout == (
        'MissingExtraError sentence_transformers is not installed: run  pip install "plait[embedders]"\n'
    )
