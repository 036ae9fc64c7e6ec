"""Standard input and addresses are read like files, and only as far as the user allows."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from plait.errors import InputError
from plait.library.bringing import brought


def test_standard_input_becomes_a_file_of_the_name_given(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("a")
    given = io.BytesIO(b"name,price\npump,3\n")
    paths = [tmp_path / "a.md", "-"]
    with brought(paths, library_root=tmp_path, name="prices.csv", stream=given) as found:
        assert [(f.source, f.path.name, f.bytes) for f in found] == [
            ("a.md", "a.md", 1),
            ("stdin:prices.csv", "prices.csv", 18),
        ]
        piped = found[1]
        assert piped.path.read_bytes() == given.getvalue()
        assert (piped.root, piped.is_picture) == (piped.path.parent, False)
        assert found.documents.roots == {tmp_path, piped.root}
    assert not piped.path.exists()


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"%PDF-1.7", "standard-input.pdf"),
        (b"\n<!DOCTYPE HTML><p>", "standard-input.html"),
        (b"\xef\xbb\xbf<svg ", "standard-input.svg"),
        (b"PK\x03\x04", "standard-input.zip"),
        (b"words", "standard-input.txt"),
        (b"", "standard-input.txt"),
    ],
)
def test_standard_input_without_a_name_is_named_by_its_kind(tmp_path: Path, head: bytes, name: str) -> None:
    with brought(["-"], library_root=tmp_path, stream=io.BytesIO(head)) as found:
        assert [f.path.name for f in found] == [name]


def test_more_than_the_limit_through_standard_input_is_skipped(tmp_path: Path) -> None:
    endless = io.BufferedReader(_Endless())
    with brought(["-"], library_root=tmp_path, name="x.pdf", max_file_mb=2, stream=endless) as found:
        assert len(found) == 0
        assert [str(failure) for failure in found.skipped] == [
            "stdin:x.pdf: has more than the limit of 2 MB; split it, or raise max_file_mb"
        ]


def test_what_cannot_be_meant_is_an_error(tmp_path: Path) -> None:
    def refused(*paths: str, name: str = "", match: str) -> None:
        with (
            pytest.raises(InputError, match=match),
            brought(paths, library_root=tmp_path, name=name, stream=io.BytesIO(b"x")),
        ):
            raise AssertionError("it was taken")

    refused("-", "-", match="read once only")
    refused("-", name="../etc/passwd", match="cannot name standard input")
    refused("https://docs.test/", match="allow-urls")


def test_an_address_that_cannot_be_fetched_is_skipped_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("a")
    paths = [tmp_path / "a.md", "http://127.0.0.1/x.html", "http://127.0.0.1/x.html"]
    with brought(paths, library_root=tmp_path, urls=True) as found:
        assert [f.source for f in found] == ["a.md"]
        (failure,) = found.skipped
    assert failure.source == "http://127.0.0.1/x.html"
    assert "not an address of the public internet" in failure.reason


class _Endless(io.RawIOBase):
    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        return len(buffer)
