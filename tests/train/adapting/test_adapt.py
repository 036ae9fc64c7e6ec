"""A workshop manual adapts the shipped model: real HTML, real pictures, the real towers."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from safetensors.torch import load_file

from plait.encode.mini import MiniEncoder
from plait.encode.mini_towers import Towers
from plait.errors import InputError
from plait.model.mini.configuration_mini import MiniConfig
from plait.schema import Passage, Query, Unit
from plait.train.adapting.adapt import adapt
from plait.train.adapting.model import Model
from plait.train.adapting.observed import answerable, image_lanes, observe, text_lane
from plait.train.mini.lanes import lanes_of
from plait.train.mini.manuals import read_manual
from plait.train.mini.queries import Question, ask

TOOLS = {
    "plane": "flattens boards with a broad sole",
    "chisel": "cuts square mortises",
    "mallet": "strikes without bruising wood",
    "gouge": "carves hollow bowls",
    "auger": "bores deep holes for pegs",
    "spokeshave": "rounds chair legs",
    "adze": "hews logs into beams",
    "rasp": "wears away curves coarsely",
    "clamp": "holds glued joints overnight",
    "vice": "grips work at the bench",
    "bradawl": "pricks starting holes for screws",
    "drawknife": "peels bark from poles",
    "square": "proves right angles",
    "gauge": "scribes lines along an edge",
    "bevel": "copies any angle",
    "scraper": "smooths figured veneer",
    "saw": "rips planks lengthwise",
    "brace": "turns a bit by cranking",
}
SHIPPED = MiniEncoder.load().folder


def draw(path: Path, seed: int) -> None:
    """Draw a picture unlike the others: its own colours, and many shapes of its own kind."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (200, 150), tuple(rng.integers(0, 256, 3).tolist()))
    brush = ImageDraw.Draw(picture)
    shape = (brush.ellipse, brush.rectangle, brush.line)[seed % 3]
    for _ in range(3 + 3 * (seed % 6)):
        x, y = (int(rng.integers(0, side)) for side in (180, 130))
        size = int(rng.integers(5, 10 + 10 * (seed % 7)))
        shape((x, y, x + size, y + size), fill=tuple(rng.integers(0, 256, 3).tolist()))
    picture.save(path)


@pytest.fixture(scope="module")
def manual(tmp_path_factory: pytest.TempPathFactory) -> list[Unit]:
    folder = tmp_path_factory.mktemp("workshop")
    for seed, (tool, use) in enumerate(TOOLS.items()):
        draw(folder / f"{tool}.png", seed)
        care = "Keep it dry, wipe it with oil after use, and strop it on leather before work."
        (folder / f"{tool}.html").write_text(
            f"<html><body><h1>Care of the {tool}</h1><p>This is the one that {use} in the shop. "
            f"A {tool} {use}. {care}</p><img src='{tool}.png'><h2>Grinding the {tool} blade</h2>"
            f"<p>The edge is ground at {20 + seed} degrees. {care}</p></body></html>"
        )
    (folder / "spool").mkdir()
    return read_manual(folder, folder / "spool")


@pytest.fixture
def gullible(tmp_path: Path) -> str:
    """A model with the shipped heads that takes any picture for the one asked for."""
    folder = tmp_path / "gullible"
    folder.mkdir()
    shutil.copy(SHIPPED / "model.safetensors", folder)
    config = json.loads((SHIPPED / "config.json").read_text())
    config["mixture"] |= {"image_tokens": 0.5, "image": 0.0, "image_bias": 6.0}
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


def test_the_observed_lanes_are_those_of_the_encoder(manual: list[Unit]) -> None:
    model, encoder = Model.read("plait-mini"), MiniEncoder.load(threads=1)
    paths = {f.picture.sha256: f.picture.path for unit in manual for f in unit.figures if f.picture}
    sha256, path = next(iter(paths.items()))
    questions = [Question("kept", "grinding degrees", sha256, 0), Question("text", "oil and leather", "", 1)]
    observed = observe(manual, manual, questions, Towers(model.config, threads=1))
    weight = model.config.text.heading_weight
    vectors = encoder.encode_units(manual)
    for row, question in enumerate(questions):
        expected = lanes_of(encoder, Query((question.text,)), vectors)["text"]
        np.testing.assert_allclose(text_lane(observed, weight)[row], expected, atol=2e-3)
    shown = observed.__class__(
        **{
            **{name: getattr(observed, name) for name in observed.__slots__},
            "asked_cells": observed.cells[:1],
        }
    )
    by_picture = lanes_of(encoder, Query(images=(path,)), vectors)
    for name, lane in image_lanes(shown, model.heads)[0].items():
        np.testing.assert_allclose(lane, by_picture[name], atol=2e-3)  # cells are kept in half precision


def test_a_removed_figure_that_stands_elsewhere_is_not_asked_for(manual: list[Unit]) -> None:
    model = Model.read("plait-mini")
    corpus, questions = ask(manual)
    towers = Towers(model.config, threads=1)
    removed = [question for question in questions if question.kind == "removed"]
    answers = answerable(observe(manual, corpus, removed, towers), model.heads)
    assert sum(answer is not None for answer in answers) >= 0.5 * len(removed) > 0
    everywhere = observe(manual, manual, removed, towers)
    assert answerable(everywhere, model.heads) == [None] * len(removed)


def test_a_model_that_gains_on_held_back_documents_is_written(
    manual: list[Unit], gullible: str, tmp_path: Path
) -> None:
    report = adapt(manual, base=gullible, out=tmp_path / "new")
    assert report.accepted
    assert report.folder == tmp_path / "new"
    assert report.gain.low > 0
    assert report.kinds["removed"].after > report.kinds["removed"].before
    encoder = MiniEncoder.load(str(report.folder))
    assert encoder.mixture is not None
    assert encoder.mixture.image_bias < 5
    assert len(encoder.encode_units(manual[:2])) == 2
    before, after = load_file(SHIPPED / "model.safetensors"), load_file(report.folder / "model.safetensors")
    assert {name: value.shape for name, value in after.items()} == {k: v.shape for k, v in before.items()}
    assert json.loads(json.dumps(report.to_dict()))["folder"] == str(report.folder)


def test_a_model_that_does_not_gain_is_not_written(manual: list[Unit], tmp_path: Path) -> None:
    report = adapt(manual, out=tmp_path / "new")
    assert not report.accepted
    assert report.folder is None
    assert "Kept the old model" in str(report)
    assert not (tmp_path / "new").exists()


def test_figures_that_cannot_be_opened_are_passed_over(manual: list[Unit], tmp_path: Path) -> None:
    gone = [
        replace(
            unit, figures=tuple(replace(f, picture=replace(f.picture, path="gone.png")) for f in unit.figures)
        )
        for unit in manual
    ]
    report = adapt(gone, out=tmp_path / "new")
    assert set(report.kinds) == {"text"}
    assert report.changes == {"heads_moved": 0.0}


def test_a_folder_in_use_is_left_alone(manual: list[Unit], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="give a folder that is absent or empty"):
        adapt(manual, out=tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_documents_that_ask_nothing_are_refused(tmp_path: Path) -> None:
    terse = [Unit(f"d{n}:0", f"d{n}", 0, "Title", passages=(Passage("Two words"),)) for n in range(9)]
    with pytest.raises(InputError, match="ask nothing"):
        adapt(terse, out=tmp_path / "new")


def test_the_configuration_keeps_what_is_not_adapted(gullible: str, tmp_path: Path) -> None:
    Model.read(gullible).write(tmp_path / "copy")
    assert MiniConfig.read(tmp_path / "copy" / "config.json") == MiniConfig.read(
        Path(gullible) / "config.json"
    )
