"""The audit log has a line a request, in order, rotated, private; and nothing waits for it."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path

import pytest

from plait.serve.audit import Audit, Entry


def entry(number: int = 0, **changed: object) -> Entry:
    values = {
        "key": "robot",
        "tenant": "acme",
        "address": "127.0.0.1",
        "method": "GET",
        "route": "/units/{unit_id}",
        "status": 200,
        "ids": (f"d:{number}",),
        "bytes_in": 0,
        "bytes_out": 10,
        "seconds": 0.25,
    }
    return Entry(**{**values, **changed})  # type: ignore[arg-type]


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_every_request_has_its_line_in_order(tmp_path: Path) -> None:
    audit = Audit(tmp_path)
    for number in range(1200):
        audit.note(entry(number))
    audit.close()
    log = tmp_path / "audit/audit.jsonl"
    rows = lines(log)
    assert [row["ids"] for row in rows] == [[f"d:{number}"] for number in range(1200)]
    assert set(rows[0]) == {*Entry.__slots__, "time"}
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700
    again = Audit(tmp_path)
    again.note(entry(7))
    again.close()
    assert len(lines(log)) == 1201


def test_files_are_set_aside_by_size_and_the_oldest_goes(tmp_path: Path) -> None:
    audit = Audit(tmp_path, max_bytes=1, kept=2)
    for number in range(4):
        audit.note(entry(number))
        audit.close()
    folder = tmp_path / "audit"
    assert sorted(file.name for file in folder.glob("*.jsonl")) == ["audit.1.jsonl", "audit.2.jsonl"]
    assert [lines(folder / f"audit.{n}.jsonl")[0]["ids"] for n in (1, 2)] == [["d:3"], ["d:2"]]


def test_hostile_values_stay_in_their_line(tmp_path: Path) -> None:
    audit = Audit(tmp_path)
    ids = ('x"}\n{"forged": 1', "\ud800", "y" * 10_000, *map(str, range(100)))
    audit.note(entry(ids=ids, method="M" * 1000))
    audit.close()
    (row,) = lines(tmp_path / "audit/audit.jsonl")
    assert len(row["ids"]) == 50  # type: ignore[arg-type]
    assert (tmp_path / "audit/audit.jsonl").stat().st_size < 2000


def test_a_disk_that_takes_nothing_fails_no_request_and_is_told_of_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "audit").write_text("a file where the folder should be")
    audit = Audit(tmp_path)
    audit.note(entry())
    audit.close()
    assert "cannot be written" in caplog.text
    (tmp_path / "audit").unlink()
    audit.note(entry(1))
    audit.close()
    assert lines(tmp_path / "audit/audit.jsonl")[1:] == [{"dropped": 1}]


def test_two_services_of_one_library_do_not_mix_their_lines(tmp_path: Path) -> None:
    logs = [Audit(tmp_path, max_bytes=20_000, kept=100) for _ in range(2)]

    def write(audit: Audit, name: str) -> None:
        for number in range(300):
            audit.note(entry(number, key=name))
        audit.close()

    writers = [threading.Thread(target=write, args=pair) for pair in zip(logs, "ab", strict=True)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    rows = [row for file in (tmp_path / "audit").glob("*.jsonl") for row in lines(file)]
    assert {(row["key"], row["ids"][0]) for row in rows} == {(k, f"d:{n}") for k in "ab" for n in range(300)}  # type: ignore[index]


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("as it was")
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit/audit.jsonl").symlink_to(target)
    audit = Audit(tmp_path)
    audit.note(entry())
    audit.close()
    assert target.read_text() == "as it was"
