"""The benchmark of training, on a model of kilobytes: both ways do the same work, and the limit is one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from benchmarks.train import fresh, run
from benchmarks.train.inputs import training_rows, write
from benchmarks.train.tables import to_markdown

MACHINE = {
    "machine": {"processor": "X", "cores": 2, "load": 0.1, "python": "3", "plait": "0", "torch": "2"},
    "seed": 1,
    "tiny": True,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("train"), rows=8, tiny=True)


@pytest.mark.parametrize("backbones", ["frozen", "full"])
def test_a_plain_step_and_one_by_gradcache_leave_the_same_weights(folder: Path, backbones: str) -> None:
    stepped, before = [], []
    for mini_batch_size in (None, 3):
        take = fresh.Step(folder, batch=8, backbones=backbones)
        take.encoder.eval()  # dropout draws otherwise for mini-batches
        before.append(_trained(take))
        take(mini_batch_size)
        stepped.append(_trained(take))
    torch.testing.assert_close(stepped[0], stepped[1], atol=2e-6, rtol=0)
    assert not torch.equal(before[0], stepped[0])


def test_every_row_brings_text_and_picture_on_both_sides(folder: Path) -> None:
    take = fresh.Step(folder, batch=8, backbones="frozen")
    for column in take.columns:
        assert column["text_mask"].tolist() == column["image_mask"].tolist() == [1] * 8
        assert column["pixel_values"].shape == (8, 3, 32, 32)
    assert take.labels["owner"].tolist() == list(range(8))
    assert len({row["query"]["text"] for row in training_rows(folder, 8)}) == 8


def test_a_run_ends_with_a_model(folder: Path) -> None:
    found = fresh.run(str(folder), batch=4, mini_batch_size=2)
    assert found["ended"] == "finished"
    assert (folder / "run" / "model" / "model.safetensors").is_file()


def test_a_process_that_needs_more_than_the_limit_fails_and_says_so() -> None:
    asked = {"what": "loss", "queries": 64, "documents": 128, "tokens": 32, "width": 128}
    assert "failed" in run.fresh(asked | {"limit_bytes": 10**9})  # less than the libraries take


def test_a_plain_step_is_expected_to_grow_with_its_batch() -> None:
    rows = [
        {"mini_batch_size": None, "batch": 16, "peak_mb": 5000.0},
        {"mini_batch_size": 16, "batch": 32, "peak_mb": 4000.0},
    ]
    assert run._expected_mb(rows, 64) == 20_000
    assert run._expected_mb(rows[1:], 64) == 0


def test_other_backbones_at_the_large_batch_are_computed_from_the_smallest_and_called_so() -> None:
    steps = [
        {
            "backbones": name,
            "batch": batch,
            "mini_batch_size": 16,
            "cpu_s": 2.0,
            "peak_mb": peak,
            "before_mb": 1,
        }
        for name, batch, peak in (("frozen", 16, 4000.0), ("frozen", 32, 4500.0), ("lora", 16, 5500.0))
    ]
    limit = {
        "batch": 512, "mini_batch_size": 16, "backbones": "frozen", "limit_bytes": 16 * 10**9,
        "ended": "finished", "peak_mb": 6000.0, "reserved_mb": 8000.0, "cpu_s": 1.0,
    }  # fmt: skip
    shown = to_markdown({"steps": MACHINE | {"rows": steps}, "limit": MACHINE | {"rows": [limit]}})
    assert "| GradCache, 16 at a time | frozen | 32 | 2.0 | 16.00 | 4500 | 1 |" in shown
    assert "6.0 GB resident at its peak" in shown
    assert "Computed, not measured: batch 512 would come to lora 7.5 GB" in shown


def test_a_failed_measurement_is_shown_as_one() -> None:
    row = {"batch": 512, "mini_batch_size": 16, "backbones": "frozen", "limit_bytes": 16 * 10**9}
    shown = to_markdown({"limit": MACHINE | {"rows": [row | {"failed": "MemoryError"}]}})
    assert "failed, MemoryError" in shown


def _trained(take: fresh.Step) -> torch.Tensor:
    weights = [weight.detach().flatten() for weight in take.encoder.parameters() if weight.requires_grad]
    return torch.cat(weights)
