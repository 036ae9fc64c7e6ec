"""API keys: who may do what, kept as hashes in the library folder, so that the file gives nobody a key.

.plait/keys.json    {"format": 1, "keys": [{"name", "sha256", "rights", "tenant", "made", "expires"}, ...]}

A key is 256 random bits, which nobody guesses: a plain SHA-256 keeps it, without salt or stretching.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import re
import secrets
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from filelock import FileLock

from plait.errors import InputError, LibraryError
from plait.serve.callers import OWNER_NAME, RIGHTS, Caller, Right
from plait.serve.private_file import TOUCHED, ExposedError, read_private, write_private

FILE = "keys.json"
PREFIX = "plait_"  # so that tools that look for lost secrets can tell one
_FORMAT = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")

_log = logging.getLogger("plait.serve")


@dataclass(frozen=True, slots=True)
class Key:
    """What is kept of a key.

    Attributes:
        name: what the audit log calls it.
        sha256: of the key, in hex.
        rights: what its holder may do.
        tenant: whose documents its holder sees; "" is the owner of the library.
        made: when, in ISO form, UTC.
        expires: from when on it is good for nothing; None is never.
    """

    name: str
    sha256: str
    rights: frozenset[Right]
    tenant: str
    made: datetime
    expires: datetime | None = None

    def is_good(self, now: datetime) -> bool:
        """Tell whether it has not expired."""
        return self.expires is None or now < self.expires

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, in which it is kept."""
        return {
            "name": self.name,
            "sha256": self.sha256,
            "rights": [right for right in RIGHTS if right in self.rights],
            "tenant": self.tenant,
            "made": self.made.isoformat(timespec="seconds"),
            "expires": self.expires.isoformat(timespec="seconds") if self.expires else None,
        }


class Keys:
    """The keys of one library; whatever process changes them, the next question is answered by what is so.

    Args:
        folder: the `.plait` folder.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._state: tuple[int, ...] | None = ()  # of the file that `_keys` was read from; None if none is
        self._keys: tuple[Key, ...] = ()

    def caller(self, secret: str) -> Caller | None:
        """Return whose key this is; None if it is nobody's, or has expired.

        While the file is damaged, or others may write to it, no key is good; the log says so.
        """
        self._refresh()
        digest = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
        # All are compared, each in a time that its letters do not change.
        found = [key for key in self._keys if hmac.compare_digest(key.sha256, digest)]
        if not found or not found[0].is_good(datetime.now(UTC)):
            return None
        return Caller(found[0].name, found[0].tenant, found[0].rights)

    def every(self) -> list[Key]:
        """Return the keys, by name.

        Raises:
            LibraryError: they cannot be read.
        """
        return sorted(_read(self._file), key=lambda key: key.name)

    def add(
        self, name: str, rights: Collection[str], *, tenant: str = "", expires: datetime | None = None
    ) -> str:
        """Make a key, and return it; it cannot be had again.

        Args:
            expires: with a time zone.

        Raises:
            InputError: the name is taken or not usable; an unknown right or none; "admin" for a tenant; a
                tenant's name that is none; a time that has passed.
            LibraryError: the keys cannot be read or written.
        """
        checked = _checked(name, rights, tenant, expires)
        secret = PREFIX + secrets.token_urlsafe(32)
        digest = hashlib.sha256(secret.encode()).hexdigest()
        key = Key(name, digest, checked, tenant, datetime.now(UTC), expires)
        with self._writing():
            keys = _read(self._file)
            if any(one.name == name for one in keys):
                raise InputError(f"there is a key named {name!r}: choose another name, or remove it first")
            _write(self._file, [*keys, key])
        return secret

    def remove(self, name: str) -> None:
        """Make a key good for nothing.

        Raises:
            InputError: there is none of that name.
            LibraryError: the keys cannot be read or written.
        """
        with self._writing():
            keys = _read(self._file)
            kept = [key for key in keys if key.name != name]
            if len(kept) == len(keys):
                known = ", ".join(sorted(key.name for key in keys)) or "none"
                raise InputError(f"there is no key named {name!r}: the keys are {known}")
            _write(self._file, kept)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Keep others from changing the keys meanwhile."""
        lock = FileLock(self._file.with_suffix(".lock"), timeout=10)
        try:
            lock.acquire()
        except OSError as error:  # filelock's Timeout is one
            raise _unwritable(self._file, error) from error
        try:
            yield
        finally:
            lock.release()

    def _refresh(self) -> None:
        """Read the file again if it is not the one that was read last."""
        try:
            status = os.stat(self._file)
            state = (status.st_ino, status.st_mtime_ns, status.st_size, status.st_mode, status.st_uid)
        except OSError:
            self._state, self._keys = None, ()
            return
        if state == self._state:
            return
        self._state = state
        try:
            self._keys = tuple(_read(self._file))
        except LibraryError as error:
            self._keys = ()
            _log.error("no key is good now: %s", error)


def tenant_named(name: str) -> str:
    """Return a tenant's name, if it is one; it is also that of a folder.

    Raises:
        InputError: it is none.
    """
    if not _TENANT.fullmatch(name):
        raise InputError(
            f"a tenant cannot be named {name[:80]!r}: use up to 40 small letters, digits and '-', "
            "beginning with a letter or digit"
        )
    return name


def _checked(name: str, rights: Collection[str], tenant: str, expires: datetime | None) -> frozenset[Right]:
    if not _NAME.fullmatch(name) or name == OWNER_NAME:
        raise InputError(
            f"a key cannot be named {name[:80]!r}: use up to 64 letters, digits and '.', '_', '-', '@', "
            f"beginning with a letter or digit, and not {OWNER_NAME!r}"
        )
    if tenant:
        tenant_named(tenant)
    unknown = sorted(set(rights) - set(RIGHTS))
    if unknown or not rights:
        raise InputError(f"rights must be some of {', '.join(RIGHTS)}, got {', '.join(unknown) or 'none'}")
    if tenant and "admin" in rights:
        raise InputError(
            "a tenant's key cannot have the right admin, which sees what all do: leave one of both out"
        )
    if expires is not None and expires <= datetime.now(UTC):
        raise InputError(f"the key would have expired on {expires:%Y-%m-%d}: give a day to come")
    return cast("frozenset[Right]", frozenset(rights))


def _read(file: Path) -> list[Key]:
    """Return the keys of a file, none if there is no file.

    Raises:
        LibraryError: it cannot be read, is damaged, or others may write to it.
    """
    try:
        data = read_private(file, unless=TOUCHED)
    except FileNotFoundError:
        return []
    except ExposedError:
        raise LibraryError(
            f"others may write to {file}, so its keys count for nothing: look who did, then make it "
            f"yours alone with  chmod 600 {file}"
        ) from None
    except OSError as error:
        raise LibraryError(f"cannot read the keys in {file}: {error.strerror or error}") from error
    try:
        values = json.loads(data)
        if values["format"] != _FORMAT:
            raise LibraryError(f"{file} has format {values['format']!r}, not {_FORMAT}: update plait")
        return [_key(row) for row in values["keys"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LibraryError(f"{file} is damaged ({error}): move it away, and make the keys anew") from error


def _key(row: Any) -> Key:
    expires = row["expires"]
    key = Key(
        name=row["name"],
        sha256=row["sha256"],
        rights=frozenset(row["rights"]),
        tenant=row["tenant"],
        made=datetime.fromisoformat(row["made"]),
        expires=None if expires is None else datetime.fromisoformat(expires),
    )
    if not re.fullmatch("[0-9a-f]{64}", key.sha256) or not _NAME.fullmatch(key.name):
        raise ValueError("a key has no name or hash")
    if not key.rights <= set(RIGHTS) or (key.tenant and not _TENANT.fullmatch(key.tenant)):
        raise ValueError(f"the key {key.name} has a right or tenant that is none")
    if key.expires is not None and key.expires.tzinfo is None:
        raise ValueError(f"the key {key.name} expires at a time without a zone")
    return key


def _write(file: Path, keys: Iterable[Key]) -> None:
    values = {"format": _FORMAT, "keys": [key.to_dict() for key in keys]}
    try:
        write_private(file, json.dumps(values, indent=1).encode())
    except OSError as error:
        raise _unwritable(file, error) from error


def _unwritable(file: Path, error: OSError) -> LibraryError:
    return LibraryError(f"cannot write the keys in {file}: {error.strerror or error}")
