"""The recipe of plait-mini from end to end, on hand-made packages."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file
from tests.helpers.tiny_packages import (
    drawing,
    write_class_names,
    write_clip_art,
    write_emoji,
    write_furniture,
    write_manual,
    write_stamps,
)

from plait.encode.mini import MiniEncoder
from plait.errors import TrainError
from plait.model.mini.configuration_mini import MiniConfig
from plait.schema import Query
from plait.train.mini.drawings import DRAWINGS
from plait.train.mini.heads import HeadsRecipe
from plait.train.mini.queries import KINDS
from plait.train.mini.recipe import Recipe, run
from plait.train.mini.sources import Source
from plait.train.mini.words import WordsRecipe

pytestmark = pytest.mark.slow  # two whole trainings, however small

RECIPE = Recipe(
    heads=HeadsRecipe(steps=3, batch=8),
    words=WordsRecipe(class_width=16, look_width=16),
    seeds=(1, 2),
    sources=(
        Source("first-doc", "CC0", "the test", "usr/share/doc/first-doc"),
        Source("second-doc", "CC0", "the test", "usr/share/doc/second-doc"),
        Source("openclipart-png", "CC0", "the test"),
    ),
    drawings=tuple(d for d in DRAWINGS if d.name in ("fluent-3d", "openclipart", "furniture")),
    held_out=("furniture",),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with packages, the work of one run, and its out."""
    folder = tmp_path_factory.mktemp("mini")
    packages = folder / "packages"
    for seed, name in ((300, "first-doc"), (400, "second-doc")):
        tools = ("plane", "chisel", "mallet", "gouge", "auger", "spokeshave")
        write_manual(packages / name / "usr/share/doc" / name, tools, seed=seed)
    write_clip_art(packages, ("Cow", "Duck", "Goat", "Hen"))
    write_furniture(packages, ("Oven", "Chair", "Table", "Bed", "Lamp", "Sofa"))
    write_emoji(packages)
    write_class_names(packages, ("ox", "drake", "table lamp", "orange", "rocking chair"))
    write_stamps(packages, copy_of=drawing(201))
    run(packages, folder / "work", folder / "out", RECIPE)
    return folder


def test_what_is_written_can_be_loaded_and_asked_in_every_lane(trained: Path) -> None:
    encoder = MiniEncoder.load(str(trained / "out"), threads=1)
    picture = trained / "packages/first-doc/usr/share/doc/first-doc/plane.png"
    asked = encoder.encode_query(Query.of("a plane", picture))
    assert set(asked.fields) == {"text", "image", "image_tokens", "figure_words"}
    for vectors in asked.fields.values():
        assert np.linalg.norm(vectors, axis=-1) == pytest.approx(1.0, abs=1e-5)


def test_the_mixture_is_fitted_and_not_where_the_fit_began(trained: Path) -> None:
    mixture = MiniConfig.read(trained / "out/config.json").mixture
    assert min(mixture.text, mixture.bm25, mixture.image_tokens, mixture.image) > 0
    assert mixture.image_bias != type(mixture)().image_bias


def test_the_report_has_every_manual_kind_and_seed(trained: Path) -> None:
    report = json.loads((trained / "out/validation.json").read_text())
    manuals = report["manuals, mrr x 100"]
    assert set(manuals["mean of seeds"]) == {"first-doc", "second-doc"}
    # hardly trained, heads may take every removed figure for another that is still there
    assert set(manuals["mean of manuals"]["mixture"]) >= set(KINDS) - {"removed"}
    for mean, least, most in manuals["mean of manuals"]["mixture"].values():
        assert 0 < least <= mean <= most <= 100
    assert "text" not in manuals["mean of manuals"]["image vector alone"]
    assert set(report["words to figures, source left out"]) == {"furniture"}


def test_the_mixture_that_is_shipped_is_the_first_seeds(trained: Path) -> None:
    by_seed = json.loads((trained / "out/validation.json").read_text())["manuals, mrr x 100"]["mixture"]
    assert list(by_seed) == ["1", "2"]
    assert MiniConfig.read(trained / "out/config.json").mixture.to_dict() == by_seed["1"]


def test_a_copy_of_a_test_picture_is_not_learned_from(trained: Path) -> None:
    report = json.loads((trained / "out/validation.json").read_text())
    # one of six pieces of furniture is a stamp; the flag among the emoji is not asked for
    assert report["captioned pictures"] == {"fluent-3d": 3, "openclipart": 4, "furniture": 5}


def test_another_run_writes_the_same(trained: Path) -> None:
    run(trained / "packages", trained / "work", trained / "again", RECIPE)
    for name in ("config.json", "validation.json"):
        assert (trained / "again" / name).read_bytes() == (trained / "out" / name).read_bytes()
    first, again = (load_file(trained / name / "model.safetensors") for name in ("out", "again"))
    assert first.keys() == again.keys()
    assert all(first[name].equal(again[name]) for name in first)


def test_a_manual_is_scored_by_heads_that_were_trained_without_it(trained: Path) -> None:
    heads = [
        load_file(trained / "work/validated" / name / "seed-1/model.safetensors")["tokens.weight"]
        for name in ("first-doc", "second-doc")
    ]
    every = load_file(trained / "out/model.safetensors")["tokens.weight"]
    assert not heads[0].equal(heads[1])
    assert not any(one.equal(every) for one in heads)


@pytest.mark.parametrize(
    "wrong", [replace(RECIPE, seeds=()), replace(RECIPE, sources=(RECIPE.sources[0], RECIPE.sources[2]))]
)
def test_without_seeds_or_with_one_manual_nothing_begins(wrong: Recipe, tmp_path: Path) -> None:
    with pytest.raises(TrainError, match=r"got \d seeds? and \d manuals?"):
        run(tmp_path, tmp_path / "work", tmp_path / "out", wrong)
