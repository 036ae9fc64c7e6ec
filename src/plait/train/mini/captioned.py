"""Pictures with a name: emoji, icons, clip art and furniture, each with the words its maker gave it."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import resvg_py
from PIL import Image

from plait.errors import InputError

_SIDE_PX = 256
_SLIMMEST = 8
_INKS = ("#000000", "#000000", "#1d3557", "#b3261e", "#2e7d32", "#6a1b9a", "#e07a00", "#5d4037")


@dataclass(frozen=True, slots=True)
class Captioned:
    """One picture and its words.

    Attributes:
        source: the set it belongs to.
        key: its name there, unique within the source.
        title: what it is called.
        tags: further words that fit it.
        opened: reads it, in RGBA.
    """

    source: str
    key: str
    title: str
    tags: tuple[str, ...]
    opened: Callable[[], Image.Image]


def emoji(
    source: str, folder: Path, names: Mapping[str, tuple[str, tuple[str, ...]]], *, flags: bool
) -> Iterator[Captioned]:
    """Yield the emoji of an icon set (icons.json beside chars.json), or of a folder of files by code point.

    Args:
        names: code points, as `emoji_names` writes them -> title and tags.
        flags: whether those of countries are wanted.
    """
    drawn: dict[str, Callable[[], Image.Image]] = {}
    if (folder / "icons.json").exists():
        found = _Icons(folder)
        codes = {_squashed(title): code for code, (title, _) in names.items()}
        by_code = json.loads((folder / "chars.json").read_text("utf-8"))
        by_name = {codes[squashed]: n for n in found.names if (squashed := _squashed(n)) in codes}
        for code, name in [*by_code.items(), *by_name.items()]:
            if name in found.names:
                drawn.setdefault(_code(code), found.drawing(name))
    else:
        for path in sorted(folder.iterdir()):
            drawn.setdefault(_code(path.stem), _file(path))
    for code, opened in drawn.items():
        if code in names and (flags or not names[code][0].startswith("flag:")):
            yield Captioned(source, code, *names[code], opened)


def emoji_names(path: Path) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return code points -> title and tags, from emojibase's data.json; one of each, whatever the skin."""
    found = {}
    for entry in json.loads(path.read_text("utf-8")):
        tags = tuple(tag for tag in entry.get("tags", ()) if tag != entry["label"])
        found[_code(entry["hexcode"])] = (entry["label"].removesuffix(" face").strip(), tags)
    return found


def icons(
    source: str, folder: Path, *, only: str = "", without: str = "^$", most: int
) -> Iterator[Captioned]:
    """Yield icons of a set in Iconify's form, named by their file names.

    Args:
        only: a suffix that is kept, and cut from the name.
        without: names in which this pattern is found are left out.
        most: at most so many, evenly over the alphabet.
    """
    found = _Icons(folder)
    titles: dict[str, str] = {}
    for name in found.names:
        if name.endswith(only) and not re.search(without, name):
            title = _spoken(name.removesuffix(only))
            if any(map(str.isalpha, title)):
                titles.setdefault(title, name)
    step = max(1, -(-len(titles) // most))
    for title, name in sorted(titles.items())[::step]:
        yield Captioned(source, name, title, (), found.drawing(name))


_WRONG_TITLE = re.compile(
    r"clipart by|theme|collection|symbol_signs|hash|gramastar|illustration|connectors", re.IGNORECASE
)
_WRONG_TAG = re.compile(
    r"hash|0x|unsorted|^$|theme|mapsym|sign|icon|computer$|contact|clip ?art|http", re.IGNORECASE
)
_NOT_THINGS = re.compile(
    r"^(shapes|computer/(icons|buttons)|buttons|special|logos|unsorted)/|/smilies/|/ornamental/|/led/"
)


def clip_art(source: str, folder: Path, rendered: Path, *, alike: int = 6) -> Iterator[Captioned]:
    """Yield the drawings of the Open Clip Art Library, titled in their own metadata or by their file names.

    Args:
        folder: of SVG files, which hold the metadata.
        rendered: of the same as PNG, under the same names.
        alike: at most so many with the same title.
    """
    count: dict[str, int] = {}
    for path in sorted(folder.rglob("*.svg")):
        key = path.relative_to(folder).as_posix()
        if _NOT_THINGS.search(key):
            continue
        words = _described(path)
        if words is None:
            continue
        title, tags = words
        count[title.lower()] = count.get(title.lower(), 0) + 1
        if count[title.lower()] <= alike:
            yield Captioned(source, key, title, tags, _file((rendered / key).with_suffix(".png")))


def furniture(source: str, archives: Iterable[Path]) -> Iterator[Captioned]:
    """Yield the renderings of Sweet Home 3D's catalogues, with their names and categories."""
    for path in archives:
        with zipfile.ZipFile(path) as archive:
            text = archive.read("PluginFurnitureCatalog.properties").decode("latin-1")
        entries: dict[str, dict[str, str]] = {}
        for field, number, value in re.findall(r"^(name|category|icon|tags)#(\d+)=(.*)$", text, re.MULTILINE):
            entries.setdefault(number, {})[field] = value.strip()
        for entry in entries.values():
            tags = (entry.get("category", ""), *entry.get("tags", "").split(", "))
            kept = tuple(t for t in tags if t and t not in ("Miscellaneous", "Blend Swap"))
            inside = entry["icon"].lstrip("/")
            yield Captioned(source, f"{path.stem}/{inside}", entry["name"], kept, _zipped(path, inside))


def files(source: str, folder: Path) -> Iterator[Captioned]:
    """Yield all PNG files of a folder, named by their paths: to compare with, their names say little."""
    for path in sorted(folder.rglob("*.png")):
        yield Captioned(source, path.relative_to(folder).as_posix(), path.stem, (), _file(path))


class _Icons:
    """A set in Iconify's form: icons.json, bodies of SVG by name."""

    def __init__(self, folder: Path) -> None:
        read = json.loads((folder / "icons.json").read_text("utf-8"))
        self._bodies: dict[str, dict[str, Any]] = read["icons"]
        self._width, self._height = read.get("width", 16), read.get("height", 16)
        self.names = {name: None for name, icon in self._bodies.items() if not icon.get("hidden")}

    def drawing(self, name: str) -> Callable[[], Image.Image]:
        icon = self._bodies[name]
        width, height = icon.get("width", self._width), icon.get("height", self._height)
        ink = _INKS[sum(name.encode()) % len(_INKS)]  # an icon of one colour takes that of the page
        svg = (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="{icon.get("left", 0)} {icon.get("top", 0)} {width} {height}" '
            f'width="{width}" height="{height}">{icon["body"]}</svg>'
        ).replace("currentColor", ink)
        return lambda: _rendered(svg)


def _rendered(svg: str) -> Image.Image:
    size = {"width": _SIDE_PX}
    match = re.search(r'viewBox="[\d.-]+ [\d.-]+ ([\d.]+) ([\d.]+)"', svg)
    if match and float(match[2]) > float(match[1]):
        size = {"height": _SIDE_PX}
    png = resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True, **size)  # type: ignore[arg-type]
    return _usable(Image.open(io.BytesIO(bytes(png))).convert("RGBA"))


def _file(path: Path) -> Callable[[], Image.Image]:
    return lambda: _usable(Image.open(path).convert("RGBA"))


def _zipped(path: Path, inside: str) -> Callable[[], Image.Image]:
    def opened() -> Image.Image:
        with zipfile.ZipFile(path) as archive:
            return _usable(Image.open(io.BytesIO(archive.read(inside))).convert("RGBA"))

    return opened


def _usable(picture: Image.Image) -> Image.Image:
    short, long = sorted(picture.size)
    if short < 16 or long > _SLIMMEST * short:
        raise InputError(f"a picture is {picture.size[0]} x {picture.size[1]}: too slim to show anything")
    picture.thumbnail((2 * _SIDE_PX, 2 * _SIDE_PX))
    return picture


def _described(path: Path) -> tuple[str, tuple[str, ...]] | None:
    """Return a drawing's title and tags; None where nothing says what it shows."""
    head = path.read_text("utf-8", "replace")[:20_000]
    titles = re.findall(r"<dc:title>(.*?)</dc:title>", head, re.DOTALL)
    tags = [tag.strip().lower() for tag in re.findall(r"<rdf:li>(.*?)</rdf:li>", head, re.DOTALL)]
    kept = tuple(dict.fromkeys(tag.replace("_", " ") for tag in tags if not _WRONG_TAG.search(tag)))
    title = titles[0].strip() if titles else ""
    if not title or _WRONG_TITLE.search(title):
        title = path.stem
    title = _spoken(title)
    return (title, kept) if sum(map(str.isalpha, title)) >= 3 else None


def _spoken(name: str) -> str:
    """Return a file's name as words: without numbers at its end, in lower case."""
    words = re.sub(r"[_\-\s]+", " ", name).strip().lower()
    return re.sub(r"( \d+[a-z]?)+$|\d+$", "", words).strip()


def _code(code: str) -> str:
    return "-".join(part for part in code.lower().split("-") if part != "fe0f")


def _squashed(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower().removesuffix("face")))
