"""Adding in the background: files are accepted at once, kept on disk, and added one by one.

    job.py        one accepted file, and how far it is
    ledger.py     the jobs of a library, on disk
    queue.py      Jobs: accept, look, cancel, wait
    placing.py    putting an accepted file where it stays, and back
    workshop.py   Workshop: takes the jobs of all libraries in turn
    workers.py    who adds: a process of its own, or this one
    process.py    what that process runs

Where they lie: `.plait/jobs/ledger.sqlite`, and `.plait/jobs/held/<id>/<name>` until the file is added.
"""

from plait.serve.jobs.job import Job, JobState
from plait.serve.jobs.queue import Jobs
from plait.serve.jobs.workers import InProcess, OwnProcess, Worker
from plait.serve.jobs.workshop import Workshop

__all__ = ["InProcess", "Job", "JobState", "Jobs", "OwnProcess", "Worker", "Workshop"]
