"""The MCP server as an assistant meets it: a process, spoken to over its standard input and output."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from PIL import Image
from tests.helpers.tiny_encoder import TinyEncoder
from tests.serve.conftest import drawn

from plait.library import Library
from plait.schema import Hits, Query, SearchPlan, SearchRequest
from plait.serve.mcp.answers import said_of
from plait.serve.mcp.pictures import enlarged, shown

ROOT = Path(__file__).resolve().parents[2]

GREETING = {"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}}
HELLO = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": GREETING}

Call = Callable[..., Awaitable[Any]]
BLUE = base64.b64encode(drawn("blue")).decode()
WHOLE = SearchRequest(
    Query(texts=("valve", "filter"), text_weights=(1.0, -0.5)),
    k=2,
    facets=("type",),
    per_group={"document": 1},
)


@dataclass(frozen=True)
class Talk:
    """What the server said, by names of the calls; and what Python says to the same."""

    folder: Path
    tools: dict[str, Any]
    said: dict[str, Any]
    refused: dict[str, Any]
    progress: list[float]
    whole: dict[str, Any]


@pytest.fixture(scope="module")
def talk(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Talk:
    """One conversation with the server through the protocol's own client."""
    folder = tmp_path_factory.mktemp("mcp") / "shelf"
    shutil.copytree(shelf, folder)
    with Library(folder, encoder=TinyEncoder()) as library:
        whole = library.search(WHOLE).to_dict()
        (valve,) = [one for one in library.documents() if one.title == "The valve"]
    gate = _inbox(folder)
    said: dict[str, Any] = {}
    refused: dict[str, Any] = {}
    progress: list[float] = []

    async def converse(client: ClientSession) -> dict[str, Any]:
        for name, (tool, arguments) in _good(folder, valve.id).items():
            said[name] = await client.call_tool(tool, arguments)
        for name, (tool, arguments) in _bad(folder, valve.id).items():
            refused[name] = await client.call_tool(tool, arguments)
        await _add_slowly(client, gate, said, progress)
        return {tool.name: tool for tool in (await client.list_tools()).tools}

    tools = anyio.run(_with_client, [folder, folder / "inbox"], converse)
    return Talk(folder, tools, said, refused, progress, whole)


def _inbox(folder: Path) -> Path:
    """Make a folder from which may be added, with a file that takes until a gate is gone; return the gate."""
    gate = folder.parent / "gate"
    gate.touch()
    (folder / "inbox").mkdir()
    (folder / "inbox" / "slow.txt").write_text(str(gate))
    (folder / "inbox" / "torn.pdf").write_text("%PDF-1.4 nothing")
    (folder.parent / "outside.txt").write_text("outside")
    (folder / "inbox" / "link.txt").symlink_to(folder.parent / "outside.txt")
    (folder / "inbox" / ".hidden.txt").write_text("hidden")
    return gate


def _good(folder: Path, valve: str) -> dict[str, tuple[str, dict[str, Any]]]:
    return {
        "words": ("search", {"text": "rinse the basket", "k": 1}),
        "picture": ("search", {"image_path": str(folder / "manual" / "valve.png"), "k": 1, "pictures": 0}),
        "both": ("search", {"image_base64": BLUE, "text": "once a week", "k": 1}),
        "whole": ("search", WHOLE.to_dict()),
        "similar": ("similar", {"id": f"{valve}:0", "k": 1}),
        "page": ("open_page", {"id": f"{valve}:0.f0"}),
        "same page": ("open_page", {"document_id": valve}),
        "crop": ("crop", {"id": f"{valve}:0.f0", "box": {"left": 0, "top": 0, "right": 0.5, "bottom": 0.5}}),
        "list": ("list_documents", {"limit": 1}),
        "count": (
            "count",
            {"filters": [{"field": "title", "operator": "glob", "value": "*valve"}], "fields": ["type"]},
        ),
        "status": ("status", {}),
    }


def _bad(folder: Path, valve: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return calls that are refused, by words of what is said."""
    return {
        "the query is empty": ("search", {}),
        "not valid base64": ("search", {"image_base64": "%%"}),
        "not both": ("search", {"image_path": "a.png", "image_base64": "aGk="}),
        "no-such.png": ("search", {"image_path": "no-such.png"}),
        "is not an image": ("search", {"image_path": str(folder / ".plait" / "library.json")}),
        "k: Input should be greater": ("search", {"text": "x", "k": 0}),
        "unknown 'folder'": ("search", {"text": "x", "folder": "/"}),
        "text: String should have at most": ("search", {"text": "x" * 100_000}),
        "give text inside query": ("search", {"text": "x", "query": {"texts": ["y"]}}),
        "no part": ("search", {"text": "x", "filters": [{"field": "no part", "value": 1}]}),
        "filters.0.value": ("search", {"text": "x", "filters": [{"field": "a", "value": {"b": 1}}]}),
        "reason of plait's own": ("search", {"text": "defect"}),
        "holds nothing of id": ("similar", {"id": "../../etc/passwd"}),
        "no document has this id": ("open_page", {"id": "x:0"}),
        "no pages": ("open_page", {"document_id": valve, "page": 7}),
        "give id, or": ("open_page", {}),
        "Nothing is stored under": ("crop", {"id": f"{valve}:99"}),
        "there is no picture": ("crop", {"id": f"{valve}:0.p0"}),
        "has no area": (
            "crop",
            {"id": f"{valve}:0.f0", "box": {"left": 0.5, "top": 0, "right": 0.5, "bottom": 1}},
        ),
        "after must be": ("list_documents", {"after": "?"}),
        "there is no tool": ("delete_everything", {}),
        "only what lies below": ("add", {"paths": [str(folder.parent / "outside.txt")]}),
        "only what lies": ("add", {"paths": ["inbox/../../outside.txt"]}),
        "only what": ("add", {"paths": ["inbox/link.txt"]}),
        "hidden files": ("add", {"paths": ["inbox/.hidden.txt"]}),
        "lies below": ("add", {"paths": [".plait/token"]}),
        "zero byte": ("add", {"paths": ["inbox/\0"]}),
        "no such file": ("add", {"paths": ["inbox/gone.txt"]}),
        "paths": ("add", {"paths": []}),
    }


async def _add_slowly(client: ClientSession, gate: Path, said: dict[str, Any], progress: list[float]) -> None:
    """Add what waits at a gate, and search meanwhile."""

    async def count(done: float, _total: float | None, _message: str | None) -> None:
        progress.append(done)

    async def add() -> None:
        asked = {"paths": ["inbox/slow.txt", "inbox"]}
        said["add"] = await client.call_tool("add", asked, progress_callback=count)

    async with anyio.create_task_group() as group:
        group.start_soon(add)
        while not list(gate.parent.glob("gate.*")):
            await anyio.sleep(0.02)
        said["meanwhile"] = await client.call_tool("search", {"text": "safety valve", "k": 1})
        gate.unlink()
    said["afterwards"] = await client.call_tool("count", {})


async def _with_client(arguments: list[Path], call: Callable[[ClientSession], Awaitable[Any]]) -> Any:
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "tests.serve.mcp_process", *map(str, arguments)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    with anyio.fail_after(120), open(os.devnull, "w") as nowhere:
        async with stdio_client(server, errlog=nowhere) as streams, ClientSession(*streams) as client:
            await client.initialize()
            return await call(client)


def test_every_tool_says_whether_it_changes_anything(talk: Talk) -> None:
    looking = {"search", "similar", "open_page", "crop", "list_documents", "count", "status"}
    hints = {name: tool.annotations for name, tool in talk.tools.items()}
    assert {name for name, hint in hints.items() if hint.readOnlyHint} == looking
    assert set(hints) - looking == {"add"}
    assert not any(hint.destructiveHint or hint.openWorldHint for hint in hints.values())


def test_an_assistant_finds_by_words_by_picture_and_by_both(talk: Talk) -> None:
    assert not any(reply.isError for reply in talk.said.values()), talk.said
    firsts = {name: talk.said[name].structuredContent["hits"][0] for name in ("words", "picture", "both")}
    titles = {name: hit["title"] for name, hit in firsts.items()}
    assert titles == {"words": "The filter", "picture": "The valve", "both": "The filter"}
    assert Path(firsts["words"]["picture"]).read_bytes() == drawn("blue")


def test_a_whole_request_is_answered_as_in_python(talk: Talk) -> None:
    assert talk.said["whole"].structuredContent == json.loads(json.dumps(talk.whole))


def test_hits_come_in_words_with_their_ids_and_with_pictures(talk: Talk) -> None:
    text, label, picture = talk.said["words"].content
    hit = talk.said["words"].structuredContent["hits"][0]
    assert f"id {hit['id']}" in text.text
    assert "Rinse the filter basket" in text.text
    assert label.text.startswith("Picture of hit 1")
    assert opened(picture).size == (120, 90)
    assert len(talk.said["picture"].content) == 1  # it asked for no pictures


def test_a_hit_leads_to_its_like_its_page_and_a_closer_look(talk: Talk) -> None:
    assert talk.said["similar"].structuredContent["hits"][0]["title"] == "The filter"
    page = talk.said["page"].structuredContent
    assert page == talk.said["same page"].structuredContent
    assert page["text"] == "Close the safety valve before you open the boiler."
    assert [figure["name"] for figure in page["figures"]] == ["A valve"]
    assert (page["previous"], page["next"]) == ("", "")
    assert opened(talk.said["page"].content[-1]).size == (120, 90)
    assert opened(talk.said["crop"].content[-1]).size == (240, 180)  # a quarter of it, four times as large
    assert "60 x 45 pixels, shown 4 times as large" in talk.said["crop"].content[0].text


def test_documents_are_listed_and_counted_exactly(talk: Talk) -> None:
    page = talk.said["list"].structuredContent
    assert ([one["title"] for one in page["documents"]], page["total"]) == (["The filter"], 2)
    assert f"after = {page['next']}" in talk.said["list"].content[0].text
    counted = talk.said["count"].structuredContent
    assert (counted["documents"], counted["units"]) == (1, 1)
    assert [(one["value"], one["documents"]) for one in counted["facets"][0]["counts"]] == [("html", 1)]
    assert talk.said["status"].structuredContent["documents"] == 2
    assert "title (text): 2 values" in talk.said["status"].content[0].text


def test_a_search_is_answered_while_an_add_goes_on_and_what_was_added_is_found(talk: Talk) -> None:
    assert talk.said["meanwhile"].structuredContent["hits"][0]["title"] == "The valve"
    slow, folder = talk.said["add"].structuredContent["reports"]
    assert (slow["added"], folder["added"]) == (1, 1)  # the folder holds the file
    assert [failure["source"] for failure in folder["failed"]] == ["inbox/link.txt", "inbox/torn.pdf"]
    assert "failed: inbox/torn.pdf: cannot be opened as a PDF" in talk.said["add"].content[0].text
    assert talk.said["afterwards"].structuredContent["documents"] == 3
    assert talk.progress


def test_a_call_that_cannot_be_answered_is_an_error_in_words(talk: Talk) -> None:
    for expected, reply in talk.refused.items():
        assert reply.isError, expected
        said = reply.content[0].text
        assert expected.lower() in said.lower()
        assert len(said) < 1000
        assert "Traceback" not in said
        assert "secret" not in said


def test_nothing_good_is_said_in_words_with_the_next_step() -> None:
    plan = SearchPlan(units=9, rescored=9, recall=0.99, expected_recall=1.0)
    assert "Nothing good was found. 7 distant hits" in said_of(Hits([], plan, distant=7))
    assert "distant = true" in said_of(Hits([], plan, distant=7))
    assert "Nothing was found" in said_of(Hits([], plan))


def test_large_pictures_are_made_small_enough_for_an_answer(tmp_path: Path) -> None:
    sides = [Image.effect_noise((1800, 1200), 120) for _ in "RGB"]
    Image.merge("RGB", sides).save(tmp_path / "noise.jpg", quality=95)
    page = shown(str(tmp_path / "noise.jpg"), longest_px=1568, max_pixels=50_000_000)
    assert opened(page).size in ((1568, 1045), (784, 522))
    assert len(base64.b64decode(page.data)) <= 700_000
    assert page.mimeType == "image/jpeg"
    whole, _ = enlarged(str(tmp_path / "noise.jpg"), None, max_pixels=50_000_000)
    assert max(opened(whole).size) <= 1568


def opened(block: Any) -> Image.Image:
    image = Image.open(io.BytesIO(base64.b64decode(block.data)))
    image.load()
    return image


def test_standard_output_holds_the_protocol_and_nothing_else(shelf: Path) -> None:
    search = {"name": "search", "arguments": {"text": "a"}}
    messages = [
        HELLO,
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
        {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": search},
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
    while not any(reply.get("id") == 3 for reply in replies):
        replies.append(json.loads(process.stdout.readline()))
    rest, errors = process.communicate(timeout=30)  # closes its input, and with it the server
    assert {reply["jsonrpc"] for reply in replies} == {"2.0"}
    results = {reply["id"]: reply["result"] for reply in replies if "result" in reply}
    assert [*results] == [1, 2, 3]
    assert "add" not in {tool["name"] for tool in results[2]["tools"]}  # nobody allowed it
    assert rest == ""
    assert "loading weights" in errors
    assert "a C library says hello" in errors
    assert process.returncode == 0
