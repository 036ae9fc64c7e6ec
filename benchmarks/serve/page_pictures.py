"""The pictures of the search page in docs/images: the page in a real browser, over the example handbook.

python -m benchmarks.serve.page_pictures [NAME ...]
"""

from __future__ import annotations

import argparse
import io
import shutil
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from benchmarks.serve.first_paint import FLAGS, TOKEN, served

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "images"
RING = ROOT / "examples" / "queries" / "worn-ring.jpg"
_COLORS = 256  # of the palette
_WIDE, _PHONE = (1100, 780), (360, 720)
_QUESTION = "how often do I have to change this?"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("names", nargs="*", metavar="NAME")
    names = options.parse_args().names or list(_SCENES)
    PICTURES.mkdir(exist_ok=True)
    with served() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        for name in names:
            phone = "phone" in name
            width, height = _PHONE if phone else _WIDE
            page = browser.new_page(
                viewport={"width": width, "height": height},
                color_scheme="dark" if "dark" in name else "light",
                has_touch=phone,
                is_mobile=phone,
                device_scale_factor=2 if phone else 1,
            )
            page.goto(f"{url}/#token={TOKEN}")
            page.wait_for_selector("#start > *")
            _SCENES[name](page)
            page.wait_for_timeout(600)  # pictures are fetched one by one
            keep(page.screenshot(), PICTURES / f"page-{name}.png")
            page.close()


def keep(picture: bytes, path: Path) -> None:
    """Write a picture with a palette, which makes it a third as large."""
    drawn = Image.open(io.BytesIO(picture)).convert("RGB")
    drawn.quantize(_COLORS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
        path, optimize=True
    )
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")


def _words_and_picture(page: Page) -> None:
    page.set_input_files("#file", RING)
    _ask(page, _QUESTION)


def _crop(page: Page) -> None:
    page.set_input_files("#file", RING)
    page.fill("#text", _QUESTION)
    page.get_by_role("button", name="Choose a region").click()
    page.wait_for_selector("#cropper[open]")
    room = page.locator("#cropper-surface").bounding_box()
    assert room is not None
    page.mouse.move(room["x"] + room["width"] * 0.02, room["y"] + room["height"] * 0.08)
    page.mouse.down()
    page.mouse.move(room["x"] + room["width"] * 0.93, room["y"] + room["height"] * 0.97, steps=4)
    page.mouse.up()


def _why(page: Page) -> None:
    page.set_viewport_size({"width": _WIDE[0], "height": 1150})
    _words_and_picture(page)
    page.locator(".do-why").first.click()
    page.wait_for_selector(".heat canvas")


def _viewer(page: Page) -> None:
    _ask(page, "in which order do the parts of the brew group come out?")
    page.locator(".sheet.page").first.click()
    page.wait_for_selector("#sheet .box")


def _nothing(page: Page) -> None:
    page.fill("#text", "quarterly dividend of preferred shares")
    page.press("#text", "Enter")
    page.wait_for_selector("#distant")


def _parts(page: Page) -> None:
    _ask(page, "how do I clean this?")
    page.locator(".do-more").nth(1).click()
    page.wait_for_timeout(800)
    page.click("#without")
    page.keyboard.type("steam wand")
    page.keyboard.press("Enter")
    page.wait_for_timeout(800)
    page.get_by_role("checkbox", name="html").check()
    page.wait_for_timeout(800)


def _phone(page: Page) -> None:
    _ask(page, "the pump hums loudly but no water comes out")


def _ask(page: Page, words: str) -> None:
    page.fill("#text", words)
    page.press("#text", "Enter")
    page.wait_for_selector(".hit")


_SCENES: dict[str, Callable[[Page], None]] = {
    "words-and-picture": _words_and_picture,
    "parts": _parts,
    "crop": _crop,
    "why": _why,
    "viewer": _viewer,
    "nothing": _nothing,
    "phone-dark": _phone,
}


if __name__ == "__main__":
    main()
