"""M-BEIR's files as UniIR's evaluation reads them, into tasks that were worked out by hand."""

from __future__ import annotations

import pytest
from tests.helpers.official_formats import (
    local_pool,
    mbeir_candidate,
    mbeir_query,
    write_lines,
    write_mbeir,
    write_mbeir_instructions,
    write_mbeir_union,
    write_picture,
)

from plait.data.collections.mbeir import read_mbeir
from plait.data.collections.mbeir_files import TASKS
from plait.data.collections.pools import Candidate, PoolQuery
from plait.data.training.examples import Side
from plait.errors import InputError, MissingPathError

CAPTION = "A man with a red helmet on a small moped on a dirt road."
COCO = mbeir_query("9:1", CAPTION, ["9:1"])
COCO_POOL = [
    mbeir_candidate("9:1", None, "mbeir_images/moped.jpg"),
    mbeir_candidate("9:2", None, "mbeir_images/blue.png"),
]
INSTRUCTIONS = (
    ("text", "image", "MSCOCO", "9", "find an image of this", "", "show me", "which picture?"),
    ("image,text", "text", "OVEN", "5", "what is it"),
    ("image,text", "image,text", "OVEN", "5", "what is it, with a picture"),
    ("image,text", "image,text", "INFOSEEK", "6", '"tell me," shown'),
    ("image", "text", "MSCOCO", "9", "describe it"),
)


@pytest.fixture
def root(tmp_path):
    write_picture(tmp_path / "mbeir_images" / "moped.jpg")
    write_picture(tmp_path / "mbeir_images" / "blue.png", "blue")
    write_mbeir_instructions(tmp_path, *INSTRUCTIONS)
    return tmp_path


@pytest.fixture
def moped(root):
    return str(root / "mbeir_images" / "moped.jpg")


def test_words_ask_for_pictures_in_the_pool_of_mscocos_test(root, moped):
    write_mbeir(root, "mscoco_task0", [COCO], COCO_POOL)
    (task,) = read_mbeir(root, pools=["local"], strict=True)
    assert task.name == "mscoco_task0"
    assert task.queries == (
        PoolQuery("9:1", Side(f"Find an image of this. {CAPTION}"), "text", bare=CAPTION),
    )
    assert task.qrels == {"9:1": {"9:1": 1}}
    assert task.measures == ("success@5", "success@1", "success@10")
    pool = task.pools["local"]
    assert (pool.name, pool.size, list(task.pools)) == ("mscoco_task0", 2, ["local"])
    blue = str(root / "mbeir_images" / "blue.png")
    expected = [Candidate("9:1", Side("", moped)), Candidate("9:2", Side("", blue))]
    assert list(pool.read()) == list(pool.read()) == expected
    assert local_pool(root, "mscoco_task0").name == "mbeir_mscoco_task0_test_cand_pool.jsonl"


def test_pictures_ask_for_words_with_the_instruction_alone(root, moped):
    query = mbeir_query("9:3", None, ["9:5"], picture="mbeir_images/moped.jpg", task=3)
    pool = [mbeir_candidate("9:5", ' "a\r moped" '), mbeir_candidate("9:6", 'is it "new"?')]
    write_mbeir(root, "mscoco_task3", [query], pool)
    (task,) = read_mbeir(root, pools=["local"], strict=True)
    assert task.queries == (PoolQuery("9:3", Side("Describe it.", moped), "image"),)
    found = list(task.pools["local"].read())
    assert found == [Candidate("9:5", Side("A moped.")), Candidate("9:6", Side('Is it "new"?'))]


def infoseek(root):
    """Write a task whose query has a positive of another data set before its own."""
    query = mbeir_query(
        "6:1",
        "how high is\r it",
        ["5:9", "6:4"],
        picture="mbeir_images/moped.jpg",
        task=8,
        source={"question_type": "Numerical"},
    )
    pool = [
        mbeir_candidate("5:9", "a passage", "mbeir_images/blue.png"),
        mbeir_candidate("6:4", "another", "mbeir_images/blue.png"),
    ]
    write_mbeir(root, "infoseek_task8", [query], pool)


def test_the_instruction_is_that_of_its_own_data_set(root, moped):
    infoseek(root)
    (task,) = read_mbeir(root, pools=["local"], strict=True)
    # The instruction's first quotation mark goes, as in the official code: the other one is not at an end.
    text = 'Tell me," shown. how high is it.'
    assert task.queries == (PoolQuery("6:1", Side(text, moped), "text+image", bare="How high is it."),)
    assert task.qrels == {"6:1": {"5:9": 1, "6:4": 1}}
    blue = str(root / "mbeir_images" / "blue.png")
    assert next(iter(task.pools["local"].read())) == Candidate("5:9", Side("A passage.", blue))


def test_the_modality_of_what_is_relevant_chooses_the_instruction(root):
    pictured, words = (
        mbeir_query(name, "what", [f"5:{name[2]}"], picture="mbeir_images/moped.jpg", task=6)
        for name in ("5:1", "5:2")
    )
    pool = [mbeir_candidate("5:1", "one", "mbeir_images/blue.png"), mbeir_candidate("5:2", "two")]
    lost = {**words, "qid": "5:3", "pos_cand_list": ["5:7"]}  # then it is what the task asks for
    write_mbeir(root, "oven_task6", [pictured, words, lost], pool, qrels=["5:1 0 5:1 1 6", "5:2 0 5:2 1 6"])
    (task,) = read_mbeir(root, pools=["local"])
    assert [query.side.text for query in task.queries] == [
        "What is it, with a picture. what.",
        "What is it. what.",
        "What is it. what.",
    ]


def test_instructions_are_drawn_by_seed_and_id_alone_or_left_out(root):
    queries = [mbeir_query(f"9:{n}", "a dog", ["9:1"]) for n in range(60)]
    write_mbeir(root, "mscoco_task0", queries, COCO_POOL)

    def texts(**options):
        (task,) = read_mbeir(root, pools=["local"], strict=True, **options)
        return {query.id: query.side.text for query in task.queries}

    first = texts()
    assert set(first.values()) == {"Find an image of this. a dog."}
    assert set(texts(instructions=None).values()) == {"A dog."}
    drawn = texts(instructions="random", seed=1)
    assert set(drawn.values()) == {
        "Find an image of this. a dog.",
        "Show me. a dog.",
        "Which picture? a dog.",
    }
    assert texts(instructions="random", seed=2) != drawn
    write_mbeir(root, "mscoco_task0", queries[::-2], COCO_POOL)
    fewer = texts(instructions="random", seed=1)
    assert len(fewer) == 30
    assert fewer.items() <= drawn.items()


def test_the_union_is_shared_and_holds_the_candidates_of_all(root):
    write_mbeir(root, "mscoco_task0", [COCO], COCO_POOL)
    infoseek(root)
    blue = "mbeir_images/blue.png"
    others = [mbeir_candidate("5:9", "a passage", blue), mbeir_candidate("6:4", "another", blue)]
    write_mbeir_union(root, [*COCO_POOL, *others])
    coco, info = read_mbeir(root, strict=True)
    assert list(coco.pools) == list(info.pools) == ["local", "union"]
    union = coco.pools["union"]
    assert union is info.pools["union"]
    assert (union.name, union.size) == ("union", 4)
    assert [candidate.id for candidate in union.read()] == ["9:1", "9:2", "5:9", "6:4"]
    assert union.fingerprint != coco.pools["local"].fingerprint
    (alone,) = read_mbeir(root, tasks=["Infoseek-Task8"], pools=["union"], strict=True)
    assert (alone.queries, list(alone.pools)) == (info.queries, ["union"])


def test_without_its_file_the_union_is_the_local_pools_in_order(root):
    write_mbeir(root, "mscoco_task0", [COCO], COCO_POOL)
    for number, name in reversed(list(enumerate(TASKS))):
        if name != "mscoco_task0":
            write_lines(local_pool(root, name), [mbeir_candidate(f"{number}:0", name)])
    (task,) = read_mbeir(root, strict=True)
    names = [candidate.id for candidate in task.pools["union"].read()]
    assert names == ["0:0", "9:1", "9:2", *(f"{number}:0" for number in range(2, 16))]
    local_pool(root, "nights_task4").unlink()
    (task,) = read_mbeir(root)
    assert list(task.pools) == ["local"]
    (problem,) = task.problems
    assert problem.place.endswith("cand_pool/global/mbeir_union_test_cand_pool.jsonl")
    assert problem.message.endswith("mbeir_nights_task4_cand_pool.jsonl of the local pools are missing")
    with pytest.raises(InputError, match="nor can it be put together"):
        read_mbeir(root, strict=True)
    with pytest.raises(MissingPathError, match="nor can it be put together"):
        read_mbeir(root, pools=["union"])


@pytest.mark.parametrize("name", TASKS)
def test_each_task_has_the_papers_measure_first(root, name):
    query = mbeir_query("9:1", CAPTION, ["9:1"])
    write_mbeir(root, name, [query], COCO_POOL)
    (task,) = read_mbeir(root, pools=["local"], instructions=None, strict=True)
    fashion = name in ("fashion200k_task0", "fashion200k_task3", "fashioniq_task7")
    of_fashion = ("success@10", "success@20", "success@50")
    assert task.measures == (of_fashion if fashion else ("success@5", "success@1", "success@10"))


def test_judgements_above_nothing_count_and_unknown_ones_are_named(root):
    qrels = [
        "9:1 0 9:1 1 0",
        "",
        "9:1 0 9:2 0 0",
        "9:1 0 9:78 -1 0",
        "9:8 0 9:1 1 0",
        "9:1 0 9:77 1 0",
        "9:1 0 9:2",
        "9:1 0 9:2 one 0",
        "9:1 0 9:1 2 0",
    ]
    write_mbeir(root, "mscoco_task0", [COCO, mbeir_query("9:4", "b", [])], COCO_POOL, qrels=qrels)
    (task,) = read_mbeir(root, pools=["local"])
    assert task.qrels == {"9:1": {"9:1": 1}, "9:4": {}}
    file = f"{root}/qrels/test/mbeir_mscoco_task0_test_qrels.txt"
    assert [str(problem) for problem in task.problems] == [
        f"{file}:5: judges query '9:8', which is none of those that can be used",
        f"{file}:7: expected 4 or 5 columns (query 0 document grade), got 3",
        f"{file}:8: expected a whole number as grade (column 4), got 'one'",
        f"{file}:9: document '9:1' is judged twice for query '9:1'",
        f"{root}/query/test/mbeir_mscoco_task0_test.jsonl:2: "
        "no candidate is relevant to the query: it counts as 0",
        f"{file}:6: candidate '9:77', relevant to query '9:1', is not in the local pool",
    ]
    with pytest.raises(InputError, match=r"qrels\.txt:5: "):
        read_mbeir(root, pools=["local"], strict=True)


def test_a_candidate_that_the_union_lacks_is_named_and_kept(root):
    write_mbeir(root, "mscoco_task0", [COCO], COCO_POOL)
    write_mbeir_union(root, COCO_POOL[1:])
    (task,) = read_mbeir(root)
    assert task.qrels == {"9:1": {"9:1": 1}}
    assert [problem.message for problem in task.problems] == [
        "candidate '9:1', relevant to query '9:1', is not in the union pool"
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        (COCO, "the id '9:1' is that of an earlier query, which counts"),
        (mbeir_query("9:2", None, ["9:1"]), "the query has neither words nor a picture"),
        (mbeir_query("9:2", ' "" ', ["9:1"]), "the query has neither words nor a picture"),
        (mbeir_query("9:2", "a", ["9:1"], picture="mbeir_images/gone.jpg"), "gone.jpg' does not exist"),
        (
            mbeir_query("4:2", "a", ["4:1"]),
            "no instruction for data set '4', queries of 'text' and candidates",
        ),
        ({**COCO, "qid": None}, 'expected "qid"'),
        ({**COCO, "qid": "9:2", "pos_cand_list": [{}]}, 'expected "pos_cand_list"'),
    ],
)
def test_a_query_that_cannot_be_used_is_left_out_and_named(root, line, message):
    write_mbeir(root, "mscoco_task0", [COCO, line], COCO_POOL, qrels=["9:1 0 9:1 1 0"])
    (task,) = read_mbeir(root, pools=["local"])
    assert [query.id for query in task.queries] == ["9:1"] == list(task.qrels)
    (problem,) = task.problems
    assert problem.place == f"{root}/query/test/mbeir_mscoco_task0_test.jsonl:2"
    assert message in problem.message
    with pytest.raises(InputError, match=r"mscoco_task0_test\.jsonl:2: "):
        read_mbeir(root, pools=["local"], strict=True)


def test_windows_lines_marks_and_objects_as_positives_are_read(root):
    query = {**COCO, "pos_cand_list": [{"did": "9:1"}]}
    write_mbeir(root, "mscoco_task0", [COCO], COCO_POOL)
    write_lines(root / "query/test/mbeir_mscoco_task0_test.jsonl", [query], newline=b"\r\n", mark=True)
    qrels = root / "qrels/test/mbeir_mscoco_task0_test_qrels.txt"
    write_lines(qrels, ["9:1\t0\t9:1\t1\t0"], newline=b"\r\n", mark=True)
    write_lines(local_pool(root, "mscoco_task0"), COCO_POOL, newline=b"\r\n", mark=True)
    (task,) = read_mbeir(root, pools=["local"], strict=True)
    assert task.qrels == {"9:1": {"9:1": 1}}
    assert task.pools["local"].size == 2


def test_files_and_options_that_are_not_there_are_named(root):
    with pytest.raises(MissingPathError, match="no such folder; expected M-BEIR's"):
        read_mbeir(root / "nowhere")
    with pytest.raises(MissingPathError, match=r"visualnews_task0_test\.jsonl: not there, nor the queries"):
        read_mbeir(root)
    with pytest.raises(InputError, match="'mscoco'; expected some of visualnews_task0, mscoco_task0"):
        read_mbeir(root, tasks=["mscoco"])
    with pytest.raises(InputError, match="pools: global; expected local, union or both"):
        read_mbeir(root, pools=["global"])
    with pytest.raises(InputError, match="pools: none"):
        read_mbeir(root, pools=[])
    with pytest.raises(InputError, match="instructions: 'second'"):
        read_mbeir(root, instructions="second")
    write_mbeir(root, "mscoco_task0", [COCO], COCO_POOL)
    (root / "qrels/test/mbeir_mscoco_task0_test_qrels.txt").unlink()
    with pytest.raises(MissingPathError, match=r"qrels\.txt: not there; the task mscoco_task0 needs it"):
        read_mbeir(root)
    (root / "instructions/query_instructions.tsv").unlink()
    with pytest.raises(MissingPathError, match="without instructions, ask for none"):
        read_mbeir(root)


def test_pictures_may_lie_elsewhere_and_files_are_watched(root, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("pictures")
    for name in ("moped.jpg", "blue.png"):
        write_picture(elsewhere / "mbeir_images" / name)
    write_mbeir(root, "mscoco_task0", [COCO], COCO_POOL)
    watched = []
    (task,) = read_mbeir(root, pools=["local"], images=elsewhere, watch=watched.append, strict=True)
    assert next(iter(task.pools["local"].read())).side.image == str(elsewhere / "mbeir_images" / "moped.jpg")
    assert [file.name for file in watched] == [
        "mbeir_mscoco_task0_test.jsonl",
        "mbeir_mscoco_task0_test_cand_pool.jsonl",
    ]
