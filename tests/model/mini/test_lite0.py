"""EfficientNet-Lite0 with folded norms against the published implementation, on the published weights."""

import contextlib
import io

import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet

from plait.encode.mini_towers import package_folder
from plait.model.mini.configuration_mini import VisionTower
from plait.model.mini.lite0 import EfficientNetLite0, load_lite0


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    tower = VisionTower()
    return torch.load(package_folder(tower.package) / tower.file, weights_only=True)


def test_the_last_stage_equals_the_published_implementation(state: dict[str, torch.Tensor]) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        published = EfficientNet.from_name("efficientnet-lite0")
    published.load_state_dict(state)
    published.eval()
    pixels = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = published._swish(published._bn0(published._conv_stem(pixels)))
        for block in published._blocks:
            expected = block(expected)
        found = load_lite0(state)(pixels)[-1]
    assert torch.allclose(found, expected, atol=2e-4)


def test_stages_have_the_documented_shapes(state: dict[str, torch.Tensor]) -> None:
    with torch.inference_mode():
        maps = load_lite0(state)(torch.zeros(1, 3, 224, 224))
    sides = [112, 56, 28, 14, 14, 7, 7]
    assert [tuple(m.shape) for m in maps] == [
        (1, width, side, side) for width, side in zip(EfficientNetLite0.widths, sides, strict=True)
    ]


def test_a_checkpoint_of_another_network_is_refused() -> None:
    with pytest.raises(KeyError):
        load_lite0({})
