"""Citations that do not exist go; statements without one are named."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from plait.rag.citations import check_citations
from plait.rag.prompt import NOT_IN_DOCUMENTS


def test_numbers_beyond_the_sources_are_removed() -> None:
    checked = check_citations("It is hot [1][7]. Wait [9]. Press [2, 12].", sources=3)
    assert checked.text == "It is hot [1]. Wait. Press [2]."
    assert checked.numbers == (1, 2)
    assert checked.removed == (7, 9, 12)
    assert checked.uncited == ("Wait.",)


def test_zero_is_no_source() -> None:
    assert check_citations("Yes [0].", sources=5).text == "Yes."


def test_a_citation_behind_the_full_stop_counts_for_its_sentence() -> None:
    assert check_citations("It is hot. [1] Wait. [2]", sources=2).uncited == ()


def test_headings_and_lead_ins_need_no_source() -> None:
    text = "## Cleaning\n\nDo this:\n- Rinse it [1].\n1. Dry it.\n"
    assert check_citations(text, sources=1).uncited == ("Dry it.",)


def test_saying_that_the_documents_do_not_say_needs_no_source() -> None:
    assert check_citations(NOT_IN_DOCUMENTS, sources=4).uncited == ()


def test_brackets_that_are_no_citation_stay() -> None:
    text = "Press [Enter] and write a[i] [1]."
    assert check_citations(text, sources=1).text == text


@given(st.lists(st.integers(0, 30), max_size=8), st.integers(0, 10))
def test_only_sources_that_exist_are_ever_named(numbers: list[int], sources: int) -> None:
    text = " ".join(f"Word{k} stands here [{n}]." for k, n in enumerate(numbers))
    checked = check_citations(text, sources=sources)
    assert set(checked.numbers) == {n for n in numbers if 1 <= n <= sources}
    assert set(checked.removed) == {n for n in numbers if not 1 <= n <= sources}
    assert check_citations(checked.text, sources=sources).text == checked.text
