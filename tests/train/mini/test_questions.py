"""From pages to questions to scores: real HTML, real pictures, the shipped encoder."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from plait.encode.mini import MiniEncoder
from plait.schema import Unit
from plait.train.mini.lanes import pose, score_posed
from plait.train.mini.manuals import pages_of, pictures_of, read_manual
from plait.train.mini.pictures import pictures_in
from plait.train.mini.queries import KINDS, ask

CARE = "Keep the {} dry, wipe it with oil after use, and strop it on leather before work begins."
TOOLS = ("plane", "chisel", "mallet", "gouge", "auger", "spokeshave")


def draw(path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    picture = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((160, 120))
    ImageDraw.Draw(picture).line([(0, seed * 11 % 120), (159, seed * 37 % 120)], fill="white", width=9)
    picture.save(path)


@pytest.fixture
def manual(tmp_path: Path) -> list[Unit]:
    for seed, tool in enumerate(TOOLS):
        draw(tmp_path / f"{tool}.png", seed)
        body = f"<p>The {tool} stands third from the left on the rack. {CARE.format(tool)}</p>"
        more = f"<p>A {tool} is ground at twenty five degrees. {CARE.format(tool)}</p>"
        (tmp_path / f"{tool}.html").write_text(
            f"<html><body><h1>Care of the {tool}</h1>{body}<img src='{tool}.png'>"
            f"<h2>Grinding the {tool} blade</h2>{more}</body></html>"
        )
    (tmp_path / "genindex.html").write_text("<html><body><p>plane, chisel</p></body></html>")
    (tmp_path / "spool").mkdir()
    return read_manual(tmp_path, tmp_path / "spool")


def test_illustrated_pages_come_first_and_indexes_not_at_all(manual: list[Unit], tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<html><body><p>No picture here.</p></body></html>")
    names = [page.name for page in pages_of(tmp_path)]
    assert sorted(names[:-1]) == sorted(f"{tool}.html" for tool in TOOLS)
    assert names[-1] == "a.html"


def test_what_is_asked_for_is_taken_out_of_its_unit_only(manual: list[Unit]) -> None:
    corpus, questions = ask(manual)
    assert {question.kind for question in questions} == set(KINDS)
    for question in questions:
        unit = corpus[question.row]
        if question.kind in ("text", "removed", "unrelated"):
            assert question.text in manual[question.row].text
            assert question.text not in unit.text
        shas = [figure.picture.sha256 for figure in unit.figures if figure.picture]
        if question.kind == "removed":
            assert question.picture not in shas
        if question.kind in ("image", "kept", "vague"):
            assert question.picture in shas
    untouched = set(range(len(manual))) - {q.row for q in questions if q.kind in ("text", "removed")}
    assert all(corpus[row] == manual[row] for row in untouched)


def test_questions_are_the_same_for_the_same_seed(manual: list[Unit]) -> None:
    assert ask(manual, seed=3) == ask(manual, seed=3)


def test_lanes_are_what_the_encoder_and_bm25_say(manual: list[Unit]) -> None:
    corpus, questions = ask(manual)
    posed = pose(manual, questions, [Image.new("RGB", (90, 90), "teal")])
    asked = score_posed(MiniEncoder.load(threads=1), corpus, posed)
    figures = np.array([bool(unit.figures) for unit in corpus])
    for one in asked:
        wanted = {"image": {"image", "image_tokens"}, "text": {"text", "bm25", "figure_words"}}
        every = {"text", "bm25", "figure_words", "image", "image_tokens"}
        assert set(one.lanes) == wanted.get(one.kind, every)
        if "image" in one.lanes:
            assert (np.isnan(one.lanes["image"]) == ~figures).all()
        if one.kind == "image":
            assert one.answers[np.nanargmax(one.lanes["image_tokens"])]


def test_pictures_of_a_manual_are_its_figures(manual: list[Unit]) -> None:
    assert len(pictures_of(manual)) == len(TOOLS)


def test_each_picture_is_found_once_however_it_is_stored(tmp_path: Path) -> None:
    for seed in range(3):
        draw(tmp_path / f"{seed}.png", seed)
    with Image.open(tmp_path / "0.png") as first:
        first.save(tmp_path / "copy.png", compress_level=0)
        first.resize((400, 300)).save(tmp_path / "0_thumb.png")
    Image.new("RGB", (10, 10)).save(tmp_path / "tiny.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    found = [name for name, _, _ in pictures_in(tmp_path, most=10)]
    assert len(found) == 3
    assert len(list(pictures_in(tmp_path, most=2))) == 2
