"""Filters: what each operator lets through, what is refused, and that columns decide as a plain loop does."""

from __future__ import annotations

import operator
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from math import inf, isfinite, nan

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.errors import QueryError
from plait.index.base import StoredDocument
from plait.index.filters import Condition, Filterable, passing
from plait.schema import Filter, Scalar


@dataclass
class Stored:
    """Some documents, and which of them and of their fields filters have asked for."""

    documents: Sequence[StoredDocument]
    sections: Sequence[Sequence[str]]
    asked: list[str] = field(default_factory=list)

    def headings(self) -> pa.Array:
        self.asked.append("section")
        return pa.array(self.sections, pa.list_(pa.string()))

    def column(self, name: str) -> list[Scalar | None]:
        self.asked.append(name)
        return [_value(document, name) for document in self.documents]

    def fields(self) -> set[str]:
        self.asked.append("names of fields")
        return {key for document in self.documents for key in document.metadata}


def _value(document: StoredDocument, name: str) -> Scalar | None:
    known = {"document": document.id, "source": document.source, "title": document.title}
    known |= {"tenant": document.tenant, "version": document.version}
    return known[name] if name in known else document.metadata.get(name)


def filterable(
    documents: Sequence[StoredDocument],
    owners: Sequence[int],
    sections: Sequence[Sequence[str]],
    pages: Sequence[int],
) -> tuple[Filterable, Stored]:
    stored = Stored(documents, sections)
    units = Filterable(
        np.array(owners, np.int32),
        np.array(pages, np.int32),
        sections=stored.headings,
        column=stored.column,
        fields=stored.fields,
    )
    return units, stored


def of_values(*values: Scalar | None) -> Filterable:
    """Return a library of one-unit documents with these values of a field "x"; None: without it."""
    documents = [
        StoredDocument(str(at), "", "", {} if value is None else {"x": value}, "")
        for at, value in enumerate(values)
    ]
    many = len(documents)
    return filterable(documents, range(many), [()] * many, [0] * many)[0]


DOCUMENTS = [
    StoredDocument(
        "a",
        "Alpha",
        "guides/alpha.pdf",
        {"year": 2020, "lang": "en", "draft": True, "created": "2024-05-01"},
        "",
        tenant="acme",
        version=3,
    ),
    StoredDocument("b", "Beta", "notes/beta.html", {"year": "2021", "lang": "de"}, ""),
]
# two units of Alpha, on pages 1 and 12; one of Beta, on no page and under no heading
UNITS, _ = filterable(DOCUMENTS, [0, 0, 1], [("Tools", "Paint"), ("Tools",), ()], [1, 12, 0])


@pytest.mark.parametrize(
    ("name", "operator", "value", "passed"),
    [
        ("year", "=", 2020, [1, 1, 0]),
        ("year", "=", "2021", [0, 0, 1]),
        ("year", "=", 2021.0, [0, 0, 1]),
        ("year", ">", 2020, [0, 0, 1]),
        ("year", ">=", "2020", [1, 1, 1]),
        ("year", "<", "2020.5", [1, 1, 0]),
        ("year", "in", (2020, 1999), [1, 1, 0]),
        ("year", "in", (), [0, 0, 0]),
        ("year", "!=", (), [1, 1, 1]),
        ("year", "=", [2020, 2021], [1, 1, 1]),  # a list is taken as a tuple is
        ("lang", "!=", "en", [0, 0, 1]),
        ("lang", "!=", ("en", "de"), [0, 0, 0]),
        ("lang", "<", "e", [0, 0, 1]),
        ("lang", ">", 5, [1, 1, 1]),  # "en" is no number, so both are compared as text
        ("lang", "glob", ("e*", "x"), [1, 1, 0]),
        ("draft", "=", True, [1, 1, 0]),
        ("draft", "=", "true", [1, 1, 0]),
        ("draft", "=", 1, [0, 0, 0]),
        ("draft", "!=", True, [0, 0, 1]),
        ("nothing", "!=", "x", [1, 1, 1]),
        ("source", "glob", "*.pdf", [1, 1, 0]),
        ("source", "glob", "notes/*", [0, 0, 1]),
        ("source", "glob", "NOTES/*", [0, 0, 0]),
        ("title", "=", "Beta", [0, 0, 1]),
        ("title", ">", 5, [1, 1, 1]),
        ("document", "in", ("a", "b"), [1, 1, 1]),
        ("tenant", "=", "acme", [1, 1, 0]),
        ("tenant", "=", "", [0, 0, 1]),  # of no tenant, which is a value
        ("version", ">=", 2, [1, 1, 0]),
        ("page", "=", 12, [0, 1, 0]),
        ("page", "<", "12", [1, 0, 0]),
        ("page", "<", 3, [1, 0, 0]),
        ("page", "!=", 1, [0, 1, 1]),
        ("section", "=", "Tools", [1, 1, 0]),
        ("section", "=", "Tools > Paint", [1, 0, 0]),
        ("section", "glob", "*Paint", [1, 0, 0]),
        ("section", "!=", "Paint", [0, 1, 1]),
        ("section", ">=", "U", [0, 0, 0]),
    ],
)
def test_filter_passes(name, operator, value, passed):
    assert passing([Filter(name, operator, value)], UNITS).tolist() == [bool(one) for one in passed]


DATES = ["2023-12-31", "2024", "2024-05", "2024-05-01", "2024-05-01T09:30:00Z", "2025-01-01"]


@pytest.mark.parametrize(
    ("operator", "end", "passed"),
    [
        ("<", 2024, DATES[:1]),
        ("<=", 2024, DATES[:5]),
        (">", 2024, DATES[5:]),
        (">=", "2024-05", DATES[1:]),
        ("<", "2024-05-01", DATES[:1]),
        (">", "2024-04-30", DATES[2:]),  # of the year 2024 it cannot be said
        (">", "2024-05-01T09:29", DATES[4:]),
        ("<=", "2024-05-01 09:29:59.5+02:00", DATES[:4]),
    ],
)
def test_dates_compare_as_far_as_both_go(operator, end, passed):
    mask = passing([Filter("x", operator, end)], of_values(*DATES))
    assert [one for one, passes in zip(DATES, mask, strict=True) if passes] == passed


def test_equality_with_a_date_asks_for_that_very_text():
    assert passing([Filter("x", "=", "2024")], of_values("2024-05-01", "2024")).tolist() == [False, True]


@pytest.mark.parametrize(
    ("pattern", "passed"),
    [
        ("*", ["", "ab", "a.b", "a\nb", "a\\", "[a]", "é"]),
        ("", [""]),
        ("a*", ["ab", "a.b", "a\nb", "a\\"]),
        ("*b", ["ab", "a.b", "a\nb"]),
        ("a*b", ["ab", "a.b", "a\nb"]),
        ("a?b", ["a.b", "a\nb"]),
        ("a.b", ["a.b"]),
        ("*\\", ["a\\"]),
        ("?", ["é"]),
        ("[a-z]*", ["ab", "a.b", "a\nb", "a\\"]),
        ("[!a]*", ["[a]", "é"]),
        ("[[]a]", ["[a]"]),
        ("[a", []),
    ],
)
def test_shell_patterns(pattern, passed):
    values = ["", "ab", "a.b", "a\nb", "a\\", "[a]", "é"]
    mask = passing([Filter("x", "glob", pattern)], of_values(*values))
    assert [one for one, passes in zip(values, mask, strict=True) if passes] == passed


def test_numbers_compare_as_they_are_written():
    large = 2**53  # the next whole number has the same float
    values = of_values(large, large + 1, str(large), "0.1", "0.10")
    assert passing([Filter("x", "=", large)], values).tolist() == [True, False, True, False, False]
    assert passing([Filter("x", ">", large)], values).tolist() == [False, True, False, False, False]
    assert passing([Filter("x", "in", (large + 1, 0.1))], values).tolist() == [False, True, False, True, True]
    assert passing([Filter("x", "=", 5)], of_values(" 5 ", "+5", "5.", "5e0", "5_", "٥")).sum() == 4


def test_numbers_out_of_range_are_text():
    assert passing([Filter("x", "<", "5")], of_values(10**400, "nan", inf)).tolist() == [True, False, False]


def test_a_list_longer_than_is_looked_for_one_by_one_means_the_same():
    values = of_values(*(f"v{at}" for at in range(40)), None, 7)
    assert passing([Filter("x", "in", tuple(f"v{at}" for at in range(0, 40, 2)))], values).sum() == 20
    assert passing([Filter("x", "in", (*(f"w{at}" for at in range(40)), 7.0))], values).tolist()[-2:] == [
        False,
        True,
    ]


def test_a_pattern_too_long_for_arrow_still_fits():
    long = "a" * 200_000
    assert passing([Filter("x", "glob", "?" * 200_000)], of_values(long, "a")).tolist() == [True, False]


def test_lone_surrogates_are_found_as_they_are_stored():
    assert passing([Filter("x", "=", "\ud800")], of_values("?", "\ud800", "x")).tolist() == [
        True,
        True,
        False,
    ]


def test_all_filters_must_hold():
    both = [Filter("lang", "=", "en"), Filter("page", ">", 5)]
    assert passing(both, UNITS).tolist() == [False, True, False]


@pytest.mark.parametrize("name", ["year", "page", "section", "tenant"])
@pytest.mark.parametrize("operator", ["=", "!=", "<", "glob"])
def test_filters_on_an_empty_library(name, operator):
    nothing, _ = filterable([], [], [], [])
    assert passing([Filter(name, operator, "x")], nothing).shape == (0,)


def test_a_field_is_read_when_a_filter_first_asks_for_it():
    units, stored = filterable(DOCUMENTS, [0, 0, 1], [(), (), ()], [0, 0, 0])
    passing([], units)
    assert stored.asked == []
    for _ in range(2):
        passing([Filter("lang", "=", "en"), Filter("lang", "=", "de"), Filter("section", "=", "x")], units)
    assert stored.asked == ["lang", "section"]


def test_equal_values_of_another_type_are_another_condition():
    units = of_values(True, 1, 1.0)  # in Python all three are equal, and have one hash
    assert passing([Filter("x", "=", True)], units).tolist() == [True, False, False]
    assert passing([Filter("x", "=", 1)], units).tolist() == [False, True, True]


def test_a_range_over_titles_is_one_of_text_though_all_are_numbers():
    documents = [StoredDocument("1", "1984", "", {}, ""), StoredDocument("2", "2001", "", {}, "")]
    units, _ = filterable(documents, [0, 1], [(), ()], [0, 0])
    assert passing([Filter("title", "<", "1999 and later")], units).tolist() == [True, False]


def test_a_mask_is_kept_and_what_is_returned_may_be_written_to():
    condition = Condition("lang", "=", ("en",))
    assert UNITS.holding(condition) is UNITS.holding(condition)
    with pytest.raises(ValueError, match="read-only"):
        UNITS.holding(condition)[:] = False
    passing([Filter("lang", "=", "en")], UNITS)[:] = False
    assert passing([Filter("lang", "=", "en")], UNITS).tolist() == [True, True, False]


def test_many_fields_and_conditions_are_forgotten_and_asked_anew():
    documents = [StoredDocument("a", "", "", {f"f{at}": at for at in range(40)}, "")]
    units, stored = filterable(documents, [0], [()], [0])
    for _ in range(2):
        assert all(passing([Filter(f"f{at}", "=", at)], units)[0] for at in range(40))
    assert len(units._masks._values) < 40
    assert len(units._columns._values) < 40
    assert len(stored.asked) == 80


def test_a_field_asked_again_and_again_is_not_forgotten():
    documents = [StoredDocument("a", "", "", {f"f{at}": at for at in range(40)}, "")]
    units, stored = filterable(documents, [0], [()], [0])
    for at in range(1, 40):
        passing([Filter("f0", "=", at), Filter(f"f{at}", "=", at)], units)
    assert stored.asked.count("f0") == 1


def test_threads_that_ask_at_once_read_a_field_once(monkeypatch):
    read = Stored.column
    monkeypatch.setattr(Stored, "column", lambda *asked: time.sleep(0.02) or read(*asked))
    units, stored = filterable(DOCUMENTS, [0, 0, 1], [("a",), (), ()], [0, 0, 0])
    conditions = [Filter("lang", "=", "en"), Filter("section", "=", "a"), Filter("year", ">", 2020)]
    with ThreadPoolExecutor(8) as pool:
        masks = list(pool.map(lambda at: passing([conditions[at % 3]], units).tolist(), range(60)))
    assert masks == [[True, True, False], [True, False, False], [False, False, True]] * 20
    assert sorted(stored.asked) == ["lang", "section", "year"]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (Filter("year", "~", 1), "unknown filter operator '~': use one of ="),  # type: ignore[arg-type]
        (
            Filter("lnag", "=", "de"),
            "no stored document has a field 'lnag' .did you mean lang.*: known are cre",
        ),
        (Filter("TITLE", "glob", "*"), "'TITLE' .did you mean title"),
        (Filter("zzz", "<", 5), "'zzz': known are created, document, draft, lang, page"),
        (Filter("year", "<", "May"), "every year is a number, such as 2020, and 'May' is none"),
        (Filter("year", ">", "2020-13"), "every year is a number"),
        (Filter("page", ">=", "two"), "every page is a number"),
        (Filter("version", ">=", True), "every version is a number, such as 3, and 'true'"),
        (Filter("created", ">", "May"), "every created is a date, such as 2024-05-01, and 'May' is none"),
        (Filter("created", "<", 5), "every created is a date"),
        (Filter("year", "<", (1, 2)), "year < takes one value, got a list of 2"),
        (Filter("year", "=", None), "'year' got None"),  # type: ignore[arg-type]
        (Filter("year", "in", (2020, {"a": 1})), "'year' got {'a': 1}"),  # type: ignore[arg-type]
        (Filter(5, "=", 1), "the field of a filter is a name, got 5"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_meant_is_refused(condition, message):
    for _ in range(2):  # also when its field is known
        with pytest.raises(QueryError, match=message):
            passing([condition], UNITS)


def test_a_filter_that_cannot_be_meant_is_refused_before_any_field_is_read():
    units, stored = filterable(DOCUMENTS, [0, 0, 1], [(), (), ()], [0, 0, 0])
    with pytest.raises(QueryError, match="operator"):
        passing([Filter("lang", "=", "en"), Filter("year", "like", 1)], units)  # type: ignore[arg-type]
    assert stored.asked == []


def test_a_long_list_of_known_fields_is_cut():
    documents = [StoredDocument("a", "", "", {f"field{at:02}": at for at in range(60)}, "")]
    units, _ = filterable(documents, [0], [()], [0])
    with pytest.raises(QueryError, match=r"did you mean field5.* field28 and 37 more$"):
        passing([Filter("field5", "=", 1)], units)


VALUES = st.one_of(
    st.sampled_from(["2024", "2024-05", "2024-05-01", "2024-02-30", "2024-05-01T10:00", "1e3", "1_0", " 5 "]),
    st.sampled_from([2**53, 2**53 + 1, 10**400, 2024, 0.1, -0.0, nan, inf, "+5", "5.", ".5", "٣", ""]),
    st.integers(-2, 12),
    st.floats(-3, 3),
    st.booleans(),
    st.text("ab*?[]!-.\\\n%_é", max_size=5),
)
FIELDS = ["x", "y", "title", "source", "document", "tenant", "version", "page", "section"]
DOCUMENT = st.builds(
    StoredDocument,
    id=st.text("ab1", max_size=3),
    title=st.text("ab1", max_size=2),
    source=st.text("ab/*", max_size=3),
    metadata=st.dictionaries(st.sampled_from(["x", "y"]), VALUES),
    content_sha256=st.just(""),
    tenant=st.sampled_from(["", "a"]),
    version=st.integers(1, 12),
)
FILTERS = st.lists(
    st.one_of(
        st.builds(Filter, st.sampled_from(FIELDS), st.sampled_from(["<", "<=", ">", ">="]), VALUES),
        st.builds(
            Filter,
            st.sampled_from(FIELDS),
            st.sampled_from(["=", "!=", "in", "glob"]),
            VALUES | st.lists(VALUES, max_size=12).map(tuple),
        ),
    ),
    min_size=1,
    max_size=3,
)


@given(data=st.data(), documents=st.lists(DOCUMENT, min_size=1, max_size=6), filters=FILTERS)
def test_columns_decide_as_a_plain_loop_does(data, documents, filters):
    owners = sorted(data.draw(st.lists(st.integers(0, len(documents) - 1), max_size=8)))
    sections = [
        data.draw(st.lists(st.sampled_from(["a", "b", "a > b", "1", ""]), max_size=3)) for _ in owners
    ]
    pages = [data.draw(st.integers(0, 12)) for _ in owners]
    units, _ = filterable(documents, owners, sections, pages)

    def values(at: int, name: str) -> list[Scalar]:
        if name == "section":
            return [*sections[at], " > ".join(sections[at])] if sections[at] else []
        value = (pages[at] or None) if name == "page" else _value(documents[owners[at]], name)
        return [] if value is None else [value]

    for condition in filters:
        if refused(condition, documents, pages):
            with pytest.raises(QueryError):
                passing([condition], units)
            continue
        expected = [holds(condition, values(at, condition.field)) for at in range(len(owners))]
        assert passing([condition], units).tolist() == expected
        assert passing([condition], units).tolist() == expected  # the one kept
    sound = [one for one in filters if not refused(one, documents, pages)]
    every = [all(holds(one, values(at, one.field)) for one in sound) for at in range(len(owners))]
    assert passing(sound, units).tolist() == every


def holds(condition: Filter, values: Sequence[Scalar]) -> bool:
    """Return whether a condition holds for a unit's values of its field: what every filter means."""
    wanted = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    pairs = [(value, one) for value in values for one in wanted]
    match condition.operator:
        case "=" | "in":
            return any(equal(value, one) for value, one in pairs)
        case "!=":
            return not any(equal(value, one) for value, one in pairs)
        case "glob":
            return any(fnmatchcase(text(value), text(one)) for value, one in pairs)
    return any(COMPARE[condition.operator](*comparable(value, one)) for value, one in pairs)


COMPARE: dict[str, Callable[..., bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def equal(left: Scalar, right: Scalar) -> bool:
    return text(left) == text(right) or (number(left) is not None and number(left) == number(right))


def comparable(left: Scalar, right: Scalar) -> tuple[object, object]:
    if number(left) is not None and number(right) is not None:
        return number(left), number(right)
    if parts(left) and parts(right):
        return tuple(zip(*zip(parts(left), parts(right), strict=False), strict=True))  # type: ignore[return-value]
    return text(left), text(right)


def text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def number(value: Scalar) -> Decimal | None:
    written = text(value).strip()
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", written, re.IGNORECASE):
        return None
    return Decimal(written) if isfinite(float(written)) else None


def parts(value: Scalar) -> list[int]:
    """Return year, month, ... of a date; none if it is none."""
    if not re.fullmatch(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T[0-9]{2}:[0-9]{2})?)?)?", text(value)):
        return []
    found = [int(digits) for digits in re.findall("[0-9]+", text(value))]
    year, month, day = [*found, 1, 1][:3]
    try:
        date(year, month, day)
    except ValueError:
        return []
    return found


def refused(condition: Filter, documents: Sequence[StoredDocument], pages: Sequence[int]) -> bool:
    """Return whether no document has the field, or a range over only numbers or dates ends in neither."""
    name, operator, end = condition.field, condition.operator, condition.value
    stored = [page for page in pages if page]
    if name != "page":
        stored = [one for one in (_value(document, name) for document in documents) if one is not None]
    if not stored:
        return name in "xy" and operator != "!="
    numbers, dates = all(number(one) is not None for one in stored), all(parts(one) for one in stored)
    fits = (numbers and number(end) is not None) or (dates and bool(parts(end)))
    return operator in COMPARE and name in ("x", "y", "page", "version") and (numbers or dates) and not fits
