from __future__ import annotations

import pytest

from plait.data.collections import m2kr, mbeir
from plait.evaluation.protocols.published import m2kr_table, mbeir_table

TABLES = [m2kr_table(with_pictures=False), m2kr_table(with_pictures=True), *map(mbeir_table, mbeir.POOLS)]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.title or str(len(table.columns)))
def test_every_row_has_a_place_for_every_column_and_a_source_that_is_named(table):
    assert all(len(row.values) == len(table.columns) for row in table.rows)
    assert {row.source for row in table.rows} == set(table.sources)


@pytest.mark.parametrize("pool", mbeir.POOLS)
def test_the_means_of_m_beir_are_those_of_the_figures_beside_them(pool):
    for row in mbeir_table(pool).rows[:2]:
        assert sum(row.values) / 16 == pytest.approx(row.mean, abs=0.051)


def test_what_a_correct_evaluator_must_find_with_uniirs_released_model():
    means = {pool: mbeir_table(pool).rows[0].mean for pool in mbeir.POOLS}
    assert means == {"local": 50.2, "union": 47.5}


def test_columns_are_tasks_that_the_readers_know():
    assert {column.task for column in m2kr_table(with_pictures=False).columns} == set(m2kr.TASKS)
    assert [column.task for column in mbeir_table("union").columns] == list(mbeir.TASKS)


def test_ret_m2kr_has_no_msmarco_and_k_is_that_of_the_data_set():
    table = m2kr_table(with_pictures=True)
    measures = [(column.title, column.measure) for column in table.columns]
    assert measures[:2] == [("WIT R@10", "success@10"), ("IGLUE R@1", "success@1")]
    assert measures[-1] == ("OKVQA PR@5", "pseudo-recall@5")


def test_fashion_is_measured_at_ten_and_all_else_at_five():
    at_ten = [column.task for column in mbeir_table("local").columns if column.measure == "success@10"]
    assert at_ten == ["fashion200k_task0", "fashion200k_task3", "fashioniq_task7"]
