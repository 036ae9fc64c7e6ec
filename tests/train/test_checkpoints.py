"""Checkpoints are whole or not there, whatever happens while they are written."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.train.runs import command, environment_of, weights, write_run

from plait.errors import TrainError
from plait.train import checkpoints
from plait.train.config import TrainConfig
from plait.train.settings_file import read_settings
from plait.train.trainer import train

WORKER = Path(__file__).with_name("checkpoint_worker.py")
FULL_DISK = Path(__file__).with_name("full_disk_worker.py")


def write(folder, step, text="weights", **facts):
    with checkpoints.writing(folder, step=step, facts=facts) as draft:
        (draft / "part").mkdir()
        (draft / "part" / "model.txt").write_text(text)
    return folder / f"checkpoint-{step}"


def steps(folder):
    return [one.step for one in checkpoints.whole(folder)]


def test_a_checkpoint_holds_what_was_written_and_said(tmp_path):
    place = write(tmp_path, 30, seed=7)
    (found,) = checkpoints.whole(tmp_path)
    assert (found.folder, found.step, dict(found.facts)) == (place, 30, {"seed": 7})
    assert checkpoints.checked(place) == found
    assert (place / "part" / "model.txt").read_text() == "weights"


def test_they_are_in_the_order_of_their_steps_not_of_their_names(tmp_path):
    for step in (9, 10, 2):
        write(tmp_path, step)
    assert steps(tmp_path) == [2, 9, 10]


def test_one_whose_writing_fails_is_not_there_and_the_others_stay(tmp_path):
    def fail():
        with checkpoints.writing(tmp_path, step=2, facts={}) as draft:
            (draft / "model.txt").write_text("half")
            raise OSError("no more room")

    write(tmp_path, 1)
    with pytest.raises(TrainError, match=r"checkpoint-2 could not be written \(no more room; .*-1 is whole"):
        fail()
    assert [place.name for place in tmp_path.iterdir()] == ["checkpoint-1"]


@pytest.mark.parametrize("damage", ["shorter", "another byte", "gone", "unmarked"])
def test_a_damaged_one_is_recognised(tmp_path, damage):
    file = write(tmp_path, 1) / "part" / "model.txt"
    if damage == "gone":
        file.unlink()
    elif damage == "unmarked":
        (tmp_path / "checkpoint-1" / checkpoints.MARKER).unlink()
    else:
        file.write_text("weight" if damage == "shorter" else "weightz")
    with pytest.raises(TrainError, match=r"damaged it|is not a whole checkpoint"):
        checkpoints.checked(tmp_path / "checkpoint-1")
    assert steps(tmp_path) == (
        [1] if damage == "another byte" else []
    )  # contents are read by `checked` alone


def test_a_missing_one_is_named_with_those_that_are_there(tmp_path):
    write(tmp_path, 4)
    with pytest.raises(TrainError, match=r"checkpoint-5 is not there: whole ones beside it: checkpoint-4"):
        checkpoints.checked(tmp_path / "checkpoint-5")


def test_pruning_keeps_the_latest_and_the_best(tmp_path):
    for step in range(1, 7):
        write(tmp_path, step)
    checkpoints.prune(tmp_path, keep=2, best=3)
    assert steps(tmp_path) == [3, 5, 6]
    checkpoints.prune(tmp_path, keep=0, best=None)
    assert steps(tmp_path) == [6]


def test_pruning_never_takes_the_only_whole_one(tmp_path):
    write(tmp_path, 1)
    (write(tmp_path, 2) / "part" / "model.txt").unlink()  # later, but damaged
    checkpoints.prune(tmp_path, keep=1, best=None)
    assert steps(tmp_path) == [1]


def test_one_that_is_written_again_replaces_the_old_one(tmp_path):
    write(tmp_path, 1, "old")
    assert (write(tmp_path, 1, "new") / "part" / "model.txt").read_text() == "new"
    assert [place.name for place in tmp_path.iterdir()] == ["checkpoint-1"]


def test_a_replacement_that_was_cut_off_is_undone(tmp_path):
    place = write(tmp_path, 1, "old")
    place.rename(tmp_path / "checkpoint-1.replaced")  # killed before the new one had its name
    (tmp_path / "checkpoint-1.writing").mkdir()
    checkpoints.tidy(tmp_path)
    assert [found.name for found in tmp_path.iterdir()] == ["checkpoint-1"]
    assert checkpoints.checked(place).step == 1


def test_folders_of_others_are_left_alone(tmp_path):
    (tmp_path / "checkpoint-old").mkdir()
    (tmp_path / "checkpoint-7").mkdir()  # of another trainer, without our marker
    checkpoints.tidy(tmp_path)
    write(tmp_path, 1)
    checkpoints.prune(tmp_path, keep=1, best=None)
    assert {place.name for place in tmp_path.iterdir()} == {"checkpoint-old", "checkpoint-7", "checkpoint-1"}


# --- real processes ---


def test_killed_at_any_moment_the_last_whole_one_is_intact(tmp_path):
    moments = random.Random(0)
    last = 0
    for _ in range(15):
        worker = subprocess.Popen(
            [sys.executable, WORKER, tmp_path], env=environment_of(), stdout=subprocess.PIPE, text=True
        )
        assert worker.stdout.readline() == "ready\n"
        time.sleep(moments.uniform(0.02, 0.3))
        worker.kill()
        assert worker.wait() == -signal.SIGKILL
        worker.stdout.close()
        found = [checkpoints.checked(one.folder) for one in checkpoints.whole(tmp_path)]
        assert all(dict(one.facts) == {"half": one.step / 2} for one in found)
        assert found or not last
        assert not found or found[-1].step >= last
        last = found[-1].step if found else 0
    assert last > 5
    checkpoints.tidy(tmp_path)
    assert all(
        place.name in {f"checkpoint-{step}" for step in steps(tmp_path)} for place in tmp_path.iterdir()
    )


def test_a_run_killed_while_saving_goes_on_to_the_same_end(tmp_path):
    folder = tmp_path / "run" / "checkpoints"
    file = write_run(tmp_path, trainer__checkpoint_every=1)
    process = subprocess.Popen(
        command("train", file), env=environment_of(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait_until(lambda: (folder / "checkpoint-2").is_dir(), process)
    wait_until(lambda: any(folder.glob("*.writing")), process)
    process.kill()
    process.communicate()
    kept = checkpoints.whole(folder)[-1]
    report = train(read_settings(TrainConfig, file))
    assert (report.resumed_from, report.ended) == (kept.step, "finished")
    whole = tmp_path / "whole"
    train(read_settings(TrainConfig, file, changes=[f"output.folder={whole}"]))
    expected = weights(whole / "model")
    assert all(torch.equal(weight, expected[name]) for name, weight in weights(report.model).items())


def test_a_full_disk_leaves_the_last_checkpoint_and_the_run_goes_on_when_there_is_room(tmp_path):
    unshare = shutil.which("unshare")
    allowed = unshare and subprocess.run([unshare, "-Urm", "true"], capture_output=True).returncode == 0
    if not allowed:
        pytest.skip("this system lets nobody mount a small file system to fill up")
    file = write_run(tmp_path)
    run = subprocess.run(
        [unshare, "-Urm", sys.executable, FULL_DISK, file],
        env=environment_of(),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert "checkpoint-4 could not be written (" in told["error"]
    assert "MB are free in" in told["error"]
    assert "checkpoint-2 is whole; make room, then run the same command again" in told["error"]
    assert told["left"] == ["checkpoint-2"]
    assert told["whole"] == [2]
    assert (told["resumed_from"], told["ended"]) == (2, "finished")
    train(read_settings(TrainConfig, file, changes=[f"output.folder={tmp_path / 'whole'}"]))
    expected = load_file(tmp_path / "whole" / "checkpoints" / "checkpoint-12" / "model.safetensors")
    found = load_file(tmp_path / "end.safetensors")
    assert all(torch.equal(weight, expected[name]) for name, weight in found.items())


def wait_until(holds, process, seconds=120):
    end = time.monotonic() + seconds
    while not holds():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.001)
