"""`plait train` as a person meets it: real processes, Ctrl-C, and what it says of bad settings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from tests.train.runs import command, environment_of, plait, weights, without_dropout, write_run

from plait.cli import train as cli
from plait.cli.main import run
from plait.encode import load_encoder
from plait.library import Library
from plait.train import checkpoints
from plait.train.callbacks import Interrupts
from plait.train.config import TrainConfig
from plait.train.settings_file import read_settings
from plait.train.trainer import train


def test_a_run_tells_its_progress_and_leaves_a_model_that_a_library_can_use(tmp_path):
    file = write_run(tmp_path, validation__share=0.2, trainer__steps=3, output__name="colours")
    done = plait("train", file, "--json", "--set", "output.authors=[Ada]", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["ended"], report["step"], report["rows"]) == ("finished", 3, 16)
    assert "20 rows, 0 left out" in done.stderr
    assert "step 3/3  loss " in done.stderr
    assert "rows/s" in done.stderr
    assert "validation_mrr@10 0." in done.stderr
    card = (tmp_path / "run" / "model" / "README.md").read_text()
    for wanted in (
        "# colours",
        "trained by | Ada",
        "| train.jsonl | jsonl |",
        "validation_mrr@10",
        "seed: 42",
    ):
        assert wanted in card
    assert str(tmp_path) not in card
    load_encoder(str(tmp_path / "run" / "model"))


def test_check_tries_a_batch_and_trains_nothing(tmp_path, monkeypatch, capsys):
    file = write_run(tmp_path, validation__share=0.2)
    monkeypatch.setattr(sys, "argv", ["plait", "train", str(file), "--check"])
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 0
    out = capsys.readouterr().out
    for wanted in (
        "20 rows, 0 left out",
        "training   16 rows; held out: 4 queries over 11 documents",
        "query_pixel_values",
        "label.owner 12",
        "steps      12 of 12 scheduled",
        "s a step",
        "validation_macro_ndcg@10",
        "nothing was trained",
    ):
        assert wanted in out
    assert {place.name for place in (tmp_path / "run").iterdir()} == {"data"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_run_stores_its_step_and_goes_on_from_it(tmp_path, number):
    file = write_run(tmp_path, trainer__checkpoint_every=100, trainer__steps=25, trainer__workers=1)
    process = subprocess.Popen(
        command("train", file, "--fresh"),
        env=environment_of(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for line in process.stderr:
        if "step 2/25" in line:
            break
    os.killpg(process.pid, number)  # as a terminal does: the processes that open pictures hear it too
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    (kept,) = checkpoints.whole(tmp_path / "run" / "checkpoints")
    assert f"interrupted after step {kept.step}, which is stored: plait train {file}  goes on" in errors
    assert "Traceback" not in out + errors
    assert 2 <= kept.step < 25
    if number == signal.SIGTERM:
        return  # it goes on as after Ctrl-C
    report = train(read_settings(TrainConfig, file))
    assert (report.resumed_from, report.ended) == (kept.step, "finished")
    whole = train(read_settings(TrainConfig, file, changes=[f"output.folder={tmp_path / 'whole'}"]))
    expected = weights(whole.model)
    assert all(torch.equal(weight, expected[name]) for name, weight in weights(report.model).items())


def test_a_second_interruption_is_an_end_at_once_but_an_echo_of_the_first_is_not():
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupts.wanted
        time.sleep(1.05)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_command_that_goes_on_is_the_one_given_without_its_beginning(monkeypatch):
    given = [
        "plait",
        "train",
        "my run.yaml",
        "--resume",
        "old/checkpoint-3",
        "--set",
        "trainer.seed=1",
        "--fresh",
    ]
    monkeypatch.setattr(sys, "argv", given)
    assert cli._going_on() == "plait train 'my run.yaml' --set trainer.seed=1"
    monkeypatch.setattr(sys, "argv", ["plait", "train", "run.yaml", "--resume=old/checkpoint-3"])
    assert cli._going_on() == "plait train run.yaml"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "give a file of settings, or --from-library"),
        (["run.yaml", "--from-library", "."], 2, "give a file of settings, or --from-library"),
        (["--from-library", "."], 2, "--from-library writes a model: say where, by --output"),
        (["--from-library", ".", "--output", "model"], 3, "no library"),
        (["nowhere.yaml"], 2, "nowhere.yaml is not there: give a YAML file"),
        (["run.yaml", "--set", "trainer.learning_rat=1"], 2, "did you mean 'learning_rate'?"),
        (["run.yaml", "--set", "data.0.paths=none.jsonl"], 2, "none.jsonl: no such file of training rows"),
        (["run.yaml", "--set", "model.start=nowhere"], 4, "no model 'nowhere'"),
        (["run.yaml", "--set", "data.0.paths=empty.jsonl"], 2, "training data: no row can be used"),
        (["run.yaml", "--set", "data.0.paths=one.jsonl"], 2, "all 2 rows have the same label"),
        (["run.yaml", "--set", "data.0.paths=gone.jsonl"], 2, "image 'gone.png' does not exist"),
        (["run.yaml", "--set", "trainer.batch_size=21"], 2, "20 training rows make no batch of 21"),
        (["run.yaml", "--set", "trainer.device=cuda"], 2, "torch sees no GPU here"),
        (["run.yaml", "--fresh", "--resume", "x"], 2, "give one of them"),
        (["run.yaml", "--resume", "x/checkpoint-1"], 2, "checkpoint-1 is not there"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_an_exit_code(
    tmp_path, monkeypatch, capsys, arguments, code, said
):
    if torch.cuda.is_available() and "cuda" in str(arguments):
        pytest.skip("this machine has one")
    write_run(tmp_path)
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "one.jsonl").write_text('{"query": "a", "positive": "b", "label": "x"}\n' * 2)
    (tmp_path / "gone.jsonl").write_text('{"query": {"image": "gone.png"}, "positive": "b"}\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["plait", "train", *arguments])
    capsys.readouterr()  # of what made the files
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == code
    errors = capsys.readouterr().err
    assert said in errors
    assert all(line.startswith(("plait: ", "  ", "0 rows")) for line in errors.splitlines())
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    "package", ["datasets", "accelerate", "sentence_transformers", "yaml", "tensorboard"]
)
def test_a_missing_package_is_named_with_the_command_that_brings_it(tmp_path, package):
    file = write_run(tmp_path)
    code = f"import sys; sys.modules[{package!r}] = None; from plait.cli.main import run; run()"
    ended = subprocess.run(
        [sys.executable, "-c", code, "train", file, "--set", "trainer.report_to=[tensorboard]"],
        env=environment_of(),
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 4, ended.stderr
    assert f"{package} is not installed: run  pip install " in ended.stderr
    assert "Traceback" not in ended.stderr


# --- several processes ---


def test_two_processes_train_as_one(tmp_path):
    file = write_run(
        tmp_path, rows=24, trainer__steps=3, trainer__batch_size=8, trainer__checkpoint_every=3,
        objective__modality_dropout={}, validation__share=0.2,
    )  # fmt: skip
    without_dropout(tmp_path / "start")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    ended = subprocess.run(
        [*torchrun, "-m", "plait", "train", file, "--output", tmp_path / "two", "--json"],
        env=environment_of(),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stderr
    two = json.loads(ended.stdout)  # of the first process alone
    one = train(read_settings(TrainConfig, file))
    assert (two["processes"], one.processes) == (2, 1)
    assert two["loss"] == pytest.approx(one.loss, abs=1e-5)
    assert two["evaluations"][0]["metrics"] == dict(one.evaluations[0].metrics)
    found = weights(tmp_path / "two" / "checkpoints" / "checkpoint-3")
    for name, weight in weights(one.folder / "checkpoints" / "checkpoint-3").items():
        other = found[name]
        if name.endswith("self_attention.in_proj_bias"):
            # No score depends on keys' biases: their gradients are rounding, which Adam divides by itself.
            third = len(weight) // 3
            weight, other = (torch.cat((one[:third], one[2 * third :])) for one in (weight, other))
        torch.testing.assert_close(other, weight, rtol=0, atol=1e-5, msg=name)


# --- from a library ---


def test_a_library_that_gains_nothing_keeps_its_model(tmp_path, monkeypatch, capsys):
    for name in ("valve", "pump", "filter", "boiler", "seal", "gauge"):
        care = f"Rinse the {name} under warm water, and let it dry before you put it back. " * 4
        text = f"# The {name}\n\nLook at the {name} of your machine at least once a week. {care}\n"
        (tmp_path / f"{name}.md").write_text(text)
    with Library(tmp_path) as library:
        library.add([tmp_path])
    given = ["plait", "train", "--from-library", str(tmp_path), "--output", str(tmp_path / "adapted")]
    monkeypatch.setattr(sys, "argv", given)
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 1
    assert "Kept the old model" in capsys.readouterr().out
    assert not (tmp_path / "adapted").exists()
