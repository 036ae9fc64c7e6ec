"""What is told of each path that was added, by what came, is what listing the library twice would tell."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from tests.helpers.tiny_encoder import TinyEncoder

from plait.library import Library
from plait.library.sources import holders, is_below, source_of
from plait.serve.jobs.adding import added


def _nobody(*_: object) -> None:
    """Look at no progress."""


def packed(file: Path, **texts: str) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in texts.items():
            archive.writestr(f"{name}.txt", text)
    return file


def written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


def told(library: Library, paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Add, and check what is told of documents against what is stored before and after."""
    before = {document.id: document for document in library.documents()}
    reports = added(library, paths, _nobody)
    root = library.folder.parent
    for path, report in zip(paths, reports, strict=True):
        stored = [
            document
            for document in library.documents()
            if source_of(path, root) in holders(document.source) or is_below(document.source, path, root)
        ]
        same = sum(document == before.get(document.id) for document in stored)
        new = sum(document.id not in before for document in stored)
        expected = {
            "added": new,
            "updated": len(stored) - new - same,
            "unchanged": same,
            "units": sum(document.units for document in stored),
            "figures": sum(document.figures for document in stored),
        }
        assert set(report["documents"]) == {document.id for document in stored}
        assert {name: report[name] for name in expected} == expected
    return reports


def counted(report: dict[str, Any]) -> list[int]:
    return [report[name] for name in ("added", "updated", "unchanged")]


def test_each_path_is_told_what_came_of_it(tmp_path: Path) -> None:
    below = tmp_path / "below"
    below.mkdir()
    with Library(tmp_path, encoder=TinyEncoder()) as library:
        paths = [
            written(tmp_path / "a.txt", "Close the valve."),
            packed(tmp_path / "b.zip", one="The belt.", two="The fan.", three="The pump."),
            packed(tmp_path / "c.zip", one="The wheel."),
            written(below / "d.txt", "Rinse the filter.").parent,
        ]
        assert [counted(report) for report in told(library, paths)] == [
            [1, 0, 0],
            [4, 0, 0],
            [2, 0, 0],
            [1, 0, 0],
        ]

        written(paths[0], "Open the valve.")
        packed(paths[1], one="The belt.", two="The fan is worn.", four="The hose.")  # without the third
        written(below / "e.txt", "Dry the filter.")
        assert [counted(report) for report in told(library, paths)] == [
            [0, 1, 0],
            [1, 2, 1],
            [0, 0, 2],
            [1, 0, 1],
        ]

        paths[2].write_bytes(b"PK\x03\x04 nothing")  # what was stored of it stays
        packed(paths[1], one="", two="The fan is worn.", four="The hose.")  # the first cannot be read now
        reports = told(library, paths)
        assert [counted(report) for report in reports] == [[0, 0, 1], [0, 1, 3], [0, 0, 2], [0, 0, 2]]
        assert [len(report["failed"]) for report in reports] == [0, 1, 1, 0]


class _Unlisted(Library):
    def documents(self) -> NoReturn:
        raise AssertionError("all documents were listed")


def test_a_batch_lists_nothing_but_what_it_adds(tmp_path: Path) -> None:
    with _Unlisted(tmp_path, encoder=TinyEncoder()) as library:
        (report,) = added(library, [written(tmp_path / "a.txt", "Close the valve.")], _nobody)
        assert counted(report) == [1, 0, 0]
