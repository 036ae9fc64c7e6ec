"""Reading processes that a file has taken over: whatever they answer, nothing of it is believed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plait.data.readers.base import ReadLimits
from plait.data.readers.sandbox import child
from plait.data.readers.sandbox.pool import ReaderPool
from plait.errors import ReadError

PATIENT, SHORT = (ReadLimits(wall_seconds=seconds, max_pages=100) for seconds in (40, 3))
SHA = "0" * 64

# What runs instead of the worker: `send` writes to the parent, `document` is an honest answer.
BEFORE = """
import hashlib, json, os, struct, sys, time
from pathlib import Path
requests, answers = os.fdopen(0, "rb"), os.fdopen(os.dup(1), "wb")
def receive():
    return json.loads(requests.read(*struct.unpack(">Q", requests.read(8))))
request = receive()
spool, source = Path(request["spool"]), request["source"]
document = {"id": hashlib.sha256(source.encode()).hexdigest()[:16], "title": "t", "source": source}
def send_bytes(data):
    answers.write(struct.pack(">Q", len(data)) + data)
    answers.flush()
def send(message):
    send_bytes(json.dumps(message).encode())
def picture(path):
    shown = {"path": str(path), "sha256": path.stem, "width_px": 1, "height_px": 1}
    send({"part": {**document, "segments": [{"kind": "image", "picture": shown}]}, "more": False})
"""


@pytest.fixture
def answer(monkeypatch, tmp_path, spool):
    """Return what becomes of a file whose reading process runs this."""
    path = tmp_path / "a.txt"
    path.write_text("Words.")
    (tmp_path / "secret.png").write_bytes(b"secret")

    def run(program: str, limits: ReadLimits = PATIENT) -> object:
        monkeypatch.setattr(child, "_PROGRAM", ("-P", "-S", "-c", f"{BEFORE}\n{program}\ntime.sleep(30)"))
        with ReaderPool(1, limits) as pool:
            try:
                return pool.read(path, source="a.txt", spool=spool)
            except ReadError as error:
                return error.reason

    return run


def test_an_honest_answer_is_believed(answer):
    assert answer('send({"part": document, "more": False})').title == "t"


def test_a_heartbeat_sets_the_clock_back(answer):
    slow = 'for _ in range(4): time.sleep(1); send({"heartbeat": True})'
    assert answer(slow + '\nsend({"part": document, "more": False})', SHORT).title == "t"


@pytest.mark.parametrize(
    "program",
    [
        'send_bytes(b"")',
        'send_bytes(b"[]")',
        'send_bytes(b"[" * 1_000_000)',
        'send_bytes(b"{\\"part\\": NaN}")',
        'answers.write(b"\\xff" * 8); answers.flush()',
        'send({"part": None, "more": False})',
        'send({"part": {**document, "segments": [5]}, "more": False})',
        'while True: send({"heartbeat": True})',
        'while True: send({"part": document, "more": True})',
    ],
)
def test_what_is_no_answer_is_malformed(answer, monkeypatch, program):
    monkeypatch.setattr(child, "LARGEST_DOCUMENT_BYTES", 100_000)
    assert answer(program) == "its parser gave a malformed answer"


@pytest.mark.parametrize(
    "part",
    [
        {"segments": [{"kind": "text", "text": 5}]},
        {"segments": [{"kind": "nonsense"}]},
        {"segments": [{"kind": "text", "page": "1"}]},
        {"segments": [{"kind": "text", "role": ["body"]}]},
        {"segments": [{"kind": "text", "box": {"left": "0", "top": 0, "right": 1, "bottom": 1}}]},
        {"segments": [{"kind": "text", "time": {"start": None, "end": 1}}]},
        {"segments": [{"kind": "text", "links": [{"text": "a", "target": 5}]}]},
        {"segments": [{"kind": "table", "rows": [["a", None]]}]},
        {
            "segments": [
                {"kind": "image", "picture": {"path": 5, "sha256": SHA, "width_px": 1, "height_px": 1}}
            ]
        },
        {"pages": [{"number": True}]},
        {"pages": [{"number": 1, "text_from": "air"}]},
        {"metadata": {"a": {"b": 1}}},
        {"warnings": [5]},
        {"attachments": [{"name": 5, "path": "a"}]},
        {"title": None},
    ],
)
def test_values_of_other_types_are_malformed(answer, part):
    program = f'send({{"part": {{**document, **json.loads({json.dumps(part)!r})}}, "more": False}})'
    assert answer(program) == "its parser gave a malformed answer"


@pytest.mark.parametrize(
    "program",
    [
        'picture(spool.parent / "secret.png")',
        f'picture(spool / "{SHA}.png")',
        f'(spool / "{SHA}.png").symlink_to(spool.parent / "secret.png"); picture(spool / "{SHA}.png")',
        f'os.link(spool.parent / "secret.png", spool / "{SHA}.png"); picture(spool / "{SHA}.png")',
        f'(spool / "{SHA}.png").mkdir(); picture(spool / "{SHA}.png")',
        '(spool / "a.png").write_bytes(b"x"); picture(spool / "a.png")',
    ],
)
def test_only_plain_pictures_of_the_spool_are_taken(answer, program):
    assert answer(program) == "its parser gave a picture outside the spool"


def test_a_picture_has_the_name_of_its_content(answer):
    shown = f'{{"path": f"{{spool}}/{SHA}.png", "sha256": "../" * 9, "width_px": 1, "height_px": 1}}'
    program = f'(spool / "{SHA}.png").write_bytes(b"x")\nsegment = {{"kind": "image", "picture": {shown}}}\n'
    program += 'send({"part": {**document, "segments": [segment]}, "more": False})'
    assert answer(program) == "its parser gave a picture outside the spool"


def test_the_document_of_another_file_is_refused(answer):
    reason = answer('send({"part": {**document, "source": "b.txt"}, "more": False})')
    assert reason == "its parser gave another document"


def test_one_that_falls_silent_is_late(answer):
    assert answer("", SHORT) == "took longer than 3 s"
    assert answer("os.close(1); answers.close()") == "its reader was killed, perhaps for memory"


def test_it_has_no_keys_of_the_environment(answer, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret")
    title = '{**document, "title": " ".join(os.environ)}'
    names = answer(f'send({{"part": {title}, "more": False}})').title.split()
    assert "PATH" in names
    assert "HF_TOKEN" not in names


def test_pictures_are_compared_by_absolute_paths(answer, spool):
    data = Path(spool) / f"{SHA}.png"
    assert answer(f'Path({str(data)!r}).write_bytes(b"x"); picture(Path({str(data)!r}))').segments


def test_a_file_is_read_again_where_files_before_it_had_used_up_the_memory(monkeypatch, tmp_path, spool):
    (tmp_path / "a.txt").write_text("Words.")
    leaking = """
if (spool / "started").exists():
    send({"part": document, "more": False})
else:
    (spool / "started").touch()
    send({"part": document, "more": False})
    receive()
    send({"out_of_memory": True})
"""
    monkeypatch.setattr(child, "_PROGRAM", ("-P", "-S", "-c", f"{BEFORE}\n{leaking}\ntime.sleep(30)"))
    with ReaderPool(1, PATIENT) as pool:
        for _ in range(2):
            assert pool.read(tmp_path / "a.txt", source="a.txt", spool=spool).title == "t"


def test_a_file_that_uses_up_the_memory_alone_is_not_read_again(answer):
    assert answer('send({"out_of_memory": True})') == "needed more than 1500 MB"
