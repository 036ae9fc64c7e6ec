"""Draw every picture of the example handbook, its service sheet, and the two query photographs.

    python examples/draw_handbook.py

The result is committed; running this again with the same Pillow gives the same bytes.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from drawing import panels, parts
from drawing.service_sheet import service_sheet

HERE = Path(__file__).resolve().parent

PICTURES = {
    "machine-front": parts.machine_front,
    "water-tank": parts.water_tank,
    "level-feet": parts.level_feet,
    "filter-baskets": parts.filter_baskets,
    "tamper": parts.tamper,
    "portafilter": parts.portafilter,
    "coffee-puck": parts.coffee_puck,
    "steam-wand": parts.steam_wand,
    "milk-jug": parts.milk_jug,
    "blind-basket": parts.blind_basket,
    "group-brush": parts.group_brush,
    "scale-crust": parts.scale_crust,
    "descaler-sachet": parts.descaler_sachet,
    "group-seal": parts.group_seal,
    "shower-screen": parts.shower_screen,
    "vibration-pump": parts.vibration_pump,
    "expansion-valve": parts.expansion_valve,
    "pressure-gauge": panels.pressure_gauge,
    "thermostat-dial": panels.thermostat_dial,
    "panel-ready": panels.panel_ready,
    "panel-tank-empty": panels.panel_tank_empty,
    "panel-overheated": panels.panel_overheated,
    "panel-pump-dry": panels.panel_pump_dry,
}
LOOSE = {"drip-tray": parts.drip_tray, "steam-tip": parts.steam_tip, "fuse": parts.fuse}


def draw(folder: Path) -> None:
    """Write the handbook's pictures and PDF, and the queries, below `folder`."""
    pictures, loose, queries = (
        folder / "handbook/pictures",
        folder / "handbook/spare-parts",
        folder / "queries",
    )
    for place in (pictures, loose, queries):
        place.mkdir(parents=True, exist_ok=True)
    for name, drawing in PICTURES.items():
        (pictures / f"{name}.png").write_bytes(_png(drawing()))
    for name, drawing in LOOSE.items():
        (loose / f"{name}.png").write_bytes(_png(drawing()))
    (folder / "handbook/service-sheet.pdf").write_bytes(service_sheet())
    (queries / "worn-ring.jpg").write_bytes(
        _photo(parts.group_seal((126, 112, 96)), turn=17, zoom=1.25, seed=1)
    )
    (queries / "brass-part.jpg").write_bytes(
        _photo(parts.expansion_valve((70, 92, 84)), turn=-12, zoom=1.2, seed=2)
    )


def _png(picture: Image.Image) -> bytes:
    """Return a PNG of 128 colours: a third of the size, and nobody sees the difference."""
    data = io.BytesIO()
    picture.quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
        data, "PNG", optimize=True
    )
    return data.getvalue()


def _photo(picture: Image.Image, *, turn: float, zoom: float, seed: int) -> bytes:
    """Return a JPEG of a part as a telephone would take it: turned, cropped, dim, noisy, a little blurred.

    Args:
        turn: degrees anticlockwise.
        zoom: above 1 crops the edges away.
        seed: of the noise.
    """
    edge = picture.getpixel((2, 2))
    turned = picture.rotate(turn, Image.Resampling.BICUBIC, fillcolor=edge)
    width, height = (round(side / zoom) for side in picture.size)
    left, top = (picture.width - width) // 2 + 12, (picture.height - height) // 2 - 8
    shot = turned.crop((left, top, left + width, top + height)).filter(ImageFilter.GaussianBlur(0.8))
    shot = ImageEnhance.Brightness(ImageEnhance.Contrast(shot).enhance(0.85)).enhance(0.9)
    pixels = np.asarray(shot, dtype=np.float32)
    lamp = np.linspace(1.15, 0.75, pixels.shape[1], dtype=np.float32)[None, :, None]
    warm = np.array([1.06, 1.0, 0.88], dtype=np.float32)
    noise = np.random.default_rng(seed).normal(0, 5, pixels.shape)
    data = io.BytesIO()
    lit = np.clip(pixels * lamp * warm + noise, 0, 255).astype(np.uint8)
    Image.fromarray(lit).save(data, "JPEG", quality=78)
    return data.getvalue()


if __name__ == "__main__":
    draw(HERE)
