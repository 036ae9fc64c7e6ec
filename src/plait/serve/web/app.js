// The search page: puts its rooms together, asks the service, and keeps the browser's history.

import { Box } from "/box.js";
import { at, button, counted, icon, later, make, say } from "/elements.js";
import { Filters } from "/filters.js";
import { listen } from "/keys.js";
import { Library } from "/library.js";
import { address, body, fromAddress, Question } from "/query.js";
import { Results } from "/results.js";
import { call, read, setToken, takeToken } from "/service.js";
import { Viewer } from "/viewer.js";

const PATIENCE = 150; // milliseconds before a search shows that it is under way
const SHORT = 200; // milliseconds in which several changes are one
const IMAGES = /^image\//;

let question = new Question();
let asking = null; // AbortController of the running search
let asked = ""; // id by which the service remembers the query
let shown = null; // key in `asks` of what is shown
const asks = new Map(); // key of a history entry -> its question, with pictures

const again = later(() => { if (shown || !question.isEmpty) search(); }, SHORT);
const box = new Box(question, again);
const filters = new Filters(question, again);
const library = new Library(learnAgain);
const viewer = new Viewer({ ask: (file, region) => box.addPictures([file], region), closed: viewerClosed });
const results = new Results({ open, like: (hit, weight) => box.addLike(hit, weight), judge, more, distant: () => search({ distant: true }) });

listen({ focusBox: () => { showSearch(); box.focus(); }, back });
at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  if (matchMedia("(pointer: coarse)").matches) at("text").blur(); // so that its keyboard makes room for the hits
  search();
});
at("unlock").addEventListener("submit", unlock);
at("again").addEventListener("click", begin);
at("to-library").addEventListener("click", () => (at("library").hidden ? showLibrary() : showSearch()));
document.querySelector(".brand").addEventListener("click", startAnew);
document.addEventListener("locked", locked);
window.addEventListener("popstate", popped);
listenForDrops();

if (takeToken()) begin();
else locked();

async function begin() {
  at("away").hidden = true;
  try {
    const [status] = await Promise.all([library.learn(), filters.learn()]);
    results.judged = status.feedback !== "off";
    drawStart(status);
    if (location.hash === "#library") return showLibrary(false);
    restore(fromAddress(location.hash));
    box.focus();
    if (!question.isEmpty) await search({ push: false });
    else showStart();
  } catch (error) {
    say(error.status === 0 || error.status === 401 ? "" : error.message, true);
  }
}

async function learnAgain() {
  await filters.learn();
  drawStart(library.status);
}

function locked() {
  at("unlock").hidden = false;
  at("token").focus();
}

function unlock(event) {
  event.preventDefault();
  setToken(at("token").value);
  at("token").value = "";
  at("unlock").hidden = true;
  say("");
  begin();
}

// Ask the question as it stands now.
async function search({ push = true, distant = false } = {}) {
  if (question.isEmpty) { say("Type a few words, or add a picture."); return showStart(); }
  if (question.wantsNothing) return say("Everything here is unwanted: say also what you want.", true);
  showSearch();
  again.stop(); // what changed meanwhile is asked now
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  const bones = setTimeout(() => { results.wait(); at("hits").setAttribute("aria-busy", "true"); }, PATIENCE);
  say("Searching…");
  if (push && !distant) remember();
  const mine = question.copy();
  const facets = filters.facets;
  try {
    const answer = await read("/search", { method: "POST", body: body(mine, { distant, facets }), signal });
    clearTimeout(bones);
    tell(answer, mine, distant);
  } catch (error) {
    clearTimeout(bones);
    if (error.name === "AbortError") return;
    results.clear();
    filters.drawFacets([]);
    say(error.status === 0 ? "" : error.message, true);
  } finally {
    if (asking.signal === signal) at("hits").removeAttribute("aria-busy");
  }
}

function tell(answer, mine, distant) {
  asked = answer.query_id;
  results.show(answer, mine);
  results.options = { distant };
  filters.drawFacets(answer.facets ?? []);
  const count = answer.hits.length;
  const better = answer.next_cursor ? `The best ${counted(count, "hit")}` : counted(count, "hit");
  const seconds = `in ${answer.seconds.toFixed(2)} s`;
  if (count) say(`${better}${distant ? ", distant ones too," : ""} ${seconds}`);
  else say(answer.nothing_good ? "Nothing good found." : "Nothing found.");
}

async function more(cursor) {
  const { question: mine, options } = results;
  try {
    const answer = await read("/search", { method: "POST", body: body(mine, { ...options, cursor, facets: filters.facets }) });
    results.append(answer);
    say(`${counted(answer.hits.length, "more hit")}.`);
  } catch (error) {
    say(error.message, true);
  }
}

async function open(hit) {
  history.pushState({ key: shown, viewer: true }, "", location.href); // so that Back closes the viewer
  if (hit.rank) judge(hit, { click: true }, false);
  await viewer.open(hit, question.texts.filter(({ weight }) => weight > 0).map(({ text }) => text));
}

function viewerClosed() {
  if (history.state?.viewer) history.back();
}

// Tell the service what somebody says of a hit; return whether it took it.
async function judge(hit, opinion, aloud = true) {
  try {
    await call("/feedback", { method: "POST", body: { query: asked, unit: hit.unit_id, rank: hit.rank, ...opinion } });
    return true;
  } catch (error) {
    if (aloud) say(error.message, true);
    return false;
  }
}

// Keep the question under the history's newest entry. Its words are in the address, its pictures only here.
function remember() {
  const place = address(question);
  const same = shown && asks.has(shown) && location.hash === place;
  const key = same ? shown : `${Date.now()}-${asks.size}`;
  asks.set(key, question.copy());
  if (!same) history.pushState({ key }, "", place);
  shown = key;
}

function restore(restored) {
  question = restored;
  box.show(question);
  filters.show(question);
}

function popped(event) {
  if (viewer.isOpen) viewer.close();
  const key = event.state?.key ?? null;
  if (location.hash === "#library") return showLibrary(false);
  if (key && key === shown && at("library").hidden) return;
  shown = key;
  restore(asks.get(key)?.copy() ?? fromAddress(location.hash));
  if (question.isEmpty) showStart();
  else search({ push: false });
}

function startAnew(event) {
  event.preventDefault();
  restore(new Question());
  shown = null;
  history.pushState(null, "", location.pathname);
  showStart();
  say("");
  box.focus();
}

// One of the page's three views.
function view(name) {
  at("start").hidden = name !== "start";
  at("found").hidden = name !== "found";
  at("library").hidden = name !== "library";
  at("ask").hidden = name === "library";
  at("to-library").setAttribute("aria-pressed", String(name === "library"));
  document.body.dataset.view = name;
}

function showStart() {
  asking?.abort();
  results.clear();
  view("start");
}

function showSearch() {
  if (!at("found").hidden) return;
  if (at("hits").childElementCount || !question.isEmpty) view("found");
  else view("start");
}

function showLibrary(push = true) {
  if (push) history.pushState({ key: null }, "", "#library");
  shown = null;
  say("");
  view("library");
  library.show();
}

// The first thing one sees: how to begin.
function drawStart({ documents, units, figures }) {
  if (!documents) return at("start").replaceChildren(...emptyLibrary());
  const holds = `${counted(documents, "document")} with ${counted(units, "page or section", "pages and sections")} and ${counted(figures, "figure")}`;
  const hints = [
    ["search", "Ask in your own words; a whole question works best."],
    ["picture", "Paste, drop or pick a picture, alone or with words: “how do I change this?”"],
    ["crop", "Choose a region of a picture, or of any page you open, and search with that."],
  ].map(([name, words]) => make("li", {}, icon(name), make("span", { words })));
  at("start").replaceChildren(make("ul", { kind: "hints" }, ...hints), make("p", { kind: "holds", words: holds }));
}

function emptyLibrary() {
  const may = library.rights.has("add");
  const advice = may ? "Drop files anywhere on this page, or choose some: PDF, Office, Markdown, HTML, pictures, archives." : "Ask the owner to add some.";
  const add = may ? [button("Add documents…", () => { showLibrary(); library.input.click(); }, { kind: "primary" })] : [];
  return [make("div", { kind: "nothing" }, icon("books"), make("h2", { words: "There are no documents here yet" }), make("p", { words: advice }), ...add)];
}

// Escape goes back one step: from a hit or the library to the box, then parts go, then the words.
function back() {
  for (const id of ["filtering", "advanced"]) {
    if (at(id).contains(document.activeElement)) return at(`to-${id === "filtering" ? "filter" : id}`).click();
  }
  if (!at("library").hidden) { showSearch(); return box.focus(); }
  if (document.activeElement !== at("text")) return at("text").focus();
  if (question.parts.length) {
    question.parts = question.parts.slice(0, -1);
    restore(question);
    again();
  } else box.clear();
}

// A picture may be meant as a question or as a document, so it is asked by where it is dropped.
function listenForDrops() {
  const room = at("dropping");
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!holdsFiles(event) || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    room.hidden = false;
    const pictures = [...event.dataTransfer.items].every(({ type }) => IMAGES.test(type));
    room.classList.toggle("documents", !pictures || !at("library").hidden);
    for (const zone of room.children) zone.classList.toggle("over", zone === event.target.closest?.("[data-drop]"));
  });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) room.hidden = true; });
  document.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    room.hidden = true;
    if ([...event.dataTransfer.items].some((item) => item.webkitGetAsEntry?.()?.isDirectory)) {
      return say("A folder cannot be sent: drop the files in it, or run plait add.", true);
    }
    const files = [...event.dataTransfer.files];
    const zone = event.target.closest?.("[data-drop]")?.dataset.drop;
    const meant = zone ?? (at("library").hidden && files.every(({ type }) => IMAGES.test(type)) ? "ask" : "add");
    if (meant === "ask") return box.addPictures(files);
    showLibrary();
    library.add(files);
  });
}
