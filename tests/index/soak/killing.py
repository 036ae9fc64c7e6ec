"""Killing a writer at every step of what it does, and looking for what was lost or is half there."""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from tests.index.soak.steps import KINDS, Step, Stored, kind_of, step

ROOT = Path(__file__).parents[3]
HOOK = Path(__file__).with_name("hook.c")
_HANGS_SECONDS = 120


@dataclass(slots=True)
class Report:
    """What a soak did and found.

    Attributes:
        kills: (kind of step, where it was) -> how many kills fell there.
        findings: sentences, each with the order that leads to it again.
        states: how often the step under way at the kill was not there, or wholly there, afterwards.
        steps: acknowledged.
    """

    kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    steps: int = 0

    def __str__(self) -> str:
        """Return a table of kills, a line a place and a column a kind of step, and what was found."""
        head = f"{sum(self.kills.values())} kills, {self.steps} acknowledged steps, the one under way "
        states = ", ".join(f"{state} {count} times" for state, count in sorted(self.states.items()))
        lines = [
            head + (states or "never there to see"),
            f"{'killed':44}" + "".join(f"{k:>10}" for k in KINDS),
        ]
        for where in sorted({where for _, where in self.kills}):
            lines.append(f"{where:44}" + "".join(f"{self.kills[kind, where]:10}" for kind in KINDS))
        totals = [sum(count for (of, _), count in self.kills.items() if of == kind) for kind in KINDS]
        lines.append(f"{'in all':44}" + "".join(f"{count:10}" for count in totals))
        return "\n".join([*lines, *(f"FOUND: {one}" for one in self.findings or ["nothing"])])


def soak(folder: Path, *, kills: int, seed: int, options: Mapping[str, Any]) -> Report:
    """Fill a store in `folder` by a writer that is killed again and again; return what was found.

    Three of four kills are at a chosen call that changes a file, before it, after it or in its middle, where
    a C compiler is at hand for the hook; the others, and all without one, at a chosen moment.

    Args:
        options: of `LanceIndex`.
    """
    report, chance = Report(), random.Random(seed)
    usual = _Usual()
    number, states, ever = 0, [{}], set()
    with Writer(folder.parent) as writer:
        for _ in range(kills):
            order = {
                "folder": str(folder),
                "options": dict(options),
                "seed": seed,
                "next": number,
                "states": states,
                "steps": 200,
                "ever": [],
                "kill": _kill(seed, number, chance, usual, hooked=writer.hooked),
            }
            life = _Life(order)
            writer.run(order, life)
            if life.problems:
                report.findings += [f"{problem}\n  after {life.order}" for problem in life.problems]
                return report
            usual.learn(life.done)
            report.steps += len(life.done)
            if life.killed:
                report.kills[life.kind, life.where(folder)] += 1
            report.states["not there" if life.found == 0 else "wholly there"] += len(states) > 1
            number, states = life.after()
            ever |= life.ever
        order |= {"next": number, "states": states, "steps": 0, "kill": None, "ever": sorted(ever)}
        life = _Life(order)
        writer.run(order, life)
        report.findings += life.problems
    return report


class _Usual:
    """How many calls and microseconds each kind of step usually takes."""

    def __init__(self) -> None:
        self._calls: dict[str, list[int]] = defaultdict(list)
        self._micros: dict[str, list[int]] = defaultdict(list)

    def learn(self, done: Sequence[tuple[str, int, int]]) -> None:
        for kind, calls, micros in done:
            self._calls[kind].append(calls)
            self._micros[kind].append(micros)

    def calls(self, kind: str) -> int:
        return max([3, *self._calls[kind][-20:]]) if self._calls[kind] else 20

    def seconds(self, kind: str) -> float:
        return 1e-6 * statistics.median(self._micros[kind][-20:]) if self._micros[kind] else 0.02


def _kill(seed: int, number: int, chance: random.Random, usual: _Usual, *, hooked: bool) -> Mapping[str, Any]:
    """Return when to kill: in the first step, two or more from now, of a kind drawn evenly."""
    kind = chance.choice(KINDS)
    at = next(one for one in range(number + 2, number + 1000) if kind_of(seed, one) == kind)
    if hooked and chance.random() < 0.75:
        call, how = chance.randint(1, usual.calls(kind)), chance.randrange(3)
        return {"step": at, "call": call, "how": how, "seconds": 10}
    return {"step": at, "call": 0, "how": 0, "seconds": chance.random() * 1.2 * usual.seconds(kind)}


class _Life:
    """What is known of one life of the writer, from its lines."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        self.order = order
        self.pid = 0
        self.found: int | None = None
        self.done: list[tuple[str, int, int]] = []
        self.ever: set[tuple[str, int]] = set()
        self.problems: list[str] = []
        self.kind = ""
        self.killed = False
        self._number: int = order["next"]
        self._stored: Stored = order["states"][0]
        self._under_way = False
        self._parts: list[str] = []
        self._at = ""

    def hear(self, line: str) -> bool:
        """Take in one line; return whether it says that the step to kill in has begun."""
        word, _, rest = line.partition(" ")
        if word == "pid":
            self.pid = int(rest)
        elif word == "found":
            self.found = int(rest)
            self._number += self.found
            self._stored = self.order["states"][self.found]
        elif word == "problem":
            self.problems.append(rest)
        elif word == "begin":
            self._under_way, self.kind = True, rest.split()[1]
            self.ever |= set(self._step().documents.items())
            kill = self.order["kill"]
            return bool(kill) and int(rest.split()[0]) == kill["step"]
        elif word == "done":
            _, calls, micros = map(int, rest.split())
            self.done.append((self.kind, calls, micros))
            self._stored = self._step().after(self._stored)
            self._under_way = False
            self._number += 1
        elif word == "in":
            self._parts.append(rest)
        elif word == "out":
            self._parts.pop()
        elif word == "at":
            self._at = rest
        elif word == "ended":
            self.killed = os.WIFSIGNALED(int(rest))
            if self.found is None and not self.problems:
                self.problems.append(f"it ended with status {rest} before it had checked the store")
        return False

    def after(self) -> tuple[int, list[Stored]]:
        """Return the next step's number, and the states in which the store may be now."""
        states = [self._stored]
        if self._under_way:
            states.append(self._step().after(self._stored))
            if states[0] == states[1]:  # a step that stores nothing: done or not, it looks the same
                states.pop()
        return self._number, states

    def _step(self) -> Step:
        return step(self.order["seed"], self._number, self._stored)

    def where(self, folder: Path) -> str:
        """Return in which part of a step it was killed, and on which files, if it was at a call."""
        if not self._under_way:
            return "between two steps"
        part = f"{self._parts[-1]}, " if self._parts else ""
        if not self._at:
            return f"{part}at a moment"
        path = Path(self._at[self._at.index("/") :].removesuffix(" (deleted)"))  # no name yet
        if not path.is_relative_to(folder):
            return f"{part}outside the store"
        return f"{part}at a call on {'/'.join(path.relative_to(folder).parts[:2]) or 'the folder'}"


class Life(Protocol):
    """What takes in the lines of one child."""

    pid: int
    problems: list[str]

    def hear(self, line: str) -> bool:
        """Take in one line; return whether the time to kill begins to run."""
        ...


class Writer:
    """A process that forks one writer after another; use it as a context manager.

    Args:
        scratch: a folder for the compiled hook.
        module: what it runs, by `forking.serve`.

    Attributes:
        hooked: whether the hook could be compiled.
    """

    def __init__(self, scratch: Path, module: str = "tests.index.soak.writer") -> None:
        self._scratch = scratch
        self._module = module

    def __enter__(self) -> Writer:
        library = compiled_hook(self._scratch)
        self.hooked = library is not None
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "SOAK_FD": "1"}
        if library is not None:
            environment["LD_PRELOAD"] = str(library)
        self._process = subprocess.Popen(
            [sys.executable, "-m", self._module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=environment,
        )
        self._rest = b""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        self._process.wait()

    def run(self, order: Mapping[str, Any], life: Life) -> None:
        """Let a child carry out an order; kill it at the moment the order names."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        for line in self._lines():
            if line is None:
                life.problems.append(f"nothing was heard of it for {_HANGS_SECONDS} seconds")
                os.kill(life.pid, signal.SIGKILL)
                return
            if life.hear(line):
                self._kill_later(life, order["kill"]["seconds"])
            if line.startswith("ended"):
                return
        life.problems.append("the writers' parent ended")

    def _kill_later(self, life: _Life, seconds: float) -> None:
        if seconds < 5:  # else the hook kills
            time.sleep(seconds)
            with contextlib.suppress(ProcessLookupError):
                os.kill(life.pid, signal.SIGKILL)

    def _lines(self) -> Iterator[str | None]:
        """Yield what the process says, a line at a time; None when it has said nothing for long."""
        assert self._process.stdout is not None
        out = self._process.stdout.fileno()
        while True:
            while b"\n" in self._rest:
                line, self._rest = self._rest.split(b"\n", 1)
                yield line.decode()
            if not select.select([out], [], [], _HANGS_SECONDS)[0]:
                yield None
                continue
            read = os.read(out, 1 << 16)
            if not read:
                return
            self._rest += read


def compiled_hook(scratch: Path) -> Path | None:
    """Return the preloadable library made of hook.c; None where there is no C compiler."""
    compiler = shutil.which("cc")
    if not compiler or not sys.platform.startswith("linux"):
        return None
    library = scratch / "hook.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", library, HOOK, "-ldl"]
    made = subprocess.run(command, capture_output=True)
    return library if made.returncode == 0 else None
