"""seccomp: the kernel refuses system calls that no reader needs. Linux on x86-64 and ARM, by ctypes.

A small program of the Berkeley packet filter looks at each call: sockets, other programs, other
processes, mounts, clocks, keys and the attributes of files are refused as not permitted, calls that
are newer than this list as not there. Threads may be started, processes not.

Source: Documentation/userspace-api/seccomp_filter.rst of Linux; numbers of its unistd headers.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass

_GET_ACTION_AVAILABLE, _SET_FILTER, _ALL_THREADS = 2, 1, 1
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _PROCESSOR, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24  # low halves, little endian
_THREAD = 0x10000  # CLONE_THREAD
_TERMINAL_INPUT, _TERMINAL_CONTROL = 0x5412, 0x541C  # TIOCSTI, TIOCLINUX
_FIRST_UNKNOWN = 463


@dataclass(frozen=True, slots=True)
class Calls:
    """The numbers of a processor's system calls.

    Attributes:
        processor: its mark in what the filter sees (AUDIT_ARCH_*).
        seccomp: the call that sets a filter.
        refused: not permitted, whatever the arguments.
        clone: permitted to start threads.
        clone3: said to be missing: its flags lie in memory, and libraries go back to `clone`.
        signals: permitted to this process itself.
        limits: permitted on this process itself.
        control: permitted but for putting words into a terminal.
    """

    processor: int
    seccomp: int
    refused: tuple[int, ...]
    clone: int
    clone3: int
    signals: tuple[int, ...]
    limits: int
    control: int


# pidfds, io_uring, mounts, process_madvise, mount_setattr, memfd_secret, process_mrelease, fchmodat2
_SINCE_5_1 = (424, 425, 426, 427, 428, 429, 430, 431, 432, 433, 434, 438, 440, 442, 447, 448, 452)
_CALLS = {
    "x86_64": Calls(
        processor=0xC000003E,
        seccomp=317,
        refused=(
            *(41, 42, 43, 44, 45, 46, 47, 49, 50, 53, 288, 299, 307),  # sockets
            *(57, 58, 59, 322),  # fork, vfork, execve, execveat
            *(101, 310, 311, 312, 129, 200, 297),  # ptrace, process_vm_*, kcmp, other ways to signal
            *(155, 161, 163, 165, 166, 167, 168, 169, 179, 272, 308),  # mounts, swap, reboot, namespaces
            *(134, 175, 176, 246, 313, 320, 172, 173),  # uselib, modules, kexec, I/O ports
            *(159, 164, 227, 305, 170, 171),  # clocks, host names
            *(248, 249, 250, 298, 300, 303, 304, 321, 323),  # keys, perf, fanotify, handles, bpf, userfaultfd
            *(29, 30, 31, 64, 68, 240, 319),  # shared memory, semaphores, queues, memfd_create
            *(86, 88, 265, 266, 133, 259),  # links, special files
            *(90, 91, 268, 92, 93, 94, 260, 188, 189, 190, 197, 198, 199),  # modes, owners, attributes
            *(132, 235, 261, 280),  # times of files
            *_SINCE_5_1,
        ),
        clone=56,
        clone3=435,
        signals=(62, 234),
        limits=302,
        control=16,
    ),
    "aarch64": Calls(
        processor=0xC00000B7,
        seccomp=277,
        refused=(
            *(198, 199, 200, 201, 202, 203, 206, 207, 211, 212, 242, 243, 269),
            *(221, 281),
            *(117, 270, 271, 272, 138, 130, 240),
            *(41, 51, 89, 40, 39, 224, 225, 142, 60, 97, 268),
            *(105, 106, 104, 273, 294),
            *(171, 170, 112, 266, 161, 162),
            *(217, 218, 219, 241, 262, 264, 265, 280, 282),
            *(194, 196, 195, 190, 186, 180, 279),
            *(36, 37, 33),
            *(52, 53, 54, 55, 5, 6, 7, 14, 15, 16),
            88,
            *_SINCE_5_1,
        ),
        clone=220,
        clone3=435,
        signals=(129, 131),
        limits=261,
        control=29,
    ),
}


def is_available() -> bool:
    """Tell whether the kernel filters the system calls of this processor."""
    calls = _here()
    if calls is None:
        return False
    action = ctypes.c_uint32(_ERRNO)
    return bool(ctypes.CDLL(None).syscall(calls.seccomp, _GET_ACTION_AVAILABLE, 0, ctypes.byref(action)) == 0)


def restrict() -> bool:
    """Refuse this process such calls, for good; return whether the kernel does so.

    The process must have given up new privileges.
    """
    calls = _here()
    if calls is None:
        return False
    program = b"".join(_program(calls, os.getpid()))
    code = ctypes.create_string_buffer(program)
    filtered = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    return bool(ctypes.CDLL(None).syscall(calls.seccomp, _SET_FILTER, _ALL_THREADS, filtered) == 0)


def _here() -> Calls | None:
    return _CALLS.get(platform.machine()) if sys.platform == "linux" and sys.maxsize > 2**32 else None


def _program(calls: Calls, own: int) -> Iterator[bytes]:
    """Give the filter's instructions; `own` is this process's id."""
    refuse = _instruction(_RETURN, _ERRNO | errno.EPERM)
    missing = _instruction(_RETURN, _ERRNO | errno.ENOSYS)
    allow = _instruction(_RETURN, _ALLOW)
    yield _instruction(_LOAD, _PROCESSOR)
    yield _instruction(_EQUAL, calls.processor, yes=1)
    yield _instruction(_RETURN, _KILL)  # a call of the 32-bit kind, whose numbers mean others
    yield _instruction(_LOAD, _NUMBER)
    yield from (_instruction(_AT_LEAST, _FIRST_UNKNOWN, no=1), missing)
    yield from (_instruction(_EQUAL, calls.clone3, no=1), missing)
    for number in calls.refused:
        yield from (_instruction(_EQUAL, number, no=1), refuse)
    yield from (_instruction(_EQUAL, calls.clone, no=4), _instruction(_LOAD, _FIRST_ARGUMENT))
    yield from (_instruction(_ANY_BIT, _THREAD, no=1), allow, refuse)
    for number in calls.signals:
        yield from (_instruction(_EQUAL, number, no=4), _instruction(_LOAD, _FIRST_ARGUMENT))
        yield from (_instruction(_EQUAL, own, no=1), allow, refuse)
    yield from (_instruction(_EQUAL, calls.limits, no=5), _instruction(_LOAD, _FIRST_ARGUMENT))
    yield from (_instruction(_EQUAL, own, yes=1), _instruction(_EQUAL, 0, no=1), allow, refuse)
    yield from (_instruction(_EQUAL, calls.control, no=4), _instruction(_LOAD, _SECOND_ARGUMENT))
    yield from (_instruction(_EQUAL, _TERMINAL_INPUT, yes=1), _instruction(_EQUAL, _TERMINAL_CONTROL, no=1))
    yield from (refuse, allow)


def _instruction(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """Return an instruction; a comparison skips `yes` or `no` of those that follow."""
    return struct.pack("=HBBI", code, yes, no, value)
