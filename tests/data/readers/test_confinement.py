"""Real processes behind the fences try to get out, by the C library and by Python."""

from __future__ import annotations

import json
import os
import resource
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from plait.data.readers.base import ReadLimits
from plait.data.readers.sandbox.confinement import Fences, level
from plait.data.readers.sandbox.confinement_syscalls import _CALLS, _program

linux = pytest.mark.skipif(
    not (level().files and level().calls), reason="this kernel has neither Landlock nor seccomp"
)

# `libc` knows nothing of Python's audit hook: what it is refused, the kernel refuses.
BY_THE_C_LIBRARY = """
import ctypes, errno, json, os, sys, threading
from pathlib import Path
from plait.data.readers.sandbox.confinement import Confinement
from plait.data.readers.sandbox.confinement_syscalls import _here
place = Path(sys.argv[1])
port, parent, roots = int(sys.argv[2]), os.getppid(), json.loads(sys.argv[3])
libc = ctypes.CDLL(None, use_errno=True)
Confinement(roots and [place / name for name in roots], place / "spool").enter()
done = {}

def attempt(name, *arguments, key=""):
    ctypes.set_errno(0)
    value = getattr(libc, name)(*arguments)
    done[key or name] = "done" if value >= 0 else errno.errorcode[ctypes.get_errno()]

def path(name):
    return os.fsencode(place / name)

READ, WRITE = os.O_RDONLY, os.O_WRONLY | os.O_CREAT
attempt("open", path("inside/a.txt"), READ, key="read inside")
attempt("open", path("outside/secret.txt"), READ, key="read outside")
attempt("open", path("inside/link.txt"), READ, key="read by a link")
attempt("open", path("spool/../outside/secret.txt"), READ, key="read by dots")
attempt("open", b"/etc/passwd", READ, key="read a file of the system")
attempt("open", path("spool/new"), WRITE, 0o600, key="write to the spool")
attempt("mkdir", path("spool/folder"), 0o700, key="folder in the spool")
attempt("rename", path("spool/new"), path("spool/folder/new"), key="move in the spool")
attempt("open", path("inside/new"), WRITE, 0o600, key="write inside")
attempt("open", path("outside/new"), WRITE, 0o600, key="write outside")
attempt("unlink", path("inside/a.txt"), key="delete inside")
attempt("truncate", path("inside/a.txt"), ctypes.c_long(0))
attempt("chmod", path("inside/a.txt"), 0)
attempt("symlink", path("outside/secret.txt"), path("spool/link"))
attempt("link", path("inside/a.txt"), path("spool/hard"))
attempt("mkfifo", path("spool/pipe"), 0o600)
attempt("socket", 2, 1, 0)
attempt("socket", 1, 1, 0, key="local socket")
attempt("connect", 0, b"", 0)
attempt("fork")
attempt("execv", b"/bin/true", (ctypes.c_char_p * 2)(b"true", None))
done["system"] = "done" if libc.system(b"true") == 0 else "refused"
attempt("ptrace", 16, parent, 0, 0)
attempt("process_vm_readv", parent, None, ctypes.c_ulong(0), None, ctypes.c_ulong(0), ctypes.c_ulong(0))
attempt("kill", parent, 0)
attempt("kill", os.getpid(), 0, key="signal itself")
attempt("prlimit", parent, 7, None, None, key="limits of another")
attempt("prlimit", 0, 7, None, None, key="limits of its own")
attempt("unshare", 0x10000000)
attempt("mount", None, path("spool"), b"tmpfs", ctypes.c_ulong(0), None)
attempt("memfd_create", b"x", 0)
attempt("syscall", 425, 4, None, key="io_uring")
attempt("syscall", 435, None, 0, key="clone3")
attempt("syscall", 600, key="a call of the future")
attempt("setuid", 0 if os.getuid() else 1)
thread = threading.Thread(target=lambda: done.update(thread="done"))
thread.start()
thread.join()
import numpy
done["numpy"] = "done" if (numpy.ones((300, 300)) @ numpy.ones((300, 300))).sum() > 0 else "wrong"
print(json.dumps(done))
"""

BY_PYTHON = """
import json, os, socket, subprocess, sys
from pathlib import Path
from plait.data.readers.sandbox import confinement_audit
place, port = Path(sys.argv[1]), int(sys.argv[2])
python = [folder for folder in sys.path if folder]
confinement_audit.watch([str(place / "inside"), *python], [str(place / "spool")], python)
import ctypes, shutil, sqlite3
done = {}

def attempt(what, action):
    try:
        action()
        done[what] = "done"
    except PermissionError:
        done[what] = "refused"

attempt("read inside", (place / "inside/a.txt").read_bytes)
attempt("read outside", (place / "outside/secret.txt").read_bytes)
attempt("read by a link", (place / "inside/link.txt").read_bytes)
attempt("read by a linked folder", (place / "inside/folder/secret.txt").read_bytes)
attempt("read by dots", lambda: open(f"{place}/inside/folder/../outside/secret.txt"))
attempt("list outside", lambda: os.listdir(place / "outside"))
attempt("write to the spool", lambda: (place / "spool/new").write_text("x"))
attempt("move in the spool", lambda: (place / "spool/new").rename(place / "spool/newer"))
attempt("folder in the spool", (place / "spool/folder").mkdir)
attempt("delete a folder of the spool", lambda: shutil.rmtree(place / "spool/folder"))
attempt("write inside", lambda: (place / "inside/new").write_text("x"))
attempt("append outside", lambda: (place / "outside/secret.txt").open("ab"))
attempt("delete inside", (place / "inside/a.txt").unlink)
attempt("move out", lambda: (place / "spool/newer").rename(place / "outside/newer"))
attempt("truncate", lambda: os.truncate(place / "inside/a.txt", 0))
attempt("chmod", lambda: (place / "inside/a.txt").chmod(0))
attempt("symlink", lambda: (place / "spool/link").symlink_to("x"))
attempt("connect", lambda: socket.create_connection(("127.0.0.1", port)))
attempt("look up", lambda: socket.gethostbyname("localhost"))
attempt("start", lambda: subprocess.run(["true"]))
attempt("system", lambda: os.system("true"))
attempt("fork", os.fork)
attempt("kill", lambda: os.kill(os.getppid(), 0))
attempt("database", lambda: sqlite3.connect(place / "outside/db"))
attempt("load a library inside", lambda: ctypes.CDLL(str(place / "inside/a.so")))
attempt("use the C library", lambda: ctypes.CDLL(None))
print(json.dumps(done))
"""


@pytest.fixture
def place(tmp_path):
    for name in ("inside", "outside", "spool"):
        (tmp_path / name).mkdir()
    (tmp_path / "inside/a.txt").write_text("public")
    (tmp_path / "outside/secret.txt").write_text("secret")
    (tmp_path / "inside/link.txt").symlink_to(tmp_path / "outside/secret.txt")
    (tmp_path / "inside/folder").symlink_to(tmp_path / "outside")
    return tmp_path


@pytest.fixture
def listener():
    """A local socket that tells whether somebody came."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


def attempts(program: str, place: Path, listener: socket.socket, roots: list[str] | None) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", program, str(place), str(listener.getsockname()[1]), json.dumps(roots)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    with pytest.raises(BlockingIOError):
        listener.accept()
    assert (place / "inside/a.txt").read_text() == "public"
    assert os.listdir(place / "outside") == ["secret.txt"]
    return json.loads(done.stdout)


@linux
def test_the_kernel_holds_what_the_c_library_tries(place, listener):
    done = attempts(BY_THE_C_LIBRARY, place, listener, ["inside"])
    assert {what for what, how in done.items() if how == "done"} == {
        *("read inside", "write to the spool", "folder in the spool", "move in the spool"),
        *("signal itself", "limits of its own", "thread", "numpy"),
    }
    by_landlock = ("read outside", "read by a link", "read by dots", "read a file of the system")
    assert {done[what] for what in (*by_landlock, "write inside", "write outside", "truncate")} == {"EACCES"}
    by_seccomp = ("socket", "local socket", "connect", "fork", "ptrace", "kill", "io_uring", "memfd_create")
    assert {done[what] for what in by_seccomp} == {"EPERM"}
    assert done["clone3"] == done["a call of the future"] == "ENOSYS"


@linux
def test_without_roots_everything_may_be_read_and_nothing_else_changes(place, listener):
    confined = attempts(BY_THE_C_LIBRARY, place, listener, ["inside"])
    for path in (place / "spool").rglob("new"):
        path.unlink()
    (place / "spool/folder").rmdir()
    free = attempts(BY_THE_C_LIBRARY, place, listener, None)
    assert {what for what in free if free[what] != confined[what]} == {
        *("read outside", "read by a link", "read by dots", "read a file of the system"),
    }


@linux
def test_a_single_file_can_be_a_root(place, listener):
    assert attempts(BY_THE_C_LIBRARY, place, listener, ["inside/a.txt"])["read inside"] == "done"


def test_python_holds_what_its_own_code_tries(place, listener):
    done = attempts(BY_PYTHON, place, listener, None)
    assert {what for what, how in done.items() if how == "done"} == {
        *("read inside", "write to the spool", "move in the spool", "folder in the spool"),
        *("delete a folder of the spool", "use the C library"),
    }


def test_recognition_is_granted_more_memory_once_asked_for():
    program = (
        "import json, resource, sys\n"
        "from plait.data.readers.base import ReadLimits\n"
        "from plait.data.readers.sandbox.confinement import has_more_memory, limit_resources, more_memory\n"
        "limits = ReadLimits(memory_mb=500, ocr_memory_mb=300, ocr=sys.argv[1])\n"
        "limit_resources(limits)\n"
        "before = resource.getrlimit(resource.RLIMIT_AS)[0], has_more_memory(limits)\n"
        "more_memory(limits)\n"
        "print(json.dumps([*before, resource.getrlimit(resource.RLIMIT_AS)[0], has_more_memory(limits)]))"
    )
    seen = [
        json.loads(subprocess.run([sys.executable, "-c", program, ocr], capture_output=True).stdout)
        for ocr in ("pages", "off")
    ]
    assert seen == [[500 << 20, False, 800 << 20, True], [500 << 20, False, 500 << 20, False]]


def test_this_process_is_granted_nothing():
    from plait.data.readers.sandbox.confinement import more_memory

    before = resource.getrlimit(resource.RLIMIT_AS)
    more_memory(ReadLimits())
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_the_fences_are_told_in_words():
    assert str(Fences(7, True, True)) == "files, network and processes, memory by the kernel"
    assert str(Fences(0, True, False)) == (
        "network and processes by the kernel; files, memory by the reading process itself"
    )


def filtered(processor: str, number: int, *arguments: int, mark: int | None = None) -> str:
    """Run the filter's program as the kernel would, for a process with the id 77."""
    calls = _CALLS[processor]
    given = (*arguments, *(0,) * (6 - len(arguments)))
    seen = struct.pack("<IIQ6Q", number, calls.processor if mark is None else mark, 0, *given)
    program = [struct.unpack("=HBBI", step) for step in _program(calls, 77)]
    at = value = 0
    while True:
        code, yes, no, operand = program[at]
        at += 1
        if code == 0x20:
            (value,) = struct.unpack_from("<I", seen, operand)
        elif code == 0x06:
            return {0x7FFF0000: "allowed", 0x80000000: "killed", 0x50001: "EPERM", 0x50026: "ENOSYS"}[operand]
        else:
            holds = {0x15: value == operand, 0x35: value >= operand, 0x45: value & operand != 0}[code]
            at += yes if holds else no


@pytest.mark.parametrize(
    ("processor", "read", "socket_", "execute", "clone", "kill", "limits", "control"),
    [("x86_64", 0, 41, 59, 56, 62, 302, 16), ("aarch64", 63, 198, 221, 220, 129, 261, 29)],
)
def test_the_filter_means_the_same_on_each_processor(
    processor, read, socket_, execute, clone, kill, limits, control
):
    def run(*call: int, mark: int | None = None) -> str:
        return filtered(processor, *call, mark=mark)

    assert run(read) == "allowed"
    assert run(read, mark=0x40000003) == "killed"  # as 32-bit programs call
    assert {run(socket_), run(execute), run(425)} == {"EPERM"}
    assert run(read | 0x40000000) == run(435) == run(999) == "ENOSYS"
    assert [run(clone, flags) for flags in (0x3D0F00, 17)] == ["allowed", "EPERM"]
    assert [run(kill, process) for process in (77, 1, 0, 2**32 - 1)] == ["allowed", *["EPERM"] * 3]
    assert [run(limits, process) for process in (0, 77, 1)] == ["allowed", "allowed", "EPERM"]
    assert [run(control, 0, request) for request in (0x5401, 0x5412, 0x541C)] == ["allowed", "EPERM", "EPERM"]


@pytest.mark.parametrize("processor", _CALLS)
def test_no_call_is_refused_twice_or_with_those_that_are_looked_at(processor):
    calls = _CALLS[processor]
    every = (*calls.refused, calls.clone, calls.clone3, *calls.signals, calls.limits, calls.control)
    assert len(every) == len(set(every))
