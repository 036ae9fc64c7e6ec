"""doctor, compact, snapshot, export and import as a person meets them: real processes, the default model."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import pytest
from tests.helpers import command_line
from tests.helpers.libraries import flip, write_page

plait = partial(command_line.plait, columns=200)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("manual")
    write_page(folder, "boiler", "Descale the boiler with citric acid.", "red")
    write_page(folder, "grinder", "Turn the collar to set the grind finer.")
    added = plait("add", ".", cwd=folder)
    assert added.returncode == 0, added.stderr
    return folder


@pytest.fixture
def manual(original: Path, tmp_path: Path) -> Path:
    shutil.copytree(original, tmp_path / "manual")
    return tmp_path / "manual"


def test_a_sound_library_ends_with_0(manual: Path) -> None:
    done = plait("doctor", cwd=manual)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "all is well"
    assert json.loads(plait("doctor", "--json", cwd=manual).stdout)["is_healthy"]


@pytest.mark.slow
def test_damage_ends_with_1_until_it_is_mended(manual: Path) -> None:
    (data,) = (manual / ".plait").glob("store/units.lance/data/*")
    flip(data, 5)
    found = plait("doctor", cwd=manual)
    assert found.returncode == 1
    assert f"PROBLEM  {data.relative_to(manual / '.plait')}: is damaged" in found.stdout
    mended = plait("doctor", "--repair", cwd=manual)
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert "mended   " in mended.stdout
    assert plait("doctor", cwd=manual).returncode == 0
    hits = json.loads(plait("search", "descale the boiler", "--json", cwd=manual).stdout)["hits"]
    assert hits[0]["source"] == "boiler.html"


def test_a_loss_ends_with_1_and_names_the_document(manual: Path) -> None:
    for path in manual.glob("*.*ml"):
        path.unlink()
    (data,) = (manual / ".plait").glob("store/units.lance/data/*")
    data.write_bytes(b"")
    done = plait("doctor", "--repair", cwd=manual)
    assert done.returncode == 1
    assert "LOST     boiler.html: taken out of the library" in done.stdout
    assert "Traceback" not in done.stderr


def test_no_library_at_all_ends_with_3(tmp_path: Path) -> None:
    done = plait("doctor", "--library", "nowhere", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("plait: no library at ")


def test_a_damaged_library_json_is_said_by_all_and_mended_by_the_doctor(manual: Path) -> None:
    (manual / ".plait" / "library.json").write_text("{}")
    assert "plait doctor --repair" in plait("status", cwd=manual).stderr
    assert plait("doctor", "--repair", "--json", cwd=manual).returncode == 0
    assert plait("status", cwd=manual).returncode == 0


@pytest.mark.slow
def test_snapshots_come_and_go(manual: Path) -> None:
    assert plait("snapshot", "list", cwd=manual).stdout == "no snapshots\n"
    assert plait("snapshot", "save", "one", cwd=manual).stdout.startswith("saved one: 2 documents")
    assert plait("remove", "boiler.html", cwd=manual).returncode == 0
    assert [one["name"] for one in json.loads(plait("snapshot", "list", "--json", cwd=manual).stdout)] == [
        "one"
    ]
    assert plait("snapshot", "list", cwd=manual).stdout.startswith("one ")
    assert plait("snapshot", "restore", "one", cwd=manual).stdout.startswith("restored one: 2 documents")
    assert "documents  2" in plait("status", cwd=manual).stdout
    compacted = plait("compact", cwd=manual)
    assert "MB now" in compacted.stdout
    assert "snapshots still hold" in compacted.stderr
    assert plait("snapshot", "delete", "one", cwd=manual).stdout == "deleted one\n"
    gone = plait("snapshot", "restore", "one", cwd=manual)
    assert (gone.returncode, gone.stdout) == (2, "")
    assert "there is no snapshot 'one'" in gone.stderr


@pytest.mark.slow
def test_a_library_moves_in_one_file(manual: Path, tmp_path: Path) -> None:
    wrote = plait("export", "../manual.plait", cwd=manual)
    assert wrote.stdout.startswith("wrote ../manual.plait: 2 documents"), wrote.stderr
    assert plait("export", "../manual.plait", cwd=manual).returncode == 2
    (tmp_path / "new").mkdir()
    read = plait("import", "../manual.plait", "--json", cwd=tmp_path / "new")
    assert json.loads(read.stdout)["documents"] == 2
    hits = json.loads(plait("search", "descale the boiler", "--json", cwd=tmp_path / "new").stdout)["hits"]
    assert hits[0]["source"] == "boiler.html"
    again = plait("import", "../manual.plait", cwd=tmp_path / "new")
    assert again.returncode == 3
    assert "there is a library at" in again.stderr
    flip(tmp_path / "manual.plait")
    bad = plait("import", "manual.plait", "--library", "other", cwd=tmp_path)
    assert bad.returncode == 3
    assert "is damaged" in bad.stderr
    assert not (tmp_path / "other").exists()
