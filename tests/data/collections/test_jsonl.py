"""Collections of lines: what is written is read, and whatever is wrong is named with its line."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from plait.data.collections.base import Collection, LabelledQuery
from plait.data.collections.jsonl import read_jsonl
from plait.data.collections.writing import write_jsonl
from plait.errors import InputError, MissingPathError
from plait.schema import Document, Picture, Query, Segment

TEXT_ROW: dict[str, Any] = {"id": "d1", "title": "Tea", "segments": [{"type": "text", "text": "Boil water."}]}
IMAGE_ROW: dict[str, Any] = {
    "id": "d2",
    "title": "Cup",
    "segments": [
        {"type": "image", "path": "cup.png", "caption": "A cup"},
        {"type": "text", "text": "Fill it."},
    ],
}
QUERIES: list[dict[str, Any]] = [
    {"id": "q1", "text": "hot water", "image": None, "kind": "words"},
    {"id": "q2", "text": None, "image": "cup.png"},
    {"id": "q3", "text": "what is this", "image": "cup.png"},
]
QRELS = "q1 0 d1 1\nq2 0 d2 1\nq3 0 d2 2\n"


def png(color: str = "red", size: tuple[int, int] = (12, 8)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, "PNG")
    return buffer.getvalue()


def lines(*rows: dict[str, Any] | str) -> str:
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "tea"
    root.mkdir()
    (root / "cup.png").write_bytes(png())
    (root / "corpus.jsonl").write_text(lines(TEXT_ROW, IMAGE_ROW))
    (root / "queries.jsonl").write_text(lines(*QUERIES))
    (root / "qrels.tsv").write_text(QRELS)
    return root


def test_a_folder_gives_documents_queries_and_judgements(folder: Path) -> None:
    collection = read_jsonl(folder, strict=True)
    assert collection.name == "tea"
    tea, cup = collection.documents()
    assert (tea.id, tea.title, tea.segments) == ("d1", "Tea", (Segment("text", "Boil water."),))
    picture = cup.segments[0].picture
    assert picture is not None
    assert (picture.width_px, picture.height_px, cup.segments[0].caption) == (12, 8, "A cup")
    assert Path(picture.path).read_bytes() == png()
    assert collection.qrels == {"q1": {"d1": 1}, "q2": {"d2": 1}, "q3": {"d2": 2}}
    assert list(collection.problems) == []


def test_a_query_without_a_kind_is_of_what_it_asks_with(folder: Path) -> None:
    queries = read_jsonl(folder).queries
    assert [query.kind for query in queries] == ["words", "image", "text+image"]
    assert queries[2].query == Query.of("what is this", folder / "cup.png")


def test_the_corpus_can_be_read_any_number_of_times(folder: Path) -> None:
    collection = read_jsonl(folder)
    assert list(collection.documents()) == list(collection.documents())


def test_numbers_as_ids_are_compared_as_text(folder: Path) -> None:
    (folder / "corpus.jsonl").write_text(lines({**TEXT_ROW, "id": 7}))
    (folder / "qrels.tsv").write_text("q1 0 7 1\n")
    assert read_jsonl(folder, strict=True).qrels == {"q1": {"7": 1}}


def test_marks_of_other_systems_and_spaces_around_ids_do_no_harm(folder: Path) -> None:
    for name in ("corpus.jsonl", "queries.jsonl", "qrels.tsv"):
        text = (folder / name).read_text().replace("\n", "\r\n\r\n").replace('"q1"', '" q1 "')
        (folder / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
    collection = read_jsonl(folder, strict=True)
    assert [query.id for query in collection.queries] == ["q1", "q2", "q3"]
    assert len(list(collection.documents())) == 2
    assert set(collection.qrels) == {"q1", "q2", "q3"}


def test_an_absolute_path_of_a_picture_in_the_folder_is_taken(folder: Path) -> None:
    (folder / "queries.jsonl").write_text(lines({"id": "q2", "image": str(folder / "cup.png")}))
    (folder / "qrels.tsv").write_text("q2 0 d2 1\n")
    (query,) = read_jsonl(folder, strict=True).queries
    assert query.query.images == (str(folder / "cup.png"),)


def test_a_folder_in_the_form_of_beir_is_read(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text(
        lines({"_id": "4", "title": "Tea", "text": "Boil water."}, {"_id": "5", "title": "None", "text": ""})
    )
    (tmp_path / "queries.jsonl").write_text(lines({"_id": "q1", "text": "hot water", "metadata": {}}))
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\t4\t1\n")
    collection = read_jsonl(tmp_path, strict=True)
    tea, none = collection.documents()
    assert (tea.id, tea.title, tea.segments) == ("4", "Tea", (Segment("text", "Boil water."),))
    assert (none.title, none.segments) == ("None", ())
    assert [query.kind for query in collection.judged()] == ["text"]
    assert collection.qrels == {"q1": {"4": 1}}


def test_a_written_collection_is_read_back(folder: Path, tmp_path: Path) -> None:
    picture = Picture(str(folder / "cup.png"), "", 12, 8)
    document = Document(
        "a b#page=2",
        "Tea",
        "tea.html",
        {"type": "html", "year": 1999},
        (
            Segment("text", "Boil – slowly.", section=("Tea", "Water"), page=2),
            Segment("image", "a cup", picture, "Cup", page=3),
        ),
    )
    queries = [
        LabelledQuery("q", Query.of("hot", png("blue")), "both"),
        LabelledQuery("r", Query.of("x"), "text"),
    ]
    write_jsonl(tmp_path / "out", [document], queries, {"q": {"a b#page=2": 1}})
    found = read_jsonl(tmp_path / "out", strict=True)
    (read,) = found.documents()
    assert (read.id, read.title, read.source, read.metadata) == (
        document.id,
        "Tea",
        "tea.html",
        document.metadata,
    )
    assert read.segments[0] == document.segments[0]
    assert read.segments[1].picture is not None
    assert Path(read.segments[1].picture.path).read_bytes() == png()
    assert (read.segments[1].text, read.segments[1].caption, read.segments[1].page) == ("a cup", "Cup", 3)
    assert found.qrels == {"q": {"a b#page=2": 1}}
    image = found.queries[0].query.images[0]
    assert isinstance(image, str)
    assert Path(image).read_bytes() == png("blue")
    assert found.queries[1].query == Query.of("x")


def test_a_query_the_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one text and one picture"):
        write_jsonl(tmp_path, [], [LabelledQuery("q", Query(texts=("a", "b")), "text")], {})


BAD_CORPUS = {
    "not JSON": ("{", "not JSON"),
    "half a character": ('{"id": "d9", "text": "\\uD83D"}', "not JSON in UTF-8"),
    "a list": ("[]", "expected an object, got list"),
    "no id": ({**TEXT_ROW, "id": ""}, 'expected "id"'),
    "id of an earlier line": (TEXT_ROW, "'d1' was used on an earlier line"),
    "no segments": ({"id": "d9", "title": "x"}, 'expected "segments", a list'),
    "title": ({**TEXT_ROW, "id": "d9", "title": 3}, 'expected "title", a string'),
    "metadata": ({**TEXT_ROW, "id": "d9", "metadata": {"a": []}}, 'expected "metadata"'),
    "segment type": ({"id": "d9", "segments": [{"type": "video"}]}, "segment 0 .*'video'"),
    "segment": ({"id": "d9", "segments": ["words"]}, "segment 0 .*'words'"),
    "empty text": ({"id": "d9", "segments": [{"type": "text", "text": " "}]}, 'expected "text"'),
    "section": (
        {"id": "d9", "segments": [{"type": "text", "text": "a", "section": "b"}]},
        'expected "section"',
    ),
    "page": ({"id": "d9", "segments": [{"type": "text", "text": "a", "page": 0}]}, 'expected "page"'),
    "missing picture": ({"id": "d9", "segments": [{"type": "image", "path": "no.png"}]}, "No such file"),
    "no picture": ({"id": "d9", "segments": [{"type": "image", "path": "qrels.tsv"}]}, "not a picture"),
    "a name that is none": ({"id": "d9", "segments": [{"type": "image", "path": "a\0b"}]}, "inside"),
    "a path outside": ({"id": "d9", "segments": [{"type": "image", "path": "../x.png"}]}, "inside"),
}


@pytest.mark.parametrize(("row", "message"), BAD_CORPUS.values(), ids=BAD_CORPUS)
def test_a_bad_line_of_the_corpus_is_left_out_and_named(folder: Path, row: Any, message: str) -> None:
    (folder / "corpus.jsonl").write_text(lines(TEXT_ROW, IMAGE_ROW, row))
    collection = read_jsonl(folder)
    documents = list(collection.documents())
    assert [document.id for document in documents][:2] == ["d1", "d2"]
    assert all(document.segments == () for document in documents[2:])
    (problem,) = collection.problems
    with pytest.raises(InputError, match=f"corpus.jsonl:3: .*{message}"):
        raise InputError(str(problem))
    with pytest.raises(InputError, match=f"corpus.jsonl:3: .*{message}"):
        list(read_jsonl(folder, strict=True).documents())


BAD_QUERIES = {
    "empty": ({"id": "q9", "text": None, "image": None}, "query 'q9' is empty"),
    "same id": ({"id": "q1", "text": "again"}, "'q1' was used on an earlier line"),
    "a kind of reports": ({"id": "q9", "text": "a", "kind": "all"}, 'the kind "all"'),
    "missing picture": ({"id": "q9", "image": "no.png"}, "cannot read the picture 'no.png'"),
    "damaged picture": ({"id": "q9", "image": "cut.png"}, "the picture 'cut.png' cannot be used"),
    "wrong type": ({"id": "q9", "text": ["a"]}, 'expected "text", a string or null'),
}


@pytest.mark.parametrize(("row", "message"), BAD_QUERIES.values(), ids=BAD_QUERIES)
def test_a_bad_query_is_left_out_and_named(folder: Path, row: Any, message: str) -> None:
    (folder / "cut.png").write_bytes(png()[:45])
    (folder / "queries.jsonl").write_text(lines(*QUERIES, row))
    collection = read_jsonl(folder)
    assert [query.id for query in collection.queries] == ["q1", "q2", "q3"]
    assert message in str(collection.problems[0])
    with pytest.raises(InputError, match=r"queries\.jsonl:4: "):
        read_jsonl(folder, strict=True)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("q1 0 d2", "expected 4 or 5 columns"),
        ("q1 0 d2 yes", "expected a whole number"),
        ("q8 0 d1 1", "the query 'q8', which queries.jsonl does not have"),
        ("q1 0 d8 1", "the document 'd8', which corpus.jsonl does not have"),
    ],
)
def test_a_bad_judgement_is_left_out_and_named(folder: Path, line: str, message: str) -> None:
    (folder / "qrels.tsv").write_text(f"{QRELS}{line}\n")
    collection = read_jsonl(folder)
    assert collection.qrels == {"q1": {"d1": 1}, "q2": {"d2": 1}, "q3": {"d2": 2}}
    assert message in str(collection.problems[0])
    with pytest.raises(InputError, match=r"qrels\.tsv:4: "):
        read_jsonl(folder, strict=True)


def test_reading_the_corpus_twice_lists_a_problem_once(folder: Path) -> None:
    (folder / "cup.png").unlink()
    (folder / "queries.jsonl").write_text(lines(QUERIES[0]))
    (folder / "qrels.tsv").write_text("q1 0 d1 1\n")
    collection = read_jsonl(folder)
    for _ in range(2):
        assert [len(document.segments) for document in collection.documents()] == [1, 1]
    assert len(collection.problems) == 1


def test_what_is_missing_of_the_three_files_is_named(folder: Path) -> None:
    (folder / "qrels.tsv").unlink()
    with pytest.raises(MissingPathError, match=r"holds no qrels.tsv"):
        read_jsonl(folder)


def test_queries_of_one_id_make_no_collection() -> None:
    twice = [LabelledQuery("q", Query.of("a"), "text")] * 2
    with pytest.raises(InputError, match="two queries with the id 'q'"):
        Collection("x", twice, {}, lambda: iter(()))


def test_only_queries_with_a_relevant_document_are_judged() -> None:
    queries = [LabelledQuery(name, Query.of("a"), "text") for name in ("none", "zero", "one")]
    collection = Collection("x", queries, {"zero": {"d": 0}, "one": {"d": 0, "e": 1}}, lambda: iter(()))
    assert [query.id for query in collection.judged()] == ["one"]
