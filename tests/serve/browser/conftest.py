"""A library of real documents behind a real server, and a real browser in front of it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, expect, sync_playwright
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from tests.serve.conftest import TOKEN, Service, running

from plait.encode.base import Encoder
from plait.encode.mini import MiniEncoder
from plait.library import Library
from plait.schema import Document, Segment
from plait.serve.http import create_app
from plait.serve.jobs import InProcess, Workshop

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
_FILES = (
    "03-dosing-and-tamping.md",
    "07-what-the-lights-say.html",
    "10-seals-and-screens.html",
    "11-pump-and-valves.html",
    "service-sheet.pdf",
)
_NOTES = (
    ("lime", "Ada Lime", "2021-03-01", "Lime in the boiler shortens the life of the heating rod."),
    ("filter", "Ada Lime", "2023-05-17", "A water filter keeps lime out for three hundred litres."),
    ("copy", "Ben Copy", "2023-05-18", "A water filter keeps lime out for three hundred litres!"),
    (
        "<img src=x onerror=alert(1)>",
        "<b>Mallory</b>",
        "2024-01-01",
        "<script>alert(2)</script> in a boiler.",
    ),
)
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--use-fake-device-for-media-stream",  # a camera that shows a moving pattern
    "--use-fake-ui-for-media-stream",  # and that is allowed
)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program; without one these tests are skipped, or fail where PLAIT_BROWSER=required."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        said = "there is no Chromium on the PATH, so the search page cannot be looked at"
        if os.environ.get("PLAIT_BROWSER") == "required":
            pytest.fail(f"{said}; PLAIT_BROWSER=required asks for it")
        pytest.skip(said)
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=list(_FLAGS))
        yield started
        started.close()


@pytest.fixture(scope="module")
def encoder(chromium: str) -> Encoder:
    return MiniEncoder.load()


@dataclass
class Site:
    """A running service, what it was asked, and its library."""

    service: Service
    library: Library
    asked: list[tuple[str, dict[str, Any]]]

    @property
    def url(self) -> str:
        return self.service.url

    def last(self, path: str = "/search") -> dict[str, Any]:
        """Return the JSON request that was sent last to an address."""
        return next(request for at, request in reversed(self.asked) if at == path)


@pytest.fixture(scope="module")
def site(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The service over a part of the example handbook and a few notes of known authors and dates."""
    folder = tmp_path_factory.mktemp("shelf")
    with Library(folder, encoder=encoder) as library:
        shutil.copytree(EXAMPLES / "handbook" / "pictures", folder / "handbook" / "pictures")
        for name in _FILES:
            shutil.copy(EXAMPLES / "handbook" / name, folder / "handbook")
        assert library.add([folder / "handbook" / name for name in _FILES]).added == len(_FILES)
        library.add_documents(map(_note, _NOTES))
        with served(library, encoder) as started:
            yield started


def _note(said: tuple[str, str, str, str]) -> Document:
    name, author, date, text = said
    metadata = {"author": author, "date": date, "type": "note"}
    return Document(
        f"note-{date}", f"Note on {name}", f"notes/{date}.txt", metadata, (Segment("text", text),)
    )


@contextlib.contextmanager
def served(library: Library, encoder: Encoder) -> Iterator[Site]:
    """Run the service over a library; what is sent to it is added in this process."""
    asked: list[tuple[str, dict[str, Any]]] = []
    app = create_app(library, token=TOKEN, workshop=Workshop(InProcess(encoder)), audit=False)
    app.add_middleware(_Overhearing, asked=asked)
    with running(app) as service:
        yield Site(service, library, asked)


class _Overhearing:
    """ASGI middleware that notes the JSON requests of searches and explanations, in forms too."""

    def __init__(self, app: ASGIApp, *, asked: list[tuple[str, dict[str, Any]]]) -> None:
        self._app = app
        self._asked = asked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""

        async def heard() -> Message:
            nonlocal body
            message = await receive()
            body += message.get("body", b"")
            if scope["path"] in ("/search", "/explain") and not message.get("more_body", False):
                self._note(scope["path"], body)
            return message

        await self._app(scope, heard if scope["type"] == "http" else receive, send)

    def _note(self, path: str, body: bytes) -> None:
        form = re.search(rb'name="request"\r\n\r\n(.*?)\r\n--', body, re.DOTALL)
        values = json.loads(form[1] if form else body)
        self._asked.append((path, values.get("request", values)))


@dataclass
class Watched:
    """What a browser's pages did that they should not.

    Attributes:
        expected: patterns of messages that a test provokes.
    """

    said: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def unexpected(self) -> list[str]:
        return [said for said in self.said if not any(re.search(one, said) for one in self.expected)]

    def follow(self, context: BrowserContext) -> None:
        context.on("request", lambda request: self.fetched.append(request.url))
        context.on("console", lambda said: self._note(said.type, f"{said.text} {said.location['url']}"))
        context.on("weberror", lambda raised: self.said.append(str(raised.error)))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.said.append(text)


Opened = Callable[..., Page]


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def opened(browser: Browser, site: Site, watched: Watched) -> Iterator[Opened]:
    """Opens the page in a window of its own; afterwards nothing may have been fetched from elsewhere."""
    contexts: list[BrowserContext] = []

    def open_page(
        *, width: int = 1200, dark: bool = False, touch: bool = False, at: Site = site, key: str = TOKEN
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            has_touch=touch,
            is_mobile=touch,
        )
        contexts.append(context)
        watched.follow(context)
        context.set_default_timeout(15_000)
        page = context.new_page()
        page.goto(f"{at.url}/#token={key}" if key else at.url)
        if key == TOKEN:
            page.wait_for_selector("#start > *")
        return page

    yield open_page
    for context in contexts:
        context.close()
    elsewhere = [
        url for url in watched.fetched if not re.match(r"(http://127\.0\.0\.1:\d+/|blob:|data:)", url)
    ]
    assert not elsewhere
    assert not watched.unexpected()  # of the console: errors, and breaches of the content policy


@pytest.fixture
def page(opened: Opened) -> Page:
    return opened()


def search(page: Page, words: str) -> None:
    """Ask for words, and wait for the answer."""
    page.fill("#text", words)
    with answered(page):
        page.press("#text", "Enter")


@contextlib.contextmanager
def answered(page: Page, path: str = "/search") -> Iterator[None]:
    """Wait until the service has answered what is done inside, and the page has shown it."""

    def is_answer(response: Response) -> bool:
        return response.url.endswith(path)

    with page.expect_response(is_answer):
        yield
    expect(page.locator("#note")).not_to_have_text(re.compile("^(Searching|Sending)"))


def until(page: Page, holds: str) -> None:
    """Wait until a JavaScript expression is true. Playwright's own way would be against the page's policy."""
    while not page.evaluate(holds):
        page.wait_for_timeout(20)
