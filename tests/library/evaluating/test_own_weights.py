"""Lane weights as a setting of a library: the file, the environment, and what a search names itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.helpers.own_units import document
from tests.helpers.tiny_encoder import TinyEncoder

from plait import Library, Query
from plait.errors import InputError, QueryError
from plait.settings import Settings, load_settings

QUERY = Query.of("the bellows workshop bell")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    with Library(folder, encoder=TinyEncoder()) as library:
        library.add_documents([document(folder, number) for number in range(3)])
    return folder


def lanes_of(folder: Path, settings: Settings | None = None, **options) -> set[str]:
    with Library(folder, settings=settings, encoder=TinyEncoder(), create=False) as library:
        return set(library.search(QUERY, **options)[0].lanes)


def test_settings_weigh_every_search_that_names_no_weights(folder):
    assert lanes_of(folder) == {"bm25", "text"}
    weighted = Settings(lane_weights={"bm25": 0.0})
    assert lanes_of(folder, weighted) == {"text"}
    assert lanes_of(folder, weighted, weights={}) == {"bm25", "text"}
    assert lanes_of(folder, weighted, weights={"text": 0}) == {"bm25"}


def test_the_settings_file_of_a_library_is_taken(folder):
    file = folder / ".plait" / "settings.toml"
    file.write_text('method = "rrf"\nlane_weights = "text=0"\n')
    try:
        assert lanes_of(folder) == {"bm25"}
        with Library(folder, encoder=TinyEncoder(), create=False) as library:
            assert library.search(QUERY)[0].score == pytest.approx(1 / 61)
    finally:
        file.unlink()


def test_a_lane_that_the_library_lacks_is_named(folder):
    with pytest.raises(QueryError, match="unknown lane ret: this library has bm25, text"):
        lanes_of(folder, Settings(lane_weights={"ret": 1.0}))
    with pytest.raises(InputError, match="unknown fusion method 'best'"):
        lanes_of(folder, Settings(method="best"))


def test_weights_are_read_from_words_and_tables(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text("[lane_weights]\nbm25 = 2\nimage = 0.5\n")
    assert load_settings(file, {}).lane_weights == {"bm25": 2.0, "image": 0.5}
    changed = load_settings(file, {"PLAIT_LANE_WEIGHTS": " text = 3 , ", "PLAIT_METHOD": "zsum"})
    assert (changed.lane_weights, changed.method) == ({"text": 3.0}, "zsum")
    assert load_settings(None, {"PLAIT_LANE_WEIGHTS": ""}).lane_weights == {}


@pytest.mark.parametrize(
    "words", ["bm25", "bm25=-1", "bm25=nan", "bm25=inf", "=2", "bm25=1,bm25=2", "bm25=two"]
)
def test_weights_that_cannot_be_meant_are_refused(words):
    with pytest.raises(
        InputError, match=r"setting lane_weights in the environment must be lanes with numbers"
    ):
        load_settings(None, {"PLAIT_LANE_WEIGHTS": words})
