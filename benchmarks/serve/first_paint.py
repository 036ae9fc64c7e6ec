"""How soon the search page is there: first paint, ready to type, and the first answer, in a real browser.

    python -m benchmarks.serve.first_paint [--rounds 10]

The service runs in this process over the example handbook; every round is a new browser profile, so that
nothing is cached. Times are milliseconds after the navigation began, as the browser measures them; the
answer's are from the press of Enter to the first hit on the page. "Slow processor" lets the browser have a
quarter of a core, as a phone would.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from playwright.sync_api import Browser, sync_playwright

from plait import Library
from plait.serve.http import create_app

_HANDBOOK = Path(__file__).resolve().parents[2] / "examples" / "handbook"
TOKEN = "t" * 32
_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
_LOADED = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
_QUESTION = "the pump hums loudly but no water comes out"
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--rounds", type=int, default=10)
    rounds = options.parse_args().rounds
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        raise SystemExit("there is no Chromium on the PATH: install one to measure the page")
    print("| processor | first paint, ms: median (worst) | ready to type | first answer |\n|---|---|---|---|")
    with served() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        measured(browser, url, slowed=1)  # the service loads its model
        for slowed, name in ((1, "as it is"), (4, "slow")):
            times = [measured(browser, url, slowed=slowed) for _ in range(rounds)]
            shown = (f"{statistics.median(one):.0f} ({max(one):.0f})" for one in zip(*times, strict=True))
            print(f"| {name} | {' | '.join(shown)} |")


def measured(browser: Browser, url: str, *, slowed: int) -> tuple[float, float, float]:
    """Return the times of one visit: first paint, ready to type, first answer."""
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    page = context.new_page()
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slowed})
    page.goto(f"{url}/#token={TOKEN}")
    page.wait_for_selector("#start > *")
    painted, loaded = float(page.evaluate(_PAINT)), float(page.evaluate(_LOADED))
    page.fill("#text", _QUESTION)
    start = time.perf_counter()
    page.press("#text", "Enter")
    page.wait_for_selector(".hit")
    answered = (time.perf_counter() - start) * 1000
    context.close()
    return painted, loaded, answered


@contextmanager
def served() -> Iterator[str]:
    """Run the service over the example handbook on a free port, and give its address."""
    with tempfile.TemporaryDirectory() as folder, Library(folder) as library:
        shutil.copytree(_HANDBOOK, Path(folder) / "handbook")
        library.add([Path(folder) / "handbook"])
        app = create_app(library, token=TOKEN, audit=False)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", access_log=False))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the service could not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


if __name__ == "__main__":
    main()
