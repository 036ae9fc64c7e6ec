"""The tables of validation, on made-up scores."""

import numpy as np
import pytest

from plait.scoring.mixture import MixtureParameters
from plait.train.mini.lanes import Asked
from plait.train.mini.queries import Kind
from plait.train.mini.validation import Scored, fit, report

UNITS = 12


def one(kind: Kind, seed: int, rank: int = 1) -> Asked:
    """A question whose answer has so many units at or ahead of it, in every lane that the kind has."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(UNITS)
    falling = np.linspace(0.9, 0.1, UNITS, dtype=np.float32)
    lane = np.empty(UNITS, np.float32)
    lane[order] = falling
    words = {"text": lane, "bm25": 5 * lane} if kind != "image" else {}
    picture = {"image": lane, "image_tokens": lane} if kind != "text" else {}
    return Asked(kind, {**words, **picture}, np.arange(UNITS) == order[rank - 1])


def scored(*kinds: Kind, ranks: tuple[int, int] = (1, 1)) -> Scored:
    asked = {
        seed: [one(kind, 10 * seed + n, rank) for n, kind in enumerate(kinds)]
        for seed, rank in enumerate(ranks)
    }
    return Scored(asked, {"drawn": [one("text", 99)]})


def test_every_seed_and_manual_counts_the_same() -> None:
    """Ranks 1 and 2 of two seeds in one manual, 4 and 4 in the other."""
    manuals = {"a": scored("text", ranks=(1, 2)), "b": scored("text", "image", ranks=(4, 4))}
    found = report(manuals, {0: MixtureParameters(), 1: MixtureParameters()})
    assert found["mean of seeds"]["a"]["MiniLM alone"]["text"] == 75.0
    assert found["mean of seeds"]["b"]["MiniLM alone"]["text"] == 25.0
    # over manuals: (100 + 25) / 2 and (50 + 25) / 2
    assert found["mean of manuals"]["MiniLM alone"]["text"] == [50.0, 37.5, 62.5]
    assert found["mean of manuals"]["mixture"]["image"] == [25.0, 25.0, 25.0]  # only "b" has one
    assert found["questions"]["a"]["text"] == 1
    assert found["questions"]["a"]["image"] == 0


def test_a_system_is_asked_only_what_it_has_lanes_for() -> None:
    manuals = {name: scored("text", "image", "kept") for name in ("a", "b")}
    means = report(manuals, {0: MixtureParameters()})["mean of manuals"]
    assert set(means["mixture"]) == {"text", "image", "kept"}
    assert set(means["mixture, words only"]) == {"text", "kept"}
    assert set(means["z-sum of BM25, MiniLM"]) == {"text", "kept"}
    assert set(means["image vector alone"]) == {"image", "kept"}
    assert means["words to figures alone"] == {}


def test_a_kind_that_one_seed_lacks_has_the_mean_of_the_others() -> None:
    """Whether a removed figure still stands elsewhere is for each seed's heads to say."""
    of_seeds = {0: [one("text", 1)], 1: [one("text", 2), one("removed", 3, rank=2)]}
    manuals = {name: Scored(of_seeds, {"drawn": [one("text", 99)]}) for name in ("a", "b")}
    found = report(manuals, {0: MixtureParameters(), 1: MixtureParameters()})
    assert found["mean of manuals"]["BM25 alone"]["removed"] == [50.0, 50.0, 50.0]
    assert found["mean of seeds"]["a"]["BM25 alone"]["removed"] == 50.0


def test_a_manuals_own_questions_do_not_reach_its_mixture() -> None:
    easy, hard = scored("text", "image", "kept"), scored("text", "image", "kept", ranks=(7, 7))
    apart = report({"a": easy, "b": easy}, {0: MixtureParameters()})["mixture without"]
    other = report({"a": easy, "b": hard}, {0: MixtureParameters()})["mixture without"]
    assert apart["b"] == other["b"]
    assert apart["a"] != other["a"]


def test_a_fit_reads_one_seed() -> None:
    same, others = scored("text", "image", "kept"), scored("text", "image", "kept", ranks=(1, 9))
    assert fit([same], 0) == fit([others], 0)
    assert fit([same], 1) != fit([others], 1)


@pytest.mark.parametrize("system", ["mixture", "mixture, words only", "mixture, without words to figures"])
def test_the_mixture_is_among_the_systems(system: str) -> None:
    found = report({name: scored("text", "kept") for name in "ab"}, {0: MixtureParameters()})
    assert 0 < found["mean of manuals"][system]["text"][0] <= 100
