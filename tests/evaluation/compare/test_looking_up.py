"""Looking documents up: kept ones first, then in their collection, wherever the command was typed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.helpers.official_formats import m2kr_query, write_m2kr

from plait.evaluation.compare.looking_up import look_up
from plait.evaluation.compare.results import Result
from plait.evaluation.stored import Shown

MadeWith = Callable[..., Result]


@pytest.fixture
def made_with(results: list[Result], tmp_path: Path) -> MadeWith:
    """Return a result as if its collection had been named so, in a folder."""

    def result(spec: str, **options: str) -> Result:
        assert results[0].manifest is not None
        manifest = replace(results[0].manifest, collection=spec, folder=str(tmp_path), options=options)
        return replace(results[0], manifest=manifest)

    return result


def test_candidates_of_a_papers_pool_are_found_by_their_ids(made_with: MadeWith, tmp_path: Path) -> None:
    passages = [(f"p{n}", f"words of {n}") for n in range(9)]
    write_m2kr(tmp_path / "m2kr", "MSMARCO", [m2kr_query("q", "What?", ["p3"])], passages)
    result = made_with("m2kr:m2kr", task="msmarco", pool="")
    assert look_up({"p3", "p7", "none"}, [result, result]) == (
        {"p3": Shown("p3", text="words of 3"), "p7": Shown("p7", text="words of 7")},
        [],
    )


def test_what_was_kept_is_not_looked_up_again(made_with: MadeWith) -> None:
    kept = {"d1": Shown("d1", "Kept")}
    gone = replace(made_with("m2kr:gone", task="msmarco", pool=""), documents=kept)
    assert look_up({"d1"}, [gone]) == (kept, [])
    found, remarks = look_up({"d1", "d2"}, [gone])
    assert found == kept
    assert len(remarks) == 1
    assert remarks[0].startswith("the collection m2kr:gone cannot be looked into (")


@pytest.mark.parametrize("spec", ["library:", "mteb:Task", "m2kr:no-task-is-named", "gone"])
def test_other_collections_show_only_what_was_kept(made_with: MadeWith, spec: str) -> None:
    assert look_up({"d1"}, [made_with(spec)]) == ({}, [])
