"""An encoder goes to the hub, and comes back by its name, without trusting anybody's code."""

from __future__ import annotations

import subprocess
import sys

from tests.helpers.fake_hub import FakeHub
from tests.helpers.tiny_ret import save_tiny_checkpoint

PUSH_AND_LOAD = """
import os, sys
import torch
from plait.encode.st import RetMultiVectorEncoder
from plait.errors import ModelError

here = RetMultiVectorEncoder(sys.argv[1], device="cpu")
here.push_to_hub("tester/tiny-ret")
os.rename(sys.argv[1], sys.argv[1] + "-away")
for name, options in (
    ("tester/tiny-ret", {}),
    ("owner/bare", {}),
    ("tester/tiny-ret", {"local_files_only": True}),
    ("tester/tiny-ret", {"cache_folder": "elsewhere", "revision": "main"}),
):
    there = RetMultiVectorEncoder(name, device="cpu", **options)
    assert torch.equal(there.encode_query("a red square"), here.encode_query("a red square")), name
assert os.path.isdir("elsewhere")
card = open(there[0].load_file_path("tester/tiny-ret", "README.md")).read()
assert 'model = RetMultiVectorEncoder("tester/tiny-ret")' in card
try:
    RetMultiVectorEncoder("owner/empty", device="cpu")
except ModelError as error:
    print(error)
"""


def test_push_then_load_by_name(tmp_path):
    folder = save_tiny_checkpoint(tmp_path / "tiny")
    with FakeHub(tmp_path / "hub") as hub:
        save_tiny_checkpoint(hub.folder / "owner" / "bare")
        (hub.folder / "owner" / "empty").mkdir()
        run = subprocess.run(
            [sys.executable, "-c", PUSH_AND_LOAD, str(folder)],
            cwd=tmp_path,
            env=hub.environment(tmp_path / "cache") | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=200,
        )
    assert run.returncode == 0, run.stderr
    assert "holds no readable config.json: give the folder of a ReT checkpoint" in run.stdout
    pushed = {file.name for file in (tmp_path / "hub" / "tester" / "tiny-ret").iterdir()}
    assert {"modules.json", "model.safetensors", "tokenizer.json", "ret_processor.json"} <= pushed
