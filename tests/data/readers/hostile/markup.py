"""HTML, SVG and Markdown that nests without end, or reaches for other files and the network."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from tests.data.readers.hostile.archives import laughing, page_of_lures
from tests.data.readers.hostile.lures import Lures
from tests.data.readers.hostile.pdfs import noise
from tests.data.readers.hostile.pictures import png

_SVG = (
    "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' "
    "width='90' height='90'"
)


def files(lures: Lures) -> Iterator[tuple[str, bytes]]:
    """Give names and contents."""
    yield "deep.html", b"<!doctype html>" + b"<div>" * 25_000 + b"Words." + b"</div>" * 25_000
    yield "deep-bold.html", b"<!doctype html><p>" + b"<b><i>" * 50_000 + b"Words."
    yield "deep-tables.html", b"<!doctype html>" + b"<table><tr><td>" * 2_000 + b"Words."
    yield "deep-lists.html", b"<!doctype html>" + b"<ul><li>a" * 5_000
    yield (
        "wide-cells.html",
        b"<!doctype html><table><tr><td colspan=1000000000 rowspan=1000000000>a<td>b</table>",
    )
    yield "many-spans.html", b"<!doctype html><table>" + b"<tr><td rowspan=65534 colspan=1000>a" * 300
    yield "attributes.html", b"<!doctype html><p " + b"a=b " * 200_000 + b">Words."
    yield "entities.html", b"<!doctype html><p>" + b"&amp;&#x10FFFF;&#0;&#xD800;&NotEqualTilde;" * 5_000
    yield "open-comment.html", b"<!doctype html><p>Words.<!--" + b"-" * 500_000
    yield "open-heads.html", b"<!-- -->" * 60_000 + b"<p"
    yield "zeros.html", b"<html>" + bytes(200_000) + b"<p>Words."
    yield "lures.html", page_of_lures(lures)
    yield "more-lures.html", more_lures(lures)
    yield (
        "picture-bomb.html",
        b"<!doctype html><p>Words.<img src='data:image/png;base64,%s'>"
        % base64.b64encode(png(50_000, 50_000, rows=1)),
    )
    yield "laughs.xhtml", laughing(lures, "html")
    yield "laughs.svg", laughing(lures, "svg").replace(b"<svg>", _SVG.encode() + b"><text>&l9;</text>")
    yield "other-files.svg", svg_of_lures(lures)
    yield (
        "entity.svg",
        (
            f"<!DOCTYPE svg [<!ENTITY a SYSTEM 'file://{lures.text}'>]>{_SVG}><text y='20'>&a;</text></svg>"
        ).encode(),
    )
    yield "fan-out.svg", fan_out(30)
    yield "of-itself.svg", f"{_SVG}><g id='a'><use href='#a'/></g><use href='#a'/></svg>".encode()
    yield "deep.svg", f"{_SVG}>{'<g>' * 100_000}<text>a</text>{'</g>' * 100_000}</svg>".encode()
    yield "huge.svg", _SVG.replace("'90'", "'1e9'").encode() + b"><rect width='9' height='9'/></svg>"
    yield "no-size.svg", _SVG.replace("'90'", "'-1'").encode() + b"><rect width='9' height='9'/></svg>"
    yield "filters.svg", filters()
    yield "noise.svg", b"<svg " + noise(900)
    yield "quotes.md", b">" * 20_000 + b" words"
    yield "lists.md", b"".join(b" " * (2 * i) + b"- a\n" for i in range(500))
    yield "brackets.md", b"[" * 30_000 + b"a" + b"](b)" * 30_000
    yield "stars.md", b"*a **b " * 10_000
    yield "ticks.md", b"".join(b"`" * i + b"a" for i in range(600))
    yield (
        "lures.md",
        f"# Words\n\n![a]({lures.address})\n![b](file://{lures.picture})\n![c]({lures.picture})\n".encode(),
    )


def more_lures(lures: Lures) -> bytes:
    """Every other way in which a page names files."""
    url, file = lures.address, f"file://{lures.picture}"
    return (
        f"<!doctype html><html><head><base href='http://127.0.0.1:{lures.port}/'>"
        f"<link rel=stylesheet href='{url}'><script src='{url}'></script><style>@import url({url});</style>"
        f"<meta http-equiv=refresh content='0;url={url}'></head><body onload=\"fetch('{url}')\"><p>Words."
        f"<picture><source srcset='{file} 2x, {url} 1x'><img srcset='{file}' src='relative.png'></picture>"
        f"<iframe src='{file}'></iframe><object data='{lures.text}'></object><embed src='{file}'>"
        f"<video poster='{file}' src='{url}'></video><svg><image href='{file}'/></svg>"
        f"<img src='//127.0.0.1:{lures.port}/a.png'><img src='..%2f..%2f..%2f..%2f..%2f..{lures.picture}'>"
        f"<img src='\\\\127.0.0.1\\a.png'><a href='{url}'>away</a></body></html>"
    ).encode()


def svg_of_lures(lures: Lures) -> bytes:
    file = f"file://{lures.picture}"
    return (
        f"<?xml-stylesheet href='{lures.address}'?>{_SVG} onload=\"fetch('{lures.address}')\">"
        f"<style>@import url('{lures.address}'); @font-face {{ font-family: a; src: url('{file}') }}</style>"
        f"<script>fetch('{lures.address}')</script><text y='20' font-family='a'>Words</text>"
        f"<image href='{file}' width='90' height='90'/><image href='{lures.address}' width='9' height='9'/>"
        f"<image xlink:href='{lures.picture}' width='90' height='90'/>"
        f"<image href='../outside/secret.png' width='90' height='90'/>"
        f"<use href='{file}#a'/></svg>"
    ).encode()


def fan_out(levels: int) -> bytes:
    """A group that shows another twice, which shows another twice, and so on."""
    groups = "".join(
        f"<g id='a{i}'><use href='#a{i + 1}'/><use href='#a{i + 1}'/></g>" for i in range(levels)
    )
    last = f"<rect id='a{levels}' width='9' height='9'/>"
    return f"{_SVG}><defs>{groups}{last}</defs><use href='#a0'/></svg>".encode()


def filters() -> bytes:
    blurs = "".join(f"<filter id='f{i}'><feGaussianBlur stdDeviation='5000'/></filter>" for i in range(4))
    shapes = "".join(f"<rect width='9000' height='9000' filter='url(#f{i})'/>" for i in range(4))
    return (_SVG.replace("'90'", "'6000'") + f"><defs>{blurs}</defs>{shapes}</svg>").encode()
