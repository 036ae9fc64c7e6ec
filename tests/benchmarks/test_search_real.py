"""Real token vectors to search in: what is asked is gone, and an interruption costs a chunk at most."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.search import real
from benchmarks.search.real_encoding import RealEncoder
from benchmarks.search.real_entries import Entry, entries_of, read_entries, shuffled, write_entries
from benchmarks.search.real_material import ILLUSTRATED, LICENCE_OF, pages, units_file, units_in
from benchmarks.search.real_queries import Question, drawn
from benchmarks.search.real_statistics import clusteredness, likeness, of_ranks, own_scores
from benchmarks.search.real_vectors import GrowingVectors
from PIL import Image
from tests.helpers.tiny_ret import save_tiny_checkpoint

from plait.errors import ShapeError

PAGE = """<html><title>Saws</title><h1>Saws</h1>
<p>Turn the left wheel until it clicks. Then wait until the red lamp is dark again. {more}</p>
<figure><img src="saw.png" alt="A saw"><figcaption>The red saw on paper</figcaption></figure></html>"""


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> RealEncoder:
    return RealEncoder(save_tiny_checkpoint(tmp_path_factory.mktemp("ret")), precision="float32")


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "red.png"
    Image.new("RGB", (40, 30), (200, 30, 30)).save(path)
    return str(path)


def entry(number: int, *, picture: str = "", package: str = "p") -> Entry:
    text = (
        f"Manual {number}\nThe saw {number}\nPut part {number} into the left hole of the frame. "
        f"Lock lever {number} before you let go of it. Wait for some time and then clean all that is there."
    )
    return Entry(f"document{number}:0", package, text, f"The saw {number}" if picture else "", picture)


def vectors(*shape: int, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return found / np.linalg.norm(found, axis=-1, keepdims=True)


def test_vectors_that_were_appended_are_a_plain_npy_file(tmp_path: Path) -> None:
    every = vectors(7, 3, 4)
    for start, stop in ((0, 3), (3, 3), (3, 7)):
        with GrowingVectors(tmp_path / "v.npy", tokens=3, width=4) as file:
            assert file.count == start
            file.append(every[start:stop])
    np.testing.assert_array_equal(np.load(tmp_path / "v.npy"), every.astype(np.float16))


def test_what_a_kill_left_behind_the_count_is_overwritten(tmp_path: Path) -> None:
    every = vectors(4, 3, 4)
    path = tmp_path / "v.npy"
    with GrowingVectors(path, tokens=3, width=4) as file:
        file.append(every[:2])
    with path.open("ab") as torn:
        torn.write(b"\xff" * 31)
    np.testing.assert_array_equal(np.load(path), every[:2].astype(np.float16))
    with GrowingVectors(path, tokens=3, width=4) as file:
        file.append(every[2:])
    np.testing.assert_array_equal(np.load(path), every.astype(np.float16))


def test_vectors_of_another_shape_are_refused(tmp_path: Path) -> None:
    with GrowingVectors(tmp_path / "v.npy", tokens=3, width=4) as file, pytest.raises(ShapeError):
        file.append(vectors(2, 3, 5))
    with pytest.raises(ShapeError, match="move it elsewhere"):
        GrowingVectors(tmp_path / "v.npy", tokens=3, width=8)


def test_a_package_is_read_once_without_lists_programs_and_translations(tmp_path: Path) -> None:
    root = tmp_path / "saw-doc" / "usr" / "share"
    for name in ("a.html", "de/a.html", "_modules/a.html", "genindex.html"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(PAGE.format(more="Afterwards store it in a dry place."))
    Image.new("RGB", (90, 60), "red").save(root / "saw.png")
    assert pages(tmp_path / "saw-doc") == [root / "a.html"]
    file = units_file("saw-doc", cache=tmp_path, work=tmp_path / "work")
    (unit,) = units_in(file)
    assert units_file("saw-doc", cache=tmp_path / "nowhere", work=tmp_path / "work") == file
    (made,) = entries_of([unit, replace(unit, id="copy:0")], "saw-doc", most=5)
    assert made.text.split("\n")[:2] == ["Saws", "The red saw on paper"]
    assert (made.caption, made.document) == ("The red saw on paper", unit.document_id)
    assert Path(made.picture).parent == tmp_path / "work" / "pictures"


def test_no_test_data_is_read() -> None:
    assert not {"gimp-help-en", "tuxpaint-stamps-default"} & LICENCE_OF.keys()
    assert set(ILLUSTRATED) <= LICENCE_OF.keys()


def test_every_fifth_entry_has_a_figure_while_there_are_some_and_icons_are_left_out() -> None:
    plain = [entry(k) for k in range(20)]
    shown = [entry(k, picture=f"{k}.png") for k in range(20, 23)]
    icons = [entry(k, picture="icon.png") for k in range(30, 36)]
    order = shuffled([plain, shown, icons, plain[:2]])
    assert [k for k, one in enumerate(order) if one.picture] == [4, 9, 14]
    assert {one.picture for one in order} == {"", "20.png", "21.png", "22.png"}
    assert len(order) == 29
    assert order == shuffled([icons, shown[::-1], plain])


def test_questions_take_their_words_out_of_entries_not_trained_on() -> None:
    entries = [entry(k, picture=f"{k}.png" if k % 2 else "") for k in range(40)]
    entries[3], entries[5] = (replace(entries[k], picture="both.png") for k in (3, 5))
    trained_on = {entries[k].document for k in range(30, 40)}
    questions, changed = drawn(entries, count=20, trained_on=trained_on, seed=0)
    kinds = [question.kind for question in questions]
    assert [kinds.count(kind) for kind in ("caption", "both", "figure", "sentence")] == [2, 4, 4, 10]
    assert len({question.row for question in questions}) == 20
    for question in questions:
        before, after = entries[question.row], changed[question.row]
        assert question.unit == before.unit == after.unit
        assert before.document not in trained_on
        assert bool(question.text) == (question.kind != "figure")
        assert question.picture == (before.picture if question.kind in ("both", "figure") else "")
        assert question.kind == "sentence" or before.picture not in ("", "both.png")
        assert not question.text or (question.text in before.text and question.text not in after.text)
        assert after.text.split("\n")[0] == before.text.split("\n")[0]
    asked = {question.row for question in questions}
    assert all(changed[row] == entries[row] for row in range(40) if row not in asked)
    assert drawn(entries, count=20, trained_on=trained_on, seed=0) == (questions, changed)
    assert drawn(entries, count=20, trained_on=trained_on, seed=1)[0] != questions


def test_a_sentence_that_two_entries_hold_is_not_asked() -> None:
    entries = [entry(1), replace(entry(1), unit="other:0"), entry(2)]
    questions, _ = drawn(entries, count=3, trained_on=(), seed=0)
    assert [question.row for question in questions] == [2]
    assert "Wait for" not in questions[0].text


def test_entries_come_back_as_they_were_written(tmp_path: Path) -> None:
    every = [entry(1), replace(entry(2, picture="é.png"), text="über\n\tzwei")]
    write_entries(every, tmp_path / "e.jsonl")
    assert list(read_entries(tmp_path / "e.jsonl")) == every


def test_encoding_goes_on_where_it_was_and_gives_what_each_entry_gets_alone(
    encoder: RealEncoder, picture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ("the red square", "a circle of grey paper", "", "turn left with the blue paper", "a")
    pictures = ("", picture, picture, "", "")
    every = [Entry(f"d:{k}", "p", t, "", p) for k, (t, p) in enumerate(zip(texts, pictures, strict=True))]
    write_entries(every, tmp_path / "entries.jsonl")
    monkeypatch.setattr(real, "_CHUNK", 2)
    real.encode(encoder, tmp_path, count=3)
    assert np.load(tmp_path / "documents.npy").shape == (3, 3, 8)
    real.encode(encoder, tmp_path, count=100)
    found = np.load(tmp_path / "documents.npy")
    alone = np.concatenate([encoder.documents([one]) for one in every])
    np.testing.assert_allclose(found, alone, atol=2e-3)
    assert np.abs(found[0] - found[1]).max() > 0.01


def test_queries_ask_with_words_a_figure_or_both(encoder: RealEncoder, picture: str) -> None:
    text = "the red square"
    kinds = (("sentence", text, ""), ("figure", "", picture), ("both", text, picture))
    questions = [Question(7, "d:0", kind, words, shown) for kind, words, shown in kinds]  # type: ignore[arg-type]
    found = encoder.queries(questions, seed=0)
    assert found.shape == (3, 3, 8)
    np.testing.assert_allclose(np.linalg.norm(found, axis=2), 1, atol=1e-5)
    assert min(np.abs(found[a] - found[b]).max() for a, b in ((0, 1), (0, 2), (1, 2))) > 0.01


def test_another_number_of_queries_than_there_are_stops_the_run(tmp_path: Path) -> None:
    write_entries([entry(1)], tmp_path / "entries.jsonl")
    line = json.dumps(asdict(Question(0, "document1:0", "sentence", "Lock lever 1 before you let go of it.")))
    (tmp_path / "queries.jsonl").write_text(line + "\n")
    (question,) = real.prepare(tmp_path, tmp_path, queries=1, seed=0)
    assert (question.row, question.kind) == (0, "sentence")
    with pytest.raises(SystemExit, match="holds 1 queries, expected 2"):
        real.prepare(tmp_path, tmp_path, queries=2, seed=0)


def test_vectors_of_another_model_stop_the_run(tmp_path: Path) -> None:
    first, second = (save_tiny_checkpoint(tmp_path / str(seed), seed=seed) for seed in (1, 2))
    real.check_model(tmp_path, first)
    real.check_model(tmp_path, first)
    with pytest.raises(SystemExit, match="now it is"):
        real.check_model(tmp_path, second)


def test_ranks_are_those_of_exact_scores_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    documents = vectors(23, 4, 8).astype(np.float16)
    queries, own = vectors(5, 3, 8, seed=1), [22, 0, 7, 7, 15]
    monkeypatch.setattr("benchmarks.search.real_statistics._DOCUMENTS_AT_ONCE", 6)
    monkeypatch.setattr("benchmarks.search.real_statistics._QUERIES_AT_ONCE", 2)
    scores = np.einsum("aqd,bnd->abqn", queries, documents.astype(np.float32)).max(3).sum(2)
    ranks, behind = own_scores(queries, documents, own)
    for query, row in enumerate(own):
        others = np.delete(scores[query], row)
        assert ranks[query] == 1 + (others > scores[query, row]).sum()
        assert behind[query] == pytest.approx(others.max() - scores[query, row], abs=1e-5)


def test_measures_of_ranks_are_as_counted_by_hand() -> None:
    found = of_ranks(np.array([1, 2, 50, 2000]), ["a", "a", "b", "b"])
    assert found["all"]["mrr@10"] == pytest.approx((1 + 1 / 2) / 4)
    assert (found["a"]["within_1"], found["b"]["within_100"], found["b"]["within_1000"]) == (0.5, 0.5, 0.5)
    assert (found["all"]["queries"], found["all"]["rank_50%"]) == (4, 26)


def test_tokens_in_two_directions_make_two_clusters() -> None:
    axes = np.eye(8, dtype=np.float32)
    documents = np.stack([axes[[k, k, k + 4, k + 4]] for k in range(4)])
    found = likeness(documents)
    assert found["within_a_document"] == pytest.approx(1 / 3)
    assert found["same_position"] == found["other_position"] == 0
    assert found["clusters_2"] == found["clusters_4"] == pytest.approx(1)
    assert found["clusters_1"] == pytest.approx(np.sqrt(0.5))
    assert found["in_mean"] == pytest.approx(1 / 8)
    assert found["in_position_means"] == pytest.approx(1 / 4)


def test_equal_tokens_make_one_cluster_and_lie_in_their_mean() -> None:
    same = np.broadcast_to(vectors(1, 1, 8), (6, 4, 8))
    assert clusteredness(same, 2, np.random.default_rng(0)) == pytest.approx(1)
    found = likeness(same + 1e-4 * vectors(6, 4, 8))
    assert found["in_mean"] == pytest.approx(1, abs=1e-3)
    assert found["same_position"] == pytest.approx(1, abs=1e-3)
