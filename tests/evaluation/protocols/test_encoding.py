from __future__ import annotations

import numpy as np
import pytest
from filelock import FileLock
from tests.helpers.angles import Angles
from tests.helpers.official_formats import write_picture
from tests.helpers.sentence_models import save_bert, save_clip
from tests.helpers.tiny_encoder import TinyEncoder
from tests.helpers.tiny_ret import save_tiny_checkpoint

from plait.data.collections.pools import Candidate, Pool, PoolQuery
from plait.data.training.examples import Side
from plait.encode.side_vectors import NOTHING, WHOLE, WITHOUT_PICTURE
from plait.errors import InputError
from plait.evaluation.pool.bm25_lane import Bm25Lane
from plait.evaluation.protocols.encoding import Unread, VectorStore, unread
from plait.evaluation.protocols.entrants import entrant_of, entrants_of
from plait.evaluation.protocols.sharing import Places, SomeQueries
from plait.evaluation.protocols.side_encoders import MODEL, OneLane, UnitLanes, asked_side


def pool_of(*sides, name="pool", fingerprint="f" * 64):
    candidates = [Candidate(f"c{place}", side) for place, side in enumerate(sides)]
    return Pool(name, len(candidates), fingerprint, lambda: iter(candidates))


def store_of(folder, encoder=None, said=None):
    said = [] if said is None else said
    return VectorStore(folder, "name", encoder or Angles(), watch=lambda *told: None, say=said.append)


AT_0, AT_90 = Side("at 0"), Side("at 90")


def test_what_was_stored_is_not_encoded_again_also_for_other_tasks_and_lanes(tmp_path):
    store_of(tmp_path).pool(pool_of(AT_0, AT_90))
    again = Angles()
    vectors = store_of(tmp_path, again).pool(pool_of(AT_0, AT_90))[MODEL]
    assert again.seen == []
    assert np.array_equal(vectors.of(1).round(3), [[0, 1]])


def test_other_models_pools_and_queries_have_places_of_their_own(tmp_path):
    first = store_of(tmp_path)
    first.pool(pool_of(AT_0))
    others = [Angles(), Angles("angles-2"), Angles()]
    store_of(tmp_path, others[0]).pool(pool_of(AT_90, fingerprint="e" * 64))
    store_of(tmp_path, others[1]).pool(pool_of(AT_0))
    store_of(tmp_path, others[2]).queries("task", [PoolQuery("q", AT_0, "text")])
    assert [len(one.seen) for one in others] == [1, 1, 1]


def test_vectors_of_something_else_are_made_anew_and_it_is_said(tmp_path):
    store_of(tmp_path).pool(pool_of(AT_0, AT_90))
    (facts,) = tmp_path.rglob("facts.json")
    facts.write_text(facts.read_text().replace("angles-1", "angles-9"))
    said, encoder = [], Angles()
    vectors = store_of(tmp_path, encoder, said).pool(pool_of(AT_0, AT_90))[MODEL]
    assert len(encoder.seen) == len(vectors) == 2
    assert "was made of other files or by another model: begun anew" in said[0]


def test_a_folder_is_for_one_process_at_a_time(tmp_path):
    store_of(tmp_path).pool(pool_of(AT_0))
    (folder,) = {file.parent for file in tmp_path.rglob("*.sides")}
    with (
        FileLock(folder / ".lock"),
        pytest.raises(InputError, match="another process is encoding into"),
    ):
        store_of(tmp_path).pool(pool_of(AT_0))


def test_a_pool_that_has_shrunk_is_an_error(tmp_path):
    pool = Pool("pool", 3, "f" * 64, lambda: iter([Candidate("a", AT_0)]))
    with pytest.raises(InputError, match=r"1 of 3 were read; did the files change\?"):
        store_of(tmp_path).pool(pool)


def test_a_further_lane_is_added_to_those_that_are_there(tmp_path):
    picture = str(write_picture(tmp_path / "red.png"))
    sides = [Side("red paper", picture), Side("blue")]
    some = store_of(tmp_path, UnitLanes(TinyEncoder(), lanes=["text"])).pool(pool_of(*sides))
    every = store_of(tmp_path, UnitLanes(TinyEncoder())).pool(pool_of(*sides))
    assert list(some) == ["text"]
    assert {name: len(lane.numbers) for name, lane in every.items()} == {
        "text": 2,
        "image": 1,
        "image_tokens": 4,
    }
    assert np.array_equal(some["text"].numbers, every["text"].numbers)


def test_units_of_one_passage_and_one_figure_and_what_is_missing_of_them(tmp_path):
    picture = str(write_picture(tmp_path / "red.png"))
    lanes = UnitLanes(TinyEncoder(), lanes=("text", "image"))
    for role in ("query", "document"):
        found = lanes.encode([Side("red", picture), Side("red"), Side("", picture), Side()], role)
        assert [len(one.vectors) for one in found["text"]] == [1, 1, 0, 0]
        assert [len(one.vectors) for one in found["image"]] == [1, 0, 1, 0]
        assert [one.state for one in found["text"]] == [WHOLE, WHOLE, WHOLE, NOTHING]


def test_a_query_whose_picture_is_damaged_is_asked_by_its_words(tmp_path):
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"no picture")
    lanes = UnitLanes(TinyEncoder(), lanes=("text", "image"))
    found = lanes.encode([Side("red", str(damaged)), Side("", str(damaged))], "query")
    assert [one.state for one in found["text"]] == [WITHOUT_PICTURE, NOTHING]


def test_a_figure_that_plait_mini_cannot_open_is_told(tmp_path):
    encoder = entrant_of("plait-mini", device="cpu").encoder
    gone = str(tmp_path / "gone.png")
    found = encoder.encode([Side("a red square", gone), Side("", gone), Side("words")], "document")
    assert [one.state for one in found["image"]] == [WITHOUT_PICTURE, NOTHING, WHOLE]
    assert [len(one.vectors) for one in found["text"]] == [1, 0, 1]


def test_of_pictures_that_a_model_does_not_read_the_words_are_read_and_all_is_counted(tmp_path):
    picture = str(write_picture(tmp_path / "red.png"))
    encoder = OneLane(str(save_bert(tmp_path / "bert")), device="cpu", batch_size=2)
    pool = pool_of(Side("red"), Side("blue paper", picture), Side("", picture), Side())
    vectors = store_of(tmp_path / "work", encoder).pool(pool)[MODEL]
    assert vectors.states.tolist() == [WHOLE, WITHOUT_PICTURE, NOTHING, NOTHING]
    assert np.diff(vectors.starts).tolist() == [1, 1, 0, 0]
    assert unread(vectors) == Unread(without_picture=1, nothing=2)
    assert unread(vectors, np.array([0, 1])) == Unread(without_picture=1, nothing=0)
    assert not encoder.several


def test_of_words_and_a_picture_that_are_read_apart_only_the_words_are_read(tmp_path):
    picture = str(write_picture(tmp_path / "red.png"))
    encoder = OneLane(str(save_clip(tmp_path / "clip")), device="cpu", batch_size=2)
    both, words, shown = encoder.encode([Side("red", picture), Side("red"), Side("", picture)], "document")[
        MODEL
    ]
    assert np.array_equal(both.vectors, words.vectors)
    assert [one.state for one in (both, words, shown)] == [WITHOUT_PICTURE, WHOLE, WHOLE]


def test_ret_reads_both_together_and_batches_change_nothing_that_counts(tmp_path):
    folder, picture = save_tiny_checkpoint(tmp_path / "ret"), str(write_picture(tmp_path / "red.png"))
    sides = [
        Side("red square", picture),
        Side("red square"),
        Side("", picture),
        Side("blue"),
        Side("turn left"),
    ]
    one, all_together = (
        OneLane(str(folder), device="cpu", batch_size=size).encode(sides, "document")[MODEL]
        for size in (1, 5)
    )
    assert [found.state for found in one] == [WHOLE] * 5
    assert not np.allclose(one[0].vectors, one[1].vectors, atol=1e-2)
    for alone, together in zip(one, all_together, strict=True):
        np.testing.assert_allclose(alone.vectors, together.vectors, atol=2e-3)


def test_models_of_instructions_are_asked_with_them_and_others_with_the_bare_words():
    query = PoolQuery("q", Side("Find it: what?", "/a.png"), "text+image", bare="what?")
    assert asked_side(query, instructed=True) == query.side
    assert asked_side(query, instructed=False) == Side("what?", "/a.png")


def test_only_models_of_many_vectors_in_one_lane_are_searched_approximately(tmp_path):
    pooled = save_tiny_checkpoint(tmp_path / "ret2", pooled=True)
    for name in ("plait-mini", str(pooled)):
        with pytest.raises(InputError, match="--approximate is for models of one lane with many vectors"):
            entrants_of(name, device="cpu", approximate=True)


def test_an_unknown_device_is_refused():
    with pytest.raises(InputError, match="device is 'tpu', expected auto, cpu or cuda"):
        entrant_of("plait-mini", device="tpu")


@pytest.mark.parametrize(
    ("parts", "places"),
    [([1, 3], [1, 3]), ([], []), ([3, 1], None), ([0, 9], None)],
    ids=["some", "none", "in another order", "one that is not there"],
)
def test_where_the_candidates_of_a_pool_stand_in_a_larger_one(parts, places):
    def candidates(numbers):
        return [Candidate(f"c{n}", Side(f"at {n}")) for n in numbers]

    def pool(numbers):
        return Pool("pool", len(numbers), "f", lambda: iter(candidates(numbers)))

    found = Places(pool(range(5))).of(pool(parts))
    assert (None if found is None else found.tolist()) == places


def test_a_lane_for_the_queries_of_several_tasks_gives_each_task_its_own():
    texts = ["red paper", "blue boat", "red boat"]
    every = Bm25Lane(texts, ["green", "red", "", "boat"])
    some, alone = SomeQueries(every, 1, 3), Bm25Lane(texts, ["red", "", "boat"])
    assert some.asked.tolist() == alone.asked.tolist() == [True, False, True]
    queries, places = np.array([0, 2]), np.array([0, 2])
    ((_, scores),), ((_, expected),) = some.blocks(queries), alone.blocks(queries)
    assert scores.tolist() == expected.tolist()
    assert some.pairs(2, places).tolist() == alone.pairs(2, places).tolist() == [0, expected[1, 2].item()]


def test_a_candidate_that_reads_otherwise_is_another_one():
    there = Pool("union", 1, "f", lambda: iter([Candidate("c", Side("old words"))]))
    other = Pool("local", 1, "g", lambda: iter([Candidate("c", Side("new words"))]))
    assert Places(there).of(other) is None
