"""Two-column articles whose text is known: words, reading order, and what stands beside the text."""

from __future__ import annotations

import pytest
from benchmarks.reading.run import Row, measured
from benchmarks.reading.sample import make
from benchmarks.reading.sample_looks import LOOKS

NAMES = ("letter", "narrow", "plain")


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> list[Row]:
    """Read three articles of different looks, native and with shuffled streams."""
    looks = tuple(look for look in LOOKS if look.name in NAMES)
    articles = make(tmp_path_factory.mktemp("sample"), seed=8, looks=looks, sections=3)
    return [measured(article, seed=8) for article in articles]


def test_no_word_of_the_running_text_is_lost(rows):
    assert {row.name: row.native.recall for row in rows if row.native.recall < 0.98} == {}


def test_columns_are_read_in_order(rows):
    assert {row.name: row.native.order for row in rows if row.native.order < 0.97} == {}


def test_columns_are_read_in_order_when_the_stream_is_shuffled(rows):
    assert {row.name: row.mixed.order for row in rows if row.mixed.order < 0.93} == {}


def test_footnotes_captions_tables_and_running_heads_leave_the_running_text(rows):
    assert {row.name: row.native.extra for row in rows if row.native.extra > 0.04} == {}
    assert sum(row.native.footnotes for row in rows) / len(rows) > 0.8
