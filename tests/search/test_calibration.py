"""What a ranking is worth: numbers worked out by hand, and plait-mini over a small library."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from tests.helpers.tiny_encoder import TinyEncoder

from plait.encode.mini import MiniEncoder
from plait.index.backends.lancedb import LanceIndex
from plait.index.base import Entry, StoredDocument
from plait.schema import Passage, Query, Unit
from plait.scoring.calibration import Calibration, Logistic, SideCalibration
from plait.scoring.mixture import MixtureParameters, mixture
from plait.search.calibration import Found, Judgement, judge, judged, likelihood
from plait.search.searcher import Searcher

NAN = np.nan
MIXTURE = MixtureParameters(
    text=10.0, bm25=1.0, image_tokens=20.0, image=10.0, image_bias=-15.0, figure_words=20.0, figure_bias=-1.0
)


class Library:
    """Three units, of whose words only "saw" and "tooth" are known, with weights 1 and 2."""

    language = "none"

    def __len__(self) -> int:
        return 3

    def word_weights(self, texts, weights):
        known = {"saw": 1.0, "tooth": 2.0}
        asked = [word for text in texts for word in text.split()]
        return {word: known[word] for word in asked if word in known}


def lane(*scores: float) -> np.ndarray:
    return np.array(scores, np.float32)


LANES = {"text": lane(0.6, 0.2, NAN), "bm25": lane(1.5, 0.0, 0.0), "figure_words": lane(NAN, 0.1, 0.4)}


def found(query: Query | None = None, lanes=LANES) -> Found:
    it = Found.of(query or Query.of("saw tooth file"), lanes, MIXTURE, Library())
    assert it is not None
    return it


def calibration(*, least: float = 0.5, distant: float = 0.1) -> Calibration:
    side = SideCalibration(
        Logistic(0.0, {}), Logistic(0.0, {"behind": 1.0}), Logistic(0.0, {"right": 1.0}), least, distant
    )
    return Calibration(side, side, side, shown=Logistic(0.0, {"figure_words": 2.0}))


def test_an_unknown_word_weighs_the_most() -> None:
    """1 and 2 for the words that are there, ln(1 + 3.5 / 0.5) = ln 8 for the one that is not."""
    values = found().values
    weight = 3 + math.log(8)
    assert values["known"] == pytest.approx(3 / weight)
    assert values["bm25"] == pytest.approx(1.5 / weight)
    assert values["text"] == pytest.approx(0.6)
    assert values["words"] == pytest.approx(math.log(3))
    assert values["units"] == pytest.approx(math.log(3))


def test_a_place_is_compared_with_all_units() -> None:
    """The units have 7.5, 2 and, shown, 7 nats; without text the third would have the mean, 4."""
    it = found()
    nats = [7.5, 2.0, 7.0]
    total = math.log(sum(math.exp(one - 7.5) for one in nats))
    values = it.of_places(
        [{"text": 0.2, "bm25": 0.0, "figure_words": 0.1}, {"bm25": 0.0, "figure_words": 0.4}]
    )
    assert values["behind"] == pytest.approx([-5.5, -0.5], abs=1e-5)
    assert values["posterior"] == pytest.approx([-5.5 - total, -0.5 - total], abs=1e-5)


def test_units_outside_a_filter_do_not_count() -> None:
    lanes = {name: lane(*there[:2], NAN) for name, there in LANES.items()}
    it = found(lanes=lanes)
    assert it.values["units"] == pytest.approx(math.log(2))
    assert it.total == pytest.approx(math.log(1 + math.exp(2.0 - 7.5)), abs=1e-6)


def test_likelihood_is_nearly_that_of_the_mixture() -> None:
    rng = np.random.default_rng(0)
    lanes = {
        name: rng.uniform(0, 1, 200).astype(np.float32)
        for name in ("text", "bm25", "figure_words", "image_tokens", "image")
    }
    lanes["text"][:20] = NAN
    for name in ("figure_words", "image_tokens", "image"):
        lanes[name][50:] = NAN
    mean = float(np.nanmean(lanes["text"]))
    short = mixture(lanes, MIXTURE) - likelihood(lanes, MIXTURE, mean_text=mean)
    assert (short > -1e-4).all()
    assert (short <= 2 * math.log(2) + 1e-4).all()


def test_nothing_is_good_where_the_library_is_unlikely_to_answer() -> None:
    places = [{"text": 0.6, "bm25": 1.5}]
    assert judge(found(), places, calibration(least=0.51)).good == 0
    assert judge(found(), places, calibration(least=0.5)).good == 1


def test_hits_are_kept_down_to_the_last_that_is_not_distant() -> None:
    """Behind by 0, 5.5 and 0 nats: confidences 1/2, 0.004 and 1/2; only what follows the last is distant."""
    near, far = {"text": 0.6, "bm25": 1.5}, {"text": 0.2, "bm25": 0.0}
    judgement = judge(found(), [near, far, near, far], calibration())
    assert judgement.confidences[:2] == pytest.approx((0.5, 1 / (1 + math.exp(5.5))), abs=1e-5)
    assert judgement.good == 3
    assert judge(found(), [], calibration()).good == 0


def test_words_never_say_that_a_picture_without_words_is_not_there() -> None:
    shown = {"bm25": 0.0, "figure_words": 0.4}
    judgement = judge(found(), [shown, {"text": 0.6, "bm25": 1.5}], calibration(least=1.1))
    assert judgement.good == 2
    assert judgement.confidences[0] == pytest.approx(1 / (1 + math.exp(-0.8)), abs=1e-5)


def test_a_place_is_judged_alone() -> None:
    places = [{"text": 0.6, "bm25": 1.5}, {"text": 0.2, "bm25": 0.0}]
    together = judge(found(), places, calibration())
    assert judge(found(), places[1:], calibration()).confidences == together.confidences[1:]


@pytest.mark.parametrize("side", ["text", "image", "both"])
def test_a_better_match_is_never_less_likely(side: str) -> None:
    """With the shipped numbers, whichever lane says more of the best unit."""
    shipped = MiniEncoder.load().calibration
    assert shipped is not None
    asked = {"text": ("text", "bm25"), "image": ("image_tokens", "image")}
    names = [name for of, names in asked.items() if side in (of, "both") for name in names]
    query = Query.of("" if side == "image" else "saw tooth", None if side == "text" else b"picture")
    before = -1.0
    for step in range(8):
        lanes = {name: lane(0.1 * step + 0.1, 0.1, 0.1) for name in names}
        it = found(query, lanes)
        assert it.side == side
        judgement = judge(it, [{name: float(there[0]) for name, there in lanes.items()}], shipped)
        assert 0 <= before <= judgement.confidences[0] <= 1 or before < 0
        assert judgement.answerable > 0
        before = judgement.confidences[0]


def test_a_place_of_which_no_lane_speaks_is_judged_too() -> None:
    assert 0 <= judge(found(), [{}], calibration()).confidences[0] <= 1


def test_other_lanes_than_were_fitted_for_are_not_judged() -> None:
    assert Found.of(Query.of("saw"), {"text": LANES["text"]}, MIXTURE, Library()) is None
    assert Found.of(Query.of("saw"), {"ret": LANES["text"]}, MIXTURE, Library()) is None


def test_a_model_without_calibration_judges_nothing() -> None:
    ranking = SimpleNamespace(query=Query.of("saw"), lanes=LANES, places=[])
    for encoder in (TinyEncoder(), TinyEncoder(calibration=calibration()), TinyEncoder(mixture=MIXTURE)):
        assert judged(ranking, encoder, Library()) is None
    judging = TinyEncoder(mixture=MIXTURE, calibration=calibration())
    assert judged(ranking, judging, Library()) == Judgement(0.5, (), 0)


TOPICS = {
    "Chisels": "Grind the bevel of a chisel on the coarse stone, then hone it on the fine stone.",
    "Saws": "File every second tooth of the saw, turn it round, and file the other teeth at the same angle.",
    "Planes": "Set the iron of the plane so that it takes a shaving as thin as paper from the whole width.",
    "Glue": "Hide glue is soaked overnight and heated in a water bath; it must never boil.",
    "Joints": "Cut the tails of the dovetail first, then mark the pins from them with a knife.",
    "Finish": "Rub linseed oil into the wood with a cloth, wait an hour, and wipe off what is left.",
    "Turning": "Keep the bevel of the gouge on the spinning wood and raise the handle until it cuts.",
    "Clamps": "Pad the jaws of the clamp, and tighten all of them a little before one of them fully.",
}


@pytest.fixture(scope="module")
def workshop(tmp_path_factory) -> Searcher:
    """A manual of woodwork in a real index, read by plait-mini."""
    encoder = MiniEncoder.load(threads=1)
    index = LanceIndex(tmp_path_factory.mktemp("workshop"), encoder.fields)
    entries = []
    for name, text in TOPICS.items():
        unit = Unit(f"{name}:0", name, 0, "Woodwork", (name,), passages=(Passage(text),))
        stored = StoredDocument(name, "Woodwork", f"{name}.html", {}, "0" * 64)
        entries.append(Entry(stored, (unit,), tuple(encoder.encode_units([unit]))))
    index.add(entries)
    return Searcher(encoder, index.snapshot())


@pytest.mark.parametrize(
    ("text", "answered"),
    [
        ("how do I sharpen a chisel on a stone", True),
        ("the angle to file the teeth of a saw", True),
        ("soaking hide glue overnight", True),
        ("period of notice of an employment contract", False),
        ("night train from Vienna to Venice", False),
        ("qwxz vrrp ltkbn", False),
    ],
)
def test_a_library_answers_what_it_is_about_and_nothing_else(workshop, text: str, answered: bool) -> None:
    ranking = workshop.ranking(Query.of(text))
    judgement = judged(ranking, workshop.encoder, workshop.snapshot)
    assert judgement is not None
    assert len(judgement.confidences) == len(ranking.places)
    assert (judgement.good > 0) == answered
    narrowed = replace(ranking, places=ranking.places[3:])
    later = judged(narrowed, workshop.encoder, workshop.snapshot)
    assert later is not None
    assert later.confidences == judgement.confidences[3:]
