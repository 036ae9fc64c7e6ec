"""Problems: once each, or the end of it, and told by kind."""

from __future__ import annotations

import pytest

from plait.data.collections.base import Problem
from plait.data.collections.problems import Problems, summary
from plait.errors import InputError


def test_a_problem_met_twice_is_kept_once_and_the_first_is_the_end_under_strict() -> None:
    problems = Problems()
    for _ in range(2):
        problems.report("qrels.tsv:4", "unknown query")
    problems.report("qrels.tsv:5", "unknown query")
    assert list(problems) == [
        Problem("qrels.tsv:4", "unknown query"),
        Problem("qrels.tsv:5", "unknown query"),
    ]
    with pytest.raises(InputError, match=r"^qrels\.tsv:4: unknown query$"):
        Problems(strict=True).report("qrels.tsv:4", "unknown query")


def test_of_very_many_the_first_are_kept_and_all_are_counted() -> None:
    problems = Problems(most=2)
    for line in (1, 1, 2, 3, 4):
        problems.report(f"pool.jsonl:{line}", "missing")
    assert [one.place for one in problems] == ["pool.jsonl:1", "pool.jsonl:2"]
    assert (problems.total, len(problems), problems[-1].place) == (4, 2, "pool.jsonl:2")


def test_a_summary_counts_each_kind_and_names_its_first_places() -> None:
    unknown = [Problem(f"qrels.tsv:{n}", f"judges the query 'q{n}', unknown") for n in range(1, 6)]
    assert summary([Problem("corpus.jsonl:9", "not JSON"), *unknown]).splitlines() == [
        "5 x judges the query 'q1', unknown",
        "    at qrels.tsv:1, qrels.tsv:2, qrels.tsv:3, ...",
        "1 x not JSON",
        "    at corpus.jsonl:9",
    ]
    assert summary([]) == ""
