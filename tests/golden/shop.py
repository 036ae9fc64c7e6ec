"""The documents of a small bicycle shop: guides with drawn figures, tables of prices, a paged leaflet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw
from tests.data.conftest import lines_pdf

Draw = Callable[[ImageDraw.ImageDraw], None]

GUIDES = {
    "guides/chain.md": (
        "The chain",
        (
            "Cleaning",
            "Brush the chain with warm water and a drop of soap, then let it dry in the sun.",
            "chain",
        ),
        ("Oiling", "Put one drop of oil on every link. Wipe off what is too much: dirt sticks to oil.", ""),
        (
            "Rust",
            "A chain with a little rust can be saved with steel wool. Much rust makes the links stiff.",
            "",
        ),
    ),
    "guides/wheel.md": (
        "The wheel",
        ("Truing", "A wheel that wobbles is trued by turning the nipples of its spokes.", "wheel"),
        (
            "Tyres",
            "Pump the tyre until it hardly gives under the thumb. A soft tyre wears and is slow.",
            "tyre",
        ),
        ("Punctures", "Find the hole under water by its bubbles, roughen the tube and glue a patch on.", ""),
    ),
    "guides/brake.md": (
        "The brake",
        (
            "Pads",
            "Brake pads that are worn to the metal scratch the rim. Change both pads of a wheel.",
            "pad",
        ),
        ("Cables", "A rusty cable makes the brake stiff. Pull in a new cable and grease its ends.", ""),
        ("Squealing", "Brakes squeal when the pads meet the rim flat. Turn the front edge in a little.", ""),
    ),
    "guides/lamp.md": (
        "Lamps",
        ("Front lamp", "The front lamp shines white and is tilted so that nobody is blinded.", "lamp"),
        ("Rear lamp", "The rear lamp shines red. A capacitor keeps it lit while one waits.", "rear"),
        ("Dynamo", "The dynamo in the hub feeds both lamps. It needs no care but dry contacts.", ""),
    ),
    "guides/saddle.md": (
        "The saddle",
        (
            "Height",
            "With the heel on the pedal the leg should be straight: then the height is right.",
            "saddle",
        ),
        ("Leather", "Treat leather with wax twice a year and never leave it in the rain.", ""),
    ),
    "guides/frame.md": (
        "The frame",
        ("Paint", "Touch up scratches in the paint before the steel begins to rust.", ""),
        ("Size", "Stand over the frame: two fingers of air should be left above the tube.", "frame"),
    ),
}

PRICES = """# Prices

What we ask for work and parts.

## Work

| Work | Minutes | Euro |
|---|---|---|
| Truing a wheel | 30 | 25 |
| Patching a tube | 15 | 9 |
| New brake cable | 20 | 14 |

## Parts

| Part | Size | Euro |
|---|---|---|
| Chain | 114 links | 19 |
| Brake pad | pair | 7 |
| Tyre | 28 inch | 29 |
"""

LEAFLET = (
    "Welcome to the shop. We repair bicycles of every kind.",
    "Opening hours: Tuesday to Saturday from ten to six.",
    "Winter check: chain, brakes and lamps for thirty euro.",
    "We buy used bicycles. Bring a proof that it is yours.",
)

SHAPES: dict[str, Draw] = {
    "chain": lambda d: (
        [d.ellipse((x, 50, x + 34, 84), outline="black", width=6) for x in range(6, 150, 26)] and None
    ),
    "wheel": lambda d: (
        [d.ellipse((25, 5, 165, 145), outline="black", width=5)]
        and [d.line((95, 75, 95 + x, 75 + y), fill="grey", width=2) for x, y in _RAYS]
        and None
    ),
    "tyre": lambda d: d.ellipse((25, 5, 165, 145), outline="black", width=26),
    "pad": lambda d: d.rounded_rectangle((30, 50, 160, 100), 14, fill="darkred"),
    "lamp": lambda d: d.polygon([(30, 75), (150, 20), (150, 130)], fill="gold"),
    "rear": lambda d: d.polygon([(160, 75), (50, 30), (50, 120)], fill="red"),
    "saddle": lambda d: d.pieslice((20, 20, 170, 150), 180, 360, fill="saddlebrown"),
    "frame": lambda d: d.line(
        [(30, 120), (70, 40), (140, 40), (100, 120), (30, 120), (170, 120)], fill="navy", width=8
    ),
}
_RAYS = [(70, 0), (-70, 0), (0, 70), (0, -70), (49, 49), (-49, 49), (49, -49), (-49, -49)]


def write(folder: Path) -> None:
    """Write all documents into a folder, and pictures to ask with into its "asked"."""
    (folder / "guides").mkdir()
    (folder / "asked").mkdir()
    for shape in SHAPES:
        drawn(shape).save(folder / "guides" / f"{shape}.png")
    for name, (title, *sections) in GUIDES.items():
        (folder / name).write_text(_guide(title, sections), encoding="utf-8")
    copy = _guide(*_first_of("guides/chain.md"))
    (folder / "guides" / "chain-copy.md").write_text(copy, encoding="utf-8")
    (folder / "prices.md").write_text(PRICES, encoding="utf-8")
    (folder / "leaflet.pdf").write_bytes(lines_pdf(LEAFLET, points=16))
    drawn("wheel").rotate(7, fillcolor="white").save(folder / "asked" / "wheel.jpg", quality=60)
    two = Image.new("RGB", (400, 150), "white")
    two.paste(drawn("lamp"), (0, 0))
    two.paste(drawn("saddle"), (200, 0))
    two.save(folder / "asked" / "lamp-and-saddle.png")


def drawn(shape: str) -> Image.Image:
    """Return a figure of 190 x 150."""
    image = Image.new("RGB", (190, 150), "white")
    SHAPES[shape](ImageDraw.Draw(image))
    return image


def _first_of(name: str) -> tuple[str, list[tuple[str, str, str]]]:
    title, first, *_ = GUIDES[name]
    return title, [first]


def _guide(title: str, sections: Sequence[tuple[str, str, str]]) -> str:
    parts = [f"# {title}"]
    for heading, text, shape in sections:
        parts += [f"## {heading}", text]
        if shape:
            parts.append(f"![{heading} of {title.lower()}]({shape}.png)")
    return "\n\n".join(parts) + "\n"
