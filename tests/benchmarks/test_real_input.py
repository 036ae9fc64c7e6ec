"""The benchmark of the GIMP manual, run whole on a small manual: what is asked is gone where it must be."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks.measuring import TreePeak, measure_add
from benchmarks.real_input import gimp_help, texlive
from benchmarks.real_input.questions import BOTH_KEPT, BOTH_REMOVED, IMAGE, KINDS, TEXT, Pool, edited, moved
from benchmarks.real_input.tables import to_markdown
from PIL import Image, ImageDraw
from tests.helpers.tiny_encoder import TinyEncoder

from plait import Document, Library
from plait.data.segmenting import units

NAMES = ("alpha", "bravo", "cedar", "delta", "ember", "frost")
MORE = "Afterwards clean every part with a soft dry cloth and put it back in its place again."


@pytest.fixture
def pages(tmp_path: Path) -> list[Path]:
    """Six pages, each with a sentence and a picture of its own; the second shows the first's too."""
    folder = tmp_path / "manual"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        image = Image.new("RGB", (90, 60), "white")
        ImageDraw.Draw(image).ellipse((10, 5, 40 + 8 * number, 55), fill=(40 * number, 255 - 40 * number, 90))
        image.save(folder / f"{name}.png")
    return [page(folder, number) for number in range(len(NAMES))]


def page(folder: Path, number: int) -> Path:
    name, shown = NAMES[number], [NAMES[number]] + [NAMES[0]] * (number == 1)
    figures = "".join(f'<figure><img src="{one}.png" alt="The {one} part"></figure>' for one in shown)
    path = folder / f"{name}.html"
    path.write_text(
        f"<html><head><title>{name.title()} handling</title></head><body><h1>{name.title()} handling</h1>"
        f"<p>Always turn the {name} wheel slowly to the left. {MORE}</p>{figures}"
        f"<h2>Storing {name}</h2><p>Short.</p></body></html>"
    )
    return path


@pytest.fixture
def documents(pages: list[Path], tmp_path: Path) -> list[Document]:
    return gimp_help.read(pages, tmp_path)


@pytest.fixture
def pool(documents: list[Document]) -> Pool:
    return Pool(documents)


def test_the_whole_benchmark_runs_and_its_tables_name_every_system_and_kind(
    pages: list[Path], tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    found = gimp_help.measure(pages, work, questions=5, seed=1, encoder=TinyEncoder())
    assert json.loads(json.dumps(found)) == found
    assert (found["added"]["documents"], found["added"]["figures"], found["added"]["failed"]) == (6, 7, [])
    assert {kind: values["questions"] for kind, values in found["kinds"].items()} == dict.fromkeys(KINDS, 5)
    table = to_markdown(found)
    assert all(kind in table for kind in KINDS)
    assert found["kinds"][IMAGE]["systems"]["BM25"] is None
    assert found["kinds"][IMAGE]["systems"]["image tokens"]["success@10"]["mean"] == 1.0
    assert found["kinds"][BOTH_KEPT]["systems"]["BM25"]["page success@10"]["mean"] == 1.0
    for copy, gone in (("without sentences", 5), ("without sentences and figures", 5)):
        with Library(work / copy, encoder=TinyEncoder(), create=False) as library:
            rows = library.searcher().snapshot
            texts = [unit.text for unit, _ in rows.units(range(len(rows)))]
            assert sum("turn the" in text for text in texts) == 6 - gone
            assert library.status().documents == 6


def test_the_same_seed_asks_the_same_and_another_seed_another(pool: Pool) -> None:
    for kind in KINDS:
        assert pool.draw(kind, count=4, seed=3) == pool.draw(kind, count=4, seed=3)
        assert pool.draw(kind, count=4, seed=3) != pool.draw(kind, count=4, seed=4)


def test_a_sentence_is_asked_as_it_stands_and_is_then_nowhere_in_the_document(pool: Pool) -> None:
    questions = pool.draw(TEXT, count=10, seed=0)
    assert len(questions) == 6  # the short sections have no sentence to spare
    changed = {document.id: document for document in pool.without(questions)}
    for question in questions:
        text = " ".join(unit.text for unit in units(changed[question.unit.document_id]))
        assert question.text.startswith("Always turn the")
        assert question.text not in text
        assert MORE in text


def test_a_removed_figure_is_gone_and_was_shown_nowhere_else(pool: Pool) -> None:
    questions = pool.draw(BOTH_REMOVED, count=10, seed=0)
    assert {question.unit.title for question in questions} == {f"{n.title()} handling" for n in NAMES[1:]}
    left = Pool(list(pool.without(questions)))
    assert all(left.showing(question.pixels) == [] for question in questions)


def test_every_unit_that_shows_a_figure_is_relevant(pool: Pool) -> None:
    questions = pool.draw(IMAGE, count=10, seed=0)
    assert len({question.pixels for question in questions}) == len(questions) == 6
    sizes = sorted(len(relevant) for relevant in gimp_help.qrels(questions, pool).values())
    assert sizes == [1, 1, 1, 1, 1, 2]


def test_pictures_stored_in_two_formats_are_the_same_by_their_pixels(
    pages: list[Path], tmp_path: Path
) -> None:
    picture = pages[0].with_name("alpha.png")
    with Image.open(picture) as image:
        image.save(picture, optimize=True, compress_level=9)
    before = picture.read_bytes()
    with Image.open(io.BytesIO(before)) as image:
        image.convert("RGBA").save(pages[2].with_name("cedar.png"))
    again = Pool(gimp_help.read(pages, tmp_path))
    alpha = next(unit for unit in again.units if unit.title == "Alpha handling" and unit.figures)
    assert len(again.showing(again.pixels(alpha.figures[0]))) == 3


def test_an_edited_picture_keeps_70_percent_of_the_area_and_is_smaller_still(pages: list[Path]) -> None:
    for seed in range(20):
        with Image.open(
            io.BytesIO(edited(str(pages[0].with_name("alpha.png")), np.random.default_rng(seed)))
        ) as image:
            assert image.format == "JPEG"
            share = image.width * image.height / (90 * 60)
            assert 0.7 * 0.25 * 0.95 < share < 0.7 * 0.81 * 1.05


def test_heading_words_are_two_or_three_and_in_their_order(pool: Pool) -> None:
    for question in pool.draw(BOTH_KEPT, count=10, seed=0):
        assert question.text.split() == question.unit.title.split()


def test_a_unit_is_found_again_by_its_section_and_words(pool: Pool) -> None:
    unit = next(unit for unit in pool.units if unit.passages and MORE in unit.passages[0].text)
    assert moved(unit, [one for one in pool.units if one.document_id == unit.document_id]) == unit
    with pytest.raises(AssertionError, match="has gone"):
        moved(unit, [])


def test_adding_is_measured_with_the_memory_of_children(pages: list[Path], tmp_path: Path) -> None:
    with Library(tmp_path / "one", encoder=TinyEncoder()) as library:
        cost = measure_add(library, pages)
    assert (cost.documents, cost.figures, cost.failed) == (6, 7, ())
    assert 0 < cost.bytes_of_pictures < cost.bytes_on_disk
    assert cost.peak_mb > 10


def test_memory_that_is_taken_is_seen() -> None:
    with TreePeak(every_seconds=0.01) as before:
        pass
    with TreePeak(every_seconds=0.01) as memory:
        taken = bytearray(b"x" * 300_000_000)
    assert memory.peak_mb - before.peak_mb > 250
    del taken


def test_pdfs_are_chosen_by_name_and_seed(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number:02}.pdf").touch()
    chosen = texlive.choose(tmp_path, count=10, seed=0)
    assert chosen == sorted(chosen)
    assert (len(set(chosen)), texlive.choose(tmp_path, count=99, seed=0)[29].name) == (10, "29.pdf")
    assert chosen == texlive.choose(tmp_path, count=10, seed=0) != texlive.choose(tmp_path, count=10, seed=1)


def test_the_pdf_benchmark_runs_whole_on_the_handbooks_service_sheet(tmp_path: Path) -> None:
    sheet = Path(__file__).parents[2] / "examples" / "handbook" / "service-sheet.pdf"
    found = texlive.measure([sheet], tmp_path, seed=0, encoder=TinyEncoder())
    assert (found["added"]["documents"], found["added"]["failed"]) == (1, [])
    assert found["pages"] >= 1
    assert "service-sheet.pdf, page 1" in texlive.to_markdown(found)
