"""What is particular to the LanceDB store: commits, foreign tables, broken folders, other processes."""

from __future__ import annotations

import multiprocessing
import os
import warnings
from dataclasses import replace

import pytest
from filelock import FileLock
from tests.helpers.entries import FIELDS, make_entry

from plait.errors import LibraryError, LibraryFormatError, LibraryLockedError
from plait.index.backends.lancedb import LanceIndex


def test_adding_replacing_and_removing_are_one_commit_each(tmp_path):
    index = LanceIndex(tmp_path, FIELDS)
    start = index.snapshot().version
    index.add([make_entry("a", ["one", "two"]), make_entry("b", ["three"])])
    assert index.snapshot().version == start + 1
    index.add([make_entry("a", ["one"]), make_entry("c", ["new"]), make_entry("empty", [])])
    assert index.snapshot().version == start + 2
    assert index.remove(["a", "b"]) == 2
    assert index.snapshot().version == start + 3
    index.add([])
    index.remove([])
    index.remove(["nobody"])
    assert index.snapshot().version == start + 3


def test_optimizing_merges_the_pieces_and_drops_old_versions(tmp_path):
    index = LanceIndex(tmp_path, FIELDS)
    for n in range(6):
        index.add([make_entry(f"d{n}")])
    assert len(list((tmp_path / "units.lance" / "data").iterdir())) == 6
    index.optimize(keep_seconds=0)
    assert len(list((tmp_path / "units.lance" / "data").iterdir())) == 1
    version = index.snapshot().version
    index.optimize(keep_seconds=0)
    assert index.snapshot().version == version  # nothing to do, nothing done


def test_many_small_commits_are_tidied_on_the_way(tmp_path, monkeypatch):
    monkeypatch.setattr("plait.index.backends.lancedb._TIDY_AT", 4)
    index = LanceIndex(tmp_path, FIELDS)
    for n in range(9):
        index.add([make_entry(f"d{n}")])
    assert index._table.stats()["fragment_stats"]["num_fragments"] < 4
    assert len(index.snapshot()) == 9


def test_an_old_snapshot_says_so_when_its_data_was_dropped(tmp_path):
    index = LanceIndex(tmp_path, FIELDS)
    index.add([make_entry("a")])
    old = index.snapshot()
    index.add([make_entry("b")])
    index.optimize(keep_seconds=0)
    with pytest.raises(LibraryError, match="cannot read the index"):
        old.units([0])


def test_five_thousand_documents_can_be_removed_at_once(tmp_path):
    index = LanceIndex(tmp_path, FIELDS)
    index.add([make_entry("kept"), make_entry("gone")])
    assert index.remove(["gone", *(f"nobody {n}" for n in range(5000))]) == 1
    assert [document.id for document in index.documents()] == ["kept"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (FIELDS[:1], "image_tokens_vectors"),
        ((replace(FIELDS[0], width=16), FIELDS[1]), "text_vectors"),
        ((*FIELDS, replace(FIELDS[0], name="ret")), "ret_vectors"),
    ],
)
def test_a_table_of_another_model_is_refused(tmp_path, fields, said):
    LanceIndex(tmp_path, FIELDS).add([make_entry("a")])
    with pytest.raises(LibraryFormatError, match=said):
        LanceIndex(tmp_path, fields)
    assert len(LanceIndex(tmp_path, FIELDS).snapshot()) == 1


@pytest.mark.parametrize("left", ["units.lance", "units.lance/_versions", "units.lance/data"])
def test_a_table_whose_making_was_cut_short_is_made_again(tmp_path, left):
    (tmp_path / left).mkdir(parents=True)
    index = LanceIndex(tmp_path, FIELDS)
    index.add([make_entry("a")])
    assert len(LanceIndex(tmp_path, FIELDS).snapshot()) == 1


def test_a_damaged_table_is_reported_with_its_folder(tmp_path):
    LanceIndex(tmp_path, FIELDS).add([make_entry("a")])
    for file in (tmp_path / "units.lance" / "_versions").iterdir():
        file.write_bytes(b"not a manifest")
    with pytest.raises(LibraryError, match=str(tmp_path)):
        LanceIndex(tmp_path, FIELDS)


def test_a_damaged_data_file_is_reported_with_its_folder(tmp_path):
    LanceIndex(tmp_path, FIELDS).add([make_entry("a")])
    for file in (tmp_path / "units.lance" / "data").iterdir():
        file.write_bytes(b"")
    with pytest.raises(LibraryError, match=str(tmp_path)):
        LanceIndex(tmp_path, FIELDS).snapshot()


def test_a_file_in_place_of_the_folder_is_reported(tmp_path):
    (tmp_path / "store").write_text("a file")
    with pytest.raises(LibraryError, match="cannot open the index"):
        LanceIndex(tmp_path / "store", FIELDS)


def test_a_change_waits_for_another_process_and_then_gives_up(tmp_path):
    index = LanceIndex(tmp_path, FIELDS, wait_seconds=0.1)
    with FileLock(tmp_path / "units.lock"):
        with pytest.raises(LibraryLockedError, match="another process"):
            index.add([make_entry("a")])
        index.optimize()  # leaves the work to a later call
        assert index.documents() == []
    index.add([make_entry("a")])
    assert len(index.snapshot()) == 1


def test_readers_see_whole_documents_while_another_process_writes(tmp_path):
    LanceIndex(tmp_path, FIELDS).add([make_entry("a", ["gen 0", "gen 0"])])
    writer = multiprocessing.get_context("spawn").Process(target=_write, args=(os.fspath(tmp_path),))
    writer.start()
    index = LanceIndex(tmp_path, FIELDS)
    seen = set()
    while writer.is_alive() or not seen:
        texts = [unit.passages[0].text for unit, _ in index.snapshot().units([0, 1])]
        assert texts[0] == texts[1]
        seen.add(texts[0])
    writer.join()
    assert writer.exitcode == 0
    assert [unit.passages[0].text for unit, _ in index.snapshot().units([0, 1])] == ["gen 15"] * 2


def _write(folder: str) -> None:
    warnings.simplefilter("error")
    index = LanceIndex(folder, FIELDS)
    for generation in range(1, 16):
        index.add([make_entry("a", [f"gen {generation}"] * 2)])
        if generation % 5 == 0:
            index.optimize()
