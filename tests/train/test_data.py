"""Sources become a dataset on disk, once, and only whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from plait.data.training.examples import BadRow, Example, Side
from plait.data.training.jsonl import JsonlSource
from plait.data.training.mixture import Mixture, Part
from plait.errors import InputError, PlaitError
from plait.train.data import to_dataset


@pytest.fixture
def source(tmp_path):
    """Write rows and return them as a source."""

    def make(*rows, name="rows"):
        file = tmp_path / f"{name}.jsonl"
        file.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
        return JsonlSource(file)

    return make


def pairs(count, start=0):
    return [{"id": k, "query": f"q{k}", "positive": f"d{k}"} for k in range(start, start + count)]


def files(folder):
    return {
        path.name: path.stat().st_mtime_ns for path in folder.rglob("*") if path.suffix in (".arrow", ".json")
    }


class Counted:
    """A source that counts how often it is read, and fails after some rows if told to."""

    def __init__(self, name="counted", *, rows=10, fails=None, key="same"):
        self.name = name
        self.rows = rows
        self.fails = fails
        self.key = key
        self.passes = 0

    def __iter__(self):
        self.passes += 1
        for k in range(self.rows):
            yield Example(str(k), Side(f"q{k}"), (Side(f"d{k}"),))
        if self.fails:
            raise self.fails

    def fingerprint(self):
        return self.key


def test_the_second_run_reads_the_cache_and_a_changed_file_does_not(source, tmp_path):
    cache = tmp_path / "cache"
    first, report = to_dataset([source(*pairs(5), "broken")], cache, max_bad_share=0.5)
    written = files(cache)
    again, same = to_dataset([JsonlSource(tmp_path / "rows.jsonl")], cache, max_bad_share=0.5)
    assert (list(again), same) == (list(first), report)
    assert files(cache) == written
    changed, _ = to_dataset([source(*pairs(6))], cache)
    assert changed["id"][:] == [str(k) for k in range(6)]


def test_settings_and_order_of_sources_count(tmp_path):
    sources = [Counted("a", key="a"), Counted("b", key="b")]
    for given in (sources, sources[::-1], sources, [Mixture([Part(one) for one in sources])]):
        to_dataset(given, tmp_path)
    assert [one.passes for one in sources] == [2 + 2, 2 + 2]  # a mixture counts first
    to_dataset(sources, tmp_path, fresh=True)
    assert sources[0].passes == 5


def test_a_source_that_cannot_tell_is_read_each_time(tmp_path):
    unsure = Counted(key=None)
    first, _ = to_dataset([unsure], tmp_path)
    unsure.rows = 12
    assert len(to_dataset([unsure], tmp_path)[0]) == 12
    assert unsure.passes == 2
    assert len(list(first)) == 10  # it was replaced, not overwritten


def test_sources_follow_each_other_and_carry_their_names(source, tmp_path):
    dataset, report = to_dataset(
        [source(*pairs(3)), source(*pairs(2), "x", name="more")], tmp_path, max_bad_share=1
    )
    assert dataset["source"][:] == ["rows"] * 3 + ["more"] * 2
    assert [(one.name, one.rows, one.bad) for one in report.sources] == [("rows", 3, 0), ("more", 2, 1)]
    assert dataset.cache_files[0]["filename"].startswith(str(tmp_path))
    with pytest.raises(InputError, match="sources named rows, rows: expected a name of its own for each"):
        to_dataset([source(*pairs(1)), source(*pairs(2))], tmp_path)


# --- what cannot be trained on ---


def test_no_rows_are_an_error_that_shows_the_report(source, tmp_path):
    with pytest.raises(InputError, match=r"(?s)no row can be used.*left out 2: not JSON.*rows.jsonl:1"):
        to_dataset([source("x", "y")], tmp_path)
    with pytest.raises(InputError, match="no row can be used for training:\n0 rows, 0 left out"):
        to_dataset([Counted(rows=0)], tmp_path)
    with pytest.raises(InputError, match="no row can be used"):  # found in the cache, too
        to_dataset([Counted(rows=0)], tmp_path)


@pytest.mark.parametrize(
    "rows",
    [
        [{"query": f"q{k}", "positive": "the same"} for k in range(4)],
        [{"query": f"q{k}", "positive": f"d{k}", "label": "one"} for k in range(4)],
        pairs(1),
    ],
)
def test_one_class_is_an_error(source, tmp_path, rows):
    with pytest.raises(InputError, match="rows have the same label or relevant document: expected several"):
        to_dataset([source(*rows)], tmp_path)


def test_more_bad_rows_than_allowed_are_an_error_and_may_then_be_allowed(tmp_path):
    class Half(Counted):
        def __iter__(self):
            for k, row in enumerate(super().__iter__()):
                yield row
                yield BadRow(f"half:{k}", "broken")

    half = Half()
    with pytest.raises(
        InputError, match=r"10 of 20 rows cannot be used, more than the 10.0% allowed: repair"
    ):
        to_dataset([half], tmp_path)
    dataset, report = to_dataset([half], tmp_path, max_bad_share=0.5)
    assert (len(dataset), report.bad, half.passes) == (10, 10, 1)  # no need to read it all again


def test_repeated_ids_are_reported_and_an_error_when_strict(source, tmp_path):
    given = [source(*pairs(5), *pairs(2))]
    dataset, report = to_dataset(given, tmp_path)
    assert (len(dataset), report.repeated_ids, report.repeated_examples) == (7, 2, ("rows: 0", "rows: 1"))
    with pytest.raises(InputError, match=r"(?s)2 rows have the id of an earlier one.*rows: 0, rows: 1"):
        to_dataset(given, tmp_path, strict=True)


# --- interruptions ---


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), RuntimeError("x")])
def test_an_interrupted_run_leaves_nothing_that_looks_whole(tmp_path, failure):
    with pytest.raises(type(failure)):
        to_dataset([Counted(fails=failure)], tmp_path)
    assert files(tmp_path) == {}
    assert len(to_dataset([Counted()], tmp_path)[0]) == 10


def test_a_full_disk_is_told(tmp_path):
    with pytest.raises(PlaitError, match=r"No space left on device.*see that its disk has room") as caught:
        to_dataset([Counted(fails=OSError(28, "No space left on device"))], tmp_path)
    assert not isinstance(caught.value, InputError)
    assert files(tmp_path) == {}
    (tmp_path / "file").touch()
    with pytest.raises(PlaitError, match="could not be read, or written to"):
        to_dataset([Counted()], tmp_path / "file")


def test_a_killed_run_is_begun_anew(tmp_path):
    script = """
        import sys, time
        from plait.data.training.examples import Example, Side
        from plait.train.data import to_dataset

        class Slow:
            name = "counted"

            def __iter__(self):
                for k in range(10_000):
                    if k == 5_000:
                        print("ready", flush=True)
                        time.sleep(60)
                    yield Example(str(k), Side(f"q{k}"), (Side(f"d{k}"),))

            def fingerprint(self):
                return "same"

        to_dataset([Slow()], sys.argv[1])
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        (part,) = tmp_path.glob("*.partial")
        assert (part / "rows.arrow").stat().st_size > 0
        child.send_signal(signal.SIGKILL)
    dataset, report = to_dataset([Counted()], tmp_path)
    assert (len(dataset), report.rows) == (10, 10)
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("name", ["rows.arrow", "report.json"])
@pytest.mark.parametrize("size", [0, 100])
def test_a_damaged_cache_is_written_again(tmp_path, name, size):
    to_dataset([Counted()], tmp_path)
    (file,) = tmp_path.glob(f"*/{name}")
    os.truncate(file, size)
    again = Counted()
    assert len(to_dataset([again], tmp_path)[0]) == 10
    assert again.passes == 1


def test_processes_that_start_together_write_once(tmp_path):
    script = """
        import sys, time
        from plait.data.training.examples import Example, Side
        from plait.train.data import to_dataset

        class Slow:
            name = "slow"

            def __iter__(self):
                print("read", flush=True)
                for k in range(20):
                    time.sleep(0.02)
                    yield Example(str(k), Side(f"q{k}"), (Side(f"d{k}"),))

            def fingerprint(self):
                return "same"

        print(len(to_dataset([Slow()], sys.argv[1])[0]))
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(run.communicate(timeout=120)[0] for run in runs)
    assert said == ["20\n", "read\n20\n"]


# --- manners ---


def test_nothing_is_written_outside_the_folder(tmp_path):
    home, cache = tmp_path / "home", tmp_path / "cache"
    home.mkdir()
    script = """
        import sys
        from plait.data.training.examples import Example, Side
        from plait.train.data import to_dataset

        class Rows:
            name = "rows"

            def __iter__(self):
                return (Example(str(k), Side("q"), (Side(f"d{k}"),)) for k in range(5))

        dataset, _ = to_dataset([Rows()], sys.argv[1])
        assert len(dataset.shuffle(seed=1).map(lambda row: row)) == 5
    """
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(cache)], env=environment, check=True, cwd=tmp_path
    )
    assert list(home.rglob("*")) == []


def test_progress_counts_rows_and_is_silent_without_a_terminal(tmp_path, capfd, monkeypatch):
    to_dataset([Counted(rows=3000)], tmp_path)
    assert capfd.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    to_dataset([Counted(rows=3000)], tmp_path, fresh=True)
    assert "counted, 0 left out" in capfd.readouterr().err
    to_dataset([Counted(rows=3000)], tmp_path, fresh=True, progress=False)
    assert capfd.readouterr().err == ""


def test_reading_needs_no_datasets_until_it_is_asked_for(tmp_path):
    script = """
        import sys
        sys.modules["datasets"] = None
        import plait.data.training.hugging_face, plait.data.training.mbeir, plait.data.training.m2kr
        import plait.data.training.jsonl, plait.data.training.ret_m2kr, plait.data.training.splitting
        assert not {"torch", "transformers", "sentence_transformers"} & set(sys.modules)
        from plait.errors import MissingExtraError
        from plait.train.data import to_dataset
        try:
            to_dataset([], sys.argv[1])
        except MissingExtraError as error:
            print(error)
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.startswith("datasets is not installed: run  pip install ")
