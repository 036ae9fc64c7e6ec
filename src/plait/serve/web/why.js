// Why a hit was found: shares of the question's parts, of the ways of comparing, of words and pictures.

import { make } from "/elements.js";
import { body } from "/query.js";
import { read } from "/service.js";

const LANES = {
  bm25: "exact words", text: "meaning of the text", image: "look of the picture", image_tokens: "details of the picture",
  figure_words: "words and figures together", ret: "text and pictures as one",
};
const SIDES = { text: "its words", image: "its pictures" };

// Return the explanation of a hit and the panel that shows it.
export async function why(question, hit, pictures) {
  const said = await read("/explain", { method: "POST", body: body(question, { id: hit.id }) });
  const groups = [
    shares("What you asked", said.parts, (name) => partName(question, name)),
    shares("Compared by", said.lanes, (name) => LANES[name] ?? name.replaceAll("_", " ")),
    shares("Found in", said.sides, (name) => SIDES[name] ?? name),
    shares("The model looked at", said.gates, (name) => SIDES[name] ?? name),
    matched(said.words),
    heat(said.heat, pictures),
  ].filter(Boolean);
  const none = make("p", { kind: "hint", words: "There is nothing to tell of this hit." });
  return { said, panel: make("div", { kind: "why" }, ...(groups.length ? groups : [none])) };
}

function shares(title, values, name) {
  const told = Object.entries(values ?? {}).filter(([, share]) => Math.round(share * 100)).sort((one, other) => other[1] - one[1]);
  if (!told.length) return null;
  const most = Math.max(...told.map(([, share]) => Math.abs(share)), 1e-9);
  const rows = told.map(([key, share]) => {
    const bar = make("i", { kind: share < 0 ? "bar against" : "bar" });
    bar.style.width = `${(Math.abs(share) / Math.max(most, 1)) * 100}%`;
    const percent = `${share < 0 ? "−" : ""}${Math.round(Math.abs(share) * 100)} %`;
    return make("div", { kind: "share", title: share < 0 ? "Speaks against this hit" : null }, make("dt", { words: name(key) }), make("dd", {}, make("span", { kind: "track" }, bar), make("span", { kind: "percent", words: percent })));
  });
  return make("section", {}, make("h3", { words: title }), make("dl", {}, ...rows));
}

// "text 1" is the question's first text, and so on.
function partName(question, name) {
  const [kind, number] = name.split(" ");
  const place = Number(number) - 1;
  const text = question.texts[place]?.text;
  if (kind === "text" && text) return `“${text.length > 40 ? `${text.slice(0, 40)}…` : text}”`;
  if (kind === "image") return question.images.length > 1 ? `picture ${number}` : "your picture";
  if (kind === "like") return question.likes[place]?.title ?? name;
  return name;
}

function matched(words) {
  if (!words?.length) return null;
  const seen = new Map();
  for (const { text, weight, by } of words) {
    const key = text.toLowerCase();
    if (!seen.has(key) || seen.get(key).weight < weight) seen.set(key, { text, weight, by });
  }
  const shown = [...seen.values()].sort((one, other) => other.weight - one.weight).slice(0, 12).map(({ text, weight, by }) => {
    const title = by === "word" ? "a word you asked for" : "means the like of what you asked";
    const item = make("li", { kind: by === "word" ? "word" : "word meaning", words: text, title });
    item.style.setProperty("--weight", weight.toFixed(2));
    return item;
  });
  return make("section", {}, make("h3", { words: "Words that spoke for it" }), make("ul", { kind: "words" }, ...shown));
}

// The figure under a map of which of its places spoke for the hit.
function heat(map, pictures) {
  if (!map?.picture) return null;
  const image = pictures.show(make("img", { alt: "The figure; warm places spoke for the hit" }), map.picture);
  const canvas = make("canvas", { width: map.columns, height: map.rows, "aria-hidden": "true" });
  const drawing = canvas.getContext("2d");
  const field = drawing.createImageData(map.columns, map.rows);
  map.values.forEach((value, place) => field.data.set([255, 150 - 110 * value, 0, 210 * value ** 2], place * 4));
  drawing.putImageData(field, 0, 0);
  return make("section", { kind: "heat-room" }, make("h3", { words: "Where in the figure" }), make("div", { kind: "heat" }, image, canvas));
}

// Return a passage with the words of an explanation marked.
export function explained(passage, words) {
  const marks = words.map(({ start, end, weight, by }) => ({ start, end, kind: by === "word" ? "" : "meaning", weight }));
  return marked(passage, marks);
}

// Return a passage with the words that the question has in some form marked.
export function matching(passage, texts) {
  const asked = new Set(texts.flatMap((text) => wordsOf(text)).filter(({ word }) => word.length > 2 && !COMMON.has(word)).map(({ stem }) => stem));
  const found = wordsOf(passage).filter(({ stem }) => asked.has(stem));
  return marked(passage, found.map(({ start, end }) => ({ start, end, kind: "", weight: 1 })));
}

function marked(passage, marks) {
  const shown = document.createDocumentFragment();
  // Explanations count characters, strings here count UTF-16 units.
  const characters = [...passage];
  let at = 0;
  for (const { start, end, kind, weight } of marks) {
    if (start < at) continue;
    shown.append(characters.slice(at, start).join(""));
    const mark = make("mark", { kind, words: characters.slice(start, end).join("") });
    mark.style.setProperty("--weight", weight.toFixed(2));
    shown.append(mark);
    at = end;
  }
  shown.append(characters.slice(at).join(""));
  return shown;
}

function wordsOf(text) {
  const found = [];
  for (const match of text.matchAll(/[\p{L}\p{N}]+/gu)) {
    const word = match[0].toLowerCase();
    const start = [...text.slice(0, match.index)].length;
    found.push({ word, stem: stemOf(word), start, end: start + [...match[0]].length });
  }
  return found;
}

const stemOf = (word) => (word.length > 4 ? word.replace(/(ings?|ed|ers?|es|s|e)$/u, "") : word.replace(/s$/u, ""));
const COMMON = new Set("the and for are was were has have had how what when where which who why with from into that this these those does did not but can you your its any all".split(" "));
