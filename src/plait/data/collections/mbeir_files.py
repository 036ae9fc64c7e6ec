"""Where the files of M-BEIR's test tasks lie in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from plait.errors import MissingPathError

# In the order of UniIR's tables, which is also that of a union made of the local pools.
TASKS = (
    "visualnews_task0",
    "mscoco_task0",
    "fashion200k_task0",
    "webqa_task1",
    "edis_task2",
    "webqa_task2",
    "visualnews_task3",
    "mscoco_task3",
    "fashion200k_task3",
    "nights_task4",
    "oven_task6",
    "infoseek_task6",
    "fashioniq_task7",
    "cirr_task7",
    "oven_task8",
    "infoseek_task8",
)


@dataclass(frozen=True, slots=True)
class MBeirFiles:
    """Paths below the folder of M-BEIR."""

    root: Path

    @property
    def instructions(self) -> Path:
        """The instructions of all tasks."""
        return self.root / "instructions/query_instructions.tsv"

    def queries(self, task: str) -> Path:
        """Return the file of a task's queries."""
        return self.root / f"query/test/mbeir_{task}_test.jsonl"

    def qrels(self, task: str) -> Path:
        """Return the file of its judgements."""
        return self.root / f"qrels/test/mbeir_{task}_test_qrels.txt"

    def local(self, task: str) -> Path:
        """Return the file of its own pool."""
        split = "_test" if task.startswith("mscoco") else ""  # it alone has a pool for each split
        return self.root / f"cand_pool/local/mbeir_{task}{split}_cand_pool.jsonl"

    def missing(self, task: str, *, local: bool) -> list[str]:
        """Return which files of a task are not there.

        Args:
            local: whether its own pool is needed.
        """
        needed = [self.queries(task), self.qrels(task), *([self.local(task)] if local else [])]
        return [str(file) for file in needed if not file.is_file()]

    def union(self) -> list[Path]:
        """Return the files of the union pool: its own, or else the local pools of all tasks.

        Raises:
            MissingPathError: neither is there.
        """
        union = self.root / "cand_pool/global/mbeir_union_test_cand_pool.jsonl"
        if union.is_file():
            return [union]
        pools = [self.local(task) for task in TASKS]
        missing = [pool for pool in pools if not pool.is_file()]
        if missing:
            others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise MissingPathError(
                f"{union}: not there, nor can it be put together: {missing[0]}{others} of the local pools "
                "are missing"
            )
        return pools
