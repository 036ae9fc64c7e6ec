"""Running a stored result again: only evaluations are run, and only where they were made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from plait.data.collections.base import Collection, LabelledQuery
from plait.errors import InputError, MissingPathError
from plait.evaluation.evaluate import Answers, score
from plait.evaluation.manifest import manifest_of
from plait.evaluation.rerunning import compared, rerun
from plait.evaluation.stored import Asked, Evaluation, StoredEvaluation, load, save
from plait.schema import Query

QRELS = {"q": {"a": 1}}


def result(folder: Path, *, run: dict[str, float], command: tuple[str, ...] = ()) -> StoredEvaluation:
    query = LabelledQuery("q", Query.of("what?"), "text")
    report = score(Answers(run={"q": run}), Collection("bench", [query], QRELS, lambda: iter(())))
    manifest = manifest_of(
        "b", "f", model="m", model_fingerprint="g", options={}, seed=0, seconds=1, command=command
    )
    evaluation = Evaluation("bench", {"mine": report}, [Asked.of(query)], QRELS, manifest)
    return load(save(evaluation, folder))


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ((), "not made on the command line"),
        (("remove", "."), "no evaluation"),
        (("eval", "judgements", "--force"), "no evaluation"),
        (("eval", "rerun", "x"), "no evaluation"),
    ],
)
def test_a_manifest_makes_nothing_run_but_evaluations(
    tmp_path: Path, command: tuple[str, ...], said: str
) -> None:
    result(tmp_path / "r", run={"a": 1.0}, command=command)
    with pytest.raises(InputError, match=said):
        rerun(tmp_path / "r")


def test_a_result_whose_folder_is_gone_or_that_is_none_is_refused(tmp_path: Path) -> None:
    found = result(tmp_path / "r", run={"a": 1.0}, command=("eval", "b"))
    elsewhere = replace(found, manifest=replace(found.manifest, folder=str(tmp_path / "gone")))
    save(elsewhere, tmp_path / "r", force=True)
    with pytest.raises(InputError, match="not there any more"):
        rerun(tmp_path / "r")
    with pytest.raises(MissingPathError, match="holds no result"):
        rerun(tmp_path / "r" / "runs")


def test_results_of_several_commands_are_run_again_one_by_one(tmp_path: Path) -> None:
    for name in ("one", "two"):
        result(tmp_path / name, run={"a": 1.0}, command=("eval", name))
    with pytest.raises(InputError, match="2 commands: name one of one, two"):
        rerun(tmp_path)


def test_every_number_that_differs_or_is_missing_counts(tmp_path: Path) -> None:
    one = result(tmp_path / "one", run={"a": 2.0, "b": 1.0})
    two = result(tmp_path / "two", run={"a": 1.0, "b": 1.0})  # of equals, the greater name comes first
    same = compared({"t": one}, {"t": one})
    assert (same.differing, same.differences) == (0, ())
    assert str(same) == f"same: all {same.compared} numbers"
    found = compared({"t": one}, {"t": two})
    # Of success@1, nDCG and MRR: mean, low and high of the kind, and the query's; and the score of "a".
    assert found.differing == 3 * 4 + 1
    assert found.differences[0] == "t: mine, text success@1 (mean): 1.0 -> 0.0"
    assert found.differences[-1] == "t: mine: and 8 more"
    gone = compared({"t": one}, {})
    assert gone.differing == gone.compared == same.compared
