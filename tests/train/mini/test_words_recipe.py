"""The head for words, from hand-made packages to what it finds."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.helpers.tiny_packages import drawing, write_clip_art, write_emoji, write_furniture, write_stamps
from torch import Tensor

from plait.encode.mini_towers import vision_weights
from plait.model.mini.configuration_mini import FigureWordsConfig, VisionTower
from plait.model.mini.lite0_top import Lite0Top
from plait.model.mini.words_mini import FigureWords
from plait.train.mini.caption_features import Sighted
from plait.train.mini.drawings import DRAWINGS, TEST
from plait.train.mini.words import Captions, WordsRecipe
from plait.train.mini.words_recipe import captions, fit_without, found_by_title

CHOSEN = tuple(d for d in DRAWINGS if d.name in ("fluent-3d", "openclipart", "furniture"))
RECIPE = WordsRecipe(class_width=8, look_width=8)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages")
    write_clip_art(folder, ("Cow", "Duck"))
    write_furniture(folder, ("Oven", "Chair", "Table", "Bed"))
    write_emoji(folder)
    write_stamps(folder, copy_of=drawing(203))
    return folder


# --- features ---


def test_captions_are_those_of_every_source_without_the_test_sets(packages: Path, tmp_path: Path) -> None:
    found = captions(packages, tmp_path, vision_weights(VisionTower()), CHOSEN)
    assert {name: set(own.titles) for name, own in found.items()} == {
        "fluent-3d": {"red apple", "banana", "ewe"},
        "openclipart": {"cow", "duck"},
        "furniture": {"Oven", "Chair", "Bed"},  # the table is a stamp
    }


def test_features_are_computed_once(packages: Path, tmp_path: Path) -> None:
    state = vision_weights(VisionTower())
    first = captions(packages, tmp_path, state, CHOSEN)
    kept = tmp_path / "captions"
    assert {path.stem for path in kept.iterdir()} == {*first, TEST}
    own = Sighted.read(kept / "openclipart.npz")
    marked = Captions("openclipart", ("kept", "duck"), own.captions.features)
    Sighted(marked, own.thumbs).save(kept / "openclipart.npz")
    assert captions(packages, tmp_path, state, CHOSEN)["openclipart"].titles == ("kept", "duck")


# --- fit ---


def made_up(source: str, seed: int, *titles: str) -> Captions:
    features = np.random.default_rng(seed).normal(size=(len(titles), 1, 16)).astype(np.float32)
    return Captions(source, titles, features)


def encode(texts) -> np.ndarray:
    vectors = np.stack([np.random.default_rng(sum(t.encode())).normal(size=16) for t in texts])
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def top() -> Lite0Top:
    torch.manual_seed(0)
    small = Lite0Top()
    small.classify = torch.nn.Linear(16, 12)
    return small.requires_grad_(False)


def test_a_source_is_left_out_with_its_group(top: Lite0Top) -> None:
    names = [[f"class {row}"] for row in range(12)]
    of = {"openclipart": made_up("openclipart", 0, *"abcdefghijkl"), "noto": made_up("noto", 1, *"mnopqrst")}

    def fitted(held_out: str | None, **more: Captions) -> Tensor:
        drawings = [d for d in DRAWINGS if d.name in {*of, *more}]
        return fit_without(held_out, {**of, **more}, names, encode, top, RECIPE, drawings).expect.weight

    twemoji = made_up("twemoji", 2, *"uvwxyz")
    assert torch.equal(fitted("noto"), fitted("noto", twemoji=twemoji))  # both are emoji
    assert not torch.equal(fitted("openclipart"), fitted("openclipart", twemoji=twemoji))
    assert not torch.equal(fitted(None), fitted("noto"))


# --- what is found ---


@dataclass
class _Classifier:
    """The top's part that `found_by_title` uses: here, the features themselves."""

    def classify(self, features: Tensor) -> Tensor:
        return features


class _ByNumber(FigureWords):
    """Figures and questions are what they are given."""

    def __init__(self) -> None:
        super().__init__(FigureWordsConfig(1, 1, 1), text_width=1, features=1, classes=1)

    def figures(self, features: Tensor, odds: Tensor) -> Tensor:
        return features

    def questions(self, texts: Tensor) -> Tensor:
        return texts


def test_a_title_counts_as_found_when_any_picture_of_that_title_is() -> None:
    """Four pictures of three titles: the dog's second picture is nearest, the hen's comes third."""
    pictures = np.array([[[1.0, 0]], [[0, 1.0]], [[0.6, 0.6]], [[0.5, 0.5]]], np.float32)
    own = Captions("set", ("Dog", "dog", "hen", "ox"), pictures)
    asked = {"A dog.": (0, 1.0), "A hen.": (1.0, 0), "A ox.": (-1.0, -1.0)}

    def encoded(texts) -> np.ndarray:
        return np.array([asked[text] for text in texts], np.float32)

    found = found_by_title(_ByNumber(), own, encoded, _Classifier())
    # dog 1 at rank 1; hen 0.6 behind 1.0; ox -1.0, beside -1.0, -1.0 and -1.2: nothing is ahead of it
    assert found == {"titles": 3, "pictures": 4, "R@1": 66.7, "R@10": 100.0}
