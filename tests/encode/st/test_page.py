"""The Python of docs/sentence-transformers.md runs from top to bottom, and prints what its comments say."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
import torch
from PIL import Image
from tests.helpers.ret_models import pair, ret2
from tests.helpers.tiny_ret import tiny_processor

PAGE = Path(__file__).parents[3] / "docs" / "sentence-transformers.md"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Stand in a folder with the models and pictures that the page speaks of, of the sizes that it says."""
    monkeypatch.chdir(tmp_path)
    pair(query={"num_queries": 32, "late_proj_output_size": 128}).save_pretrained("my-ret")
    ret2(late_proj_output_size=768).save_pretrained("my-ret2")
    for name in ("my-ret", "my-ret2"):
        tiny_processor().save_pretrained(name)
    Image.new("RGB", (40, 30), "red").save("part.jpg")
    Image.new("RGBA", (20, 30), "blue").save("valve.png")
    return tmp_path


@pytest.mark.filterwarnings("ignore:'pin_memory'")  # of torch, on machines without an accelerator
def test_the_pages_python_runs_offline_and_prints_what_it_says(folder, monkeypatch, capsys):
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the network was used"))
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL))
    torch.manual_seed(0)
    exec(compile(code, PAGE.name, "exec"), {})
    said = [
        line for line in capsys.readouterr().out.splitlines() if not line.startswith("{")
    ]  # the trainer's
    promised = re.findall(r"print\(.*\)  # (.*)", code)
    assert len(promised) == 8
    assert [line.replace("torch.Size([", "(").replace("])", ")") for line in said] == promised
