"""What a reading process gives up before it reads anything: other files, the network, other processes.

    limits          memory, files written, no core dumps: everywhere
    audit hook      what Python code may open, start or connect to: everywhere
    capabilities    those of root, but reading                  Linux
    system calls    no sockets, no programs, no other process   Linux, seccomp
    files           the roots, the spool, what Python needs     Linux 5.13 and later, Landlock

Each is a fence of its own; where the kernel lacks one the others stand.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plait.data.readers.base import ReadLimits
from plait.data.readers.sandbox import confinement_audit, confinement_files, confinement_syscalls

# Time limits begin again after so many pages, and after so many that are recognised.
TICKS = 100
OCR_TICKS = 10

_PR_SET_NO_NEW_PRIVS = 38
_KEPT_CAPABILITIES = 1 << 2  # to read what root may read
_CAPABILITY_VERSION = 0x20080522
_SYSTEM = (
    *("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib", "/nix/store"),
    *("/etc/ld.so.cache", "/etc/localtime", "/etc/timezone", "/etc/mime.types", "/usr/share/zoneinfo"),
    *("/usr/share/locale", "/usr/share/fonts", "/usr/local/share/fonts", "/etc/fonts"),
    *("/var/cache/fontconfig", "/dev/null", "/dev/urandom", "/dev/random", "/proc/self", "/proc/cpuinfo"),
    *("/proc/meminfo", "/proc/stat", "/sys/devices/system/cpu", "/sys/devices/system/node"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fences:
    """Which fences stand around a reading process.

    Attributes:
        files: version of Landlock, by which the kernel keeps it to its files; 0 where there is none.
        calls: whether seccomp keeps it from the network and from other processes.
        memory: whether the kernel keeps it to its address space.
    """

    files: int
    calls: bool
    memory: bool

    def __str__(self) -> str:
        kept = {"files": self.files > 0, "network and processes": self.calls, "memory": self.memory}
        by_kernel = ", ".join(what for what, is_kept in kept.items() if is_kept)
        others = ", ".join(what for what, is_kept in kept.items() if not is_kept)
        return "; ".join(
            f"{what} by {whom}"
            for what, whom in ((by_kernel, "the kernel"), (others, "the reading process itself"))
            if what
        )


def level() -> Fences:
    """Return which fences this machine has; changes nothing."""
    is_linux = sys.platform == "linux"
    return Fences(confinement_files.version(), confinement_syscalls.is_available(), is_linux)


@dataclass(frozen=True, slots=True)
class Confinement:
    """Where a reading process may read and write.

    Attributes:
        roots: the folders and files it may read, without links; None means all.
        spool: the folder it may write into.
    """

    roots: Sequence[Path] | None
    spool: Path

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        roots = None if self.roots is None else [str(root) for root in self.roots]
        return {"roots": roots, "spool": str(self.spool)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Confinement:
        """Return what `to_dict` wrote."""
        roots = values["roots"]
        return cls(None if roots is None else [Path(root) for root in roots], Path(values["spool"]))

    def enter(self) -> None:
        """Raise the fences around this process, for good; call it while it has one thread."""
        libraries = _real(_libraries())
        spool = _real([self.spool])
        readable = None if self.roots is None else [*libraries, *_real(self.roots), *spool]
        writable = [*spool, *_real([Path(os.devnull)])]
        if sys.platform == "linux":
            _drop_capabilities()
            ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            confinement_files.restrict(readable, writable)
            confinement_syscalls.restrict()
        sys.dont_write_bytecode = True
        confinement_audit.watch(readable, writable, libraries)


def limit_resources(limits: ReadLimits) -> None:
    """Set the limits of this process on memory and files."""
    more_mb = 0 if limits.ocr == "off" else limits.ocr_memory_mb
    _lower(resource.RLIMIT_AS, limits.memory_mb * 2**20, (limits.memory_mb + more_mb) * 2**20)
    _lower(resource.RLIMIT_CORE, 0, 0)
    largest = largest_file_mb(limits) * 2**20
    _lower(resource.RLIMIT_FSIZE, largest, largest)


def more_memory(limits: ReadLimits) -> None:
    """Let this reading process have `ocr_memory_mb` on top of what it has, from now on.

    Does nothing in a process that is not confined.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = (limits.memory_mb + limits.ocr_memory_mb) * 2**20
    if soft == limits.memory_mb * 2**20 and soft != hard:
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard < 0 else min(wanted, hard), hard))


def has_more_memory(limits: ReadLimits) -> bool:
    """Tell whether `more_memory` was called in this process."""
    return resource.getrlimit(resource.RLIMIT_AS)[0] > limits.memory_mb * 2**20


def largest_file_mb(limits: ReadLimits) -> int:
    """Return the largest file that a reading process may write, in MB: a picture, or what it unpacks."""
    return max(256, limits.max_file_mb)


def _libraries() -> list[Path]:
    """Return what Python, its packages and the system's libraries read of their own."""
    here = os.path.abspath(__file__).rpartition(f"{os.sep}plait{os.sep}")[0]
    python = [os.path.dirname(os.__file__), os.path.join(sys.base_prefix, "lib"), here, *sys.path]
    native = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    fonts = [os.path.expanduser(name) for name in ("~/.fonts", "~/.local/share/fonts")]
    named = [*python, *native, *fonts, *_SYSTEM]
    # A wide folder, such as the user's own, is never meant, however it came onto Python's path.
    wide = {"", "/", "/usr", os.path.expanduser("~")}
    return [Path(name) for name in named if name not in wide]


def _real(paths: Iterable[Path]) -> list[str]:
    """Return those that exist, without links, each once."""
    return list(dict.fromkeys(os.path.realpath(path) for path in paths if os.path.exists(path)))


def _drop_capabilities() -> None:
    """Give up what root may do, but reading."""
    libc = ctypes.CDLL(None)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; low halves, then high halves
    if libc.capget(header, sets) == 0:
        for i in range(6):
            sets[i] &= _KEPT_CAPABILITIES if i < 2 else 0
        libc.capset(header, sets)


def _lower(what: int, soft: int, hard: int) -> None:
    """Lower a limit; what is lower already stays."""
    _, now = resource.getrlimit(what)
    hard = hard if now < 0 else min(hard, now)
    resource.setrlimit(what, (min(soft, hard), hard))
