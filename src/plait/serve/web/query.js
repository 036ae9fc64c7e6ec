// What is asked: words, pictures and liked hits, each with a weight, and how to answer.

const PAGE = 10;

export class Question {
  constructor() {
    this.words = "";
    this.weight = 1; // of the words
    this.parts = []; // {key, kind: "text" | "image" | "like", weight, text | file, box | id, title, picture}
    this.kind = "";
    this.filters = []; // as the service takes them
    this.sense = "both"; // or "meaning", "words"
    this.perDocument = 0;
    this.fold = true;
  }

  copy() {
    const parts = this.parts.map((part) => ({ ...part }));
    return Object.assign(new Question(), this, { parts, filters: [...this.filters] });
  }

  get texts() {
    const also = this.parts.filter((part) => part.kind === "text" && part.text.trim());
    const words = this.words.trim() ? [{ text: this.words.trim(), weight: this.weight }] : [];
    return [...words, ...also];
  }

  get images() {
    return this.parts.filter((part) => part.kind === "image");
  }

  get likes() {
    return this.parts.filter((part) => part.kind === "like");
  }

  get isEmpty() {
    return !this.texts.length && !this.images.length && !this.likes.length;
  }

  get wantsNothing() {
    return [...this.texts, ...this.images, ...this.likes].every((part) => part.weight < 0);
  }
}

// Return the request of a question, as the body of a POST: JSON, or a form where files go with it.
export function body(question, { cursor = "", distant = false, facets = [], id = "" } = {}) {
  const request = { query: queryOf(question), k: PAGE, ...optionsOf(question) };
  if (facets.length) request.facets = facets;
  if (cursor) request.cursor = cursor;
  if (distant) request.distant = true;
  if (!question.images.length) return id ? { request, id } : request;
  const form = new FormData();
  form.append("request", JSON.stringify(request));
  if (id) form.append("id", id);
  for (const part of question.images) form.append("image", part.file, "picture");
  return form;
}

function queryOf({ texts, images, likes, filters }) {
  const weights = (parts) => parts.map((part) => part.weight);
  const query = { texts: texts.map((part) => part.text.trim()), text_weights: weights(texts), filters };
  if (images.length) {
    query.images = images.map((_, place) => ({ upload: place }));
    query.image_weights = weights(images);
    query.image_boxes = images.map((part) => part.box ?? null);
  }
  if (likes.length) {
    query.like = likes.map((part) => part.id);
    query.like_weights = weights(likes);
  }
  return query;
}

function optionsOf(question) {
  const options = {};
  if (question.kind) options.kind = question.kind;
  if (question.sense === "words") options.lanes = ["bm25"];
  if (question.sense === "meaning") options.weights = { bm25: 0 };
  if (question.perDocument) options.per_group = { document: question.perDocument };
  if (!question.fold) options.fold = false;
  return options;
}

// Return what of a question may stand in the address: its words; never a picture, and never the token.
export function address(question) {
  const said = new URLSearchParams();
  if (question.words.trim()) said.set("q", question.words.trim());
  for (const part of question.parts) {
    if (part.kind === "text") said.append(part.weight < 0 ? "without" : "also", part.text);
  }
  if (question.kind) said.set("kind", question.kind);
  return `#${said}`;
}

export function fromAddress(hash) {
  const said = new URLSearchParams(hash.slice(1));
  const question = new Question();
  question.words = said.get("q") ?? "";
  question.kind = said.get("kind") ?? "";
  for (const [name, weight] of [["also", 1], ["without", -1]]) {
    for (const text of said.getAll(name)) question.parts.push({ key: newKey(), kind: "text", text, weight });
  }
  return question;
}

let keys = 0;
export const newKey = () => `part-${++keys}`;
