"""Filters: what each operator lets through, and that a missing field passes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from plait.errors import QueryError
from plait.index.base import StoredDocument
from plait.index.filters import Filterable, passing
from plait.schema import Filter

DOCUMENTS = [
    StoredDocument("a", "Alpha", "guides/alpha.pdf", {"year": 2020, "lang": "en", "draft": True}, ""),
    StoredDocument("b", "Beta", "notes/beta.html", {"year": "2021", "lang": "de"}, ""),
]
# two units of Alpha, on pages 1 and 12; one of Beta, on no page and under no heading
UNITS = Filterable(
    documents=DOCUMENTS,
    owners=np.array([0, 0, 1], np.int32),
    sections=[("Tools", "Paint"), ("Tools",), ()],
    pages=np.array([1, 12, 0], np.int32),
)


@pytest.mark.parametrize(
    ("field", "operator", "value", "passed"),
    [
        ("year", "=", 2020, [1, 1, 0]),
        ("year", "=", "2021", [0, 0, 1]),
        ("year", "=", 2021.0, [0, 0, 1]),
        ("year", ">", 2020, [0, 0, 1]),
        ("year", ">=", "2020", [1, 1, 1]),
        ("year", "<", "2020.5", [1, 1, 0]),
        ("year", "in", (2020, 1999), [1, 1, 0]),
        ("year", "in", (), [0, 0, 0]),
        ("lang", "!=", "en", [0, 0, 1]),
        ("lang", "<", "e", [0, 0, 1]),
        ("lang", ">", 5, [1, 1, 1]),  # "en" is no number, so both are compared as text
        ("draft", "=", True, [1, 1, 0]),
        ("draft", "=", "true", [1, 1, 0]),
        ("draft", "=", 1, [0, 0, 0]),
        ("draft", "!=", True, [0, 0, 1]),
        ("nothing", "=", "", [0, 0, 0]),
        ("nothing", "<", 5, [0, 0, 0]),
        ("nothing", "glob", "*", [0, 0, 0]),
        ("nothing", "!=", "x", [1, 1, 1]),
        ("source", "glob", "*.pdf", [1, 1, 0]),
        ("source", "glob", "notes/*", [0, 0, 1]),
        ("source", "glob", "NOTES/*", [0, 0, 0]),
        ("title", "=", "Beta", [0, 0, 1]),
        ("document", "in", ("a", "b"), [1, 1, 1]),
        ("page", "=", 12, [0, 1, 0]),
        ("page", "<", "12", [1, 0, 0]),
        ("page", "<", 3, [1, 0, 0]),
        ("page", "!=", 1, [0, 1, 1]),
        ("section", "=", "Tools", [1, 1, 0]),
        ("section", "=", "Tools > Paint", [1, 0, 0]),
        ("section", "glob", "*Paint", [1, 0, 0]),
        ("section", "!=", "Paint", [0, 1, 1]),
    ],
)
def test_filter_passes(field, operator, value, passed):
    assert passing([Filter(field, operator, value)], UNITS).tolist() == [bool(one) for one in passed]


def test_all_filters_must_hold():
    both = [Filter("lang", "=", "en"), Filter("page", ">", 5)]
    assert passing(both, UNITS).tolist() == [False, True, False]


def test_filters_on_an_empty_library():
    nothing = Filterable([], np.empty(0, np.int32), [], np.empty(0, np.int32))
    for field in ("year", "page", "section"):
        assert passing([Filter(field, "=", 1)], nothing).shape == (0,)


def test_an_unknown_operator_is_refused():
    with pytest.raises(QueryError, match="unknown filter operator '~'"):
        passing([Filter("year", "~", 1)], UNITS)  # type: ignore[arg-type]
