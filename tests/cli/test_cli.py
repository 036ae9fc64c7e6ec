"""The command line as a person meets it: real processes, real files, the default model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from tests.helpers.command_line import plait

from plait.cli.conditions import condition
from plait.cli.ingest import _print_report
from plait.errors import InputError, QueryError
from plait.library.reports import AddReport
from plait.schema import Filter


@pytest.fixture(scope="module")
def manual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that has been added: two pages with a figure, one broken file among them."""
    folder = tmp_path_factory.mktemp("manual")
    for name, shape, text in (
        ("valve", "ellipse", "Close the safety valve before you open the boiler."),
        ("filter", "rectangle", "Rinse the filter basket under warm water once a week."),
    ):
        image = Image.new("RGB", (200, 150), "white")
        draw = ImageDraw.Draw(image)
        for inset in range(10, 60, 15):
            getattr(draw, shape)((inset, inset, 200 - inset, 150 - inset), outline="black", width=4)
        image.save(folder / f"{name}.png")
        (folder / f"{name}.md").write_text(
            f"# The {name}\n\n{text}\n\n![the {name} seen from above]({name}.png)\n", encoding="utf-8"
        )
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing of the kind")
    added = plait("add", ".", cwd=folder)
    assert added.returncode == 1, added.stderr
    assert "2 added, 2 pictures already shown by a document, 1 skipped" in added.stdout
    (line,) = [line for line in added.stderr.splitlines() if "broken.pdf" in line]
    assert line.startswith("plait: skipped broken.pdf: ")
    assert "Traceback" not in added.stderr
    return folder


def test_words_find_the_page(manual: Path) -> None:
    found = plait("search", "when do I rinse the basket", "--json", cwd=manual)
    hits = json.loads(found.stdout)["hits"]
    assert (found.returncode, hits[0]["source"], hits[0]["rank"]) == (0, "filter.md", 1)
    assert hits[0]["place"] == "The filter"


# Prints, after what a first search prints, what it loaded.
_LOADED = (
    "import atexit, sys; from plait.cli.main import run\n"
    "atexit.register(lambda: print(*sys.modules, file=sys.stderr)); run()"
)
_NEEDLESS = {
    "fastapi", "httpx", "huggingface_hub", "lance_namespace_urllib3_client.api", "mcp", "pandas", "requests",
    "rich", "scipy", "sentence_transformers", "starlette", "transformers", "uvicorn",
    "plait.data.readers.sandbox", "plait.library.bringing", "plait.library.gather", "plait.library.ingest",
    "plait.library.reading", "plait.serve", "plait.train",
}  # fmt: skip


def test_a_first_search_loads_nothing_that_it_does_not_need(manual: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, "search", "basket"],
        cwd=manual, capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = done.stderr.splitlines()[-1].split()
    assert "filter.md" in done.stdout
    assert {"lancedb", "torch", "plait.search.searcher"}.issubset(loaded)
    assert _NEEDLESS.isdisjoint(loaded)


def test_a_cut_and_recompressed_picture_finds_the_page(manual: Path, tmp_path: Path) -> None:
    Image.open(manual / "valve.png").convert("RGB").crop((20, 15, 180, 135)).save(tmp_path / "photo.jpg")
    hits = json.loads(plait("search", "--image", tmp_path / "photo.jpg", "--json", cwd=manual).stdout)["hits"]
    assert hits[0]["source"] == "valve.md"
    assert Path(hits[0]["picture"]).is_file()


def test_words_and_a_picture_together_print_title_place_picture_and_lanes(manual: Path) -> None:
    found = plait("search", "how do I close this", "--image", "valve.png", "-k", "1", cwd=manual)
    lines = found.stdout.splitlines()
    assert lines[0].startswith(" 1. The valve")
    assert "valve.md" in lines[1]
    assert any("picture: " in line for line in lines)
    assert any(line.strip().startswith("bm25") and "image" in line for line in lines)


def test_a_person_goes_on_by_the_number_of_the_page(manual: Path) -> None:
    found = plait("search", "how do I close this", "--all", "-k", "1", "--page", "2", cwd=manual)
    assert found.stdout.startswith(" 2. ")
    first = plait("search", "how do I close this", "--all", "-k", "1", cwd=manual)
    assert first.stdout.splitlines()[-1] == "more: add --page 2"


def test_conditions_narrow_the_search(manual: Path) -> None:
    found = plait("search", "boiler", "--where", "source~filter*", "--json", cwd=manual)
    assert {hit["source"] for hit in json.loads(found.stdout)["hits"]} <= {"filter.md"}


def test_the_library_is_found_from_a_folder_below(manual: Path) -> None:
    below = manual / "deep" / "down"
    below.mkdir(parents=True, exist_ok=True)
    state = json.loads(plait("status", "--json", cwd=below).stdout)
    assert (state["documents"], state["figures"], state["model"]) == (2, 2, "plait-mini")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["search"], 2, "empty"),
        (["search", "x", "--image", "nowhere.png"], 2, "nowhere.png"),
        (["search", "x", "--image", "broken.pdf"], 2, "broken.pdf"),
        (["search", "x", "-k", "0"], 2, "at least 1"),
        (["search", "x", "--method", "magic"], 2, "magic"),
        (["search", "x", "--where", "nonsense"], 2, "field=value"),
        (["search", "x", "--where", "typ=text"], 2, "did you mean type?"),
        (["search", "x", "--where", "version>=two"], 2, "every version is a number"),
        (["add", "no-such-file"], 2, "no-such-file"),
        (["remove", "no-such-file"], 2, "no document"),
        (["remove"], 2, "nothing named"),
        (["fly"], 2, "fly"),
    ],
)
def test_input_that_cannot_be_used_is_one_line_and_exit_code_2(
    manual: Path, arguments: list[str], code: int, words: str
) -> None:
    found = plait(*arguments, cwd=manual)
    assert found.returncode == code, found.stderr
    assert words in found.stderr
    assert "Traceback" not in found.stderr


def test_no_library_is_exit_code_3(tmp_path: Path) -> None:
    found = plait("search", "x", cwd=tmp_path)
    assert found.returncode == 3
    assert "plait add PATH" in found.stderr
    assert found.stderr.count("\n") == 1


def test_a_library_that_cannot_be_read_is_exit_code_3(tmp_path: Path) -> None:
    (tmp_path / ".plait").mkdir()
    (tmp_path / ".plait" / "library.json").mkdir()
    found = plait("status", cwd=tmp_path)
    assert found.returncode == 3
    assert str(tmp_path) in found.stderr
    assert "Traceback" not in found.stderr


def test_an_unknown_model_is_exit_code_4(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words")
    environment = {**os.environ, "PLAIT_MODEL": str(tmp_path / "no-model"), "HF_HUB_OFFLINE": "1"}
    found = subprocess.run(
        [sys.executable, "-m", "plait", "add", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert found.returncode == 4, found.stderr
    assert "no-model" in found.stderr
    assert "Traceback" not in found.stderr


def test_long_passages_are_read_in_windows_and_an_add_says_so(tmp_path: Path) -> None:
    """Codes are many tokens a word, so a passage of few words is longer than the model reads."""
    codes = ", ".join(f"0x{number:04x}-{number * 7919 % 65521:04x}" for number in range(200))
    (tmp_path / "codes.txt").write_text(f"{codes}, then press the green button")
    added = plait("add", ".", cwd=tmp_path)
    assert "windows made of passages longer than the model reads" in added.stdout
    assert added.stderr == ""
    again = json.loads(plait("add", ".", "--force", "--json", cwd=tmp_path).stdout)
    assert again["windows"] > 2
    assert again["truncated"] == 0


def test_an_add_says_how_many_texts_were_cut(capsys: pytest.CaptureFixture[str]) -> None:
    _print_report(AddReport(added=1, windows=1200, truncated=3))
    out, errors = capsys.readouterr()
    assert "1,200 windows made" in out
    assert errors.startswith("plait: 3 texts were longer than the model reads and were cut")
    _print_report(AddReport(added=1))
    assert "windows" not in capsys.readouterr().out


# A test run started in the background inherits an ignored SIGINT; a person's terminal does not.
_INTERRUPTIBLE = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "from plait.cli.main import run; run()"
)


def test_control_c_keeps_what_was_stored(tmp_path: Path) -> None:
    for number in range(400):
        (tmp_path / f"{number:03}.txt").write_text(f"page number {number}\n\n" + "more words about it. " * 60)
    running = subprocess.Popen(
        [sys.executable, "-c", _INTERRUPTIBLE, "add", "."],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 90
    data = tmp_path / ".plait" / "store"
    while time.monotonic() < deadline and len(list(data.glob("*/data/*"))) < 2:  # the first is stored then
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130, errors
    assert "interrupted" in errors
    assert "Traceback" not in errors
    kept = json.loads(plait("status", "--json", cwd=tmp_path).stdout)["documents"]
    assert 0 < kept < 400


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("type=pdf", Filter("type", "=", "pdf")),
        ("page >= 3", Filter("page", ">=", 3)),
        ("year=1990,1991", Filter("year", "in", (1990, 1991))),
        ("source~guide/*", Filter("source", "glob", "guide/*")),
        ("title!=a=b", Filter("title", "!=", "a=b")),
        ("lang!=en, de", Filter("lang", "!=", ("en", "de"))),
        ('title="On, off"', Filter("title", "=", "On, off")),
        ("title='5\" disk',\"don't\"", Filter("title", "in", ('5" disk', "don't"))),
        ("title=don't", Filter("title", "=", "don't")),
        ('title=""', Filter("title", "=", "")),
        ('year="2020"', Filter("year", "=", "2020")),
        ("og:year = -2.5", Filter("og:year", "=", -2.5)),
        ("name=007,nan,1e400,1_0", Filter("name", "in", ("007", "nan", "1e400", "1_0"))),
        ("created>=2024-05", Filter("created", ">=", "2024-05")),
        ("source ~ a, b*", Filter("source", "glob", "a, b*")),
        ("source~'a \"b\"*'", Filter("source", "glob", 'a "b"*')),
    ],
)
def test_conditions_are_read(text: str, expected: Filter) -> None:
    assert condition(text) == expected


def test_a_condition_without_an_operator_is_refused() -> None:
    with pytest.raises(InputError, match="field=value"):
        condition("pdf")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "'': it is empty"),
        ("  ", "it is empty"),
        ("a b=c", "it does not begin with a field and an operator"),
        ("=x", "no field stands before ="),
        ("year>", "'year>': no value stands after >"),
        ("title= ", "no value stands after ="),
        ("year==2020", "=2020 is no value"),
        ("year=>2020", ">2020 is no value"),
        ("year>=1,2", ">= takes one value"),
        ("year=1,,2", ",2 is no value"),
        ("year=1,", "nothing is no value"),
        ('title="On', '"On is no value'),
        ('title=On"', 'On" is no value'),
        ("title='On", "'On is no value"),
        ('title="On" off', '"On" off is no value'),
        ('source~"a*', '"a* is no pattern'),
        ("source~~a", "~a is no pattern"),
    ],
)
def test_a_malformed_condition_says_what_was_seen_and_how_one_looks(text: str, why: str) -> None:
    with pytest.raises(QueryError) as refused:
        condition(text)
    assert f"{why}; write field=value" in str(refused.value)
    assert 'title="On, off"' in str(refused.value)


@given(field=st.from_regex(r"\A[\w.:-]+\Z"), value=st.text().filter(lambda value: '"' not in value))
def test_any_text_in_quotes_is_that_text(field: str, value: str) -> None:
    assert condition(f'{field}="{value}"') == Filter(field, "=", value)
    assert condition(f'{field} ~ "{value}"') == Filter(field, "glob", value)
