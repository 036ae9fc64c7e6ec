"""The sources of captioned pictures: what each form reads, and what none of them may be."""

import json
from pathlib import Path

import pytest
from tests.helpers.tiny_packages import write_class_names, write_clip_art, write_emoji, write_furniture

from plait.train.mini.drawings import DRAWINGS, RENDERED, TEST, Drawings, class_names, read
from plait.train.mini.words_recipe import HELD_OUT

BY_NAME = {source.name: source for source in DRAWINGS}


def titles(source: Drawings, packages: Path) -> list[str]:
    found = list(read(source, packages))
    assert {one.source for one in found} <= {source.name}
    assert len({one.key for one in found}) == len(found)
    return [one.title for one in found]


def test_emoji_are_read_from_a_folder_of_files(tmp_path: Path) -> None:
    write_emoji(tmp_path)
    assert sorted(titles(BY_NAME["fluent-3d"], tmp_path)) == ["banana", "ewe", "red apple"]


def test_emoji_and_icons_are_read_from_icon_sets(tmp_path: Path) -> None:
    write_emoji(tmp_path)
    for package, names in (("noto", ("apple", "fr")), ("maki", ("bakery-11", "bank"))):
        folder = tmp_path / f"@iconify-json--{package}/package"
        folder.mkdir(parents=True)
        icons = {name: {"body": "<path/>"} for name in names}
        (folder / "icons.json").write_text(json.dumps({"icons": icons}))
        (folder / "chars.json").write_text(json.dumps({"1f34e": "apple", "1f1eb-1f1f7": "fr"}))
    assert titles(BY_NAME["noto"], tmp_path) == ["red apple", "flag: France"]
    assert titles(BY_NAME["maki"], tmp_path) == ["bank"]  # its settings leave "-11" out


def test_clip_art_and_furniture_are_read_where_debian_puts_them(tmp_path: Path) -> None:
    write_clip_art(tmp_path, ("Cow", "Duck"))
    write_furniture(tmp_path, ("Oven", "Chair"))
    assert titles(BY_NAME["openclipart"], tmp_path) == ["cow", "duck"]
    assert titles(BY_NAME["furniture"], tmp_path) == ["Oven", "Chair"]
    for name in ("openclipart", "furniture"):
        assert all(one.opened().mode == "RGBA" for one in read(BY_NAME[name], tmp_path))


def test_a_class_is_called_by_its_names_and_its_definition(tmp_path: Path) -> None:
    write_class_names(tmp_path, ("ox", "drake, mallard"))
    found = class_names(tmp_path / "timm")
    assert len(found) == 1000
    assert found[:2] == [["ox", "ox: any ox"], ["drake", "mallard", "drake: any drake, mallard"]]


def test_a_class_without_a_definition_keeps_its_names(tmp_path: Path) -> None:
    write_class_names(tmp_path, ("ox",))
    (tmp_path / "timm/timm/data/_info/imagenet_synset_to_definition.txt").write_text("")
    assert class_names(tmp_path / "timm")[0] == ["ox", "ox: "]


def test_test_data_is_no_source() -> None:
    assert TEST not in {source.package for source in DRAWINGS} | {RENDERED}
    assert not any(test in source.package for source in DRAWINGS for test in ("tuxpaint", "gimp"))


@pytest.mark.parametrize("source", DRAWINGS, ids=lambda source: source.name)
def test_every_source_is_permissive_and_credited(source: Drawings) -> None:
    permissive = {"Apache-2.0", "MIT", "ISC", "CC0", "CC BY 3.0", "CC BY 4.0", "public domain"}
    assert set(source.licence.split(" and ")) <= permissive
    assert source.credit
    assert source.views in (1, 2)


def test_sources_have_names_of_their_own_and_three_groups_are_held_out() -> None:
    assert len(BY_NAME) == len(DRAWINGS)
    held_out = [BY_NAME[name] for name in HELD_OUT]
    assert len({source.group for source in held_out}) == len(HELD_OUT)
    assert all(source.views == 2 for source in held_out)  # their first view is the picture as it is
