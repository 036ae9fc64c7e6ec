"""The head that compares words with figures: by hand on two classes, and how it is stored."""

import json
import math
from dataclasses import asdict

import pytest
import torch
from torch import Tensor

from plait.model.mini.byte_matrix import bytes_work
from plait.model.mini.configuration_mini import FigureWordsConfig, MiniConfig
from plait.model.mini.words_mini import FigureWords, compressed, is_compressed, uncompressed


def head(names: list[list[float]], of_class: list[int], *, class_weight: float = 1.0) -> FigureWords:
    """Two classes, texts of three numbers, features of two; the second half is blind."""
    config = FigureWordsConfig(len(names), class_width=2, look_width=1, class_weight=class_weight)
    words = FigureWords(config, text_width=3, features=2, classes=2)
    with torch.no_grad():
        words.names.copy_(torch.tensor(names))
        words.name_class.copy_(torch.tensor(of_class))
        words.class_basis.copy_(torch.eye(2))
        for blind in (words.look, words.expect):
            blind.weight.zero_()
            blind.bias.fill_(1.0)
    return words.eval()


BOAT, CAT, SHIP = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.9, 0.0, 0.436]
FIGURES = torch.zeros(2, 2), torch.tensor([[4.0, -4.0], [-4.0, 4.0]])  # surely a boat, surely a cat


def cosines(words: FigureWords, *texts: list[float]) -> Tensor:
    with torch.inference_mode():
        return words.questions(torch.tensor(texts)) @ words.figures(*FIGURES).T


def test_a_name_finds_the_figure_of_its_class() -> None:
    found = cosines(head([BOAT, CAT], [0, 1]), BOAT, CAT)
    # halves weigh the same and the blind ones agree; odds (1, -1) / sqrt 2, asked (1, 0): cosine 0.7071
    assert found.flatten().tolist() == pytest.approx([0.8536, 0.1464, 0.1464, 0.8536], abs=1e-3)


def test_words_near_a_name_find_its_figure_too() -> None:
    assert cosines(head([BOAT, CAT], [0, 1]), SHIP)[0].argmax() == 0


def test_a_second_name_of_a_class_counts_only_where_it_is_nearer() -> None:
    one, two = head([BOAT, CAT], [0, 1]), head([BOAT, CAT, SHIP], [0, 1, 0])
    assert cosines(two, BOAT) == pytest.approx(cosines(one, BOAT))
    halfway = [0.5, 0.6, 0.62]
    assert cosines(two, halfway)[0, 0] > cosines(one, halfway)[0, 0]


def test_vectors_have_unit_length_and_the_declared_width() -> None:
    words = head([BOAT, CAT], [0, 1], class_weight=2.0)
    with torch.inference_mode():
        for vectors in (words.questions(torch.tensor([BOAT, SHIP])), words.figures(*FIGURES)):
            assert vectors.shape == (2, words.config.width)
            assert vectors.norm(dim=-1) == pytest.approx(torch.ones(2))


def remembering() -> FigureWords:
    """A head that knows two captions of different looks, and whose map expects a third one."""
    config = FigureWordsConfig(
        1, class_width=1, look_width=3, captions=2, caption_weight=0.75, caption_temperature=0.1
    )
    words = FigureWords(config, text_width=3, features=2, classes=1)
    with torch.no_grad():
        words.expect.weight.zero_()
        words.expect.bias.copy_(torch.tensor([0.0, 0.0, 5.0]))
        assert words.captions is not None
        words.captions.words.copy_(torch.tensor([BOAT, CAT]))
        words.captions.looks.copy_(torch.eye(3)[:2])
    return words.eval()


def test_a_question_expects_what_pictures_of_its_caption_look_like() -> None:
    with torch.inference_mode():
        looks = remembering().questions(torch.tensor([BOAT, CAT]))[:, 1:]
    # the map's (0, 0, 1) and 0.75 of the caption's look, in a length of 1.25
    assert looks[0].tolist() == pytest.approx([0.6, 0.0, 0.8], abs=1e-3)
    assert looks[1].tolist() == pytest.approx([0.0, 0.6, 0.8], abs=1e-3)


def test_captions_of_more_pictures_weigh_more_where_words_are_between_two() -> None:
    words = remembering()
    assert words.captions is not None
    between = torch.tensor([[0.5**0.5, 0.5**0.5, 0.0]])
    with torch.inference_mode():
        assert words.captions(between)[0].tolist() == pytest.approx([0.5**0.5, 0.5**0.5, 0.0])
        words.captions.log_weights[0] = math.log(3)
        assert words.captions(between)[0].tolist() == pytest.approx([0.9**0.5, 0.1**0.5, 0.0])


def test_a_head_without_captions_has_no_tensors_of_them() -> None:
    assert not [name for name in head([BOAT], [0]).state_dict() if name.startswith("captions")]


def test_what_is_stored_in_eight_bits_hardly_turns_a_row() -> None:
    torch.manual_seed(0)
    words = FigureWords(FigureWordsConfig(30, 16, 16, captions=12), text_width=24, features=40, classes=20)
    with torch.no_grad():
        for tensor in words.parameters():
            tensor.normal_()
    stored = compressed(words)
    assert stored["names"].dtype == torch.int8
    again = uncompressed(stored)
    assert set(again) == set(words.state_dict())
    for name, value in words.state_dict().items():
        if value.ndim > 1:
            turned = torch.nn.functional.cosine_similarity(again[name], value, dim=1)
            assert turned.min() > 0.999
        else:
            assert torch.equal(again[name], value)


@pytest.mark.skipif(not bytes_work(), reason="the processor does not multiply bytes")
@pytest.mark.parametrize("captions", [0, 12])
def test_questions_in_bytes_are_those_in_floats_and_figures_stay(captions: int) -> None:
    torch.manual_seed(2)
    config = FigureWordsConfig(30, 16, 16, captions=captions)
    words = FigureWords(config, text_width=24, features=40, classes=20)
    with torch.no_grad():
        for tensor in words.parameters():
            tensor.normal_()
    words.name_class.copy_(torch.arange(30) % 20)
    stored = compressed(words)
    words.load_state_dict(uncompressed(stored))
    texts = torch.nn.functional.normalize(torch.randn(5, 24), dim=-1)
    shown = torch.randn(5, 40), torch.randn(5, 20)
    with torch.inference_mode():
        asked, figures = words.questions(texts), words.figures(*shown)
        assert not words.is_in_bytes
        words.ask_in_bytes(stored)
        assert words.is_in_bytes
        again = words.questions(texts)
        assert not torch.equal(again, asked)
        torch.testing.assert_close(again, asked, atol=2e-3, rtol=0)
        assert torch.equal(words.figures(*shown), figures)


def test_what_is_stored_as_it_is_is_not_compressed() -> None:
    words = head([BOAT, CAT], [0, 1])
    assert is_compressed(compressed(words))
    assert not is_compressed(words.state_dict())
    assert uncompressed(words.state_dict()).keys() == words.state_dict().keys()


def test_storing_what_was_stored_changes_nothing_more() -> None:
    torch.manual_seed(1)
    words = FigureWords(FigureWordsConfig(5, 4, 4), text_width=6, features=7, classes=3)
    torch.nn.init.normal_(words.class_basis)
    once = uncompressed(compressed(words))
    words.load_state_dict(once)
    assert uncompressed(compressed(words))["class_basis"] == pytest.approx(once["class_basis"], abs=1e-6)


def test_a_configuration_from_before_there_was_such_a_head_is_read_as_without() -> None:
    old = MiniConfig().to_dict()
    assert "words" not in old
    assert MiniConfig.from_dict(old).words is None
    new = {**old, "words": asdict(FigureWordsConfig(7))}
    again = MiniConfig.from_dict(json.loads(json.dumps(new)))
    assert again.words == FigureWordsConfig(7)
    assert again.to_dict() == new
