"""Training runs end where they should, resume bit by bit, and refuse what does not fit."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from tests.train.runs import weights, write_run

from plait.errors import InputError, TrainError
from plait.train.config import TrainConfig
from plait.train.settings_file import read_settings
from plait.train.trainer import train


def settings(folder, **changes):
    folder.mkdir(exist_ok=True)
    return read_settings(TrainConfig, write_run(folder, **changes))


def copy_of(config, folder, *, checkpoint):
    """Return a run like another, of which only one checkpoint is there."""
    shutil.copytree(config.output.folder.parent, folder)
    shutil.rmtree(folder / "run" / "model")
    for place in (folder / "run" / "checkpoints").iterdir():
        if place.name != f"checkpoint-{checkpoint}":
            shutil.rmtree(place)
    return folder / "run"


VARIANTS = {
    "dropout everywhere": {},
    "workers": {"trainer__workers": 2, "objective__hard_negatives": 1},
    "cached, with a learned temperature": {
        "objective__mini_batch_size": 3,
        "objective__contrastive": {"learn_temperature": True, "symmetric": True},
    },
    "adapters, evaluated": {
        "model__backbones": {"text": "lora", "vision": "full", "text_lora_rank": 2, "lora_dropout": 0.1},
        "validation__share": 0.2,
        "evaluation__every": 3,
    },
}


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_a_resumed_run_ends_with_the_weights_of_one_without_a_break(tmp_path, changes):
    whole = settings(tmp_path / "whole", **changes)
    assert train(whole).ended == "finished"
    expected = weights(whole.output.folder / "checkpoints" / "checkpoint-12")
    for checkpoint in (2, 10):  # 5 steps are an epoch: within the first one, and between the second and third
        run = copy_of(whole, tmp_path / str(checkpoint), checkpoint=checkpoint)
        config = read_settings(TrainConfig, run.parent / "run.yaml")
        report = train(config)
        assert report.resumed_from == checkpoint
        found = weights(run / "checkpoints" / "checkpoint-12")
        assert found.keys() == expected.keys()
        for name, weight in expected.items():
            assert torch.equal(found[name], weight), name


def losses(config):
    state = config.output.folder / "checkpoints" / f"checkpoint-{config.trainer.steps}" / "trainer_state.json"
    return [entry["loss"] for entry in json.loads(state.read_text())["log_history"] if "loss" in entry]


def rates(folder):
    state = json.loads((folder / "trainer_state.json").read_text())
    return [entry["learning_rate"] for entry in state["log_history"] if "learning_rate" in entry]


def test_a_run_that_is_over_does_nothing_again(tmp_path):
    config = settings(tmp_path, trainer__steps=4)
    first = train(config)
    model = weights(first.model)
    said = []
    again = train(config, say=said.append)
    assert again == first
    assert said[-1].startswith("this run is at its end")
    assert all(torch.equal(weight, model[name]) for name, weight in weights(first.model).items())


def test_a_run_killed_after_its_last_checkpoint_still_writes_its_model(tmp_path):
    config = settings(tmp_path, trainer__steps=4)
    first = train(config)
    model = weights(first.model)
    shutil.rmtree(first.model)
    again = train(config)
    assert (again.ended, again.step) == ("finished", 4)
    assert all(torch.equal(weight, model[name]) for name, weight in weights(again.model).items())


def test_fresh_sets_what_was_there_aside(tmp_path):
    config = settings(tmp_path, trainer__steps=2)
    before = weights(train(config).model)
    report = train(config, resume="never")
    assert report.resumed_from is None
    assert all(torch.equal(weight, before[name]) for name, weight in weights(report.model).items())
    aside = config.output.folder / "earlier-1"
    assert (aside / "checkpoints" / "checkpoint-2").is_dir()
    assert (aside / "model").is_dir()


def test_training_may_stop_before_its_schedule_ends_and_go_on_later(tmp_path):
    whole = settings(tmp_path / "whole", trainer__schedule="cosine")
    train(whole)
    part = settings(tmp_path / "part", trainer__stop_after_steps=5)
    report = train(part)
    assert (report.ended, report.step, report.schedule_steps) == ("finished", 5, 12)
    expected = rates(whole.output.folder / "checkpoints" / "checkpoint-12")
    assert rates(part.output.folder / "checkpoints" / "checkpoint-5") == expected[:5]
    rest = read_settings(
        TrainConfig, tmp_path / "part" / "run.yaml", changes=["trainer.stop_after_steps=null"]
    )
    assert train(rest).step == 12
    found = weights(part.output.folder / "checkpoints" / "checkpoint-12")
    for name, weight in weights(whole.output.folder / "checkpoints" / "checkpoint-12").items():
        assert torch.equal(found[name], weight), name


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("trainer.learning_rate=0.5", r"trainer\.learning_rate was 0\.01, is 0\.5"),
        ("objective.contrastive.symmetric=true", r"objective\.contrastive\.symmetric was False, is True"),
    ],
)
def test_a_run_does_not_go_on_with_other_settings(tmp_path, change, said):
    config = settings(tmp_path, trainer__steps=4, trainer__stop_after_steps=2)
    train(config)
    other = read_settings(TrainConfig, tmp_path / "run.yaml", changes=[change])
    with pytest.raises(InputError, match=said):
        train(other)


def test_a_run_does_not_go_on_with_other_rows(tmp_path):
    config = settings(tmp_path, trainer__steps=4, trainer__stop_after_steps=2)
    train(config)
    lines = (tmp_path / "train.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "train.jsonl").write_text("".join(lines[:-2]))
    with pytest.raises(InputError, match=r"was trained on other rows \(20 then, 18 now"):
        train(config)


def test_two_runs_do_not_share_a_folder(tmp_path):
    from filelock import FileLock

    config = settings(tmp_path)
    config.output.folder.mkdir()
    with (
        FileLock(config.output.folder / ".lock"),
        pytest.raises(TrainError, match="another process is training"),
    ):
        train(config)


# --- evaluation ---


def test_the_best_model_is_kept_and_patience_ends_the_run(tmp_path):
    config = settings(
        tmp_path, rows=40, validation__share=0.3, evaluation__every=1, evaluation__patience=3,
        evaluation__metric="validation_macro_mrr@10", trainer__steps=40, trainer__learning_rate=0.05,
        trainer__keep_checkpoints=1,
    )  # fmt: skip
    report = train(config)
    values = {one.step: one.metrics["validation_macro_mrr@10"] for one in report.evaluations}
    assert report.ended == "early"
    assert report.best_step == max(values, key=values.get)
    assert report.step == report.best_step + 3 < 40
    kept = {place.name for place in (config.output.folder / "checkpoints").iterdir()}
    best = config.output.folder / "checkpoints" / f"checkpoint-{report.best_step}"
    assert kept == {best.name, f"checkpoint-{report.step}"} if report.best_step else kept
    for name, weight in weights(best).items():
        assert torch.equal(weights(report.model)[name], weight), name
    assert train(config) == report  # its patience is still at its end


def test_an_unknown_metric_is_refused_before_training_and_those_there_are_named(tmp_path):
    config = settings(tmp_path, validation__share=0.2, evaluation__metric="validation_mrr")
    with pytest.raises(InputError, match=r"'validation_mrr' is not measured: .*validation_text_mrr@10"):
        train(config)
    assert not (config.output.folder / "checkpoints").exists()


# --- what goes wrong ---


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_last_checkpoint(tmp_path):
    config = settings(
        tmp_path, trainer__learning_rate=1e36, trainer__max_gradient_norm=0.0, trainer__checkpoint_every=1
    )
    with pytest.raises(TrainError, match=r"step 2: the loss is nan: 4 of 4 queries") as error:
        train(config)
    good = config.output.folder / "checkpoints" / "checkpoint-1"
    assert f"Nothing of that step was kept; {good} is the last good one" in str(error.value)
    assert [place.name for place in good.parent.iterdir()] == ["checkpoint-1"]
    assert not (config.output.folder / "model").exists()


def test_a_gradient_that_is_not_finite_ends_the_run(tmp_path):
    config = settings(tmp_path, objective__contrastive={"temperature": 1e-37})
    with pytest.raises(
        TrainError, match=r"step 1: the gradient is not a finite number\. Nothing of that step"
    ):
        train(config)
    assert not (config.output.folder / "checkpoints").exists()


def test_evaluations_change_nothing_of_training(tmp_path):
    ends = []
    for every in (1, 100):
        folder = tmp_path / str(every)
        config = settings(
            folder, validation__share=0.2, evaluation__every=every, evaluation__at_start=every == 1
        )
        train(config)
        ends.append(weights(folder / "run" / "checkpoints" / "checkpoint-12"))
    assert all(torch.equal(weight, ends[1][name]) for name, weight in ends[0].items())
