"""Reading in child processes: limits bite, crashes are told, and the next file is read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from plait.data.readers.base import ReadLimits
from plait.data.readers.sandbox.pool import ReaderPool
from plait.errors import ReadError

# The child's memory is counted as address space; the interpreter and Pillow alone take some 200 MB.
SMALL = ReadLimits(memory_mb=700, cpu_seconds=20, wall_seconds=40, page_dpi=40)


@dataclass(frozen=True)
class File:
    path: Path
    source: str
    root: Path


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.txt"
    path.write_text("A short text.")
    return path


def fails(pool: ReaderPool, path: Path, spool: Path) -> ReadError:
    with pytest.raises(ReadError) as caught:
        pool.read(path, source=path.name, spool=spool)
    assert caught.value.source == path.name
    assert caught.value.remedy
    return caught.value


def children(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.fixture
def started():
    """Give what lists this test's own children: Python keeps one that tracks what processes share."""
    before = set(children(os.getpid()))
    return lambda: [child for child in children(os.getpid()) if child not in before]


def fan_out(pdf, streamed, levels: int, width: int = 2) -> bytes:
    """A PDF whose form draws another form twice, which draws another twice, and so on."""
    more = []
    for level in range(levels):
        target = b"/X %d 0 R" % (5 + level)
        form = b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << %s >> >>" % target
        more.append(streamed(b"/X Do " * width, extra=form))
    more.append(streamed(b"0 0 5 5 re f", extra=b"/Type /XObject /Subtype /Form /BBox [0 0 9 9]"))
    return pdf(b"/X Do", more=more, resources=b"/XObject << /X 4 0 R >>")


def self_referring(pdf, streamed) -> bytes:
    form = b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 4 0 R >> >>"
    return pdf(b"/X Do", more=[streamed(b"/X Do", extra=form)], resources=b"/XObject << /X 4 0 R >>")


def test_a_child_reads_as_this_process_does(good, spool, read):
    with ReaderPool(1, SMALL) as pool:
        assert pool.read(good, source="good.txt", spool=spool) == read(good)


def test_pictures_come_back_through_the_spool(tmp_path, spool, png):
    (tmp_path / "a.png").write_bytes(png())
    with ReaderPool(1, SMALL) as pool:
        document = pool.read(tmp_path / "a.png", source="a.png", spool=spool)
    assert Path(document.segments[0].picture.path).read_bytes() == png()


def test_many_files_come_back_in_order_with_their_failures(tmp_path, spool):
    files = []
    for i in range(25):
        path = tmp_path / f"{i}.txt"
        path.write_text(f"text {i}" if i % 5 else "")
        files.append(File(path, path.name, tmp_path))
    with ReaderPool(2, SMALL) as pool:
        outcomes = list(pool.read_many(files, spool=spool))
    assert [outcome.item for outcome in outcomes] == files
    assert [isinstance(o.result, ReadError) for o in outcomes] == [i % 5 == 0 for i in range(25)]


def test_reading_ahead_is_bounded(tmp_path, good, spool):
    taken = []

    def files():
        for i in range(100):
            taken.append(i)
            yield File(good, f"{i}", tmp_path)

    with ReaderPool(1, SMALL) as pool:
        outcomes = pool.read_many(files(), spool=spool)
        next(outcomes)
        assert len(taken) < 10
        outcomes.close()


def test_a_parser_that_crashes_or_drowns_is_told_and_the_next_file_is_read(
    tmp_path, spool, good, pdf, streamed
):
    bombs = {"fan.pdf": fan_out(pdf, streamed, 25), "self.pdf": self_referring(pdf, streamed)}
    with ReaderPool(1, ReadLimits(memory_mb=700, cpu_seconds=3, wall_seconds=60)) as pool:
        for name, data in bombs.items():
            (tmp_path / name).write_bytes(data)
            (outcome,) = pool.read_many([File(tmp_path / name, name, tmp_path)], spool=spool)
            if name == "fan.pdf" or isinstance(outcome.result, ReadError):
                assert isinstance(outcome.result, ReadError)
                reason = outcome.result.reason
                assert any(word in reason for word in ("crashed", "needed more", "took longer"))
            assert pool.read(good, source="good.txt", spool=spool).segments[0].text == "A short text."


def test_the_memory_limit_bites(tmp_path, spool, good, pdf):
    path = tmp_path / "bomb.pdf"
    path.write_bytes(pdf(b"0 0 m 1 1 l S\n" * 12_000_000, packed=True))
    assert path.stat().st_size < 2_000_000
    with ReaderPool(1, ReadLimits(memory_mb=300, page_dpi=0)) as pool:
        error = fails(pool, path, spool)
        assert error.reason == "needed more than 300 MB"
        assert pool.read(good, source="good.txt", spool=spool)


def test_the_cpu_limit_bites(tmp_path, spool, good, pdf, streamed):
    path = tmp_path / "slow.pdf"
    path.write_bytes(pdf(b"0 0 m 9 9 l 600 700 300 300 20 20 c S\n" * 3_000_000, packed=True))
    with ReaderPool(1, ReadLimits(memory_mb=4000, cpu_seconds=1, wall_seconds=60)) as pool:
        assert fails(pool, path, spool).reason == "took longer than 1 s of CPU"
        assert pool.read(good, source="good.txt", spool=spool)


def test_the_wall_clock_bites(spool, good, started):
    with ReaderPool(1, ReadLimits(wall_seconds=1)) as pool:
        pool.read(good, source="good.txt", spool=spool)
        (child,) = started()
        os.kill(child, signal.SIGSTOP)
        assert fails(pool, good, spool).reason == "took longer than 1 s"
        assert pool.read(good, source="good.txt", spool=spool)


def test_a_child_killed_from_outside_is_replaced(spool, good, started):
    with ReaderPool(1, SMALL) as pool:
        pool.read(good, source="good.txt", spool=spool)
        (child,) = started()
        os.kill(child, signal.SIGKILL)
        assert "was killed" in fails(pool, good, spool).reason
        assert pool.read(good, source="good.txt", spool=spool)


def test_a_parser_that_aborts_is_named_as_a_crash_even_in_a_large_program(spool, good, started):
    ballast = bytearray(600_000_000)  # over what SMALL allows a child, and counted into its peak
    ballast[::4096] = b"x" * len(ballast[::4096])
    with ReaderPool(1, SMALL) as pool:
        pool.read(good, source="good.txt", spool=spool)
        (child,) = started()
        os.kill(child, signal.SIGABRT)
        assert fails(pool, good, spool).reason == "its parser crashed (SIGABRT)"
        assert pool.read(good, source="good.txt", spool=spool)


def test_no_child_outlives_the_pool(spool, good, started):
    with ReaderPool(2, SMALL) as pool:
        pool.read(good, source="good.txt", spool=spool)
        assert started()
    assert started() == []
    with pytest.raises(RuntimeError):
        pool.read(good, source="good.txt", spool=spool)


def test_children_die_with_a_parent_that_is_killed(tmp_path, spool, good):
    program = (
        "import sys, time\n"
        "from plait.data.readers.base import ReadLimits\n"
        "from plait.data.readers.sandbox.pool import ReaderPool\n"
        "pool = ReaderPool(1, ReadLimits())\n"
        f"pool.read({str(good)!r}, source='x', spool={str(spool)!r})\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        (child,) = children(parent.pid)
        parent.kill()
    for _ in range(100):
        if not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2]:
            break
        time.sleep(0.05)
    else:
        pytest.fail("the child is still running")


def test_the_reading_process_is_light():
    program = (
        "import sys, plait.data.readers.sandbox.worker, plait.data.readers.sandbox.pool\n"
        "import plait.data.segmenting\n"
        "print(sorted({'torch', 'lancedb', 'transformers', 'numpy', 'pypdfium2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_time_begins_again_after_a_hundred_pages_and_the_parent_is_told():
    program = (
        "import io, json, resource, time\n"
        "from plait.data.readers.base import ReadLimits\n"
        "from plait.data.readers.sandbox.worker import _Clock\n"
        "answers = io.BytesIO()\n"
        "clock = _Clock(ReadLimits(cpu_seconds=5, max_pages=30), answers)\n"
        "first = resource.getrlimit(resource.RLIMIT_CPU)[0]\n"
        "while time.process_time() < 1.2: pass\n"
        "for _ in range(1000): clock.tick()\n"
        "granted = resource.getrlimit(resource.RLIMIT_CPU)[0] - first\n"
        "print(answers.getvalue().count(b'heartbeat'), granted)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    # 30 pages, at ten of them a heartbeat where they are recognised, and one more
    assert done.stdout == "4 1\n"


def test_files_are_read_ahead_by_their_bytes(tmp_path, spool):
    taken = []

    def files():
        for i in range(20):
            path = tmp_path / f"{i}.txt"
            path.touch()
            os.truncate(path, 40 * 2**20)  # takes no place on the disk
            taken.append(i)
            yield File(path, path.name, tmp_path)

    with ReaderPool(1, SMALL) as pool:
        outcomes = pool.read_many(files(), spool=spool)
        next(outcomes)
        assert len(taken) == 2  # the second waits: with the first it is over 64 MB
        outcomes.close()


def test_what_lies_outside_the_roots_is_refused_by_name_and_by_the_kernel(tmp_path, spool, good):
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "page.html").write_text("<p>Words.<img src='../good.txt'>")
    (inside / "link.txt").symlink_to(good)
    with ReaderPool(1, SMALL, [inside]) as pool:
        assert pool.read(inside / "page.html", source="page.html", spool=spool, root=tmp_path).segments
        assert "lies outside the folders that are read, at" in fails(pool, inside / "link.txt", spool).reason
        assert "lies outside" in fails(pool, good, spool).reason
    with ReaderPool(1, SMALL, [good]) as pool:
        assert pool.read(good, source="good.txt", spool=spool)
