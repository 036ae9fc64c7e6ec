"""The page asks for nothing from elsewhere, runs under its own strict policy, and escapes what it shows."""

from __future__ import annotations

import re
from importlib import resources

import pytest

WEB = resources.files("plait.serve") / "web"
FILES = ("index.html", "app.js", "style.css", "icon.svg")


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_fetched_from_elsewhere(name: str) -> None:
    text = (WEB / name).read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"(https?:)?//[\w-]+\.\w", text)
    assert "@import" not in text


def test_the_page_needs_no_exception_from_its_policy() -> None:
    page = (WEB / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", page)


def test_words_of_documents_never_become_markup() -> None:
    script = (WEB / "app.js").read_text(encoding="utf-8")
    assert not re.search(
        r"innerHTML\s*=|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", script
    )


def test_every_part_the_script_asks_for_is_on_the_page() -> None:
    page = (WEB / "index.html").read_text(encoding="utf-8")
    script = (WEB / "app.js").read_text(encoding="utf-8")
    asked = set(re.findall(r'\bat\("([\w-]+)"\)', script)) | {"text", "note", "hits", "file", "viewer"}
    assert asked <= set(re.findall(r'\bid="([\w-]+)"', page))


def test_every_control_has_a_name_for_those_who_cannot_see_it() -> None:
    page = (WEB / "index.html").read_text(encoding="utf-8")
    for tag in re.findall(r"<img[^>]*>", page):
        assert "alt=" in tag
    assert '<label for="token">' in page
    assert re.search(r'<input id="text"[^>]*aria-label=', page)
