"""`plait models` as a person meets it: real processes, and a real hub on this machine."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.helpers.fake_hub import FakeHub
from tests.helpers.tiny_ret import save_tiny_checkpoint

OFFICIAL = Path(__file__).parents[1] / "fixtures" / "ret" / "clip_vit_b"
_MODULES = "sentence_transformers.models"
RELEASE = "aimagelab/ReT-OpenCLIP-ViT-H-14"

# A test run started in the background inherits an ignored SIGINT; a person's terminal does not.
_INTERRUPTIBLE = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "from plait.cli.main import run; run()"
)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[FakeHub]:
    """A hub with a checkpoint of ours, one of the official release, and a sentence-transformers model."""
    with FakeHub(tmp_path / "hub") as running:
        make_embedder(running.folder / "acme" / "embedder")
        repo = save_tiny_checkpoint(running.folder / "acme" / "ret")
        (repo / "README.md").write_text("---\nlicense: mit\n---\nA tiny one.\n")
        (repo / "pytorch_model.bin").write_bytes(b"the same weights again")
        shutil.copytree(OFFICIAL, running.folder / "acme" / "official")
        yield running


def make_embedder(folder: Path) -> None:
    (folder / "1_Pooling").mkdir(parents=True)
    modules = [
        {"path": "", "type": f"{_MODULES}.Transformer"},
        {"path": "1_Pooling", "type": f"{_MODULES}.Pooling"},
    ]
    config = {"model_type": "bert", "num_hidden_layers": 2, "hidden_size": 4, "max_position_embeddings": 16}
    for name, value in {
        "modules.json": modules, "config.json": config, "1_Pooling/config.json": {"pooling_mode": "mean"}
    }.items():  # fmt: skip
        (folder / name).write_text(json.dumps(value))
    save_file({"weight": np.zeros((500, 1000), np.float32)}, folder / "model.safetensors")


def models(
    web: FakeHub, *arguments: str | Path, cache: str = "cache", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run `plait models ...` in the hub's parent folder."""
    folder = web.folder.parent
    return subprocess.run(
        [sys.executable, "-m", "plait", "models", *map(str, arguments)],
        cwd=folder,
        env=web.environment(folder / cache) | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def one_line(run: subprocess.CompletedProcess[str], code: int) -> str:
    """Return what a command that failed said; it must be one line, and nothing on standard output."""
    assert (run.returncode, run.stdout) == (code, ""), run.stderr
    assert run.stderr.count("\n") == 1, run.stderr
    assert run.stderr.startswith("plait: ")
    return run.stderr


def test_a_model_is_downloaded_described_and_used(web: FakeHub) -> None:
    brought = models(web, "download", "acme/ret")
    assert (brought.returncode, brought.stderr) == (0, "")
    assert brought.stdout.splitlines()[-1] == "next: PLAIT_MODEL=acme/ret plait add FOLDER"
    assert not any(".bin" in request for request in web.requests if request.startswith("GET"))
    shown = models(web, "info", "acme/ret").stdout
    for words in (
        "family      ReT\n",
        "text        clip_text_model, 3 layers of 8; layers read: 0, 2\n",
        "output      3 vectors of 8\n",
        "reads       texts up to 12 tokens, pictures at 16 x 16\n",
        "comes with  tokenizer and image processor\n",
        "licence     mit\n",
        "library     yes: PLAIT_MODEL=acme/ret\n",
    ):
        assert words in shown
    page = web.folder.parent / "pages" / "a.md"
    page.parent.mkdir()
    page.write_text("# The red square\n\nturn the red square left\n")
    added = subprocess.run(
        [sys.executable, "-m", "plait", "add", page.parent],
        cwd=web.folder.parent,
        env=web.environment(web.folder.parent / "cache") | {"PLAIT_MODEL": "acme/ret"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert added.returncode == 0, added.stderr
    assert "1 added" in added.stdout


def test_json_says_the_same(web: FakeHub) -> None:
    brought = json.loads(models(web, "download", "acme/embedder", "--json").stdout)
    shown = json.loads(models(web, "info", "acme/embedder", "--json").stdout)
    assert brought == shown
    assert (shown["tokens"], shown["width"], shown["library"]) == (1, 4, True)
    assert shown["text"] == {"kind": "bert", "layers": 2, "width": 4, "read": []}
    assert shown["parameters"] == {"model": 500_000}
    assert shown["revision"] == web.commit_of("acme/embedder", "main") == Path(shown["folder"]).name


def test_the_list_tells_what_is_here(web: FakeHub) -> None:
    def here() -> dict[str, tuple[str, str]]:
        listed = json.loads(models(web, "list", "--json").stdout)
        return {model["name"]: (model["where"], model["family"]) for model in listed}

    before = here()
    assert before["plait-mini"] == ("with plait", "plait-mini")
    assert before[RELEASE] == ("not here", "ReT, official release")
    assert "acme/embedder" not in before
    web.tag("acme/embedder", "v1")
    models(web, "download", "acme/embedder")
    models(web, "download", "acme/embedder", "--revision", "v1")
    found = ("downloaded", "sentence-transformers")
    assert here() == before | {"acme/embedder": found, "acme/embedder@v1": found}
    assert models(web, "info", "acme/embedder@v1").returncode == 0
    rows = models(web, "list").stdout
    assert re.search(rf"^{RELEASE}  not here +ReT, official release$", rows, re.MULTILINE)
    assert re.search(r"^acme/embedder +downloaded +2 MB  sentence-transformers$", rows, re.MULTILINE)


def test_a_release_that_is_not_here_is_described_from_what_is_published(web: FakeHub) -> None:
    shown = models(web, "info", RELEASE).stdout
    assert f"folder      not here: plait models download {RELEASE}\n" in shown
    assert "output      32 vectors of 128\n" in shown
    assert "licence     not known\n" in shown
    told = json.loads(models(web, "info", RELEASE, "--json").stdout)
    assert told["vision"] == {
        "kind": "OpenCLIP ViT-H/14", "layers": 32, "width": 1280,
        "read": [0, 2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 31],
    }  # fmt: skip
    assert web.requests == []


def test_a_checkpoint_without_its_tokenizer_says_what_a_library_lacks(web: FakeHub) -> None:
    brought = models(web, "download", "acme/official")
    wanted = "copy its backbone's tokenizer and image processor into its folder first"
    assert brought.returncode == 0
    assert brought.stdout.splitlines()[-1] == f"for a library, {wanted}"
    assert f"library     no: {wanted}\n" in models(web, "info", "acme/official").stdout


def test_a_folder_of_ones_own_is_named_in_the_next_step(web: FakeHub) -> None:
    brought = models(web, "download", "acme/embedder", "--to", "mine")
    assert brought.stdout.splitlines()[-1] == "next: PLAIT_MODEL=mine plait add FOLDER"
    assert (web.folder.parent / "mine" / "model.safetensors").is_file()
    assert "hub holds other files" in one_line(
        models(web, "download", "acme/embedder", "--to", web.folder), 4
    )


def test_offline_with_nothing_here_is_one_line_that_says_what_to_do(web: FakeHub) -> None:
    for command in ("info", "download"):
        assert "HF_HUB_OFFLINE" in one_line(models(web, command, "acme/ret", HF_HUB_OFFLINE="1"), 4)
    assert "plait models download acme/ret" in one_line(models(web, "info", "acme/ret"), 4)
    assert web.requests == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["download", "acme/nothing"], 4, "the hub knows no such model"),
        (["download", "plait-mini"], 4, "'plait-mini' is no name on the hub"),
        (["download", "acme/ret", "--revision", "v9"], 4, "it has no revision 'v9'"),
        (["download", "acme/ret@main", "--revision", "v1"], 2, "two revisions, main in the name and v1"),
        (["info", "nothing"], 4, "no model 'nothing'"),
    ],
)
def test_what_cannot_be_done_is_one_line(web: FakeHub, arguments: list[str], code: int, words: str) -> None:
    assert words in one_line(models(web, *arguments), code)


def test_control_c_keeps_what_came_and_the_same_command_goes_on(web: FakeHub) -> None:
    web.stall("model.safetensors", after=100_000)
    running = subprocess.Popen(
        [sys.executable, "-c", _INTERRUPTIBLE, "models", "download", "acme/embedder"],
        env=web.environment(web.folder.parent / "cache"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not fetched(web, "model.safetensors"):
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(timeout=60)
    assert (running.returncode, output) == (130, ""), errors
    assert (
        errors
        == "plait: interrupted; files that came completely stay, and the same command goes on from there\n"
    )
    small = len(fetched(web, "config.json"))
    left = one_line(models(web, "info", "acme/embedder"), 4)
    assert (
        "weights are missing: its download or copy was not complete; run  plait models download acme/embedder"
        in left
    )
    assert "not complete" in models(web, "list").stdout
    assert models(web, "download", "acme/embedder").returncode == 0
    assert len(fetched(web, "model.safetensors")) == 2
    assert len(fetched(web, "config.json")) == small


def fetched(web: FakeHub, file: str) -> list[str]:
    """Return the requests so far for the content of a file."""
    return [request for request in web.requests if request.startswith("GET") and request.endswith(f"/{file}")]


def test_a_terminal_sees_how_far_it_is(web: FakeHub) -> None:
    screen, terminal = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "plait", "models", "download", "acme/embedder"],
        env=web.environment(web.folder.parent / "cache") | {"COLUMNS": "120", "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=terminal,
        stdin=terminal,
    )
    os.close(terminal)
    drawn = b"".join(_read_all(screen)).decode()
    assert running.wait(timeout=60) == 0
    assert running.stdout is not None
    assert b"acme/embedder is in" in running.stdout.read()
    running.stdout.close()
    os.close(screen)
    assert "model.safetensors" in drawn
    assert "2.0/2.0 MB" in re.sub("\x1b\\[[0-9;?]*[a-zA-Z]", "", drawn)


def _read_all(screen: int) -> Iterator[bytes]:
    while True:
        try:
            part = os.read(screen, 1 << 16)
        except OSError:  # how Linux says that the other end is closed
            return
        if not part:
            return
        yield part
