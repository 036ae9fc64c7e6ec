"""What was published on M2KR and M-BEIR, figure by figure with where it was read, to stand beside ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One figure of a paper's table.

    Attributes:
        task: as of `PoolTask`.
        pool: which of its pools.
        measure: the paper's R@K is our success@K.
        title: as the paper heads it.
    """

    task: str
    pool: str
    measure: str
    title: str


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """What one system was reported to reach.

    Attributes:
        values: in hundredths, one for each column; None where nothing was reported.
        mean: over the columns; None where the table has no mean.
        source: a key of the table's `sources`.
    """

    system: str
    values: tuple[float | None, ...]
    source: str
    mean: float | None = None


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """A table as the papers print it.

    Attributes:
        title: "" where the benchmark has but one.
        has_mean: whether the mean over its columns is printed too.
        sources: what the rows' sources stand for.
        notes: what must be known to read it.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[PublishedRow, ...]
    sources: Mapping[str, str]
    has_mean: bool = False
    notes: tuple[str, ...] = ()


_SOURCES = {
    "R": "README of aimagelab/ReT at 3fee6aa",
    "F": "README of LinWeizheDragon/FLMR, its converted checkpoints",
    "FP": "docs/MODEL_ZOO.md of LinWeizheDragon/FLMR, the paper's figures",
    "P": "pyserini/2cr/m_beir.yaml of castorini/pyserini (August 2026): UniIR's released models run again",
    "N": "notes of third parties on a paper: to be checked before they are quoted",
    "C": "model card of nvidia/MM-Embed",
}

_M2KR_COLUMNS = (
    ("wit", "success@10", "WIT R@10"),
    ("iglue", "success@1", "IGLUE R@1"),
    ("kvqa", "success@5", "KVQA R@5"),
    ("oven", "success@5", "OVEN R@5"),
    ("llava", "success@1", "LLaVA R@1"),
    ("infoseek", "success@5", "InfoSeek R@5"),
    ("infoseek", "pseudo-recall@5", "InfoSeek PR@5"),
    ("evqa", "success@5", "E-VQA R@5"),
    ("evqa", "pseudo-recall@5", "E-VQA PR@5"),
    ("okvqa", "success@5", "OKVQA R@5"),
    ("okvqa", "pseudo-recall@5", "OKVQA PR@5"),
    ("msmarco", "success@5", "MSMARCO R@5"),
)
_RET = (
    ("ReT CLIP ViT-L/14", (73.4, 81.8, 63.5, 82.0, 79.9, 47.0, 60.5, 44.5, 57.9, 20.2, 66.2, None), "R"),
    ("ReT OpenCLIP ViT-H/14", (71.4, 80.0, 59.3, 83.0, 79.8, 47.3, 60.7, 44.8, 57.8, 18.2, 63.4, None), "R"),
    ("ReT OpenCLIP ViT-G/14", (75.1, 82.2, 60.6, 84.0, 79.2, 52.0, 62.5, 48.6, 60.2, 19.0, 63.8, None), "R"),
)
_PREFLMR = (
    ("PreFLMR ViT-B", (42.7, 57.4, 29.4, 46.8, 67.3, 26.0, 49.6, 55.0, 66.3, 27.2, 65.8, 78.6), "F"),
    ("PreFLMR ViT-L", (60.5, 69.9, 44.0, 60.8, 72.9, 37.4, 57.8, 60.9, 70.8, 31.4, 69.0, 77.9), "F"),
    ("PreFLMR ViT-G", (61.9, 71.8, 41.9, 64.3, 72.6, 39.2, 57.7, 62.5, 72.1, 30.2, 67.4, 78.3), "F"),
    ("PreFLMR ViT-B", (41.7, 57.3, 28.6, 46.3, 67.2, None, 48.8, None, 67.9, None, 66.1, 79.5), "FP"),
    ("PreFLMR ViT-L", (60.5, 69.2, 43.6, 59.8, 71.8, None, 57.9, None, 70.8, None, 68.5, 78.7), "FP"),
    ("PreFLMR ViT-G", (61.5, 71.5, 42.1, 63.4, 72.4, None, 59.6, None, 73.1, None, 68.6, 78.6), "FP"),
    (
        "PreFLMR ViT-L ENCN",
        (60.8, None, 41.1, 60.8, 71.1, 41.9, None, 58.0, None, 13.9, None, 82.6),
        "F",
    ),
)

# task, K; then clip-sf-large union and local, blip-ff-large union and local
_MBEIR = (
    ("visualnews_task0", 5, (42.5, 42.8, 22.7, 23.1)),
    ("mscoco_task0", 5, (71.7, 80.8, 67.0, 79.5)),
    ("fashion200k_task0", 10, (17.9, 18.0, 26.0, 26.1)),
    ("webqa_task1", 5, (83.4, 83.9, 78.0, 78.7)),
    ("edis_task2", 5, (52.5, 53.2, 49.7, 50.5)),
    ("webqa_task2", 5, (77.6, 78.5, 77.2, 78.5)),
    ("visualnews_task3", 5, (38.7, 42.6, 20.9, 22.9)),
    ("mscoco_task3", 5, (91.6, 92.0, 89.7, 90.9)),
    ("fashion200k_task3", 10, (18.1, 18.1, 27.3, 28.5)),
    ("nights_task4", 5, (31.7, 31.8, 31.9, 31.9)),
    ("oven_task6", 5, (39.6, 46.0, 39.5, 42.6)),
    ("infoseek_task6", 5, (22.2, 27.2, 20.0, 23.5)),
    ("fashioniq_task7", 10, (24.2, 24.6, 29.0, 29.4)),
    ("cirr_task7", 5, (43.8, 45.3, 48.3, 50.3)),
    ("oven_task8", 5, (60.2, 68.9, 56.0, 56.2)),
    ("infoseek_task8", 5, (44.4, 49.1, 26.2, 30.6)),
)
_MBEIR_MEANS = {  # of which only the mean is known
    "local": (
        ("CLIP-L, not trained", 32.5, "N"),
        ("UniIR CLIP-SF L, as others cite it", 50.6, "N"),
        ("LamRA-Ret", 56.6, "N"),
        ("GME-Qwen2-VL-7B", 58.6, "N"),
        ("UniME", 59.5, "N"),
        ("U-MARVEL", 63.2, "N"),
        ("LamRA + reranker", 63.7, "N"),
        ("U-MARVEL + reranker", 64.8, "N"),
        ("Retrv-R1-3B (reranker)", 65.5, "N"),
        ("Retrv-R1-7B (reranker)", 69.2, "N"),
    ),
    "union": (
        ("UniIR's best, as others cite it", 48.9, "C"),
        ("MM-Embed", 52.7, "C"),
        ("LamRA-Ret", 54.8, "N"),
        ("U-MARVEL", 60.7, "N"),
    ),
}


def m2kr_table(*, with_pictures: bool) -> PublishedTable:
    """Return the table of M2KR's test sets.

    Args:
        with_pictures: whether it is for ReT-M2KR, which has no MSMARCO.
    """
    count = len(_M2KR_COLUMNS) - with_pictures
    columns = tuple(Column(task, "", measure, title) for task, measure, title in _M2KR_COLUMNS[:count])
    rows = tuple(PublishedRow(name, values[:count], source) for name, values, source in (*_RET, *_PREFLMR))
    return PublishedTable(
        "",
        columns,
        rows,
        _cited(rows),
        notes=(
            "ReT searched ReT-M2KR, whose passages of OVEN, InfoSeek, E-VQA and OKVQA have pictures; PreFLMR "
            "searched M2KR, whose passages are words: the same queries and ids, not the same documents.",
            "The published figures are of approximate search (PLAID, 500 found).",
        ),
    )


def mbeir_table(pool: str) -> PublishedTable:
    """Return the table of M-BEIR's test sets over their own pools ("local") or over all of them ("union")."""
    columns = tuple(Column(task, pool, f"success@{k}", f"{task} R@{k}") for task, k, _ in _MBEIR)
    place = {"union": 0, "local": 1}[pool]
    means = {"union": (47.5, 44.3), "local": (50.2, 46.5)}[pool]
    named = ("UniIR CLIP-SF L", "UniIR BLIP-FF L")
    rows = tuple(
        PublishedRow(name, tuple(values[2 * model + place] for *_, values in _MBEIR), "P", means[model])
        for model, name in enumerate(named)
    )
    blank = (None,) * len(columns)
    further = tuple(PublishedRow(name, blank, source, mean) for name, mean, source in _MBEIR_MEANS[pool])
    return PublishedTable(
        f"{pool} pool" + ("s" if pool == "local" else ""),
        columns,
        (*rows, *further),
        _cited((*rows, *further)),
        has_mean=True,
    )


def _cited(rows: tuple[PublishedRow, ...]) -> dict[str, str]:
    """Return the sources that rows name, in the order of all."""
    named = {row.source for row in rows}
    return {key: said for key, said in _SOURCES.items() if key in named}
