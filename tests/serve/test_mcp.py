"""The MCP server as an assistant meets it: a process, spoken to over its standard input and output."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from tests.serve.conftest import drawn

ROOT = Path(__file__).resolve().parents[2]


GREETING = {"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}}
HELLO = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": GREETING}


@dataclass(frozen=True)
class Talk:
    """What the server said."""

    tools: list[str]
    found: dict[str, Any]
    refused: dict[str, Any]
    status: Any
    unknown: Any


@pytest.fixture(scope="module")
def talk(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Talk:
    """One conversation with the server through the protocol's own client."""
    photo = tmp_path_factory.mktemp("photo") / "photo.png"
    photo.write_bytes(drawn("brown"))
    encoded = base64.b64encode(drawn("blue")).decode()
    good = {
        "words": {"text": "rinse the basket", "k": 1},
        "picture": {"image_path": str(photo), "k": 1},
        "both": {"image_base64": encoded, "text": "once a week", "k": 1},
    }
    bad = {
        "the query is empty": {},
        "not valid base64": {"image_base64": "%%"},
        "not both": {"image_path": "a.png", "image_base64": "aGk="},
        "no-such.png": {"image_path": str(photo.with_name("no-such.png"))},
        "Input validation error": {"text": "x", "k": 0},
        "Additional properties": {"text": "x", "folder": "/"},
    }
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "tests.serve.mcp_process", str(shelf)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )

    async def session() -> Talk:
        with anyio.fail_after(60):
            async with stdio_client(server) as streams, ClientSession(*streams) as client:
                await client.initialize()
                return Talk(
                    tools=[tool.name for tool in (await client.list_tools()).tools],
                    found={name: await client.call_tool("search", asked) for name, asked in good.items()},
                    refused={name: await client.call_tool("search", asked) for name, asked in bad.items()},
                    status=await client.call_tool("status", {}),
                    unknown=await client.call_tool("delete_everything", {}),
                )

    return anyio.run(session)


def test_an_assistant_finds_by_words_by_picture_and_by_both(talk: Talk) -> None:
    assert talk.tools == ["search", "status"]
    assert not any(reply.isError for reply in talk.found.values())
    firsts = {name: reply.structuredContent["hits"][0] for name, reply in talk.found.items()}
    titles = {name: hit["title"] for name, hit in firsts.items()}
    assert titles == {"words": "The filter", "picture": "The valve", "both": "The filter"}
    assert Path(firsts["words"]["picture"]).read_bytes() == drawn("blue")


def test_those_who_read_only_text_get_the_same(talk: Talk) -> None:
    reply = talk.found["both"]
    assert json.loads(reply.content[0].text) == reply.structuredContent


def test_an_assistant_learns_what_the_library_holds(talk: Talk) -> None:
    assert talk.status.structuredContent["documents"] == 2


def test_a_call_that_cannot_be_answered_is_an_error_in_words(talk: Talk) -> None:
    for expected, reply in talk.refused.items():
        assert reply.isError
        assert expected in reply.content[0].text
    assert talk.unknown.isError


def test_standard_output_holds_the_protocol_and_nothing_else(shelf: Path) -> None:
    search = {"name": "search", "arguments": {"text": "a"}}
    messages = [
        HELLO,
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": search},
    ]
    # Lines that are no message must not end the server.
    lines = ["", "{", '{"jsonrpc": "2.0"}', *(json.dumps(message) for message in messages)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.serve.mcp_process", str(shelf)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n".join(lines) + "\n")
    process.stdin.flush()
    replies: list[dict[str, Any]] = []
    while not any(reply.get("id") == 2 for reply in replies):
        replies.append(json.loads(process.stdout.readline()))
    rest, errors = process.communicate(timeout=30)  # closes its input, and with it the server
    assert {reply["jsonrpc"] for reply in replies} == {"2.0"}
    assert [reply["id"] for reply in replies if "result" in reply] == [1, 2]
    assert rest == ""
    assert "loading weights" in errors
    assert "a C library says hello" in errors
    assert process.returncode == 0
