"""Readers of captioned pictures, each on a few files in its form."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.helpers.tiny_packages import drawing

from plait.errors import InputError
from plait.train.mini.captioned import clip_art, emoji, emoji_names, files, furniture, icons

SQUARE = '<path fill="currentColor" d="M2 2h12v12H2z"/>'
NAMES = {
    "1f34e": ("red apple", ("fruit",)),
    "1f600": ("grinning", ()),
    "1f1eb-1f1f7": ("flag: France", ()),
    "2764": ("red heart", ()),
}


def write_icons(folder: Path, names: tuple[str, ...], **more: object) -> Path:
    folder.mkdir(exist_ok=True)
    bodies: dict[str, dict[str, object]] = {name: {"body": SQUARE} for name in names}
    bodies["secret"] = {"body": SQUARE, "hidden": True}
    (folder / "icons.json").write_text(json.dumps({"icons": {**bodies, **more}}))
    return folder


# --- emoji ---


def test_emoji_files_are_named_by_their_code_points(tmp_path: Path) -> None:
    for code in ("1f34e", "2764-fe0f", "1f1eb-1f1f7", "1f999"):  # fe0f asks for colour; the last has no name
        drawing(1).save(tmp_path / f"{code}.png")
    found = {one.key: one for one in emoji("set", tmp_path, NAMES, flags=False)}
    assert {key: (one.title, one.tags) for key, one in found.items()} == {
        "1f34e": ("red apple", ("fruit",)),
        "2764": ("red heart", ()),
    }
    assert found["1f34e"].opened().tobytes() == drawing(1).tobytes()
    with_flags = [one.title for one in emoji("set", tmp_path, NAMES, flags=True)]
    assert sorted(with_flags) == ["flag: France", "red apple", "red heart"]


def test_emoji_of_an_icon_set_are_found_by_code_point_and_by_name(tmp_path: Path) -> None:
    write_icons(tmp_path, ("apple", "red-heart", "grinning-face", "unknown"))
    (tmp_path / "chars.json").write_text(json.dumps({"1f34e": "apple", "1f999": "unknown", "2764": "gone"}))
    found = {one.key: one.title for one in emoji("set", tmp_path, NAMES, flags=True)}
    assert found == {"1f34e": "red apple", "2764": "red heart", "1f600": "grinning"}


def test_names_of_emoji_lose_face_and_what_the_tags_repeat(tmp_path: Path) -> None:
    entries = [
        {"hexcode": "1F600", "label": "grinning face", "tags": ["grinning face", "smile"]},
        {"hexcode": "2764-FE0F", "label": "red heart"},
    ]
    (tmp_path / "data.json").write_text(json.dumps(entries))
    assert emoji_names(tmp_path / "data.json") == {
        "1f600": ("grinning", ("smile",)),
        "2764": ("red heart", ()),
    }


# --- icons ---


def test_icons_are_named_by_their_files_without_numbers(tmp_path: Path) -> None:
    write_icons(tmp_path, ("fishing-boat-2", "fishing_boat", "404", "tea-cup-24", "boat-off"))
    found = [(one.title, one.key) for one in icons("set", tmp_path, without="-off$", most=10)]
    assert found == [("fishing boat", "fishing-boat-2"), ("tea cup", "tea-cup-24")]


def test_a_suffix_that_is_asked_for_is_cut_off(tmp_path: Path) -> None:
    write_icons(tmp_path, ("cup-fill", "cup", "tree-fill"))
    assert [one.title for one in icons("set", tmp_path, only="-fill", most=10)] == ["cup", "tree"]


@pytest.mark.parametrize(("most", "expected"), [(5, "abcde"), (3, "ace"), (2, "ad"), (1, "a")])
def test_too_many_icons_are_thinned_evenly_over_the_alphabet(
    most: int, expected: str, tmp_path: Path
) -> None:
    write_icons(tmp_path, tuple("edcba"))
    assert [one.title for one in icons("set", tmp_path, most=most)] == list(expected)


def test_an_icon_is_drawn_in_one_ink_on_a_transparent_ground(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    red = '<path fill="#f00" d="M0 0h8v4H0z"/>'
    shapes = {
        "wide": {"body": red, "width": 32, "height": 16},
        "tall": {"body": red, "width": 16, "height": 32},
    }
    write_icons(tmp_path, ("square",), **shapes)
    drawn = {one.title: one.opened() for one in icons("set", tmp_path, most=9)}
    assert drawn["square"].size == (256, 256)
    assert drawn["square"].getpixel((4, 4))[3] == 0
    assert drawn["square"].getpixel((128, 128))[3] == 255
    assert drawn["wide"].size == (256, 128)  # the longer side has 256 pixels
    assert drawn["wide"].getpixel((10, 10)) == (255, 0, 0, 255)
    assert drawn["tall"].size == (128, 256)


def test_the_same_icon_has_the_same_ink_and_others_have_others(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    write_icons(tmp_path, ("a", "b", "c", "d", "e", "f"))
    inks = [[one.opened().getpixel((128, 128)) for one in icons("set", tmp_path, most=9)] for _ in range(2)]
    assert inks[0] == inks[1]
    assert len(set(inks[0])) > 2


# --- clip art ---


def write_art(folder: Path, path: str, head: str) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(f"<svg>{head}</svg>")


def test_clip_art_is_titled_by_its_metadata_or_else_by_its_file(tmp_path: Path) -> None:
    tags = "<rdf:li>Farm_animal</rdf:li><rdf:li>unsorted</rdf:li><rdf:li>farm animal</rdf:li>"
    write_art(tmp_path, "animals/a1.svg", f"<dc:title>Brown Cow 2</dc:title>{tags}")
    write_art(tmp_path, "animals/grey_goose_03.svg", "<dc:title>Clipart by someone</dc:title>")
    write_art(tmp_path, "animals/hen.svg", "")
    write_art(tmp_path, "animals/x1.svg", "<dc:title> </dc:title>")  # nothing says what it shows
    found = [(one.key, one.title, one.tags) for one in clip_art("art", tmp_path, tmp_path)]
    assert found == [
        ("animals/a1.svg", "brown cow", ("farm animal",)),
        ("animals/grey_goose_03.svg", "grey goose", ()),
        ("animals/hen.svg", "hen", ()),
    ]


def test_signs_and_buttons_are_no_things(tmp_path: Path) -> None:
    for path in ("computer/icons/disk.svg", "shapes/star.svg", "a/smilies/grin.svg", "tools/shapes.svg"):
        write_art(tmp_path, path, "")
    assert [one.key for one in clip_art("art", tmp_path, tmp_path)] == ["tools/shapes.svg"]


def test_only_some_with_one_title_are_kept_whatever_their_case(tmp_path: Path) -> None:
    for number, title in enumerate(("Cow", "cow", "COW", "Duck")):
        write_art(tmp_path, f"a/{number}.svg", f"<dc:title>{title}</dc:title>")
    assert [one.key for one in clip_art("art", tmp_path, tmp_path, alike=2)] == [
        "a/0.svg",
        "a/1.svg",
        "a/3.svg",
    ]


def test_clip_art_is_opened_as_it_was_rendered(tmp_path: Path) -> None:
    write_art(tmp_path / "svg", "a/cow.svg", "")
    (tmp_path / "png/a").mkdir(parents=True)
    drawing(3).save(tmp_path / "png/a/cow.png")
    (cow,) = clip_art("art", tmp_path / "svg", tmp_path / "png")
    assert cow.opened().tobytes() == drawing(3).tobytes()


# --- furniture ---


def test_furniture_has_its_name_category_and_picture(tmp_path: Path) -> None:
    catalogue = "\n".join(
        (
            "id#1=x",
            "name#1= Oven ",
            "category#1=Kitchen",
            "tags#1=stove, cooker",
            "icon#1=/images/oven.png",
            "name#2=Cat",
            "category#2=Miscellaneous",
            "icon#2=cat.png",
        )
    )
    with zipfile.ZipFile(tmp_path / "shop.sh3f", "w") as archive:
        archive.writestr("PluginFurnitureCatalog.properties", catalogue)
        with archive.open("images/oven.png", "w") as stream:
            drawing(4).save(stream, "PNG")
    oven, cat = furniture("furniture", [tmp_path / "shop.sh3f"])
    assert (oven.key, oven.title, oven.tags) == (
        "shop/images/oven.png",
        "Oven",
        ("Kitchen", "stove", "cooker"),
    )
    assert (cat.title, cat.tags) == ("Cat", ())
    assert oven.opened().tobytes() == drawing(4).tobytes()
    with pytest.raises(KeyError):  # a picture that the archive lacks
        cat.opened()


# --- files ---


def test_files_are_all_pictures_below_a_folder(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    drawing(5).save(tmp_path / "deep/b.png")
    drawing(6).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("a stamp")
    assert [(one.key, one.title) for one in files("test", tmp_path)] == [("a.png", "a"), ("deep/b.png", "b")]


@pytest.mark.parametrize("size", [(15, 15), (300, 30), (16, 200)])
def test_a_picture_too_small_or_too_slim_is_refused_with_its_size(
    size: tuple[int, int], tmp_path: Path
) -> None:
    Image.new("RGB", size, "red").save(tmp_path / "slim.png")
    (slim,) = files("test", tmp_path)
    with pytest.raises(InputError, match=f"{size[0]} x {size[1]}"):
        slim.opened()


def test_a_large_picture_is_reduced_and_keeps_its_shape(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (700, 1400, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "large.png")
    (large,) = files("test", tmp_path)
    assert (large.opened().size, large.opened().mode) == ((512, 256), "RGBA")
