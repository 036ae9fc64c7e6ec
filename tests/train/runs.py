"""A training run of kilobytes: pictures, rows, a tiny ReT, and settings that train it in a second."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml
from PIL import Image
from safetensors.torch import load_file
from tests.helpers.tiny_ret import WORDS, save_tiny_checkpoint

ROOT = Path(__file__).parents[2]


def write_run(folder: Path, *, rows: int = 20, pooled: bool = False, **changes) -> Path:
    """Write all that a run needs; return its settings file.

    Args:
        changes: "trainer__steps=3" is  trainer: {steps: 3}.
    """
    write_rows(folder / "train.jsonl", rows=rows)
    save_tiny_checkpoint(folder / "start", pooled=pooled)
    settings = {
        "model": {"start": "start"},
        "data": [{"format": "jsonl", "paths": "train.jsonl"}],
        "objective": {"modality_dropout": {"text": 0.2, "image": 0.2}},
        "trainer": {
            "batch_size": 4, "steps": 12, "learning_rate": 1e-2, "device": "cpu", "log_every": 1,
            "checkpoint_every": 2, "keep_checkpoints": 20,
        },
        "output": {"folder": "run"},
    }  # fmt: skip
    for place, value in changes.items():
        *path, last = place.split("__")
        inner = settings
        for name in path:
            inner = inner.setdefault(name, {})
        inner[last] = value
    file = folder / "run.yaml"
    file.write_text(yaml.safe_dump(settings, sort_keys=False))
    return file


def write_rows(file: Path, *, rows: int, negatives: int = 2) -> None:
    """Write rows of every kind: texts, pictures, both; each answered by what shares its words or colour."""
    lines = []
    for k in range(rows):
        words = f"{WORDS[2 + k % 3]} {WORDS[5 + k % 2]} {WORDS[7 + k % 5]}"
        picture = _picture(file.parent / "pictures" / f"{k % 7}.png", k % 7)
        query = [{"text": words}, {"image": picture}, {"text": words, "image": picture}][k % 3]
        answer = [{"text": f"the {words}", "image": picture}, {"text": f"the {words}"}][k % 2]
        wrong = [{"text": f"{WORDS[(k + j) % 13]} paper left"} for j in range(negatives)]
        lines.append(
            {"id": f"row{k}", "label": f"thing{k}", "query": query, "positive": answer, "negatives": wrong}
        )
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))


def plait(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess:
    """Run the command line in a process of its own."""
    return subprocess.run(
        command(*arguments), cwd=cwd, env=environment_of(**environment), capture_output=True, text=True,
        timeout=240,
    )  # fmt: skip


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "plait", *map(str, arguments)]


def environment_of(**changes: str) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)} | changes


def weights(folder: Path) -> dict:
    """Return the weights that a model's folder, or a checkpoint's, holds."""
    return load_file(folder / "model.safetensors")


def _picture(file: Path, number: int) -> str:
    file.parent.mkdir(exist_ok=True)
    if not file.exists():
        picture = Image.new("RGB", (20 + number, 24), (37 * number % 256, 91 * number % 256, 120))
        picture.paste((255, 255, 255), (0, 0, 3 + number, 9))
        picture.save(file)
    return f"pictures/{file.name}"


def without_dropout(start: Path) -> None:
    """Take dropout out of a stored tiny model: processes draw their own."""
    file = start / "config.json"
    config = json.loads(file.read_text())
    for side in ("query_config", "document_config"):
        config[side] |= {"dropout_p": 0.0, "attention_dropout": 0.0}
    file.write_text(json.dumps(config))
