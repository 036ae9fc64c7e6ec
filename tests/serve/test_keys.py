"""Keys are shown once, kept as hashes, and good for what they were made for, from now until they go."""

from __future__ import annotations

import json
import os
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from plait.cli.keys import app
from plait.errors import InputError, LibraryError
from plait.library import Library
from plait.serve.callers import Caller
from plait.serve.keys import PREFIX, Keys, tenant_named


def kept(folder: Path) -> Path:
    return folder / "keys.json"


def test_a_key_says_who_calls_and_no_file_says_the_key(tmp_path: Path) -> None:
    secret = Keys(tmp_path).add("robot", ["search", "add"], tenant="acme")
    caller = Keys(tmp_path).caller(secret)
    assert caller == Caller("robot", "acme", frozenset({"search", "add"}))
    assert secret.startswith(PREFIX)
    assert len(secret) >= len(PREFIX) + 43  # 256 bits in base 64
    everything = b"".join(file.read_bytes() for file in tmp_path.rglob("*"))
    assert secret.removeprefix(PREFIX).encode() not in everything
    assert stat.S_IMODE(kept(tmp_path).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "change", [str.upper, lambda s: s[:-1], lambda s: s + "x", lambda s: "", lambda s: "\udce4"]
)
def test_nothing_but_the_key_itself_is_good(tmp_path: Path, change) -> None:
    keys = Keys(tmp_path)
    assert keys.caller(change(keys.add("robot", ["search"]))) is None


def test_the_hash_of_a_key_is_no_key(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.add("robot", ["search"])
    assert keys.caller(keys.every()[0].sha256) is None


def test_what_another_process_changes_counts_at_once(tmp_path: Path) -> None:
    service, command_line = Keys(tmp_path), Keys(tmp_path)
    first = command_line.add("first", ["search"])
    assert service.caller(first) is not None
    second = command_line.add("second", ["search"])
    assert service.caller(second) is not None
    command_line.remove("first")
    assert service.caller(first) is None
    assert service.caller(second) is not None
    kept(tmp_path).unlink()
    assert service.caller(second) is None


def test_keys_made_at_once_are_all_kept(tmp_path: Path) -> None:
    makers = [
        threading.Thread(target=Keys(tmp_path).add, args=(f"key-{number}", ["search"])) for number in range(8)
    ]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert [key.name for key in Keys(tmp_path).every()] == [f"key-{number}" for number in range(8)]


def test_an_expired_key_is_none(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    secret = keys.add("guest", ["search"], expires=datetime.now(UTC) + timedelta(days=1))
    assert keys.caller(secret) is not None
    values = json.loads(kept(tmp_path).read_text())
    values["keys"][0]["expires"] = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    kept(tmp_path).write_text(json.dumps(values))
    assert keys.caller(secret) is None


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format": 2, "keys": []}',
        '{"format": 1, "keys": {}}',
        '{"format": 1, "keys": [{"name": "x"}]}',
        '{"format": 1, "keys": [ROW, 7]}',
        "[" * 100_000,
    ],
)
def test_a_damaged_file_gives_nobody_a_right(tmp_path: Path, damage: str) -> None:
    keys = Keys(tmp_path)
    secret = keys.add("robot", ["search"])
    row = json.dumps(json.loads(kept(tmp_path).read_text())["keys"][0])
    kept(tmp_path).write_text(damage.replace("ROW", row))
    assert keys.caller(secret) is None
    if damage != '{"format": 1, "keys": {}}':
        with pytest.raises(LibraryError, match=r"keys\.json"):
            keys.every()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rights", ["search", "everything"]),
        ("tenant", "../other"),
        ("sha256", "0"),
        ("expires", "2090-01-01"),
        ("name", ""),
    ],
)
def test_a_row_that_was_tampered_with_is_refused(tmp_path: Path, field: str, value: object) -> None:
    keys = Keys(tmp_path)
    secret = keys.add("robot", ["search"])
    values = json.loads(kept(tmp_path).read_text())
    values["keys"][0][field] = value
    kept(tmp_path).write_text(json.dumps(values))
    assert keys.caller(secret) is None


def test_a_file_that_others_may_write_counts_for_nothing_until_it_is_private(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    secret = keys.add("robot", ["search"])
    kept(tmp_path).chmod(0o666)
    assert keys.caller(secret) is None
    with pytest.raises(LibraryError, match="chmod 600"):
        keys.add("another", ["search"])
    kept(tmp_path).chmod(0o600)
    assert keys.caller(secret) is not None


@pytest.mark.parametrize("plant", ["symlink", "folder", "pipe"])
def test_what_is_no_plain_file_is_not_read(tmp_path: Path, plant: str) -> None:
    other = tmp_path / "other"
    other.mkdir()
    secret = Keys(other).add("robot", ["search"])
    mine = tmp_path / "mine"
    mine.mkdir()
    {"symlink": lambda f: f.symlink_to(kept(other)), "folder": Path.mkdir, "pipe": os.mkfifo}[plant](
        kept(mine)
    )
    assert Keys(mine).caller(secret) is None
    with pytest.raises(LibraryError):
        Keys(mine).every()


@pytest.mark.parametrize(
    ("name", "rights", "tenant", "said"),
    [
        ("", ["search"], "", "cannot be named"),
        ("owner", ["search"], "", "cannot be named"),
        ("a b", ["search"], "", "cannot be named"),
        ("a\nb", ["search"], "", "cannot be named"),
        ("x" * 65, ["search"], "", "cannot be named"),
        ("robot", [], "", "got none"),
        ("robot", ["search", "fly"], "", "got fly"),
        ("robot", ["admin"], "acme", "leave one of both out"),
        ("robot", ["search"], "../acme", "tenant cannot be named"),
        ("taken", ["search"], "", "there is a key named"),
    ],
)
def test_what_cannot_be_a_key_is_refused(
    tmp_path: Path, name: str, rights: list[str], tenant: str, said: str
) -> None:
    keys = Keys(tmp_path)
    keys.add("taken", ["search"])
    with pytest.raises(InputError, match=said):
        keys.add(name, rights, tenant=tenant)
    assert [key.name for key in keys.every()] == ["taken"]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a\\b", "A", "é", "a b", "-a", "x" * 41, "a\x00", "a\n", "a.b"]
)
def test_a_tenants_name_is_a_plain_folder(name: str) -> None:
    with pytest.raises(InputError):
        tenant_named(name)


def test_the_command_line_makes_lists_and_removes(library: Library) -> None:
    run, where = CliRunner().invoke, ["--library", str(library.folder)]
    made = run(
        app,
        ["add", "robot", "--rights", "search, add", "--tenant", "acme", "--expires", "2090-01-01", *where],
    )
    secret = made.stdout.strip()
    caller = Keys(library.folder).caller(secret)
    assert caller == Caller("robot", "acme", frozenset({"search", "add"}))
    listed = run(app, ["list", *where]).stdout
    assert "robot" in listed
    assert "acme" in listed
    assert "2090-01-01" in listed
    told = json.loads(run(app, ["list", "--json", *where]).stdout)
    assert [(row["name"], row["rights"]) for row in told] == [("robot", ["search", "add"])]
    assert "sha256" not in told[0]
    assert run(app, ["remove", "robot", *where]).stdout == "removed robot\n"
    assert run(app, ["list", *where]).stdout == "no keys\n"
    assert isinstance(run(app, ["remove", "robot", *where]).exception, InputError)
