// The search page. It talks to its own service only; the token lives in this tab and nowhere else.
"use strict";

const at = (id) => document.getElementById(id);
const [text, note, hits, file, viewer] = ["text", "note", "hits", "file", "viewer"].map(at);

let picture = null; // the File or Blob that is asked with
let asking = null; // AbortController of the running search
let asked = ""; // the id of the query whose hits are shown
let urls = []; // object URLs of shown pictures, freed with the next search

takeToken();
at("ask").addEventListener("submit", (event) => { event.preventDefault(); search(); });
at("unlock").addEventListener("submit", unlock);
at("pick").addEventListener("click", () => file.click());
at("drop-image").addEventListener("click", () => { setPicture(null); text.focus(); });
file.addEventListener("change", () => { setPicture(file.files[0] ?? null); file.value = ""; });
document.addEventListener("paste", pasted);
document.addEventListener("dragover", (event) => { event.preventDefault(); at("box").classList.add("over"); });
document.addEventListener("dragleave", () => at("box").classList.remove("over"));
document.addEventListener("drop", dropped);
document.addEventListener("keydown", pressed);
viewer.addEventListener("click", () => viewer.close());
text.focus();

// The address holds the token behind "#", which browsers never send; it goes from the address at once.
function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem("token", given);
    history.replaceState(null, "", location.pathname);
  }
  at("unlock").hidden = Boolean(sessionStorage.getItem("token"));
}

function unlock(event) {
  event.preventDefault();
  sessionStorage.setItem("token", at("token").value.trim());
  at("token").value = "";
  at("unlock").hidden = true;
  say("");
  text.focus();
}

async function call(path, options = {}) {
  const headers = { Authorization: `Bearer ${sessionStorage.getItem("token") ?? ""}` };
  const reply = await fetch(path, { ...options, headers, credentials: "omit", redirect: "error" });
  if (reply.ok) return reply;
  const body = await reply.json().catch(() => ({}));
  if (reply.status === 401) {
    at("unlock").hidden = false;
    at("token").focus();
  }
  throw new Error(body.detail ?? `the service answered ${reply.status}`);
}

async function search() {
  const words = text.value.trim();
  if (!words && !picture) return say("Type a few words, or add a picture.");
  asking?.abort();
  asking = new AbortController();
  const form = new FormData();
  if (words) form.append("text", words);
  if (picture) form.append("image", picture, "query");
  say("Searching…");
  try {
    const { signal } = asking;
    const found = await (await call("/search", { method: "POST", body: form, signal })).json();
    asked = found.query_id;
    show(found.hits);
    const count = found.hits.length;
    say(count ? `${count} hit${count === 1 ? "" : "s"} in ${found.seconds.toFixed(2)} s` : "Nothing found.");
  } catch (error) {
    if (error.name !== "AbortError") say(error.message, true);
  }
}

function show(found) {
  urls.forEach((url) => URL.revokeObjectURL(url));
  urls = [];
  hits.replaceChildren(...found.map(card));
}

function card(hit) {
  const item = make("li", "", "");
  item.tabIndex = -1;
  item.classList.toggle("bare", !hit.picture);
  if (hit.picture) item.append(thumbnail(hit));
  const body = make("div", "", "");
  body.append(make("h2", "", `${hit.rank}. ${hit.title}`), make("p", "place", [hit.place, hit.source].filter(Boolean).join(" · ")));
  if (hit.passage) body.append(make("p", "passage", hit.passage));
  if (hit.caption) body.append(make("p", "caption", hit.caption));
  const lanes = Object.entries(hit.lanes).map(([name, score]) => `${name} ${score.toFixed(2)}`);
  body.append(make("p", "lanes", lanes.join("  ·  ")));
  if (hit.page_picture) {
    const button = make("button", "", `Show page ${hit.page ?? ""}`);
    button.type = "button";
    button.addEventListener("click", () => {
      enlarge(hit.page_picture, `${hit.title}, ${hit.place}`);
      tell(hit, { click: true }).catch(() => {});
    });
    body.append(button);
  }
  body.append(judging(hit));
  item.append(body);
  return item;
}

// Two buttons that say whether a hit answers the question; pressed again, one takes it back.
function judging(hit) {
  const group = make("span", "judging", "");
  const buttons = [["Right", 1], ["Wrong", 0]].map(([name, grade]) => {
    const button = make("button", "", name);
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    button.setAttribute("aria-label", `${name}: ${hit.title}`);
    button.addEventListener("click", async () => {
      const back = button.getAttribute("aria-pressed") === "true";
      try {
        await tell(hit, { grade: back ? null : grade });
        buttons.forEach((one) => one.setAttribute("aria-pressed", String(one === button && !back)));
      } catch (error) {
        say(error.message, true);
      }
    });
    return button;
  });
  group.append(...buttons);
  return group;
}

async function tell(hit, opinion) {
  const body = JSON.stringify({ query: asked, unit: hit.unit_id, rank: hit.rank, ...opinion });
  await call("/feedback", { method: "POST", body });
}

function thumbnail(hit) {
  const button = make("button", "picture", "");
  button.type = "button";
  button.setAttribute("aria-label", `Enlarge: ${hit.caption || hit.title}`);
  const image = make("img", "", "");
  image.alt = hit.caption || `Picture from ${hit.title}`;
  load(hit.picture).then((url) => { image.src = url; }, () => button.remove());
  button.append(image);
  button.addEventListener("click", () => {
    enlarge(hit.picture, hit.caption);
    tell(hit, { click: true }).catch(() => {});
  });
  return button;
}

// An <img> cannot send the token, so pictures are fetched and shown from memory.
async function load(path) {
  const url = URL.createObjectURL(await (await call(path)).blob());
  urls.push(url);
  return url;
}

async function enlarge(path, legend) {
  try {
    at("large").src = await load(path);
    at("large").alt = legend;
    at("legend").textContent = legend;
    viewer.showModal();
  } catch (error) {
    say(error.message, true);
  }
}

function setPicture(chosen) {
  if (chosen && !chosen.type.startsWith("image/")) return say("That is not a picture.", true);
  if (at("thumb").src) URL.revokeObjectURL(at("thumb").src);
  at("thumb").removeAttribute("src");
  picture = chosen;
  at("chip").hidden = !picture;
  if (picture) at("thumb").src = URL.createObjectURL(picture);
}

function pasted(event) {
  const pastedFile = [...(event.clipboardData?.files ?? [])].find((f) => f.type.startsWith("image/"));
  if (!pastedFile) return;
  event.preventDefault();
  setPicture(pastedFile);
}

function dropped(event) {
  event.preventDefault();
  at("box").classList.remove("over");
  if (event.dataTransfer?.files.length) setPicture(event.dataTransfer.files[0]);
}

function pressed(event) {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    text.focus();
    text.select();
  } else if (viewer.open || event.isComposing) {
    return; // the dialog closes itself on Escape
  } else if (event.key === "Escape") {
    escape();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    move(event, event.key === "ArrowDown" ? 1 : -1);
  } else if (event.key === "Enter" && document.activeElement?.parentElement === hits) {
    document.activeElement.classList.toggle("open");
  }
}

// Escape goes back one step: from a hit to the box, then the picture goes, then the words.
function escape() {
  if (document.activeElement !== text) text.focus();
  else if (picture) setPicture(null);
  else text.value = "";
}

function move(event, step) {
  const items = [...hits.children];
  if (!items.length) return;
  event.preventDefault();
  const next = items.indexOf(document.activeElement?.closest("#hits > li")) + step;
  if (next < 0) text.focus();
  else items[Math.min(next, items.length - 1)].focus();
}

function make(tag, kind, words) {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  element.textContent = words; // never innerHTML: titles and passages come from documents
  return element;
}

function say(words, bad = false) {
  note.textContent = words;
  note.classList.toggle("bad", bad);
}
