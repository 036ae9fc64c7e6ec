"""Tiny collections in the official forms of M2KR, ReT-M2KR and M-BEIR, with real pictures.

Rows have every field of the published ones, those that our readers pass over among them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
from PIL import Image
from pyarrow import parquet

Row = Mapping[str, Any]
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def write_picture(file: Path, colour: str = "red") -> Path:
    """Write a picture of one colour, of 24 x 16 pixels, as the file's ending says."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (24, 16), colour).save(file)
    return file


def write_lines(
    file: Path, rows: Sequence[Row | str | bytes], *, newline: bytes = b"\n", mark: bool = False
) -> Path:
    """Write rows as JSON Lines; texts and bytes go in as they are.

    Args:
        newline: what ends a line, such as CR LF.
        mark: whether the file begins with a byte order mark.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [_bytes(row) + newline for row in rows]
    file.write_bytes((BYTE_ORDER_MARK if mark else b"") + b"".join(lines))
    return file


def m2kr_query(
    name: str | int,
    question: str | None,
    relevant: Sequence[str | int],
    *,
    instruction: str | None = "Using the provided image, obtain documents that address the question: ",
    picture: str | None = None,
    answers: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return a row of M2KR's {name}_data."""
    return {
        "question_id": name,
        "question": question,
        "instruction": instruction,
        "img_path": picture,
        "image_id": None if picture is None else Path(picture).stem,
        "pos_item_ids": list(relevant),
        "pos_item_contents": [f"text of {one}" for one in relevant],
        "answers": None if answers is None else list(answers),
        "gold_answer": answers[0] if answers else None,
    }


def write_m2kr(
    folder: Path,
    name: str,
    queries: Sequence[Row],
    passages: Sequence[tuple[str | int, str | None]],
    *,
    shards: int = 1,
) -> None:
    """Write {name}_data and {name}_passages, with splits of training that evaluation passes over.

    Args:
        name: "EVQA", "LLaVA", ...
        queries: of `m2kr_query`.
        passages: id and text.
        shards: into so many files the passages go.
    """
    data, texts = folder / f"{name}_data", folder / f"{name}_passages"
    other = m2kr_query("of-training", "Of training?", ["of-training"])
    write_parquet(data / "test-00000-of-00001.parquet", queries)
    for split in ("train", "valid"):
        write_parquet(data / f"{split}-00000-of-00001.parquet", [other])
        rows = [{"passage_id": "of-training", "passage_content": "Of training."}]
        write_parquet(texts / f"{split}_passages-00000-of-00001.parquet", rows)
    rows = [{"passage_id": one, "passage_content": text} for one, text in passages]
    size = -(-len(rows) // shards)
    for shard in range(shards):
        file = texts / f"test_passages-{shard:05}-of-{shards:05}.parquet"
        write_parquet(file, rows[shard * size : (shard + 1) * size])


def write_parquet(file: Path, rows: Sequence[Row]) -> Path:
    """Write rows as a Parquet file; a column that is null everywhere is one of texts."""
    file.parent.mkdir(parents=True, exist_ok=True)
    table = pyarrow.Table.from_pylist([dict(row) for row in rows])
    for number, column in enumerate(table.schema):
        if pyarrow.types.is_null(column.type):
            table = table.set_column(number, column.name, table[column.name].cast(pyarrow.string()))
    parquet.write_table(table, file)
    return file


def ret_query(
    name: str | int,
    question: str | None,
    relevant: str | int | Sequence[str | int],
    *,
    instruction: str | None = "Using the provided image, obtain documents that address the question:",
    picture: str | None = None,
    answers: Sequence[str | Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Return a row of ReT-M2KR's {name}_test.jsonl."""
    several = isinstance(relevant, Sequence) and not isinstance(relevant, str)
    return {
        "data_id": name,
        "instruction": instruction,
        "question": question,
        "image_path": picture,
        "passage_id": list(relevant) if several else relevant,  # type: ignore[arg-type]
        "passage_text": [f"text of {one}" for one in relevant] if several else f"text of {relevant}",  # type: ignore[union-attr]
        "answer": answers,
    }


def ret_passage(name: str | int, text: str | None, picture: str | None = None) -> dict[str, Any]:
    """Return a row of ReT-M2KR's {name}_passages_test.jsonl."""
    return {"passage_id": name, "passage_text": text, "passage_image_path": picture}


def write_ret_m2kr(
    folder: Path, name: str, queries: Sequence[Row], passages: Sequence[Row], *, place: str = "passages"
) -> None:
    """Write a data set of ReT-M2KR below jsonl/m2kr, as its scripts name the files.

    Args:
        name: "okvqa", "evqa", ...
        place: the folder of the passages: "passages", or "test" for that of the queries.
    """
    special = "_m2kr" if name == "evqa" else ""
    write_lines(folder / f"jsonl/m2kr/test/{name}_test{special}.jsonl", queries)
    write_lines(folder / f"jsonl/m2kr/{place}/{name}_passages_test.jsonl", passages)


def mbeir_query(
    name: str,
    text: str | None,
    relevant: Sequence[str],
    *,
    picture: str | None = None,
    task: int = 0,
    source: Row | None = None,
) -> dict[str, Any]:
    """Return a row of M-BEIR's query files."""
    return {
        "qid": name,
        "query_txt": text,
        "query_img_path": picture,
        "query_modality": _modality(text, picture),
        "query_src_content": None if source is None else json.dumps(source),
        "pos_cand_list": list(relevant),
        "neg_cand_list": [],
        "task_id": task,
    }


def mbeir_candidate(name: str, text: str | None, picture: str | None = None) -> dict[str, Any]:
    """Return a row of M-BEIR's pools."""
    return {
        "did": name,
        "txt": text,
        "img_path": picture,
        "modality": _modality(text, picture),
        "src_content": json.dumps({"of": name}),
    }


def write_mbeir(
    folder: Path,
    task: str,
    queries: Sequence[Row],
    candidates: Sequence[Row],
    *,
    qrels: Sequence[str] | None = None,
) -> None:
    """Write the queries, judgements and local pool of a test task.

    Args:
        task: "mscoco_task0", ...
        qrels: lines of five columns; None: one for each relevant candidate of each query.
    """
    write_lines(folder / f"query/test/mbeir_{task}_test.jsonl", queries)
    write_lines(local_pool(folder, task), candidates)
    if qrels is None:
        qrels = [f"{q['qid']} 0 {did} 1 {q['task_id']}" for q in queries for did in q["pos_cand_list"]]
    write_lines(folder / f"qrels/test/mbeir_{task}_test_qrels.txt", qrels)


def local_pool(folder: Path, task: str) -> Path:
    """Return the file of a task's own pool: MSCOCO alone names its split."""
    split = "_test" if task.startswith("mscoco") else ""
    return folder / f"cand_pool/local/mbeir_{task}{split}_cand_pool.jsonl"


def write_mbeir_union(folder: Path, candidates: Sequence[Row]) -> Path:
    """Write the union pool."""
    return write_lines(folder / "cand_pool/global/mbeir_union_test_cand_pool.jsonl", candidates)


def write_mbeir_instructions(folder: Path, *rows: Sequence[str]) -> Path:
    """Write the file of instructions.

    Args:
        rows: query modality, candidate modality, data set, its id, and prompts, "" for none among them.
    """
    heading = ["query_modality", "cand_modality", "dataset_name", "dataset_id"]
    heading += [f"prompt_{number}" for number in range(1, 5)]
    return write_lines(
        folder / "instructions/query_instructions.tsv", ["\t".join(row) for row in (heading, *rows)]
    )


def _bytes(row: Row | str | bytes) -> bytes:
    if isinstance(row, bytes):
        return row
    return (row if isinstance(row, str) else json.dumps(row)).encode()


def _modality(text: str | None, picture: str | None) -> str:
    return ",".join(name for name, there in (("image", picture), ("text", text)) if there)
