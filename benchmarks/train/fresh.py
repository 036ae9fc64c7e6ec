"""What training takes, measured in this process; `run.py` starts one for each measurement.

    python -m benchmarks.train.fresh '{"what": "step", "folder": FOLDER, "batch": 16, ...}'

The folder is one of `inputs.write`. Prints a line of JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from benchmarks.encode.sizes import cpu_seconds
from benchmarks.train.inputs import PICTURES, SEED, training_rows
from plait.encode.quiet import no_progress_bars
from plait.train.building import build_loss, build_model
from plait.train.collating import TrainingCollator
from plait.train.config import ObjectiveConfig, OutputConfig, TrainConfig, TrainerConfig
from plait.train.data_config import JsonlData
from plait.train.model_config import BackboneTraining, ModelConfig
from plait.train.objectives.contrastive import Contrastive
from plait.train.objectives.targets import Targets
from plait.train.trainer import train


def main() -> None:
    given = json.loads(sys.argv[1])
    work: dict[str, Callable[..., dict[str, Any]]] = {"step": step, "pair": pair, "loss": loss, "run": run}
    torch.set_num_threads(1)
    if limit := given.pop("limit_bytes", None):
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with no_progress_bars():
        found = work[given.pop("what")](**given)
    # Not getrusage's: that one remembers the parent's pages, from before this program was started.
    print(json.dumps({**found, "peak_mb": _memory_mb("VmHWM"), "reserved_mb": _memory_mb("VmPeak")}))


def step(folder: str, *, batch: int, mini_batch_size: int | None, backbones: str) -> dict[str, Any]:
    """Return the time of one whole step, and what memory was held before it."""
    take = Step(Path(folder), batch=batch, backbones=backbones)
    before = _memory_mb("VmRSS")
    cpu, wall = cpu_seconds(partial(take, mini_batch_size))
    return {"before_mb": before, "cpu_s": cpu, "wall_s": wall}


def pair(folder: str, *, batch: int, mini_batch_size: int, backbones: str, rounds: int) -> dict[str, Any]:
    """Return the times of some plain steps and of as many by GradCache, taken in turns."""
    take = Step(Path(folder), batch=batch, backbones=backbones)
    take(None)  # makes the optimizer's moments
    turns = [[cpu_seconds(partial(take, size))[0] for size in (None, mini_batch_size)] for _ in range(rounds)]
    return {"plain_cpu_s": [plain for plain, _ in turns], "cached_cpu_s": [cached for _, cached in turns]}


def loss(*, queries: int, documents: int, tokens: int, width: int) -> dict[str, Any]:
    """Return the time of the contrastive loss alone and of its gradients, for random token vectors."""
    torch.manual_seed(SEED)
    asked, given = (
        functional.normalize(torch.randn(count, tokens, width), dim=-1).requires_grad_()
        for count in (queries, documents)
    )
    place = torch.arange(documents)
    targets = Targets(place % queries, place, (place < queries).float(), torch.full((documents,), torch.nan))
    objective = Contrastive()
    before = _memory_mb("VmRSS")
    cpu, wall = cpu_seconds(lambda: objective(asked, given, targets).backward())
    return {"before_mb": before, "cpu_s": cpu, "wall_s": wall}


def run(
    folder: str, *, batch: int, mini_batch_size: int, backbones: str = "frozen", precision: str = "float32"
) -> dict[str, Any]:
    """Return what one optimizer step of `plait train` took, from reading rows to the written model.

    There should be rows for two batches: the trainer reads one ahead.
    """
    place = Path(folder)
    config = TrainConfig(
        model=_model(place, backbones),
        data=(JsonlData(format="jsonl", paths=place / "rows.jsonl", images=PICTURES),),
        objective=ObjectiveConfig(mini_batch_size=mini_batch_size),
        trainer=TrainerConfig(
            batch_size=batch,
            steps=1,
            log_every=1,
            device="cpu",
            threads=1,
            precision=precision,  # type: ignore[arg-type]
            seed=SEED,
        ),
        output=OutputConfig(folder=place / "run"),
    )
    report = train(config, resume="never")
    return {
        "ended": report.ended,
        "step_s": report.seconds,
        "loss": report.loss,
        "cpu_s": time.process_time(),
    }


class Step:
    """An optimizer step of one batch, with the model, collator and loss of `plait train`.

    Args:
        backbones: "frozen", "lora" or "full", of text and vision.
    """

    def __init__(self, folder: Path, *, batch: int, backbones: str) -> None:
        torch.manual_seed(SEED)
        self.encoder = build_model(_model(folder, backbones), device="cpu")
        self.encoder.train()
        weights = [weight for weight in self.encoder.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(weights, lr=5e-5, weight_decay=0.0)
        made = TrainingCollator(self.encoder.preprocess)(training_rows(folder, batch))
        self.labels = made["label"]
        self.columns = [
            {name.removeprefix(side): values for name, values in made.items() if name.startswith(side)}
            for side in ("query_", "document_")
        ]

    def __call__(self, mini_batch_size: int | None) -> None:
        """Take it, by GradCache if a mini-batch is given."""
        compute = build_loss(self.encoder, ObjectiveConfig(mini_batch_size=mini_batch_size))
        self.optimizer.zero_grad()
        compute(self.columns, self.labels).backward()
        nn.utils.clip_grad_norm_(self.encoder.parameters(), 1.0)
        self.optimizer.step()


def _model(folder: Path, backbones: str) -> ModelConfig:
    choice = BackboneTraining(text=backbones, vision=backbones)  # type: ignore[arg-type]
    return ModelConfig(start=str(folder / "start"), backbones=choice)  # type: ignore[arg-type]


def _memory_mb(name: str) -> float:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition(f"{name}:")[2].split()[0]) * 1024 / 1e6


if __name__ == "__main__":
    main()
