"""M-BEIR's queries, candidates and instructions, as UniIR reads them."""

from __future__ import annotations

import pytest

from plait.data.training.examples import BadRow, Example, Side
from plait.data.training.index import LineIndex
from plait.data.training.mbeir import MBeirSource, formatted, up_sampled
from plait.errors import InputError

CAPTION = "A man with a red helmet on a small moped on a dirt road."
COCO = {
    "qid": "9:1",
    "query_txt": CAPTION,
    "query_img_path": None,
    "query_modality": "text",
    "query_src_content": None,
    "pos_cand_list": ["9:1"],
    "neg_cand_list": [],
    "task_id": 0,
}
CIRR = {
    "qid": "8:5",
    "query_txt": "make it  blue",
    "query_img_path": "mbeir_images/red.png",
    "query_modality": "image,text",
    "query_src_content": '{"a": 1}',
    "pos_cand_list": ["8:2"],
    "neg_cand_list": ["8:3", "8:4"],
    "task_id": 7,
}
INFOSEEK = {
    "qid": "6:7",
    "query_txt": None,
    "query_img_path": "mbeir_images/blue.jpg",
    "query_modality": "image",
    "query_src_content": None,
    "pos_cand_list": [{"did": "6:1"}, {"did": "5:1"}],
    "neg_cand_list": None,
    "task_id": 3,
}
POOL = [
    {"did": "9:1", "txt": None, "img_path": "mbeir_images/red.png", "modality": "image", "src_content": None},
    {
        "did": "8:2",
        "txt": None,
        "img_path": "mbeir_images/blue.jpg",
        "modality": "image",
        "src_content": None,
    },
    {"did": "8:3", "txt": 'the "quoted"', "img_path": None, "modality": "text", "src_content": None},
    {"did": "8:4", "txt": "is it?", "img_path": "mbeir_images/red.png", "modality": "image,text"},
    {"did": "6:1", "txt": "a passage", "img_path": None, "modality": "text"},
    {"did": "5:1", "txt": "another passage!", "img_path": None, "modality": "text"},
    {"did": "6:9", "txt": " ", "img_path": None, "modality": "text"},
]
TSV = (
    "query_modality\tcand_modality\tdataset_name\tdataset_id\tprompt_1\tprompt_2\tprompt_3\n"
    "text\timage\tMSCOCO\t9\tfind an image of this\t\tshow me\n"
    "image,text\timage\tCIRR\t8\tfind this image, changed\n"
    "\n"
    "image\ttext\tINFOSEEK\t6\twhat is said of this?\n"
)


@pytest.fixture
def root(tmp_path, images):
    images.rename(tmp_path / "mbeir_images")
    (tmp_path / "mbeir_images" / "sub" / "blue.jpg").rename(tmp_path / "mbeir_images" / "blue.jpg")
    return tmp_path


@pytest.fixture
def source(lines, root):
    def make(*rows, file="mbeir_union_up_train.jsonl", pool=POOL, instructions=None, **options):
        if instructions is not None:
            options["instructions"] = lines("instructions.tsv", instructions)
        queries = lines(f"query/{file}", *rows)
        return MBeirSource(queries, pool=lines("cand_pool.jsonl", *pool), root=root, **options)

    return make


def test_rows_candidates_and_modalities_are_read(source, split, root):
    red, blue = str(root / "mbeir_images" / "red.png"), str(root / "mbeir_images" / "blue.jpg")
    examples, bad = split(source(COCO, CIRR, INFOSEEK))
    assert bad == []
    assert examples[:2] == [
        Example("9:1", Side(CAPTION), (Side("", red),)),
        Example("8:5", Side("Make it  blue.", red), (Side("", blue),)),
    ]
    assert examples[2].query == Side("", blue)
    assert examples[2].documents in {(Side("A passage."),), (Side("Another passage!"),)}


def test_instructions_are_looked_up_by_data_set_and_both_modalities(source, split):
    made = source(COCO, CIRR, INFOSEEK, instructions=TSV)
    examples, bad = split(made)
    assert bad == []
    assert examples[0].query.text in {f"Find an image of this. {CAPTION}", f"Show me. {CAPTION}"}
    assert examples[1].query.text == "Find this image, changed. make it  blue."
    assert examples[2].query.text == "What is said of this?"
    assert split(made) == (examples, bad)
    drawn = {e.query.text for e in source(*[COCO] * 30, instructions=TSV)}
    assert len(drawn) == 2  # a row that is repeated draws anew


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", ""),
        ('  "" ', ""),
        ("two eggs", "Two eggs."),
        ("Two eggs.", "Two eggs."),
        (' "two\r eggs?" ', "Two eggs?"),
        ('say "no"', 'Say "no.'),  # as published: a quotation mark at the end goes, too
        ("ébène!", "Ébène!"),
        ("a\r\nb", "A\nb."),
    ],
)
def test_texts_are_formatted_as_published(given, expected):
    assert formatted(given) == expected


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (2, 2), (3, 2), (5, 2)])
def test_negatives_are_drawn_and_begin_again_where_they_are_too_few(source, split, count, expected, root):
    three, four = Side('The "quoted.'), Side("Is it?", str(root / "mbeir_images" / "red.png"))
    examples, _ = split(source(COCO, CIRR, hard_negatives=count))
    assert len(examples[0].documents) == 1  # it has none
    negatives = examples[1].documents[1:]
    assert len(negatives) == count
    assert len(set(negatives)) == expected
    assert set(negatives) <= {three, four}
    assert all(one == negatives[k % 2] for k, one in enumerate(negatives))


def test_negatives_and_positives_are_shuffled_by_seed(source):
    def firsts(seed):
        made = source(*[CIRR] * 30, *[INFOSEEK] * 30, hard_negatives=1, seed=seed)
        return [e.documents[-1].text for e in made]

    assert firsts(0) == firsts(0) != firsts(1)
    assert len(set(firsts(0)[:30])) == len(set(firsts(0)[30:])) == 2


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({**COCO, "qid": None}, 'expected "qid"'),
        ({**COCO, "pos_cand_list": []}, 'expected "pos_cand_list", a list of candidates\' ids, got none'),
        ({**COCO, "pos_cand_list": ["9:404"]}, "candidate '9:404' is not in the pool"),
        ({**COCO, "pos_cand_list": [{"id": "9:1"}]}, 'expected "pos_cand_list", a string'),
        ({**CIRR, "neg_cand_list": ["8:404"]}, "candidate '8:404' is not in the pool"),
        ({**COCO, "pos_cand_list": ["5:1"]}, "set '9', queries of 'text' and candidates of 'text': expected"),
        ({**INFOSEEK, "pos_cand_list": ["6:9"]}, "candidate '6:9' has neither text nor image"),
        ({**COCO, "query_txt": " "}, "the query has neither text nor image"),
        ({**COCO, "query_modality": None}, "queries of '' and candidates of 'image'"),
        ({**CIRR, "query_img_path": "mbeir_images/gone.png"}, "does not exist"),
        ({**CIRR, "query_img_path": "../outside.png"}, "leads out of the folder"),
    ],
)
def test_a_damaged_row_says_where_and_why(source, split, row, reason):
    made = source(COCO, row, instructions=TSV, hard_negatives=1)
    examples, (bad,) = split(made)
    assert [example.id for example in examples] == ["9:1"]
    assert bad.place == f"{made.files[0]}:2"
    assert reason in bad.reason


def test_the_pool_tells_its_own_problems(source, split):
    made = source(COCO, pool=[*POOL, "{", {"txt": "no did"}])
    (example,), bad = split(made)
    assert example.id == "9:1"
    assert [row.place for row in bad] == [f"{made.pool[0]}:8", f"{made.pool[0]}:9"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"\xff\xfe", "not UTF-8"),
        ("headings only", "no instructions; expected a line of headings, then one a task"),
        ("headings\ntext\timage\tMSCOCO\t9\t\t", r"instructions.tsv:2: \d columns; expected query_modality"),
        ("headings\ntext image MSCOCO 9 find", r"instructions.tsv:2: 1 columns"),
    ],
)
def test_instructions_that_cannot_be_read_are_an_error_at_once(source, text, reason):
    with pytest.raises(InputError, match=reason):
        source(COCO, instructions=text)


def test_small_data_sets_are_repeated_to_their_published_sizes(source, monkeypatch):
    monkeypatch.setattr("plait.data.training.mbeir.UP_SAMPLED", {"cirr": 5})
    coco = source(COCO, {**COCO, "qid": "9:2"}, file="coco.jsonl")
    cirr = source(CIRR, {**CIRR, "qid": "8:6"}, file="cirr.jsonl")
    found = sorted((example.source, example.id) for example in up_sampled({"mscoco": coco, "cirr": cirr}))
    assert found[-2:] == [("coco", "9:1"), ("coco", "9:2")]
    assert [name for _, name in found if "#3" not in name][:4] == ["8:5", "8:5#2", "8:6", "8:6#2"]
    assert len({name for _, name in found} & {"8:5#3", "8:6#3"}) == 1
    assert len(found) == 7


def test_a_negative_number_of_negatives_is_an_error(source):
    with pytest.raises(InputError, match="hard_negatives is -1: expected 0 or more"):
        source(COCO, hard_negatives=-1)


# --- the index ---


def test_every_row_is_found_in_whichever_file_it_is(lines):
    rows = [{"did": f"{k % 3}:{k}", "txt": "é" * (k % 17)} for k in range(500)]
    files = [lines("a.jsonl", *rows[:200]), lines("b.jsonl", *rows[200:])]
    index = LineIndex(files, key="did")
    assert len(index) == 500
    assert index.problems == []
    with index.reading() as reader:
        assert [reader.find(row["did"]) for row in reversed(rows)] == list(reversed(rows))
        assert reader.find("0:1") is None


def test_ids_whose_hashes_are_equal_are_told_apart(lines, monkeypatch):
    monkeypatch.setattr("plait.data.training.index._hash", lambda name: len(name))
    file = lines(
        "a.jsonl", {"did": "aa"}, {"did": "bb", "n": 1}, {"did": "bb", "n": 2}, {"did": "bb", "n": 1}
    )
    index = LineIndex([file], key="did")
    with index.reading() as reader:
        assert reader.find("bb") == {"did": "bb", "n": 1}
        assert reader.find("cc") is None


def test_a_pool_of_no_lines_finds_nothing(lines):
    with LineIndex([lines("a.jsonl", "")], key="did").reading() as reader:
        assert reader.find("1") is None


def test_a_pool_that_changed_since_is_no_crash(lines, source, split):
    made = source(COCO)
    assert split(made)[1] == []
    made.pool[0].write_text("x" * 2000)
    assert split(made)[1] == [
        BadRow(f"{made.files[0]}:1", "not JSON (Expecting value: line 1 column 1 (char 0))")
    ]
