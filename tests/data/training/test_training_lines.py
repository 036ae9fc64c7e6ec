"""Lines, fields, files and pictures: what is read, and what is said of what cannot be."""

from __future__ import annotations

import os

import pytest
from PIL import Image

from plait.data.training import lines as lines_module
from plait.data.training.drawing import drawn, generator
from plait.data.training.entities import content_entity, label_entity, positive_entity
from plait.data.training.examples import BadRow, Example, Side
from plait.data.training.fields import id_of, ids_of, numbers_of, text_of, texts_of
from plait.data.training.files import files_of, fingerprint
from plait.data.training.lines import Row, json_rows
from plait.data.training.pictures import PictureFolder, PictureStore
from plait.errors import InputError, MissingPathError


def test_rows_carry_their_line_and_the_byte_where_it_begins(lines):
    file = lines("a.jsonl", b"\xef\xbb\xbf{}", "", '  {"a": 1}\r', '{"b": "\u2028"}')
    assert list(json_rows(file)) == [
        Row(f"{file}:1", {}, 0),
        Row(f"{file}:3", {"a": 1}, 7),
        Row(f"{file}:4", {"b": "\u2028"}, 19),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": "\xff"}', "not UTF-8 (invalid start byte at byte 7)"),
        (b'{"a": ', "not JSON (Expecting value: line 1 column 6"),
        (b"[1]", "expected a JSON object, got list"),
        (b"null", "expected a JSON object, got NoneType"),
        (b"[" * 200_000, "not JSON (maximum recursion depth"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON (Exceeds the limit"),
    ],
)
def test_a_damaged_line_is_told_by_its_number_and_the_next_is_read(lines, line, reason):
    file = lines("a.jsonl", {"a": 1}, line, {"a": 2})
    first, bad, last = json_rows(file)
    assert isinstance(bad, BadRow)
    assert bad.place == f"{file}:2"
    assert bad.reason.startswith(reason)
    assert (first.values, last.values) == ({"a": 1}, {"a": 2})


def test_a_line_without_end_is_not_taken_into_memory(lines, monkeypatch):
    monkeypatch.setattr(lines_module, "MAX_LINE_BYTES", 100)
    file = lines("a.jsonl", {"a": 1}, "x" * 1000, {"a": 2})
    first, bad, last = json_rows(file)
    assert bad == BadRow(f"{file}:2", "longer than 100 bytes: expected one JSON object a line")
    assert (first.offset, last.offset) == (0, 9 + 1001)
    longest = {"a": "x" * 90}  # 100 bytes with its line break
    assert [row.values for row in json_rows(lines("b.jsonl", longest))] == [longest]


def test_fields_are_of_their_types_or_say_what_was_expected():
    row = {"text": "a", "none": None, "number": 7, "list": ["a", None], "flag": True, "real": 0.5}
    assert (text_of(row, "text"), text_of(row, "none"), text_of(row, "missing")) == ("a", "", "")
    assert (id_of(row, "text"), id_of(row, "number")) == ("a", "7")
    assert (ids_of(row, "number"), ids_of(row, "none"), ids_of({"a": ["x", 3]}, "a")) == (
        ["7"],
        [],
        ["x", "3"],
    )
    assert (texts_of(row, "list"), texts_of(row, "text"), texts_of(row, "none")) == (["a", ""], ["a"], [])
    assert numbers_of({"n": [1, 0.5, -2]}, "n") == (1.0, 0.5, -2.0)
    for read, key, expected in [
        (text_of, "number", '"number", a string or null, got 7'),
        (texts_of, "number", '"number", a string or null, got 7'),
        (id_of, "none", '"none", a string that is not empty or a whole number, got None'),
        (id_of, "flag", "got True"),
        (id_of, "real", "got 0.5"),
        (ids_of, "list", "got None"),
        (numbers_of, "number", "a list of finite numbers or null, got 7"),
    ]:
        with pytest.raises(InputError, match=expected):
            read(row, key)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e39, 10**400, True, "1", None])
def test_a_number_must_fit_32_bits(number):
    with pytest.raises(InputError, match="finite numbers"):
        numbers_of({"n": [number]}, "n")


def test_half_a_character_is_no_text(lines):
    (row,) = json_rows(lines("a.jsonl", rb'{"text": "ab\ud83d"}'))
    with pytest.raises(InputError, match='"text" holds half a character at position 2'):
        text_of(row.values, "text")


def test_patterns_are_sorted_and_names_taken_as_they_are(lines):
    for name in ("p-2.jsonl", "p-10.jsonl", "p-[1].jsonl", "deep/er/p-3.jsonl"):
        lines(name, {})
    folder = lines("other.txt", {}).parent
    names = lambda paths: [file.name for file in files_of(paths, what="rows")]  # noqa: E731
    assert names(f"{folder}/p-*.jsonl") == ["p-10.jsonl", "p-2.jsonl", "p-[1].jsonl"]
    assert names(f"{folder}/**/p-3.jsonl") == ["p-3.jsonl"]
    assert names(folder / "p-[1].jsonl") == ["p-[1].jsonl"]
    assert names([folder / "p-2.jsonl", f"{folder}/p-1*"]) == ["p-2.jsonl", "p-10.jsonl"]
    with pytest.raises(MissingPathError, match="nothing matches it as a pattern"):
        files_of(folder / "q-*", what="rows")
    with pytest.raises(InputError, match=r"a folder; expected a file of rows, or a pattern such as .*\*"):
        files_of(folder, what="rows")
    with pytest.raises(InputError, match="no files of rows given"):
        files_of([], what="rows")


def test_a_fingerprint_changes_with_settings_and_files(lines):
    file = lines("a.jsonl", {"a": 1})
    first = fingerprint("x", 1, files=[file])
    assert fingerprint("x", 1, files=[file]) == first
    assert fingerprint("x", 2, files=[file]) != first
    state = file.stat()
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert fingerprint("x", 1, files=[file]) != first


# --- pictures ---


def test_pictures_are_found_by_relative_and_inner_absolute_paths(images):
    folder = PictureFolder(images)
    blue = str(images / "sub" / "blue.jpg")
    assert folder.find("sub/blue.jpg") == blue
    assert folder.find("sub/../sub/./blue.jpg") == blue
    assert folder.find(blue) == blue
    assert folder.find("") == ""
    (images / "link.jpg").symlink_to("sub/blue.jpg")
    assert folder.find("link.jpg") == blue


@pytest.mark.parametrize(
    "address", ["../outside.png", "sub/../../outside.png", "out.png", "up/outside.png", "{}"]
)
def test_a_path_that_leaves_the_folder_is_refused(images, address):
    (images / "out.png").symlink_to(images.parent / "outside.png")
    (images / "up").symlink_to(images.parent)
    with pytest.raises(InputError, match="leads out of the folder of pictures"):
        PictureFolder(images).find(address.format(images.parent / "outside.png"))


def test_a_folder_whose_name_begins_alike_is_outside(images):
    (images.parent / "images2").mkdir()
    Image.new("RGB", (2, 2)).save(images.parent / "images2" / "a.png")
    with pytest.raises(InputError, match="leads out"):
        PictureFolder(images).find("../images2/a.png")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("gone.png", "'gone.png' does not exist in '.*images'"),
        ("empty.png", "is an empty file"),
        ("sub", "is no file"),
        ("a\0b", "holds a null byte"),
        ("https://example.org/a.png", "is no path: save the picture, nothing is fetched"),
        ("red.png/x", "cannot be read"),
        ("x" * 300, "cannot be read"),
    ],
)
def test_a_picture_that_is_not_there_is_told(images, address, reason):
    (images / "empty.png").touch()
    with pytest.raises(InputError, match=reason):
        PictureFolder(images).find(address)


def test_headers_are_read_when_asked_for(images):
    (images / "words.png").write_text("not a picture")
    (images / "cut.png").write_bytes((images / "red.png").read_bytes()[:20])
    assert PictureFolder(images).find("words.png")
    strict = PictureFolder(images, headers=True)
    assert strict.find("red.png")
    for name in ("words.png", "cut.png"):
        with pytest.raises(InputError, match=f"'{name}' is no picture that can be read"):
            strict.find(name)


def test_a_missing_folder_of_pictures_is_an_error(images):
    with pytest.raises(MissingPathError, match="no such folder"):
        PictureFolder(images / "red.png")


def test_bytes_are_kept_once_and_whole(tmp_path, images):
    store = PictureStore(tmp_path / "store")
    data = (images / "red.png").read_bytes()
    path = store.keep(data)
    written = os.stat(path)
    assert store.keep(data) == path
    assert os.stat(path).st_mtime_ns == written.st_mtime_ns
    with open(path, "rb") as file:
        assert file.read() == data
    assert store.keep(b"other") != path
    assert sum(len(files) for _, _, files in os.walk(tmp_path / "store")) == 2
    with pytest.raises(InputError, match="0 bytes"):
        store.keep(b"")


# --- draws and entities ---


def test_draws_depend_on_seed_and_purpose_alone():
    options = list(range(1000))
    first = drawn(options, seed=1, purpose="a")
    generator(1, "b").random()
    assert drawn(options, seed=1, purpose="a") == first
    assert {drawn(options, seed=s, purpose=p) for s in (1, 2, 3) for p in ("a", "b")} != {first}
    assert drawn(["only"], seed=9, purpose="x") == "only"
    shares = [sum(drawn("abc", seed=0, purpose=str(k)) == letter for k in range(3000)) for letter in "abc"]
    assert all(900 < share < 1100 for share in shares)


def test_entities_are_of_the_label_or_of_the_content():
    side = Side("ab", "c")
    assert content_entity(side) == content_entity(Side("ab", "c"))
    assert (
        len({content_entity(side), content_entity(Side("a", "bc")), label_entity("ab"), label_entity("c")})
        == 4
    )
    assert 0 <= label_entity("x") < 2**63
    documents = (Side("low"), Side("high"))
    assert positive_entity(Example("1", Side("q"), documents)) == content_entity(Side("low"))
    assert positive_entity(Example("1", Side("q"), documents, grades=(1, 2))) == content_entity(Side("high"))
    assert positive_entity(Example("1", Side("q"), documents, label="x")) == label_entity("x")
