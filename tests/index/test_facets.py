"""Facets: every value is counted as a plain loop counts it, and fields say what they hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.errors import QueryError
from plait.index.facets import count, facet, field_info
from plait.index.filters import Filterable
from plait.schema import FacetCount, FieldInfo, Scalar


def shelf(
    values: Sequence[Scalar | None], owners: Sequence[int], sections: Sequence[Sequence[str]] | None = None
) -> Filterable:
    """Return units of documents with these values of the field "x", each on the page of its place."""
    headings = sections or [()] * len(owners)
    return Filterable(
        np.array(owners, np.int32),
        np.arange(1, len(owners) + 1, dtype=np.int32),
        sections=lambda: pa.array(headings, pa.list_(pa.string())),
        column=lambda name: list(values) if name == "x" else [None] * len(values),
        fields=lambda: ["x"],
    )


# documents 0 and 1 are in German, 2 in English, 3 in none; five units, two of them of document 0
SHELF = shelf(["de", "de", "en", None], [0, 0, 1, 2, 3])


def test_values_of_most_documents_come_first() -> None:
    assert facet(SHELF, "x", None).counts == (FacetCount("de", 3, 2), FacetCount("en", 1, 1))


def test_a_mask_leaves_out_what_it_hides() -> None:
    mask = np.array([True, False, False, True, True])
    assert facet(SHELF, "x", mask).counts == (FacetCount("de", 1, 1), FacetCount("en", 1, 1))
    assert count(SHELF, mask) == (3, 3)
    assert count(SHELF, None) == (5, 4)


def test_values_beyond_the_most_are_counted_and_not_listed() -> None:
    listed = facet(SHELF, "x", None, most=1)
    assert (listed.counts, listed.more) == ((FacetCount("de", 3, 2),), 1)


def test_a_unit_counts_once_under_each_of_its_headings() -> None:
    units = shelf([None], [0, 0], [("Tools", "Paint"), ("Tools", "Tools")])
    assert facet(units, "section", None).counts == (FacetCount("Tools", 2, 1), FacetCount("Paint", 1, 1))


def test_pages_are_values_of_units() -> None:
    assert facet(SHELF, "page", None, most=1).counts == (FacetCount("1", 1, 1),)


def test_a_field_that_nothing_has_is_refused_by_name() -> None:
    with pytest.raises(QueryError, match="colour"):
        facet(SHELF, "colour", None)


@pytest.mark.parametrize(
    ("values", "info"),
    [
        ([10, "9.5", None], FieldInfo("x", "number", 2, "9.5", "10")),
        (["2024-05-01", "2023"], FieldInfo("x", "date", 2, "2023", "2024-05-01")),
        (["b", "a", "b"], FieldInfo("x", "text", 2, "a", "b")),
        ([None], FieldInfo("x", "text", 0)),
    ],
)
def test_a_field_says_what_it_holds(values: list[Scalar | None], info: FieldInfo) -> None:
    assert field_info(shelf(values, range(len(values))), "x") == info


@given(
    st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=6).flatmap(
        lambda values: st.tuples(
            st.just(values), st.lists(st.tuples(st.integers(0, len(values) - 1), st.booleans()), min_size=1)
        )
    )
)
def test_counts_are_those_of_a_plain_loop(drawn: tuple[list[str | None], list[tuple[int, bool]]]) -> None:
    values, units = drawn
    owners = sorted(owner for owner, _ in units)
    mask = np.array([passes for _, passes in units])
    seen = [(values[owner], owner) for owner, passes in zip(owners, mask, strict=True) if passes]
    wanted = {
        value: (len([1 for v, _ in seen if v == value]), len({o for v, o in seen if v == value}))
        for value, _ in seen
        if value is not None
    }
    found = facet(shelf(values, owners), "x", mask)
    assert {one.value: (one.units, one.documents) for one in found.counts} == wanted
