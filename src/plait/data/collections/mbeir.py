"""M-BEIR's 16 test tasks (TIGER-Lab/M-BEIR), each over its own pool and over the union of all pools.

query/test/mbeir_{task}_test.jsonl              {"qid", "query_txt", "query_img_path", "query_modality",
                                                 "pos_cand_list"}; texts and paths may be null
qrels/test/mbeir_{task}_test_qrels.txt          query 0 candidate relevance task
cand_pool/local/mbeir_{task}_cand_pool.jsonl    {"did", "txt", "img_path", "modality"}; MSCOCO's end in
                                                 _test_cand_pool.jsonl
cand_pool/global/mbeir_union_test_cand_pool.jsonl
instructions/query_instructions.tsv

query_src_content, src_content, neg_cand_list and task_id are not read. Ids stay the strings they are;
UniIR's whole numbers for them are only what its index needs. What is relevant is said by the qrels;
pos_cand_list only serves to choose the instruction.

Source: Wei et al., UniIR (arXiv 2311.17136), and its evaluation code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from plait.data.collections.candidates import CandidateFiles, Watch, read_pool
from plait.data.collections.mbeir_files import TASKS, MBeirFiles
from plait.data.collections.pools import Pool, PoolQuery, PoolTask, bounded_problems
from plait.data.collections.problems import Problems
from plait.data.collections.tasks import chosen, first_of, kind_of, known, queries
from plait.data.collections.trec import Judgement, judgements
from plait.data.training.drawing import drawn
from plait.data.training.examples import Side
from plait.data.training.fields import text_of
from plait.data.training.lines import Row, json_rows
from plait.data.training.mbeir import Prompts, candidates_of, formatted, prompted, prompts_of
from plait.data.training.pictures import PictureFolder
from plait.errors import InputError, MissingPathError

POOLS = ("local", "union")
# What a task's candidates are of, by its number.
_CANDIDATES = {
    0: "image",
    1: "text",
    2: "image,text",
    3: "text",
    4: "image",
    6: "text",
    7: "image",
    8: "image,text",
}

Instructions = Literal["first", "random"]


def read_mbeir(
    folder: str | Path,
    *,
    tasks: Sequence[str] | None = None,
    pools: Sequence[str] = POOLS,
    instructions: Instructions | None = "first",
    seed: int = 0,
    images: str | Path | None = None,
    strict: bool = False,
    watch: Watch | None = None,
) -> list[PoolTask]:
    """Return M-BEIR's test tasks; all share one union pool.

    Rows that cannot be used, queries whose picture is missing, and judgements of unknown queries and
    candidates are left out and listed in the task's `problems`. A candidate whose picture is missing
    keeps its words, and is listed in its pool's.

    Where the union's file is not there, the union is the local pools of all 16 tasks one after another;
    where one of these is not there either, tasks have no union pool, and say why.

    Args:
        tasks: "mscoco_task0", ...; None: all that are there.
        pools: "local", "union", or both.
        instructions: "first", the first one published for the query's data set, its modality and that of
            its first relevant candidate of the same data set; "random", one of these drawn for each
            query, as in UniIR; None: queries without.
        seed: of the instructions drawn; each depends on it and on the query's id alone.
        images: the folder that pictures' paths (mbeir_images/...) start from; None: `folder`.
        strict: stop at the first problem.
        watch: called with each file before it is read.

    Raises:
        MissingPathError: a folder or a file is not there, or none of the pools.
        InputError: an unknown task, pool or way of instructing; no query or candidate that can be used;
            or `strict`, and there is a problem: the message begins with file and line.
    """
    files = MBeirFiles(Path(folder))
    _check(files.root, pools, instructions)
    prompts = _prompts(files.instructions) if instructions is not None else None
    pictures = PictureFolder(files.root if images is None else images)
    names = chosen(
        tasks,
        TASKS,
        there=lambda name: files.queries(name).is_file(),
        missing=lambda name: files.missing(name, local="local" in pools),
    )
    drafts = [_draft(files, name, pictures, bounded_problems(strict=strict), watch) for name in names]
    read = partial(_pool, pictures=pictures, strict=strict, watch=watch)
    if "local" in pools:
        for draft in drafts:
            draft.add("local", *read(draft.name, [files.local(draft.name)], draft.wanted))
    if "union" in pools and (union := _union(files, drafts, alone="local" not in pools)):
        shared = read("union", union, set().union(*(draft.wanted for draft in drafts)))
        for draft in drafts:
            draft.add("union", *shared)
    return [draft.task(prompts, seed=seed if instructions == "random" else None) for draft in drafts]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A query before its instruction is known.

    Attributes:
        modality: "text", "image" or "image,text", as its file says.
        positive: the first of its relevant candidates from its own data set, "" of none.
    """

    place: str
    id: str
    words: str
    picture: str
    kind: str
    modality: str
    positive: str


@dataclass(frozen=True, slots=True)
class _Draft:
    """A task before its queries are instructed.

    Attributes:
        judged: grades above 0, of its queries.
        wanted: the candidates that are judged, or decide on an instruction.
        found: which pool -> candidates wanted, by some task, that are in it -> their modality.
    """

    name: str
    asked: Sequence[_Asked]
    judged: Sequence[Judgement]
    wanted: Set[str]
    problems: Problems
    pools: dict[str, Pool] = field(default_factory=dict)
    found: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def add(self, which: str, pool: Pool, found: Mapping[str, str]) -> None:
        """Search a pool, too."""
        self.pools[which], self.found[which] = pool, found

    def task(self, prompts: Prompts | None, *, seed: int | None) -> PoolTask:
        """Return the task.

        Args:
            seed: of the instructions drawn; None: the first of each.
        """
        instructed: dict[str, PoolQuery] = {}
        for asked in self.asked:
            try:
                instructed[asked.id] = self._query(asked, prompts, seed)
            except InputError as error:
                wrong = str(error)
            else:
                continue
            self.problems.report(asked.place, wrong)
        if not instructed:
            raise InputError(f"{self.name}: no query that can be used{first_of(self.problems)}")
        judged = [one for one in self.judged if one.query in instructed]
        relevant = {one.query for one in judged}
        for asked in self.asked:
            if asked.id in instructed and asked.id not in relevant:
                self.problems.report(asked.place, "no candidate is relevant to the query: it counts as 0")
        qrels = known(judged, instructed, self.found, self.problems)
        asked_so = tuple(instructed.values())
        return PoolTask(self.name, asked_so, qrels, self.pools, _measures(self.name), self.problems)

    def _query(self, asked: _Asked, prompts: Prompts | None, seed: int | None) -> PoolQuery:
        bare = formatted(asked.words)
        if prompts is None:
            return PoolQuery(asked.id, Side(bare, asked.picture), asked.kind, bare=bare)
        found = (modalities.get(asked.positive) for modalities in self.found.values())
        modality = next(filter(None, found), _CANDIDATES[int(self.name[-1])])
        key = (_dataset(asked.id), asked.modality, modality)
        if not (published := prompts.get(key)):
            raise InputError(
                f"no instruction for data set {key[0]!r}, queries of {key[1]!r} and candidates of "
                f"{key[2]!r}: expected one among the instructions"
            )
        prompt = published[0]
        if seed is not None:
            prompt = drawn(published, seed=seed, purpose=f"instruction of {asked.id}")
        side = Side(prompted(prompt, asked.words), asked.picture)
        return PoolQuery(asked.id, side, asked.kind, bare=bare)


def _check(root: Path, pools: Sequence[str], instructions: str | None) -> None:
    if not root.is_dir():
        raise MissingPathError(f"{root}: no such folder; expected M-BEIR's, which holds query and cand_pool")
    if not pools or (unknown := sorted(set(pools) - set(POOLS))):
        raise InputError(f"pools: {', '.join(unknown) if pools else 'none'}; expected local, union or both")
    if instructions not in ("first", "random", None):
        raise InputError(f"instructions: {instructions!r}; expected 'first', 'random' or None")


def _prompts(file: Path) -> Prompts:
    if not file.is_file():
        raise MissingPathError(f"{file}: not there; without instructions, ask for none (instructions=None)")
    return prompts_of(file)


def _draft(
    files: MBeirFiles, name: str, pictures: PictureFolder, problems: Problems, watch: Watch | None
) -> _Draft:
    file = files.queries(name)
    if watch:
        watch(file)
    asked = list(queries(json_rows(file), partial(_asked, pictures=pictures), problems, key="qid"))
    if not asked:
        raise InputError(f"{file}: no query that can be used{first_of(problems)}")
    judged = list(_judged(files.qrels(name), {one.id for one in asked}, problems))
    wanted = {one.document for one in judged} | {one.positive for one in asked}
    return _Draft(name, asked, judged, wanted, problems)


def _asked(row: Row, name: str, *, pictures: PictureFolder) -> _Asked:
    values = row.values
    words, picture = text_of(values, "query_txt"), pictures.find(text_of(values, "query_img_path"))
    kind, modality = kind_of(formatted(words), picture), text_of(values, "query_modality")
    own = (one for one in candidates_of(values, "pos_cand_list") if _dataset(one) == _dataset(name))
    return _Asked(row.place, name, words, picture, kind, modality, next(own, ""))


def _judged(file: Path, asked: Set[str], problems: Problems) -> Iterator[Judgement]:
    """Yield the judgements above 0 of queries that are asked."""
    for one in judgements(file, report=problems.report):
        if one.grade > 0 and one.query in asked:
            yield one
        elif one.grade > 0:
            problems.report(one.place, f"judges query {one.query!r}, which is none of those that can be used")


def _union(files: MBeirFiles, drafts: Sequence[_Draft], *, alone: bool) -> list[Path]:
    """Return the files of the union pool; [] where there are none, which every task then tells.

    Raises:
        MissingPathError: there are none, and no other pool was asked for.
    """
    try:
        return files.union()
    except MissingPathError as error:
        if alone:
            raise
        place, _, reason = str(error).partition(": ")
    for draft in drafts:
        draft.problems.report(place, reason)
    return []


def _pool(
    name: str,
    files: Sequence[Path],
    wanted: Set[str],
    *,
    pictures: PictureFolder,
    strict: bool,
    watch: Watch | None,
) -> tuple[Pool, dict[str, str]]:
    """Return a pool, and which candidates wanted are in it, with their modalities."""
    found: dict[str, str] = {}

    def meet(candidate: str, values: Mapping[str, Any]) -> None:
        if candidate in wanted:
            found.setdefault(candidate, str(values.get("modality") or ""))

    source = CandidateFiles(
        form="mbeir",
        files=files,
        rows=json_rows,
        key="did",
        words=lambda values: formatted(text_of(values, "txt")),
        picture="img_path",
        pictures=pictures,
    )
    return read_pool(source, name, meet=meet, strict=strict, watch=watch), found


def _dataset(name: str) -> str:
    return name.partition(":")[0]


def _measures(name: str) -> tuple[str, ...]:
    if name.startswith("fashion"):
        return ("success@10", "success@20", "success@50")
    return ("success@5", "success@1", "success@10")
