"""Which rerankers a request may choose: those that the setting names, and no other."""

from __future__ import annotations

import pytest
from tests.helpers.libraries import write_page
from tests.helpers.tiny_encoder import TinyEncoder

from plait import Library, Query
from plait.errors import InputError, QueryError
from plait.library.reranking.naming import Rerankers
from plait.schema import SearchRequest
from plait.settings import Settings


def names(setting: str, asked: list[str] | None) -> list[str]:
    rerankers = Rerankers(
        Settings(rerank=setting, llm_url="http://127.0.0.1:1/v1", llm_model="m"), TinyEncoder
    )
    return [reranker.name for reranker in rerankers.named(asked)]


def test_nothing_named_takes_the_setting_and_names_choose_among_it():
    setting = "refine, late-interaction,vlm"
    assert names(setting, None) == ["refine", "late-interaction", "vlm"]
    assert names(setting, ["vlm", "refine", "vlm"]) == ["vlm", "refine"]
    assert names(setting, []) == []
    assert names("", None) == []


@pytest.mark.parametrize("name", ["late-interaction", "cross-encoder:/etc", "/etc", "http://a", "", "Refine"])
def test_a_request_cannot_choose_what_the_setting_lacks(name):
    with pytest.raises(QueryError, match="the setting rerank names refine"):
        names("refine", [name])


def test_a_made_reranker_is_kept():
    rerankers = Rerankers(Settings(rerank="refine"), TinyEncoder)
    assert rerankers.named(None)[0] is rerankers.named(["refine"])[0]


@pytest.mark.parametrize(
    "setting", ["cross-encoder", "cross-encoder:", "refine:x", "colbert", "vlm http://a"]
)
def test_a_setting_that_cannot_be_meant_is_refused(setting):
    with pytest.raises(InputError, match="use late-interaction, refine, cross-encoder:FOLDER, vlm"):
        names(setting, None)


def test_a_vision_language_model_without_an_endpoint_is_refused():
    with pytest.raises(InputError, match="llm_url"):
        Rerankers(Settings(rerank="vlm"), TinyEncoder)


def test_a_library_refuses_what_its_settings_do_not_name(tmp_path):
    write_page(tmp_path, "boiler", "Descale the boiler.")
    with Library(tmp_path, encoder=TinyEncoder()) as library:
        library.add([tmp_path])
        with pytest.raises(QueryError, match="names none"):
            library.search(SearchRequest(Query.of("boiler"), rerank=("refine",)))
        assert library.search(SearchRequest(Query.of("boiler"), rerank=()))
