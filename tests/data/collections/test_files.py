"""Folders of files with judgements that name files and pages: what they mean, and what is wrong in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import log2
from pathlib import Path

import pytest
from tests.helpers.tiny_encoder import TinyEncoder

from plait import Library
from plait.data.collections.files import FilesCollection, read_files
from plait.errors import InputError, MissingPathError
from plait.evaluation.evaluate import Answers, score
from plait.schema import Hit, Query

QUERIES = [
    {"id": "q", "text": "boiling", "image": None, "kind": "words"},
    {"id": "r", "text": "what is this", "image": "eval/asked.png"},
    {"id": "s", "text": "cup", "image": "photos/[cup] 1.png"},
]
QRELS = ["q\t0\tdocs/a.pdf\t1", "q\t0\tdocs/b c.pdf#page=2\t2", "r\t0\tdocs/a.pdf\t1", "s\t0\tnotes.md\t1"]


@pytest.fixture
def folder(tmp_path: Path, png: Callable[..., bytes]) -> Path:
    root = tmp_path / "manuals"
    for name in ("docs", "photos", "eval"):
        (root / name).mkdir(parents=True)
    for name in ("docs/a.pdf", "docs/b c.pdf", "docs/d.pdf", "notes.md", "100%25.txt", "setup.exe"):
        (root / name).write_bytes(b"Steam.")
    for name in ("eval/asked.png", "photos/[cup] 1.png", "photos/other.png"):
        (root / name).write_bytes(png(colour="red" if "other" in name else "navy"))
    write(root / "eval", QRELS)
    return root


def write(labels: Path, qrels: list[str], queries: list[dict[str, object]] = QUERIES) -> None:  # type: ignore[assignment]
    (labels / "queries.jsonl").write_text("".join(json.dumps(query) + "\n" for query in queries))
    (labels / "qrels.tsv").write_text("".join(f"{line}\n" for line in qrels))


def hits(*found: tuple[str, int | None]) -> list[Hit]:
    """Return hits in files and on pages, best first, with scores 100, 99, ..."""
    return [
        Hit(rank, 101.0 - rank, f"u{rank}", source, "", source, page=page)
        for rank, (source, page) in enumerate(found, 1)
    ]


def test_a_folder_gives_queries_judgements_and_what_is_no_document(folder: Path) -> None:
    found = read_files(folder, strict=True)
    assert (found.name, found.folder, found.problems) == ("manuals", folder, [])
    assert found.qrels == {
        "q": {"docs/a.pdf": 1, "docs/b c.pdf#page=2": 2},
        "r": {"docs/a.pdf": 1},
        "s": {"notes.md": 1},
    }
    assert found.ignore == ("/eval", "/eval/asked.png", r"/photos/\[cup] 1.png")
    assert [query.kind for query in found.judged()] == ["words", "text+image", "text+image"]
    assert found.queries[1].query == Query.of("what is this", folder / "eval" / "asked.png")
    assert found.by_page
    assert found.places["q", "docs/b c.pdf#page=2"] == f"{folder}/eval/qrels.tsv:2"


def test_labels_may_lie_in_the_folder_itself(folder: Path) -> None:
    (folder / "eval" / "queries.jsonl").unlink()
    write(
        folder,
        ["q 0 notes.md 1", "r 0 eval/asked.png 1"],
        [{"id": "q", "text": "a"}, {"id": "r", "text": "b"}],
    )
    found = read_files(folder, strict=True)
    assert found.ignore == ("/qrels.tsv", "/queries.jsonl")
    assert found.qrels == {"q": {"notes.md": 1}, "r": {"eval/asked.png": 1}}
    assert not found.by_page


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("docs/b%20c.pdf#page=2", "docs/b c.pdf#page=2"),
        ("./docs//x/../a.pdf", "docs/a.pdf"),
        ("docs\\a.pdf#page=07", "docs/a.pdf#page=7"),
        ("100%25.txt", "100%25.txt"),  # as it is called, though it could be read as 100%.txt
        ("100%2525.txt", "100%25.txt"),
    ],
)
def test_a_document_is_found_however_it_is_spelt(folder: Path, written: str, meant: str) -> None:
    (folder / "100%.txt").write_text("Steam.")
    write(folder / "eval", [f"q\t0\t{written}\t1"])
    assert read_files(folder, strict=True).qrels == {"q": {meant: 1}}


def test_an_absolute_path_into_the_folder_is_taken_and_an_archive_holds_documents(folder: Path) -> None:
    (folder / "old.zip").write_bytes(b"")
    write(folder / "eval", [f"q\t0\t{folder}/docs/a.pdf\t1", "q\t0\told.zip!/x/y.pdf#page=3\t1"])
    assert read_files(folder, strict=True).qrels == {"q": {"docs/a.pdf": 1, "old.zip!/x/y.pdf#page=3": 1}}


BAD = {
    "no such file": ("q\t0\tdocs/z.pdf\t1", "judges 'docs/z.pdf': no such file in .*; expected docs/a.pdf"),
    "outside": ("q\t0\t../manuals.pdf\t1", "no such file"),
    "the folder itself": ("q\t0\t.\t1", "no such file"),
    "a folder": ("q\t0\tdocs\t1", "no such file"),
    "a name that is none": ("q\t0\ta%00b\t1", "no such file"),
    "a long name": (f"q\t0\t{'a' * 5000}\t1", "no such file"),
    "another place in a file": ("q\t0\tdocs/a.pdf#figure=2\t1", "no such file"),
    "not read": ("q\t0\tsetup.exe\t1", "files of the kind '.exe' are not read"),
    "page 0": ("q\t0\tdocs/a.pdf#page=0\t1", "expected a page from 1 on"),
    "no pages": ("q\t0\tnotes.md#page=1\t1", r"a format with pages: \.odp"),
    "labels": ("q\t0\teval/queries.jsonl\t1", "belongs to the queries"),
    "a query's picture": ("q\t0\tphotos/[cup] 1.png\t1", "belongs to the queries"),
    "unknown query": ("z\t0\tdocs/a.pdf\t1", "judges the query 'z', which queries.jsonl does not have"),
    "twice": ("q\t0\tdocs/b%20c.pdf#page=02\t1", r"judged twice for query 'q': at .*qrels\.tsv:2"),
    "columns": ("q\tdocs/a.pdf\t1", "expected 4 or 5 columns"),
    "grade": ("q\t0\tdocs/d.pdf\thigh", "expected a whole number"),
}


@pytest.mark.parametrize(("line", "message"), BAD.values(), ids=BAD)
def test_a_bad_judgement_is_left_out_and_named(folder: Path, line: str, message: str) -> None:
    good = read_files(folder).qrels
    write(folder / "eval", [*QRELS, line])
    found = read_files(folder)
    assert found.qrels == good
    (problem,) = found.problems
    with pytest.raises(InputError, match=f"qrels.tsv:5: .*{message}"):
        raise InputError(str(problem))
    with pytest.raises(InputError, match=r"qrels\.tsv:5: "):
        read_files(folder, strict=True)


def test_a_bad_query_is_left_out_and_named_with_its_judgements(folder: Path) -> None:
    write(folder / "eval", QRELS, [QUERIES[0], {"id": "r", "image": "none.png"}, {"id": "s"}])
    found = read_files(folder)
    assert list(found.qrels) == ["q"]
    assert [problem.place.rpartition("/")[2] for problem in found.problems] == [
        *("queries.jsonl:2", "queries.jsonl:3"),
        *("qrels.tsv:3", "qrels.tsv:4"),
    ]


def test_what_is_missing_is_named(folder: Path) -> None:
    (folder / "eval" / "qrels.tsv").unlink()
    with pytest.raises(MissingPathError, match=r"holds no qrels\.tsv"):
        read_files(folder)
    with pytest.raises(MissingPathError, match=r"holds no queries\.jsonl"):
        read_files(folder / "docs")


def test_files_and_pages_judged_together_measure_what_is_worked_out_by_hand(folder: Path) -> None:
    found = read_files(folder)
    a, b, d = (f"{folder}/docs/{name}.pdf" for name in ("a", "b c", "d"))
    run = {
        # By page, for one is judged: any page of a.pdf is "a.pdf", of which the best counts.
        "q": found.found("q", hits((a, 3), (b, 1), (a, 1), (b, 2), (d, 4), (d, 5))),
        # By file, for only a.pdf as a whole is judged: d.pdf takes one rank.
        "r": found.found("r", hits((d, 4), (d, 5), (b, 2), (a, 2))),
        "s": found.found("s", hits((f"{folder}/notes.md", None))),
    }
    assert run["q"] == {
        "docs/a.pdf": 100.0,
        "docs/b c.pdf#page=1": 99.0,
        "docs/b c.pdf#page=2": 97.0,
        "docs/d.pdf#page=4": 96.0,
        "docs/d.pdf#page=5": 95.0,
    }
    assert list(run["r"]) == ["docs/d.pdf", "docs/b c.pdf", "docs/a.pdf"]
    report = score(Answers(run=dict(run)), found, measures=["recall@1", "recall@3", "mrr", "ndcg@10"])
    assert report.per_query["q"] == {
        "recall@1": 0.5,
        "recall@3": 1.0,
        "mrr": 1.0,
        "ndcg@10": pytest.approx((1 + 2 / log2(4)) / (2 + 1 / log2(3))),
    }
    assert report.per_query["r"]["mrr"] == pytest.approx(1 / 3)
    assert report.per_query["s"]["mrr"] == 1.0


def test_of_a_file_judged_as_a_whole_and_by_page_the_page_is_told_apart(folder: Path) -> None:
    write(folder / "eval", ["q\t0\tdocs/a.pdf\t1", "q\t0\tdocs/a.pdf#page=3\t2"])
    found = read_files(folder)
    a = "docs/a.pdf"  # as of a library that lies in the folder
    assert list(found.found("q", hits((a, 1), (a, 3), (a, 4)))) == ["docs/a.pdf", "docs/a.pdf#page=3"]
    assert found.item("nobody", a, 3) == "docs/a.pdf"


def checkable(folder: Path) -> FilesCollection:
    write(
        folder / "eval", ["q\t0\tdocs/a.pdf#page=2\t1", "q\t0\tdocs/a.pdf#page=3\t1", "q\t0\tdocs/d.pdf\t1"]
    )
    return read_files(folder)


def test_pages_are_compared_with_what_was_read(folder: Path) -> None:
    found = checkable(folder)
    pages = {f"{folder}/docs/a.pdf": 2, "docs/d.pdf": 0}
    checked = found.checked(pages)
    assert checked.qrels == {"q": {"docs/a.pdf#page=2": 1, "docs/d.pdf": 1}}
    (problem,) = checked.problems
    assert str(problem).endswith("qrels.tsv:2: judges page 3 of 'docs/a.pdf', which has 2 pages: left out")
    with pytest.raises(InputError, match=r"qrels\.tsv:2: judges page 3"):
        found.checked(pages, strict=True)
    assert found.checked(pages | {"docs/a.pdf": 3}, strict=True) == found


def test_a_file_that_was_not_read_counts_as_not_found(folder: Path) -> None:
    checked = checkable(folder).checked({"docs/a.pdf": 9})
    assert checked.qrels["q"]["docs/d.pdf"] == 1
    (problem,) = checked.problems
    assert "qrels.tsv:3: judges 'docs/d.pdf', which was not read" in str(problem)


def test_a_library_takes_the_documents_and_nothing_of_the_labels(
    folder: Path, tmp_path: Path, pdf: Callable[..., bytes], at: Callable[..., bytes]
) -> None:
    pages = [at(72, 700, words) for words in ("Rinse the cup.", "Boiling needs a kettle.")]
    for name in ("a", "b c", "d"):
        (folder / "docs" / f"{name}.pdf").write_bytes(pdf(*pages))
    found = read_files(folder)
    with Library(tmp_path / "library", encoder=TinyEncoder()) as library:
        library.add([found.folder], ignore=found.ignore)
        stored = library.documents()
        names = {document.source.removeprefix(f"{folder}/") for document in stored}
        hits = library.search(Query.of("boiling kettle"), k=10, lanes=["bm25"])
    assert names == {
        *("docs/a.pdf", "docs/b c.pdf", "docs/d.pdf"),
        *("100%25.txt", "notes.md", "photos/other.png"),
    }
    read = {document.source: int(document.metadata.get("pages", 0)) for document in stored}
    assert found.checked(read, strict=True).qrels == found.qrels
    # In d.pdf, which nobody judged, page 2 is what was found.
    assert set(found.found("q", hits)) == {"docs/a.pdf", "docs/b c.pdf#page=2", "docs/d.pdf#page=2"}
