"""The jobs of one library on disk: every change is there after a loss of power, or is not there at all."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from plait.errors import LibraryError
from plait.serve.jobs.job import Job, JobState

_TABLE = (
    "CREATE TABLE IF NOT EXISTS jobs (number INTEGER PRIMARY KEY AUTOINCREMENT, "
    "id TEXT NOT NULL UNIQUE, state TEXT NOT NULL, job TEXT NOT NULL)"
)
_BUSY_SECONDS = 10.0


class Ledger:
    """A table of jobs in the order in which they came. Any thread, and any process, may use it.

    A damaged file is set aside under another name, and an empty one begun.

    Raises:
        LibraryError: it cannot be read or written; from every method.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        with _explained(file):
            try:
                self._connection = _opened(file)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                os.replace(file, file.with_suffix(".damaged"))
                file.with_name(f"{file.name}-journal").unlink(missing_ok=True)
                self._connection = _opened(file)

    def insert(self, job: Job) -> None:
        """Add a job at the end; one that is there stays as it is."""
        with self._writing() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO jobs (id, state, job) VALUES (?, ?, ?)",
                (job.id, job.state, _json(job)),
            )

    def change(self, jobs: Sequence[Job], *, was: JobState) -> list[Job]:
        """Store jobs anew, all at once; return those that were still in the state `was`."""
        with self._writing() as connection:
            return [job for job in jobs if _changed(connection, job, was)]

    def delete(self, id: str) -> bool:
        """Forget a job; False if it is being added, or there is none."""
        with self._writing() as connection:
            done = connection.execute("DELETE FROM jobs WHERE id = ? AND state != 'adding'", (id,))
            return done.rowcount > 0

    def forget(self, *, before: str, most: int) -> None:
        """Forget what ended before a time, and the oldest beyond so many that have ended."""
        with self._writing() as connection:
            connection.execute(
                "DELETE FROM jobs WHERE state IN ('added', 'failed') AND (json_extract(job, '$.ended') < ? "
                "OR number NOT IN (SELECT number FROM jobs WHERE state IN ('added', 'failed') "
                "ORDER BY number DESC LIMIT ?))",
                (before, most),
            )

    def get(self, id: str) -> Job | None:
        """Return one job."""
        return next(iter(self._read("WHERE id = ?", (id,))), None)

    def all(self, *, state: JobState | None = None, limit: int = 200) -> list[Job]:
        """Return jobs, newest first."""
        return self._read("WHERE ? IS NULL OR state = ? ORDER BY number DESC LIMIT ?", (state, state, limit))

    def waiting(self, limit: int) -> list[Job]:
        """Return the jobs that have waited longest, oldest first."""
        return self._read("WHERE state = 'waiting' ORDER BY number LIMIT ?", (limit,))

    def counts(self) -> dict[JobState, int]:
        """Return how many jobs are in each state."""
        counts: dict[JobState, int] = {"waiting": 0, "adding": 0, "added": 0, "failed": 0}
        with self._lock, _explained(self._file):
            counts.update(self._connection.execute("SELECT state, COUNT(*) FROM jobs GROUP BY state"))
        return counts

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _read(self, where: str, values: Sequence[object]) -> list[Job]:
        with self._lock, _explained(self._file):
            rows = self._connection.execute(f"SELECT job FROM jobs {where}", values).fetchall()
        return [Job(**json.loads(row)) for (row,) in rows]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _explained(self._file), self._connection as connection:
            yield connection


def _opened(file: Path) -> sqlite3.Connection:
    os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))  # before SQLite makes it readable for others
    connection = sqlite3.connect(file, timeout=_BUSY_SECONDS, check_same_thread=False)
    try:
        connection.execute("PRAGMA synchronous = EXTRA")  # the folder's entry, too, is on disk
        connection.execute(_TABLE)
        connection.commit()
        if connection.execute("PRAGMA quick_check").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("damaged")
    except BaseException:
        connection.close()
        raise
    return connection


def _changed(connection: sqlite3.Connection, job: Job, was: JobState) -> bool:
    asked = (job.state, _json(job), job.id, was)
    return (
        connection.execute("UPDATE jobs SET state = ?, job = ? WHERE id = ? AND state = ?", asked).rowcount
        > 0
    )


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise LibraryError(
            f"cannot keep the list of what is to be added, {file}: {error}; check the disk and who owns it"
        ) from error


def _json(job: Job) -> str:
    return json.dumps(job.to_dict(), ensure_ascii=False)
