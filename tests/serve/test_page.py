"""The page asks for nothing from elsewhere, runs under its own strict policy, and escapes what it shows."""

from __future__ import annotations

import re
from importlib import resources

import pytest

WEB = resources.files("plait.serve") / "web"
FILES = sorted(file.name for file in WEB.iterdir() if file.is_file())
SCRIPTS = [name for name in FILES if name.endswith(".js")]


def text_of(name: str) -> str:
    return (WEB / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_fetched_from_elsewhere(name: str) -> None:
    text = text_of(name).replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"(https?:)?//[\w-]+\.\w", text)
    assert "@import" not in text


def test_the_page_needs_no_exception_from_its_policy() -> None:
    assert not re.search(
        r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", text_of("index.html")
    )


@pytest.mark.parametrize("name", SCRIPTS)
def test_words_of_documents_never_become_markup(name: str) -> None:
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval\(|new Function", text_of(name)
    )


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_part_a_script_asks_for_is_on_the_page_or_made_by_a_script(name: str) -> None:
    asked = set(re.findall(r'\bat\("([\w-]+)"\)', text_of(name)))
    on_page = set(re.findall(r'\bid="([\w-]+)"', text_of("index.html")))
    made = {found for script in SCRIPTS for found in re.findall(r'\bid: "([\w-]+)"', text_of(script))}
    assert asked <= on_page | made


def test_every_module_is_fetched_at_once() -> None:
    page = text_of("index.html")
    early = set(re.findall(r'<link rel="modulepreload" href="/([\w.]+)">', page))
    assert early | {"app.js"} == set(SCRIPTS)
    imported = {found for name in SCRIPTS for found in re.findall(r'from "/([\w.]+)"', text_of(name))}
    assert imported == early


def test_every_control_has_a_name_for_those_who_cannot_see_it() -> None:
    page = text_of("index.html")
    for tag in re.findall(r"<img[^>]*>", page):
        assert "alt=" in tag
    assert '<label for="token">' in page
    assert re.search(r'<input id="text"[^>]*aria-label=', page)
