"""Hand-made packages in the forms that plait-mini's recipe reads: a few pictures, a few pages."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

CARE = "Keep the {} dry, wipe it with oil after use, and strop it on leather before work begins."
EMOJI = {"1f34e": "red apple", "1f34c": "banana", "1f411": "ewe", "1f1eb-1f1f7": "flag: France"}


def drawing(seed: int, side: int = 160) -> Image.Image:
    """Return a picture of coloured shapes on a transparent ground, unlike those of other seeds."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGBA", (side, side))
    pen = ImageDraw.Draw(picture)
    for _ in range(5):
        left, top = rng.integers(0, side // 2, 2).tolist()
        box = (left, top, left + int(rng.integers(12, side // 2)), top + int(rng.integers(12, side // 2)))
        fill = (*rng.integers(0, 256, 3).tolist(), 255)
        (pen.ellipse if rng.random() < 0.5 else pen.rectangle)(box, fill=fill)
    return picture.filter(ImageFilter.GaussianBlur(1.5))  # soft edges, as clip art has them


def write_manual(folder: Path, tools: tuple[str, ...], *, seed: int) -> None:
    """Write a page with a figure for each tool."""
    folder.mkdir(parents=True)
    for number, tool in enumerate(tools):
        drawing(seed + number).convert("RGB").save(folder / f"{tool}.png")
        body = f"<p>The {tool} stands third from the left on the rack. {CARE.format(tool)}</p>"
        more = f"<p>A {tool} is ground at twenty five degrees. {CARE.format(tool)}</p>"
        (folder / f"{tool}.html").write_text(
            f"<html><body><h1>Care of the {tool}</h1>{body}<img src='{tool}.png'>"
            f"<h2>Grinding the {tool} blade</h2>{more}</body></html>"
        )


def write_emoji(packages: Path) -> None:
    """Write emojibase-data, and a package with a PNG file for each emoji."""
    names = packages / "emojibase-data/package/en"
    names.mkdir(parents=True)
    entries = [{"hexcode": code.upper(), "label": label, "tags": [label]} for code, label in EMOJI.items()]
    (names / "data.json").write_text(json.dumps(entries))
    assets = packages / "@lobehub--fluent-emoji-3d/package/assets"
    assets.mkdir(parents=True)
    for seed, code in enumerate(EMOJI):
        drawing(seed).save(assets / f"{code}.png")


def write_clip_art(packages: Path, titles: tuple[str, ...]) -> None:
    """Write openclipart as SVG, with titles, and as PNG."""
    share = "usr/share/openclipart"
    svg, png = packages / "openclipart-svg" / share / "svg", packages / "openclipart-png" / share / "png"
    for seed, title in enumerate(titles):
        (svg / "animals").mkdir(parents=True, exist_ok=True)
        (png / "animals").mkdir(parents=True, exist_ok=True)
        (svg / f"animals/{seed}.svg").write_text(f"<svg><dc:title>{title}</dc:title></svg>")
        drawing(100 + seed).save(png / f"animals/{seed}.png")


def write_furniture(packages: Path, names: tuple[str, ...]) -> None:
    """Write a catalogue of Sweet Home 3D."""
    folder = packages / "sweethome3d-furniture/usr/share/sweethome3d/furniture"
    folder.mkdir(parents=True)
    lines = []
    with zipfile.ZipFile(folder / "tiny.sh3f", "w") as archive:
        for number, name in enumerate(names, 1):
            lines += [f"name#{number}={name}", f"category#{number}=Kitchen", f"icon#{number}=/{number}.png"]
            with archive.open(f"{number}.png", "w") as stream:
                drawing(200 + number).save(stream, "PNG")
        archive.writestr("PluginFurnitureCatalog.properties", "\n".join(lines))


def write_class_names(packages: Path, names: tuple[str, ...]) -> None:
    """Write ImageNet's thousand classes as timm lists them, with these names over and over."""
    info = packages / "timm/timm/data/_info"
    info.mkdir(parents=True)
    synsets = [f"n{row:08d}" for row in range(1000)]
    of = {synset: names[row % len(names)] for row, synset in enumerate(synsets)}
    (info / "imagenet_synsets.txt").write_text("\n".join(synsets))
    (info / "imagenet_synset_to_lemma.txt").write_text("\n".join(f"{s}\t{name}" for s, name in of.items()))
    (info / "imagenet_synset_to_definition.txt").write_text(
        "\n".join(f"{s}\tany {name}" for s, name in of.items())
    )


def write_stamps(packages: Path, copy_of: Image.Image) -> None:
    """Write the test set: a picture of its own, and a copy of another that was a JPEG in between."""
    folder = packages / "tuxpaint-stamps-default/usr/share/tuxpaint/stamps"
    folder.mkdir(parents=True)
    drawing(900).save(folder / "own.png")
    ground = Image.new("RGBA", copy_of.size, "white")
    ground.alpha_composite(copy_of)
    buffer = io.BytesIO()
    ground.convert("RGB").save(buffer, "JPEG", quality=60)
    Image.open(buffer).save(folder / "copy.png")
