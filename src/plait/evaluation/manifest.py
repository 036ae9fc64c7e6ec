"""What an evaluation's numbers came from: enough to run it again, and to say what has changed since."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from plait.errors import InputError

FORMAT = 1
_PACKAGES = (
    "plait", "numpy", "torch", "transformers", "sentence-transformers", "tokenizers", "pillow", "lancedb",
    "mteb",
)  # fmt: skip
_UNKEPT = ("PLAIT_LLM_URL", "PLAIT_LLM_MODEL")  # say nothing of a search, and may hold a password
_NOT_REPEATED = {
    "--out": 1,
    "--write": 1,
    "--work": 1,
    "--force": 0,
    "--json": 0,
}  # option -> how many words follow it


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was evaluated, by what, and how.

    Attributes:
        collection: as it was named: "./manuals", "m2kr:/data/m2kr".
        collection_fingerprint: changes whenever documents, queries or judgements would.
        model_fingerprint: changes whenever its vectors would.
        options: all else that changes a number, as JSON values.
        seed: of the intervals, and of all else that is drawn.
        seconds: wall time of it all.
        command: the words after `plait`; () if it was not asked on the command line.
        folder: where they were typed.
        environment: the settings in force there, by variable.
        versions: of Python and the packages that take part.
        machine: processor, cores, and what else only the time depends on.
    """

    collection: str
    collection_fingerprint: str
    model: str
    model_fingerprint: str
    options: Mapping[str, Any]
    seed: int
    seconds: float
    command: tuple[str, ...] = ()
    folder: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    def to_json(self) -> str:
        """Return the JSON form, which `from_json` reads."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Return the manifest that a text holds.

        Raises:
            InputError: it is damaged, or a newer plait wrote it.
        """
        try:
            values = json.loads(text)
            if values["format"] > FORMAT:
                raise InputError(
                    f"manifest.json has format {values['format']}, and this plait reads up to {FORMAT}: "
                    "update plait"
                )
            return cls(**values | {"command": tuple(values["command"])})
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"manifest.json is damaged ({error}): evaluate again") from error

    def changed(self, other: Manifest) -> list[str]:
        """Return, in words, what differs in `other` and could make its numbers differ."""
        return [
            f"{name}: {_short(before)} -> {_short(now)}"
            for name, before, now in self._beside(other)
            if before != now
        ]

    def _beside(self, other: Manifest) -> Iterator[tuple[str, Any, Any]]:
        yield "collection", self.collection_fingerprint, other.collection_fingerprint
        yield "model", self.model_fingerprint, other.model_fingerprint
        yield "seed", self.seed, other.seed
        for what in ("options", "versions"):
            before, now = getattr(self, what), getattr(other, what)
            for name in dict.fromkeys((*before, *now)):
                yield f"{what.removesuffix('s')} {name}", before.get(name), now.get(name)


def manifest_of(
    collection: str,
    collection_fingerprint: str,
    *,
    model: str,
    model_fingerprint: str,
    options: Mapping[str, Any],
    seed: int,
    seconds: float,
    command: Sequence[str] = (),
) -> Manifest:
    """Return the manifest of an evaluation that this process has just made."""
    return Manifest(
        collection=collection,
        collection_fingerprint=collection_fingerprint,
        model=model,
        model_fingerprint=model_fingerprint,
        options=json.loads(json.dumps(options)),  # as it will be read: lists, not tuples
        seed=seed,
        seconds=round(seconds, 3),
        command=tuple(command),
        folder=str(Path.cwd()),
        environment=settings_in(os.environ),
        versions=versions(),
        machine=machine(),
    )


def settings_in(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an environment that set plait."""
    return {
        name: environment[name]
        for name in sorted(environment)
        if name.startswith("PLAIT_") and name not in _UNKEPT
    }


def typed_command() -> tuple[str, ...]:
    """Return the words after `plait` of this process, without those that say where results go."""
    words: list[str] = []
    skip = 0
    for word in sys.argv[1:]:
        name, _, value = word.partition("=")
        if skip:
            skip -= 1
        elif name in _NOT_REPEATED:
            skip = 0 if value else _NOT_REPEATED[name]
        else:
            words.append(word)
    return tuple(words)


def versions(packages: Sequence[str] = _PACKAGES) -> dict[str, str]:
    """Return the versions of Python and of the packages that take part, as far as they are installed."""
    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """Return what this process computes with."""
    on: dict[str, Any] = {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", "default"),
        "system": platform.platform(terse=True),
    }
    torch = sys.modules.get("torch")  # not imported for this alone
    if torch is not None and torch.cuda.is_available():
        on["gpu"] = f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    return on


def processor() -> str:
    """Return what the processor calls itself, or what kind it is."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _short(value: Any) -> str:
    """Return a value in few words; of a fingerprint, its first digits."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) < 40 else f"{text[:12]}..."
