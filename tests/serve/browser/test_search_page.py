"""The search page in a real browser: asking, narrowing down, looking closer, adding and removing."""

from __future__ import annotations

import base64
import json
import re
from importlib import resources
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.serve.browser.conftest import EXAMPLES, Opened, Site, Watched, answered, search, served, until
from tests.serve.conftest import TOKEN

from plait.encode.base import Encoder
from plait.library import Library
from plait.schema import Box, Filter, Query, SearchRequest

RING = EXAMPLES / "queries" / "worn-ring.jpg"
PUMP = "the pump hums loudly but no water comes out"
SEAL = "everything in the group comes out from below"
AXE = (resources.files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")

# A picture as the clipboard or a file manager hands it over.
HAND_OVER = """([target, type, picture]) => {
  const bytes = Uint8Array.from(atob(picture), (one) => one.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], "ring.jpg", { type: "image/jpeg" }));
  const init = { bubbles: true, cancelable: true };
  const onto = (event) => document.querySelector(target).dispatchEvent(event);
  if (type === "paste") onto(new ClipboardEvent("paste", { ...init, clipboardData: data }));
  else for (const name of ["dragover", "drop"]) onto(new DragEvent(name, { ...init, dataTransfer: data }));
}"""


def hand_over(page: Page, target: str, how: str) -> None:
    page.evaluate(HAND_OVER, [target, how, base64.b64encode(RING.read_bytes()).decode()])


def ids(page: Page) -> list[str]:
    """Return the ids of the hits that are shown."""
    found: list[str] = page.eval_on_selector_all("#hits > .hit", "hits => hits.map((one) => one.hit.id)")
    return found


def test_words_find_what_the_library_finds_with_those_words_marked(page: Page, site: Site) -> None:
    search(page, PUMP)
    assert ids(page) == [hit.id for hit in site.library.search(Query.of(PUMP))]
    marked = {word.lower() for word in page.locator(".hit").first.locator("mark").all_inner_texts()}
    assert {"pump", "hums", "loudly", "water"} <= marked
    assert "the" not in marked


def test_a_pasted_picture_is_asked_beside_the_words(page: Page, site: Site) -> None:
    hand_over(page, "#text", "paste")
    expect(page.locator(".chip.image canvas")).to_be_visible()
    search(page, "how often do I have to change this?")
    assert ids(page) == [
        hit.id for hit in site.library.search(Query.of("how often do I have to change this?", RING))
    ]


def test_a_photograph_of_the_computers_camera_is_asked(page: Page, site: Site) -> None:
    page.get_by_role("button", name="Take a photograph").click()
    expect(page.locator("#photographing")).to_be_visible()
    until(page, "document.getElementById('film').videoWidth > 0")
    page.get_by_role("button", name="Take it").click()
    expect(page.locator(".chip.image canvas")).to_be_visible()
    assert page.evaluate("document.getElementById('film').srcObject") is None  # the camera is let go
    with answered(page):
        page.press("#text", "Enter")
    assert site.last()["query"]["images"] == [{"upload": 0}]


def test_a_picture_dropped_on_search_is_asked_and_several_may_be(page: Page, site: Site) -> None:
    hand_over(page, "[data-drop=ask]", "drop")
    page.set_input_files("#file", [RING, EXAMPLES / "queries" / "brass-part.jpg"])
    expect(page.locator(".chip.image canvas")).to_have_count(3)
    with answered(page):
        page.click("#go")
    assert site.last()["query"]["images"] == [{"upload": 0}, {"upload": 1}, {"upload": 2}]


def test_a_region_drawn_on_a_picture_is_what_is_asked(page: Page, site: Site) -> None:
    page.set_input_files("#file", RING)
    page.get_by_role("button", name="Choose a region").click()
    expect(page.locator("#cropper")).to_be_visible()
    surface = page.locator("#cropper-surface").bounding_box()
    assert surface is not None
    with answered(page):
        page.mouse.move(surface["x"] + surface["width"] * 0.05, surface["y"] + surface["height"] * 0.1)
        page.mouse.down()
        page.mouse.move(
            surface["x"] + surface["width"] * 0.9, surface["y"] + surface["height"] * 0.95, steps=3
        )
        page.mouse.up()
        page.click("#cropper-use")
    [box] = site.last()["query"]["image_boxes"]
    wanted = {"left": 0.05, "top": 0.1, "right": 0.9, "bottom": 0.95}
    assert box == pytest.approx(wanted, abs=0.01)
    query = Query(images=(str(RING),), image_boxes=(Box(**box),))
    assert ids(page) == [hit.id for hit in site.library.search(query)]


def test_a_region_is_drawn_by_keys_alone(page: Page, site: Site) -> None:
    page.set_input_files("#file", RING)
    page.get_by_role("button", name="Choose a region").press("Enter")
    expect(page.locator("#cropper")).to_be_visible()
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "Shift+ArrowRight", "Shift+ArrowDown"):
        page.keyboard.press(key)  # the first begins with one in the middle
    expect(page.locator("#cropper .region")).to_have_attribute(
        "aria-label", re.compile("left 27 %.* 52 % wide")
    )
    with answered(page):
        page.keyboard.press("Enter")
    wanted = {"left": 0.27, "top": 0.23, "right": 0.79, "bottom": 0.75}
    assert site.last()["query"]["image_boxes"] == [pytest.approx(wanted)]


def test_parts_have_weights_and_may_be_unwanted(page: Page, site: Site) -> None:
    page.fill("#text", PUMP)
    page.click("#without")
    page.keyboard.type("steam")
    with answered(page):
        page.keyboard.press("Enter")
    assert site.last()["query"]["texts"] == [PUMP, "steam"]
    assert site.last()["query"]["text_weights"] == [1, -1]
    with answered(page):
        page.get_by_role("slider").first.press("ArrowRight")
    assert site.last()["query"]["text_weights"] == [1.25, -1]
    with answered(page):
        page.get_by_role("button", name="Unwanted: these words").click()
    assert site.last()["query"]["text_weights"] == [1.25, 1]
    with answered(page):
        page.get_by_role("button", name="Remove these words").click()
    assert site.last()["query"]["texts"] == [PUMP]


def test_more_and_less_like_a_hit_are_parts_of_the_question(page: Page, site: Site) -> None:
    search(page, PUMP)
    liked = ids(page)[0]
    with answered(page):
        page.locator(".do-more").first.click()
    place, disliked = next((place, one) for place, one in enumerate(ids(page)) if one != liked)
    with answered(page):
        page.locator(".do-less").nth(place).click()
    asked = site.last()["query"]
    assert (asked["like"], asked["like_weights"]) == ([liked, disliked], [1, -1])
    expect(page.locator(".chip.like.unwanted")).to_have_count(1)


def test_the_kind_of_thing_is_chosen(page: Page, site: Site) -> None:
    search(page, "the rubber seal of the group")
    with answered(page):
        page.get_by_role("radio", name="Figures").check()
    kinds = page.eval_on_selector_all(".hit", "hits => hits.map((one) => one.hit.kind)")
    assert set(kinds) == {"figure"}


def test_facets_count_exactly_and_several_values_may_be_chosen(page: Page, site: Site) -> None:
    search(page, "water")
    kinds = page.get_by_role("group", name="Kind of file")
    expect(kinds.get_by_role("checkbox", name="note 4 documents")).to_be_visible()
    [facet] = site.library.facets(("type",))
    counted = [(count.value, str(count.documents)) for count in facet.counts]
    values, numbers = kinds.locator(".value").all_inner_texts(), kinds.locator(".count").all_inner_texts()
    assert list(zip(values, [number.split()[0] for number in numbers], strict=True)) == counted
    for value in ("html", "pdf"):
        with answered(page):
            kinds.get_by_role("checkbox", name=re.compile(f"^{value} ")).check()
    assert site.last()["query"]["filters"] == [{"field": "type", "operator": "in", "value": ["html", "pdf"]}]
    chosen = Filter("type", "in", ("html", "pdf"))
    assert ids(page) == [hit.id for hit in site.library.search(Query(("water",), filters=(chosen,)))]


def test_filters_take_ranges_dates_and_paths_and_stand_as_chips(page: Page, site: Site) -> None:
    search(page, "lime in the water")
    page.click("#to-filter")
    page.get_by_label("Field").select_option("date")
    page.get_by_label("from", exact=True).fill("2023-05-17")
    page.get_by_label("to", exact=True).fill("2023-12-31")
    with answered(page):
        page.get_by_role("button", name="Add the filter").click()
    dates = page.eval_on_selector_all(".hit", "hits => hits.map((one) => one.hit.metadata.date)")
    assert dates
    assert set(dates) <= {"2023-05-17", "2023-05-18"}
    with answered(page):
        page.get_by_role("button", name="Remove the filter: Date from").click()
    with answered(page):
        page.get_by_role("button", name="Remove the filter: Date up to").click()
    page.click("#to-filter")
    page.get_by_label("Field").select_option("source")
    page.get_by_label("Value").fill("*.pdf")
    with answered(page):
        page.get_by_label("Value").press("Enter")
    assert site.last()["query"]["filters"] == [{"field": "source", "operator": "glob", "value": "*.pdf"}]
    assert {
        source[-4:]
        for source in page.eval_on_selector_all(".hit", "hits => hits.map((one) => one.hit.source)")
    } == {".pdf"}


def test_exact_words_alone_may_be_compared(page: Page, site: Site) -> None:
    search(page, PUMP)
    page.click("#to-advanced")
    with answered(page):
        page.get_by_label("Compare by").select_option("words")
    assert site.last()["lanes"] == ["bm25"]
    assert ids(page) == [hit.id for hit in site.library.search(Query.of(PUMP), lanes=("bm25",))]


def test_more_goes_on_where_the_hits_end(page: Page, site: Site) -> None:
    search(page, "water")
    first = ids(page)
    with answered(page):
        page.get_by_role("button", name="More", exact=True).click()
    expect(page.locator("#hits > .hit").nth(len(first))).to_be_focused()
    assert ids(page)[: len(first)] == first
    assert len(set(ids(page))) == len(ids(page))


def test_hits_nearly_the_same_are_shown_once_with_their_number(page: Page) -> None:
    search(page, "a water filter keeps lime out for three hundred litres")
    button = page.get_by_role("button", name="1 more nearly the same")
    button.click()
    expect(page.locator(".folded li")).to_have_count(1)
    expect(page.locator(".folded li")).to_contain_text("Note on")


def test_everything_can_be_done_by_keys(page: Page) -> None:
    page.keyboard.press("Tab")
    page.keyboard.press("/")
    page.keyboard.type(PUMP)
    with answered(page):
        page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement === document.querySelectorAll('#hits > .hit')[1]")
    page.keyboard.press("Enter")
    expect(page.locator("#viewer")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    assert page.evaluate(
        "document.activeElement.closest('.hit') === document.querySelectorAll('#hits > .hit')[1]"
    )
    page.keyboard.press("Escape")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#text")).to_have_value("")
    page.keyboard.press("Control+k")
    page.locator("#to-keys").focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys and hints")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#to-keys")).to_be_focused()


def test_the_viewer_opens_at_the_page_with_the_place_marked(page: Page) -> None:
    search(page, SEAL)
    hit = page.locator(".hit", has=page.locator(".sheet.page")).first
    box = hit.evaluate("one => one.hit.box")
    hit.get_by_role("button", name="Marla 2 service sheet", exact=True).click()
    mark = page.locator("#sheet .box")
    expect(mark).to_be_in_viewport()
    sheet, drawn = page.locator("#sheet").bounding_box(), mark.bounding_box()
    assert sheet is not None
    assert drawn is not None
    assert (drawn["x"] - sheet["x"]) / sheet["width"] == pytest.approx(box["left"], abs=0.01)
    assert (drawn["y"] + drawn["height"] - sheet["y"]) / sheet["height"] == pytest.approx(
        box["bottom"], abs=0.01
    )
    expect(page.locator("#reading .here")).to_contain_text("Everything in the group")
    page.keyboard.press("+")
    assert page.locator("#sheet").evaluate("one => one.clientWidth") > sheet["width"]
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer-place")).to_contain_text("page 3")
    expect(mark).to_have_count(0)
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#viewer-place")).to_contain_text("page 2")
    page.go_back()
    expect(page.locator("#viewer")).to_be_hidden()
    expect(page.locator("#text")).to_have_value(SEAL)


def test_a_region_of_a_page_is_searched_with(page: Page, site: Site) -> None:
    search(page, SEAL)
    page.locator(".sheet.page").first.click()
    expect(page.locator("#sheet .box")).to_be_visible()
    page.keyboard.press("r")
    page.keyboard.press("ArrowDown")
    with answered(page):
        page.keyboard.press("Enter")
    asked = site.last()["query"]
    assert asked["images"] == [{"upload": 0}]
    assert asked["image_boxes"] == [{"left": 0.25, "top": 0.25, "right": 0.75, "bottom": 0.75}]
    expect(page.locator(".chip.image")).to_be_visible()


def test_a_hit_says_why_it_was_found(page: Page, site: Site) -> None:
    page.set_input_files("#file", RING)
    search(page, "how often do I have to change this?")
    with answered(page, "/explain"):
        page.get_by_role("button", name="Why?").first.click()
    why = page.locator(".why").first
    expect(why).to_contain_text("your picture")
    request = SearchRequest.from_dict(
        {"query": {"texts": ["how often do I have to change this?"], "images": [{"path": str(RING)}]}}
    )
    said = site.library.explain(request, ids(page)[0])
    parts = why.locator("section", has_text="What you asked").locator(".percent").all_inner_texts()
    assert parts == [f"{round(share * 100)} %" for share in sorted(said.parts.values(), reverse=True)]
    assert said.heat is not None
    heat = why.locator(".heat canvas")
    assert heat.evaluate("one => [one.height, one.width]") == [said.heat.rows, said.heat.columns]


def test_when_nothing_is_good_it_says_so_and_the_rest_is_one_step_away(page: Page) -> None:
    search(page, "quarterly dividend of the shipping company's preferred shares")
    expect(page.get_by_role("heading", name="Nothing good found")).to_be_visible()
    with answered(page):
        page.get_by_role("button", name=re.compile("^Show \\d+ distant result")).click()
    assert ids(page)


def test_documents_are_added_with_progress_and_deleted_after_a_question(page: Page, tmp_path: Path) -> None:
    good, broken = tmp_path / "boiler-song.md", tmp_path / "broken.pdf"
    good.write_text("# The boiler song\n\nSing gently to the samovar while it warms.\n")
    broken.write_bytes(b"%PDF-1.7 nothing follows")
    page.click("#to-library")
    page.set_input_files("#documents-file", [good, broken])
    expect(page.locator(".job.added")).to_contain_text("boiler-song.md")
    failed = page.locator(".job.failed")
    expect(failed).to_contain_text("broken.pdf")
    expect(failed.locator(".remark")).not_to_be_empty()
    row = page.locator(".documents li", has_text="The boiler song")
    expect(row).to_be_visible()
    page.keyboard.press("/")
    search(page, "sing gently to the samovar")
    expect(page.locator(".hit .title").first).to_have_text("The boiler song")
    page.click("#to-library")
    row.get_by_role("button", name="Delete The boiler song").click()
    page.get_by_role("button", name="Cancel").click()
    expect(row).to_be_visible()
    row.get_by_role("button", name="Delete The boiler song").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    expect(page.locator("#note")).to_contain_text("was deleted")


def test_the_page_opens_with_the_token_only_and_keeps_it_out_of_the_address(
    opened: Opened, watched: Watched
) -> None:
    watched.expected = ["401"]
    page = opened(key="")
    page.fill("#token", "wrong")
    page.get_by_role("button", name="Unlock").click()
    expect(page.locator("#token")).to_be_focused()
    page.fill("#token", TOKEN)
    page.get_by_role("button", name="Unlock").click()
    expect(page.locator("#unlock")).to_be_hidden()
    search(page, PUMP)
    assert TOKEN not in page.evaluate("JSON.stringify([location.href, history.state, {...localStorage}])")
    assert not page.context.cookies()


def test_back_returns_to_the_question_before(page: Page) -> None:
    search(page, PUMP)
    first = ids(page)
    search(page, "lime")
    page.go_back()
    expect(page.locator("#text")).to_have_value(PUMP)
    until(page, f"document.querySelector('.hit')?.hit?.id === {json.dumps(first[0])}")
    page.reload()
    expect(page.locator(".hit").first).to_be_visible()
    assert ids(page) == first


def test_words_of_documents_are_shown_as_words(page: Page) -> None:
    search(page, "script alert in a boiler")
    expect(page.locator(".title", has_text="<img src=x onerror=alert(1)>")).to_be_visible()
    expect(page.get_by_role("checkbox", name="<b>Mallory</b>")).to_be_visible()
    assert page.locator(".passage script, .title img, .value b").count() == 0


def test_pictures_of_hits_are_let_go_with_the_next_question(page: Page) -> None:
    page.evaluate(
        """() => { window.held = new Set(); const { createObjectURL: make, revokeObjectURL: free } = URL;
        URL.createObjectURL = (blob) => { const url = make.call(URL, blob); held.add(url); return url; };
        URL.revokeObjectURL = (url) => { held.delete(url); free.call(URL, url); }; }"""
    )
    search(page, PUMP)
    until(page, "document.querySelectorAll('.hit img[src]').length > 1")
    before = page.evaluate("[...held]")
    search(page, "lime")
    until(page, f"{json.dumps(before)}.every((url) => !held.has(url))")
    assert before


def test_a_service_that_went_away_is_told_and_asked_again(page: Page, watched: Watched) -> None:
    watched.expected = ["ERR_INTERNET_DISCONNECTED"]
    page.context.set_offline(True)
    page.fill("#text", PUMP)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("does not answer")
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(page.locator(".hit").first).to_be_visible()


def test_an_empty_library_says_how_to_begin(opened: Opened, encoder: Encoder, tmp_path: Path) -> None:
    with Library(tmp_path / "empty", encoder=encoder) as library, served(library, encoder) as empty:
        page = opened(at=empty)
        expect(page.get_by_role("heading", name="There are no documents here yet")).to_be_visible()
        note = tmp_path / "first.md"
        note.write_text("# The first\n\nIt begins with one document.\n")
        page.set_input_files("#documents-file", note)
        expect(page.locator("#note")).to_have_text("Everything was added.")
        page.keyboard.press("/")
        search(page, "one document to begin with")
        expect(page.locator(".hit .title").first).to_have_text("The first")
        page.close()


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (1200, True), (360, False)])
def test_nothing_keeps_those_out_who_see_or_hear_otherwise(opened: Opened, width: int, dark: bool) -> None:
    page = opened(width=width, dark=dark, touch=width < 400)
    assert faults(page) == []
    page.set_input_files("#file", RING)
    page.get_by_role("button", name="Choose a region").click()
    expect(page.locator("#cropper")).to_be_visible()
    page.keyboard.press("ArrowRight")
    assert faults(page) == []
    page.keyboard.press("Escape")
    page.click("#to-filter")
    page.click("#to-advanced")
    search(page, SEAL)
    with answered(page, "/explain"):
        page.get_by_role("button", name="Why?").first.click()
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator(".sheet.page").first.click()
    expect(page.locator("#sheet .box")).to_be_visible()
    assert faults(page) == []
    page.keyboard.press("Escape")
    page.click("#to-library")
    expect(page.locator(".documents li").first).to_be_visible()
    assert faults(page) == []


def faults(page: Page) -> list[str]:
    """Return what axe finds wrong with a page as it stands."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{one['id']}: {node['html'][:200]} {node.get('failureSummary', '')}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
