"""Hits as a search returns them, and a chat endpoint that really listens."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from plait.schema import Hit


@pytest.fixture
def make_hit(tmp_path: Path) -> Callable[..., Hit]:
    def make(rank: int, passage: str, *, caption: str = "", color: str | None = None, **fields: Any) -> Hit:
        picture = None
        if color:
            picture = str(tmp_path / f"{rank}.png")
            Image.new("RGB", (60, 40), color).save(picture)
        fields = {"title": f"Manual {rank}", "section": ("Care",), "source": f"{rank}.html", **fields}
        return Hit(
            rank=rank,
            score=1 / rank,
            unit_id=f"d{rank}:0",
            document_id=f"d{rank}",
            passage=passage,
            caption=caption,
            picture=picture,
            **fields,
        )

    return make


@pytest.fixture
def hits(make_hit: Callable[..., Hit]) -> list[Hit]:
    return [
        make_hit(
            1,
            "Descale the boiler twice a year. Use citric acid, one sachet for a litre. Never use vinegar.",
            caption="A boiler full of lime",
            color="red",
        ),
        make_hit(2, "The gauge shows the pressure in bar. Nine bar is right for espresso.", page=3),
        make_hit(3, "Empty the tray when the red float shows.", color="blue", caption="The drip tray"),
    ]


@dataclass
class Chat:
    """What the endpoint says next, and what it was asked."""

    reply: bytes = b""
    status: int = 200
    delay_seconds: float = 0.0
    drip_seconds: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    url: str = ""

    def says(self, text: str) -> None:
        self.reply = json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()


@pytest.fixture
def chat() -> Iterator[Chat]:
    """An HTTP server on the loopback that speaks the chat format."""
    state = Chat()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.asked.append(json.loads(body))
            state.paths.append(self.path)
            state.keys.append(self.headers.get("Authorization"))
            time.sleep(state.delay_seconds)
            try:
                self.send_response(state.status)
                for name, value in state.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                for start in range(0, len(state.reply), 8 if state.drip_seconds else 1 << 20):
                    self.wfile.write(state.reply[start : start + (8 if state.drip_seconds else 1 << 20)])
                    self.wfile.flush()
                    time.sleep(state.drip_seconds)
            except OSError:  # the client gave up: that is what some tests are about
                pass

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
