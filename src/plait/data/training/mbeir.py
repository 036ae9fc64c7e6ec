"""Training rows of M-BEIR (TIGER-Lab/M-BEIR), their candidates and instructions, read as UniIR trains.

query       {"qid", "query_txt", "query_img_path", "query_modality", "pos_cand_list", "neg_cand_list"};
            texts and paths may be null; candidates are ids, or objects of a "did" alone
cand_pool   {"did", "txt", "img_path", "modality"}
tsv         a line of headings, then query_modality, cand_modality, dataset_name, dataset_id and any
            number of prompts, separated by tabs

query_src_content, src_content and task_id are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from plait.data.training.drawing import drawn, generator
from plait.data.training.examples import BadRow, Example, Side, TrainingSource
from plait.data.training.fields import id_of, ids_of, several, text_of
from plait.data.training.files import Paths, files_of, fingerprint
from plait.data.training.index import LineIndex, LineReader
from plait.data.training.lines import Row, examples, json_rows
from plait.data.training.mixture import Mixture, Part
from plait.data.training.pictures import PictureFolder
from plait.errors import InputError

# Rows of these are repeated up to so many in UniIR's mbeir_union_up_train.jsonl.
UP_SAMPLED = {"webqa": 100_000, "edis": 50_000, "nights": 50_000, "fashioniq": 50_000, "cirr": 50_000}
_ENDS = (".", "?", "!")

# By a data set's id, a query's modality and a candidate's.
Prompts = Mapping[tuple[str, str, str], tuple[str, ...]]


class MBeirSource:
    """Examples of M-BEIR's training files.

    An index of the pool takes 16 bytes of memory a candidate: 90 MB for all 5.6 million.

    Args:
        paths: files of queries, such as query/union_train/mbeir_union_up_train.jsonl, or patterns.
        pool: the files their candidates are in.
        root: folder of M-BEIR, which the paths of pictures (mbeir_images/...) start from.
        instructions: the file of instructions, of which one is drawn; None: texts without any.
        hard_negatives: so many are drawn of each row's own; of fewer, some are taken twice, as in
            UniIR. Rows without any have none. UniIR's released models were trained with 0.
        name: for reports; None: the first file's name without its ending.
        seed: of the positive, the negatives and the instruction drawn; a row that repeats an earlier
            one draws anew.
        check_headers: see `PictureFolder`.

    Raises:
        MissingPathError: a file or the folder is not there.
        InputError: the instructions cannot be read, or a negative number of negatives.
    """

    def __init__(
        self,
        paths: Paths,
        *,
        pool: Paths,
        root: str | Path,
        instructions: str | Path | None = None,
        hard_negatives: int = 0,
        name: str | None = None,
        seed: int = 0,
        check_headers: bool = False,
    ) -> None:
        if hard_negatives < 0:
            raise InputError(f"hard_negatives is {hard_negatives}: expected 0 or more")
        self.files = files_of(paths, what="M-BEIR queries")
        self.pool = files_of(pool, what="M-BEIR candidates")
        self.name = name or self.files[0].stem
        self.seed = seed
        self.hard_negatives = hard_negatives
        told = files_of(instructions, what="M-BEIR instructions") if instructions is not None else ()
        self._prompts = prompts_of(told[0]) if told else None
        self._pictures = PictureFolder(root, headers=check_headers)

    def __iter__(self) -> Iterator[Example | BadRow]:
        yield from self._index.problems
        with self._index.reading() as pool:
            for file in self.files:
                yield from examples(json_rows(file), partial(self._example, pool))

    def fingerprint(self) -> str:
        """Return a hash of the settings and the state of the files, pictures not among them."""
        pictures = self._pictures
        settings = (self.name, len(self.files), self._prompts, self.hard_negatives, self.seed)
        files = (*self.files, *self.pool)
        return fingerprint("mbeir", *settings, pictures.root, pictures.headers, files=files)

    @cached_property
    def _index(self) -> LineIndex:
        return LineIndex(self.pool, key="did")

    def _example(self, pool: LineReader, row: Row) -> Example:
        values, name = row.values, id_of(row.values, "qid")
        purpose = f"{name}@{row.offset}"
        positives = candidates_of(values, "pos_cand_list")
        if not positives:
            raise InputError('expected "pos_cand_list", a list of candidates\' ids, got none')
        positive = self._candidate(pool, drawn(positives, seed=self.seed, purpose=f"positive of {purpose}"))
        negatives = [self._candidate(pool, did) for did in self._negatives(values, purpose)]
        documents = tuple(self._document(candidate) for candidate in (positive, *negatives))
        return Example(name, self._query(values, name, purpose, text_of(positive, "modality")), documents)

    def _query(self, values: Mapping[str, Any], name: str, purpose: str, asked: str) -> Side:
        """Return the query with an instruction to find candidates of the modality asked for."""
        text, image = text_of(values, "query_txt"), text_of(values, "query_img_path")
        if not text.strip() and not image:
            raise InputError("the query has neither text nor image")
        if self._prompts is None:
            return Side(formatted(text), self._pictures.find(image))
        key = (name.partition(":")[0], text_of(values, "query_modality"), asked)
        prompts = self._prompts.get(key)
        if not prompts:
            raise InputError(
                f"no instruction for data set {key[0]!r}, queries of {key[1]!r} and candidates of "
                f"{key[2]!r}: expected one in the file of instructions"
            )
        prompt = drawn(prompts, seed=self.seed, purpose=f"instruction of {purpose}")
        return Side(prompted(prompt, text), self._pictures.find(image))

    def _negatives(self, values: Mapping[str, Any], purpose: str) -> list[str]:
        """Return the ids of the row's hard negatives, from the first again where they are too few."""
        there = candidates_of(values, "neg_cand_list")
        if not self.hard_negatives or not there:
            return []
        generator(self.seed, f"negatives of {purpose}").shuffle(there)
        return [there[k % len(there)] for k in range(self.hard_negatives)]

    def _candidate(self, pool: LineReader, did: str) -> dict[str, Any]:
        found = pool.find(did)
        if found is None:
            raise InputError(f"candidate {did!r} is not in the pool")
        return found

    def _document(self, candidate: Mapping[str, Any]) -> Side:
        side = Side(formatted(text_of(candidate, "txt")), self._pictures.find(text_of(candidate, "img_path")))
        if not side:
            raise InputError(f"candidate {candidate.get('did')!r} has neither text nor image")
        return side


def up_sampled(sources: Mapping[str, TrainingSource], *, seed: int = 0) -> Mixture:
    """Return the mixture of M-BEIR's data sets that UniIR trains on: small ones are repeated.

    UniIR keeps each row once and draws the rest with replacement; here all rows are repeated as often
    as they fit, and the rest is drawn without.

    Args:
        sources: by data set, in small letters: "webqa", "cirr", ...; those not in `UP_SAMPLED` are
            taken as they are.
    """
    parts = [Part(source, rows=UP_SAMPLED.get(name)) for name, source in sources.items()]
    return Mixture(parts, name="mbeir_union_up", seed=seed)


def formatted(text: str) -> str:
    """Return a text in M-BEIR's form: no double quotes around it, a capital at its start, a stop at its end.

    Carriage returns are dropped. "" of nothing.
    """
    text = text.replace("\r", "").strip().strip('"')
    if not text:
        return ""
    text = text[0].upper() + text[1:]
    return text if text.endswith(_ENDS) else text + "."


def prompted(prompt: str, text: str) -> str:
    """Return a query's text behind an instruction, each in M-BEIR's form."""
    return formatted(f"{formatted(prompt)} {text}")


def prompts_of(file: Path) -> Prompts:
    """Return the prompts of a file of instructions.

    Raises:
        InputError: not UTF-8, a line of too few columns, or no prompts at all.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not UTF-8 ({error.reason} at byte {error.start}): convert it") from error
    found: dict[tuple[str, str, str], tuple[str, ...]] = {}
    for number, line in enumerate(lines[1:], 2):
        columns = [column.strip() for column in line.split("\t")]
        if not any(columns):
            continue
        prompts = tuple(prompt for prompt in columns[4:] if prompt)
        if not prompts:
            raise InputError(
                f"{file}:{number}: {len(columns)} columns; expected query_modality, cand_modality, "
                "dataset_name, dataset_id and at least one prompt, separated by tabs"
            )
        found[columns[3], columns[0], columns[1]] = prompts
    if not found:
        raise InputError(f"{file}: no instructions; expected a line of headings, then one a task")
    return found


def candidates_of(values: Mapping[str, Any], key: str) -> list[str]:
    """Return ids that are given alone or as objects of a "did"."""
    given = [one.get("did") if isinstance(one, dict) else one for one in several(values.get(key))]
    return ids_of({key: given}, key)
