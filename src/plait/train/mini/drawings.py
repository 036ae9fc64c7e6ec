"""The captioned pictures that words are fitted on: packages, licences, and how each is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from plait.train.mini.captioned import Captioned, clip_art, emoji, emoji_names, furniture, icons


@dataclass(frozen=True, slots=True)
class Drawings:
    """One source.

    Attributes:
        name: ours.
        package: of npm, or of Debian where `form` is "clip art" or "furniture".
        licence, credit: under which it may be used, and who is to be named for it.
        group: sources drawn after one list of things, which are held out together in validation.
        views: as of `caption_features.sight`.
        only, without, most: as of `captioned.icons`.
        flags: as of `captioned.emoji`.
    """

    name: str
    package: str
    licence: str
    credit: str
    group: Literal["emoji", "colour icons", "plain icons", "clip art", "furniture"]
    form: Literal["emoji", "icons", "clip art", "furniture"] = "icons"
    views: int = 1
    only: str = ""
    without: str = "^$"
    most: int = 1000
    flags: bool = False


EMOJI_NAMES = "emojibase-data"  # npm, MIT: titles and tags by code point
CLASS_NAMES = "timm"  # pip, Apache-2.0: ImageNet's classes with WordNet's words and definitions
_SET = "@iconify-json/"
_MICROSOFT, _STREAMLINE = "Microsoft", "Streamline"

DRAWINGS = (
    Drawings("noto", f"{_SET}noto", "Apache-2.0", "Google", "emoji", "emoji", views=2, flags=True),
    Drawings("twemoji", f"{_SET}twemoji", "CC BY 4.0", "Twitter and jdecked", "emoji", "emoji"),
    Drawings("fluent-flat", f"{_SET}fluent-emoji-flat", "MIT", _MICROSOFT, "emoji", "emoji"),
    Drawings("emojione", f"{_SET}emojione", "CC BY 4.0", "EmojiTwo, Emoji One", "emoji", "emoji"),
    Drawings("fxemoji", f"{_SET}fxemoji", "Apache-2.0", "Mozilla", "emoji", "emoji"),
    Drawings("fluent-3d", "@lobehub/fluent-emoji-3d", "MIT", _MICROSOFT, "emoji", "emoji", views=2),
    Drawings("streamline-emojis", f"{_SET}streamline-emojis", "CC BY 4.0", _STREAMLINE, "emoji"),
    Drawings("ultimate-color", f"{_SET}streamline-ultimate-color", "CC BY 4.0", _STREAMLINE, "colour icons"),
    Drawings(
        "plump-color",
        f"{_SET}streamline-plump-color",
        "CC BY 4.0",
        _STREAMLINE,
        "colour icons",
        without="-flat$",
    ),
    Drawings("freehand-color", f"{_SET}streamline-freehand-color", "CC BY 4.0", _STREAMLINE, "colour icons"),
    Drawings(
        "kameleon-color",
        f"{_SET}streamline-kameleon-color",
        "CC BY 4.0",
        _STREAMLINE,
        "colour icons",
        without="-duo$",
    ),
    Drawings("icon-park", f"{_SET}icon-park", "Apache-2.0", "ByteDance", "colour icons", most=1500),
    Drawings("flat-color-icons", f"{_SET}flat-color-icons", "MIT", "Icons8", "colour icons", most=500),
    Drawings(
        "meteocons",
        f"{_SET}meteocons",
        "MIT",
        "Bas Milius",
        "colour icons",
        without="-fill$|uv-index|beaufort",
        most=200,
    ),
    Drawings("fluent-color", f"{_SET}fluent-color", "MIT", _MICROSOFT, "colour icons", most=400),
    Drawings("marketeq", f"{_SET}marketeq", "MIT", "Marketeq", "colour icons", most=500),
    Drawings(
        "game-icons", f"{_SET}game-icons", "CC BY 3.0", "the authors of game-icons", "plain icons", most=1200
    ),
    Drawings(
        "mdi",
        f"{_SET}mdi",
        "Apache-2.0",
        "Pictogrammers",
        "plain icons",
        without="outline|-off$|variant|alpha-|-box|-circle|-check|-plus|-minus|account|arrow|chevron|format"
        "|file-|folder-",
        most=1500,
    ),
    Drawings(
        "ph",
        f"{_SET}ph",
        "MIT",
        "Phosphor Icons",
        "plain icons",
        only="-fill",
        without="logo|-slash|arrow|caret|text-|circle|square|file-",
        most=350,
    ),
    Drawings(
        "tabler",
        f"{_SET}tabler",
        "MIT",
        "Paweł Kuna",
        "plain icons",
        without="-off$|brand|arrow|chevron|-filled|letter|number|align|layout|border|file-|-plus|-minus|-x$"
        "|-check|-cog|-up$|-down$|-pause|-heart$|-share|-star$|-search|-pin|-exclamation|-question|-bolt|-code"
        "|-dollar|-cancel",
        most=600,
    ),
    Drawings(
        "lucide",
        f"{_SET}lucide",
        "ISC",
        "the Lucide contributors",
        "plain icons",
        without="arrow|chevron|align|layout|-off$|file-|-plus|-minus|-x$|-check|square-|circle-",
        most=350,
    ),
    Drawings(
        "healthicons",
        f"{_SET}healthicons",
        "MIT",
        "Resolve to Save Lives",
        "plain icons",
        without="outline|negative|-24px",
        most=400,
    ),
    Drawings("maki", f"{_SET}maki", "CC0", "Mapbox", "plain icons", without="-11$|-15$", most=300),
    Drawings("temaki", f"{_SET}temaki", "CC0", "Bryan Housel", "plain icons", most=500),
    Drawings(
        "openclipart",
        "openclipart-svg",
        "public domain",
        "the Open Clip Art Library",
        "clip art",
        "clip art",
        views=2,
    ),
    Drawings(
        "furniture",
        "sweethome3d-furniture",
        "CC BY 3.0 and CC0",
        "Andrew Kator, Jennifer Legaz, Reallusion, Scopia, the Blend Swap contributors, eTeks",
        "furniture",
        "furniture",
        views=2,
    ),
)
TEST = "tuxpaint-stamps-default"  # Debian: only to leave out of the drawings what is a copy of one of its
RENDERED = "openclipart-png"  # Debian: the drawings of openclipart-svg as pictures


def read(source: Drawings, packages: Path) -> Iterator[Captioned]:
    """Yield the pictures of a source.

    Args:
        packages: a folder with each package unpacked, by name; "/" in npm's names made "--".
    """
    folder = packages / source.package.replace("/", "--")
    match source.form:
        case "clip art":
            drawn, rendered = folder, packages / RENDERED
            share = Path("usr/share/openclipart")
            yield from clip_art(source.name, drawn / share / "svg", rendered / share / "png")
        case "furniture":
            yield from furniture(
                source.name, sorted((folder / "usr/share/sweethome3d/furniture").glob("*.sh3f"))
            )
        case "emoji":
            names = emoji_names(packages / EMOJI_NAMES / "package/en/data.json")
            inside = folder / "package"
            pictures = inside / "assets" if (inside / "assets").is_dir() else inside
            yield from emoji(source.name, pictures, names, flags=source.flags)
        case "icons":
            yield from icons(
                source.name,
                folder / "package",
                only=source.only,
                without=source.without,
                most=source.most,
            )


def class_names(folder: Path) -> list[list[str]]:
    """Return what each of ImageNet's 1000 classes may be called, in their order; last, its definition.

    Args:
        folder: of an unpacked wheel of timm.
    """
    info = folder / "timm/data/_info"
    lemmas = _table(info / "imagenet_synset_to_lemma.txt")
    definitions = _table(info / "imagenet_synset_to_definition.txt")
    found = []
    for synset in (info / "imagenet_synsets.txt").read_text("utf-8").split():
        names = lemmas[synset].split(", ")
        found.append([*names, f"{names[0]}: {definitions.get(synset, '')}"])
    return found


def _table(path: Path) -> dict[str, str]:
    rows = (line.partition("\t") for line in path.read_text("utf-8").splitlines())
    return {key: value for key, _, value in rows}
