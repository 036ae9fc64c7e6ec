"""Opinions outlive processes and kills, the last one counts, and what was removed is forgotten."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.helpers.tiny_encoder import TinyEncoder

from plait import Library, Query
from plait.errors import InputError, QueryError
from plait.library.feedback import Feedback, Opinion, judged, query_id

TEA = Query.of("where is the tea?")
CUP = Query.of("", b"not a picture, but bytes all the same")


def said(query: Query, unit: str, grade: int | None, *, kind="judgement", page=None) -> Opinion:
    document = unit.partition(":")[0]
    return Opinion(kind, query_id(query), unit, document, f"/shelf/{document}.pdf", page, grade)


@pytest.fixture
def feedback(tmp_path: Path) -> Feedback:
    return Feedback(tmp_path)


def by_page(opinion: Opinion) -> str:
    return f"{Path(opinion.source).name}#page={opinion.page}"


def test_what_was_said_is_read_back_as_labelled_queries(feedback: Feedback) -> None:
    feedback.keep(TEA, said(TEA, "a:0", 1, page=1))
    feedback.keep(TEA, said(TEA, "b:3", 0, page=4))
    feedback.keep(CUP, said(CUP, "a:1", 3, page=2))
    found = judged(feedback, by_page)
    assert [(one.query.texts, one.kind) for one in found.queries] == [(TEA.texts, "text"), ((), "image")]
    assert found.qrels == {
        query_id(TEA): {"a.pdf#page=1": 1, "b.pdf#page=4": 0},
        query_id(CUP): {"a.pdf#page=2": 3},
    }
    assert Path(str(found.queries[1].query.images[0])).read_bytes() == CUP.images[0]
    assert query_id(found.queries[1].query) == query_id(CUP)  # as a path and as bytes it is one query


def test_the_last_judgement_counts_and_one_taken_back_is_none(feedback: Feedback) -> None:
    for grade in (1, 0, 2):
        feedback.keep(TEA, said(TEA, "a:0", grade, page=1))
    feedback.keep(TEA, said(TEA, "b:0", 1, page=1))
    feedback.keep(TEA, said(TEA, "b:0", None, page=1))
    assert judged(feedback, by_page).qrels == {query_id(TEA): {"a.pdf#page=1": 2}}


def test_clicks_count_only_when_asked_for_and_less_than_a_judgement(feedback: Feedback) -> None:
    feedback.keep(TEA, said(TEA, "a:0", 0, page=1))
    for unit in ("a:0", "b:0"):
        feedback.keep(TEA, said(TEA, unit, 1, kind="click", page=1))
    assert judged(feedback, by_page).qrels == {query_id(TEA): {"a.pdf#page=1": 0}}
    clicked = judged(feedback, by_page, clicks=True).qrels
    assert clicked == {query_id(TEA): {"a.pdf#page=1": 0, "b.pdf#page=1": 1}}


def test_of_units_of_one_name_the_best_grade_counts_and_what_has_no_name_is_said(feedback: Feedback) -> None:
    for unit, grade in (("a:0", 1), ("a:1", 3), ("a:2", 0)):
        feedback.keep(TEA, said(TEA, unit, grade, page=1))
    assert judged(feedback, by_page).qrels == {query_id(TEA): {"a.pdf#page=1": 3}}
    nameless = judged(feedback, lambda _: "")
    assert (nameless.queries, nameless.qrels) == ((), {})
    assert "/shelf/a.pdf" in str(nameless.problems[0])


@pytest.mark.parametrize("grade", [-1, 4, 1.0, True, "1"])
def test_a_grade_out_of_range_is_refused(grade) -> None:
    with pytest.raises(InputError, match="whole number from 0"):
        said(TEA, "a:0", grade)


def test_half_a_line_of_a_killed_writer_costs_that_line_only(feedback: Feedback, tmp_path: Path) -> None:
    feedback.keep(TEA, said(TEA, "a:0", 1))
    file = tmp_path / "feedback" / "opinions.jsonl"
    file.write_bytes(file.read_bytes() + b'{"kind": "judgement", "query": "ab')
    feedback.keep(TEA, said(TEA, "b:0", 1))
    assert [one.unit for one in feedback.opinions()] == ["a:0", "b:0"]


def test_threads_and_processes_write_at_a_time_and_nothing_is_lost(
    feedback: Feedback, tmp_path: Path
) -> None:
    script = (
        "import sys; from pathlib import Path; from plait import Query\n"
        "from plait.library.feedback import Feedback, Opinion, query_id\n"
        "for k in range(20):\n"
        "    query = Query.of(f'{sys.argv[2]} {k}')\n"
        "    opinion = Opinion('judgement', query_id(query), f'd{k}:0', f'd{k}', 'x', None, 1)\n"
        "    Feedback(Path(sys.argv[1])).keep(query, opinion)\n"
    )
    other = subprocess.Popen([sys.executable, "-c", script, str(tmp_path), "process"], env=os.environ)

    def write(name: str) -> None:
        for k in range(20):
            query = Query.of(f"{name} {k}")
            Feedback(tmp_path).keep(query, said(query, f"d{k}:0", 1))

    threads = [threading.Thread(target=write, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert other.wait() == 0
    assert len(feedback.opinions()) == len(feedback.queries()) == 60


def test_a_query_whose_picture_is_gone_is_refused(feedback: Feedback) -> None:
    with pytest.raises(QueryError, match="cannot be read"):
        query_id(Query.of("", "/no/such/picture.png"))


def test_compacting_leaves_no_byte_of_opinions_about_removed_documents(tmp_path: Path) -> None:
    for name in ("kept", "gone"):
        (tmp_path / f"{name}.md").write_text(f"# The {name}\n\nWords about the {name} one.\n")
    secret = Query.of("what is gone?", b"a picture that nobody shall see again")
    with Library(tmp_path, encoder=TinyEncoder()) as library:
        library.add([tmp_path])
        units = {Path(d.source).stem: f"{d.id}:0" for d in library.documents()}
        feedback = Feedback(library.folder)
        feedback.keep(TEA, said(TEA, units["kept"], 1))
        feedback.keep(secret, said(secret, units["gone"], 1))
        library.remove([tmp_path / "gone.md"])
        library.compact()
    assert [one.unit for one in feedback.opinions()] == [units["kept"]]
    assert list(feedback.queries()) == [query_id(TEA)]
    left = b"".join(file.read_bytes() for file in (tmp_path / ".plait").rglob("*") if file.is_file())
    assert b"what is gone" not in left
    assert b"nobody shall see again" not in left
