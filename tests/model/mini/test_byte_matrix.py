"""A matrix in 8 bits: by hand, against floats, and what a row is promised."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from plait.model.mini import byte_matrix
from plait.model.mini.byte_matrix import ByteMatrix, bytes_work, in_bytes

needs_bytes = pytest.mark.skipif(not bytes_work(), reason="the processor does not multiply bytes")


@pytest.fixture
def asked_anew() -> Iterator[None]:
    bytes_work.cache_clear()
    yield
    bytes_work.cache_clear()


def test_a_matrix_in_bytes_by_hand() -> None:
    codes, scales = in_bytes(torch.tensor([[127.0, -64.0, 0.4], [0.0, 0.0, 0.0], [-2.54, 1.27, 0.02]]))
    assert codes.tolist() == [[127, -64, 0], [0, 0, 0], [-127, 64, 1]]
    assert scales.tolist() == pytest.approx([1.0, 0.0, 0.02])


@needs_bytes
def test_products_by_hand() -> None:
    matrix = ByteMatrix(torch.tensor([[100, -1], [2, 3]], dtype=torch.int8), torch.tensor([1.0, 10.0]))
    x = torch.tensor([[127.0, 50.5]])  # 50.5 is not whole: half of it lies in the second byte
    assert matrix.across(x).tolist() == [pytest.approx([12700 - 50.5, 10 * (254 + 151.5)])]
    assert matrix.along(x).tolist() == [pytest.approx([12700 + 505 * 2, -127 + 505 * 3], rel=1e-4)]


@needs_bytes
def test_products_differ_from_those_of_floats_in_the_fourth_digit() -> None:
    torch.manual_seed(0)
    codes, scales = in_bytes(torch.randn(300, 96))
    floats, matrix = codes * scales[:, None], ByteMatrix(codes, scales)
    x, shares = torch.randn(5, 96), (3 * torch.randn(5, 300)).softmax(-1)
    for found, expected in ((matrix.across(x), x @ floats.T), (matrix.along(shares), shares @ floats)):
        assert (found - expected).norm() <= 3e-4 * expected.norm()


@needs_bytes
def test_a_row_gives_the_same_beside_any_others() -> None:
    matrix, x = ByteMatrix(*in_bytes(torch.randn(300, 96))), torch.randn(12, 96)
    whole = matrix.across(x)
    for start, count in ((0, 1), (3, 2), (5, 7)):
        assert torch.equal(matrix.across(x[start : start + count]), whole[start : start + count])


@needs_bytes
def test_a_row_of_zeros_gives_zeros() -> None:
    assert ByteMatrix(*in_bytes(torch.randn(7, 4))).across(torch.zeros(1, 4)).tolist() == [[0.0] * 7]


@pytest.mark.usefixtures("asked_anew")
def test_without_the_instructions_bytes_do_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)
    assert not bytes_work()


def in_16_bits(left: Tensor, right: Tensor) -> Tensor:
    """Products as some processors make them: of bytes from 0 on, in pairs that stop at 16 bits."""
    products = (left[:, :, None].int() + 128) * right[None].int()
    pairs = products.view(len(left), -1, 2, right.shape[1]).sum(2).clamp(-(1 << 15), (1 << 15) - 1)
    return (pairs.sum(1) - 128 * right.int().sum(0)).int()


def absent(left: Tensor, right: Tensor) -> Tensor:
    raise RuntimeError("not implemented")


@pytest.mark.usefixtures("asked_anew")
@pytest.mark.parametrize("multiply", [in_16_bits, absent])
def test_products_that_overflow_or_are_absent_do_not_work(multiply, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_vnni": True}, raising=False)
    monkeypatch.setattr(byte_matrix.torch, "_int_mm", multiply)
    assert not bytes_work()
