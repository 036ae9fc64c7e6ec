"""A small ReT, 32 tokens of 128 a side, trained on what illustrated manuals ask of themselves.

It has ReT's form, not its quality: MiniLM and EfficientNet-Lite0 stay as they come with plait, and only a
narrow recurrence over three layers of each is trained, for minutes. The settings that differ from those that
`plait train --from-library` writes are below.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.search.real_material import ILLUSTRATED, units_file, units_in
from plait.schema import Unit
from plait.train.config import TrainConfig
from plait.train.self_supervised.dividing import TRAINING
from plait.train.self_supervised.writing import write_rows
from plait.train.settings_file import read_settings
from plait.train.trainer import train

STEPS = 150
_SETTINGS = (
    "model.from_backbones.side={layer_strategy: early_middle_late, hidden_size: 256, num_queries: 32, "
    "late_proj_output_size: 128}",
    "objective.contrastive.temperature=1.0",  # as ReT has it; MaxSim over 32 tokens lies in [-32, 32]
    "trainer.batch_size=64",
    "trainer.learning_rate=5e-4",
    "trainer.device=cpu",
    "trainer.precision=bfloat16",  # 4 s a step on one core of an EPYC with AVX512_BF16, instead of 7
    # Sentences are many: as drawn here, 150 steps are one epoch, and two fifths of it have figures.
    "data.0.rows=5000",
    "data.4.rows=1000",
    "validation.data.0.rows=250",
    "validation.data.1.rows=200",
    "validation.data.2.rows=150",
    "validation.data.3.rows=100",
    "validation.data.4.rows=100",
    "trainer.log_every=10",
    "trainer.checkpoint_every=50",
)


def trained(*, cache: Path, work: Path, seed: int = 0, steps: int = STEPS) -> Path:
    """Return the folder of the trained model, which is trained if it is not there; goes on where it was.

    Args:
        cache: where packages are unpacked.
        work: gets rows/, with the run in rows/run.
    """
    rows = work / "rows"
    if not rows.is_dir():
        print(write_rows(_units(cache, work), rows, edits_per_figure=2, seed=seed), file=sys.stderr)
    changes = [*_SETTINGS, f"trainer.seed={seed}", f"trainer.steps={steps}"]
    report = train(read_settings(TrainConfig, rows / "train.yaml", changes=changes), progress=_told)
    if report.model is None:
        sys.exit("the training was interrupted: run the same command again, which goes on")
    return report.model


def documents_trained_on(work: Path) -> set[str]:
    """Return the ids of the documents that rows were trained on, not those held out."""
    found: set[str] = set()
    for file in (work / "rows" / TRAINING).glob("*.jsonl"):
        with file.open(encoding="utf-8") as lines:
            found.update(str(json.loads(line)["label"]).rpartition(":")[0] for line in lines)
    return found


def _units(cache: Path, work: Path) -> Iterator[Unit]:
    for package in ILLUSTRATED:
        yield from units_in(units_file(package, cache=cache, work=work))


def _told(event: object) -> None:
    print(event, file=sys.stderr, flush=True)
