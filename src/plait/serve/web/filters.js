// What narrows a search down: the kind of thing, filters, facets, and how to compare.

import { at, button, counted, make } from "/elements.js";
import { read } from "/service.js";

const KINDS = [["", "Anything"], ["page", "Pages"], ["passage", "Passages"], ["figure", "Figures"], ["table", "Tables"], ["document", "Documents"]];
const NAMES = { title: "Title", section: "Heading", source: "File", page: "Page", type: "Kind of file" };
const TECHNICAL = new Set(["width", "height", "pages", "bytes"]); // of little use to choose by
const HIDDEN = new Set(["tenant", "version", "document"]);
const SIGNS = { "=": "is", "!=": "is not", "<": "below", "<=": "up to", ">": "above", ">=": "from", in: "is", glob: "like" };
const MOST_FACETS = 5;
const MOST_VALUES = 200; // a field of more values says little as a list to choose from
const LISTED = 6;

const nameOf = (field) => NAMES[field] ?? field.charAt(0).toUpperCase() + field.slice(1).replaceAll("_", " ");

export class Filters {
  constructor(question, changed) {
    this.question = question;
    this.changed = changed;
    this.fields = [];
    this.open = new Set(); // facets of which all values are shown
    at("kinds").append(...KINDS.map((kind) => this.#kind(...kind)));
    for (const [id, panel, draw] of [["to-filter", "filtering", () => this.#drawForm()], ["to-advanced", "advanced", () => this.#drawAdvanced()]]) {
      at(id).addEventListener("click", () => this.#fold(at(id), at(panel), draw));
    }
  }

  // Learn which fields there are; an empty library has none worth naming.
  async learn() {
    const there = (await read("/fields")).fields.filter((field) => !HIDDEN.has(field.name) && field.values);
    const common = Object.keys(NAMES);
    const place = ({ name }) => (common.indexOf(name) + 1 || common.length + 1) + (TECHNICAL.has(name) ? 1 : 0);
    this.fields = there.sort((one, other) => place(one) - place(other) || one.name.localeCompare(other.name));
  }

  show(question) {
    this.question = question;
    const kind = document.querySelector(`input[name="kind"][value="${CSS.escape(question.kind)}"]`);
    if (kind) kind.checked = true;
    this.#drawChips();
    if (!at("advanced").hidden) this.#drawAdvanced();
  }

  // The fields whose values are counted beside the hits.
  get facets() {
    const short = this.fields.filter(({ name, values }) => values > 1 && values <= MOST_VALUES && !TECHNICAL.has(name));
    const own = short.filter(({ name }) => !(name in NAMES)); // what somebody wrote into the documents
    const common = ["type", "title", "section"].flatMap((name) => short.filter((field) => field.name === name));
    return [...own, ...common].slice(0, MOST_FACETS).map(({ name }) => name);
  }

  drawFacets(facets) {
    const told = facets.filter((facet) => facet.counts.length > 1 || this.#chosen(facet.field).length).filter(says);
    const groups = told.map((facet) => this.#facet(facet));
    const narrow = make("details", { kind: "facet-room" }, make("summary", { words: "Narrow down" }), ...groups);
    narrow.open = matchMedia("(min-width: 60rem)").matches || this.facetsOpen === true;
    narrow.addEventListener("toggle", () => { this.facetsOpen = narrow.open; });
    at("facets").replaceChildren(...(groups.length ? [narrow] : []));
    at("found").classList.toggle("narrowed", groups.length > 0);
  }

  add(filter) {
    this.question.filters = [...this.question.filters, filter];
    this.#drawChips();
    this.changed();
  }

  #kind(value, words) {
    const radio = make("input", { type: "radio", name: "kind", value, checked: value === "" });
    radio.addEventListener("change", () => { this.question.kind = value; this.changed(); });
    return make("label", {}, radio, make("span", { words }));
  }

  #fold(switched, panel, draw) {
    panel.hidden = !panel.hidden;
    switched.setAttribute("aria-expanded", String(!panel.hidden));
    if (panel.hidden) return;
    draw();
    panel.querySelector("select, input, button")?.focus();
  }

  #drawChips() {
    const chips = this.question.filters.map((filter) => {
      const words = said(filter);
      const remove = button("", () => this.#remove(filter), { symbol: "close", kind: "bare", "aria-label": `Remove the filter: ${words}` });
      return make("li", { kind: "chip filter" }, make("span", { kind: "part-name", words, title: words }), remove);
    });
    at("filters").replaceChildren(...chips);
    at("filters").hidden = !chips.length;
  }

  #remove(filter) {
    this.question.filters = this.question.filters.filter((other) => other !== filter);
    this.#drawChips();
    this.changed();
  }

  // A field, and what its values may be: a range of numbers or dates, or a text.
  #drawForm() {
    const choice = make("select", { "aria-label": "Field" }, ...this.fields.map(({ name }) => make("option", { value: name, words: nameOf(name) })));
    const room = make("span", { kind: "values" });
    const draw = () => room.replaceChildren(...this.#inputs(this.fields.find(({ name }) => name === choice.value)));
    choice.addEventListener("change", draw);
    const add = button("Add the filter", () => this.#take(choice.value, room), { kind: "primary" });
    const none = make("p", { kind: "hint", words: "There is nothing to filter by yet: the library is empty." });
    at("filtering").replaceChildren(...(this.fields.length ? [choice, room, add] : [none]));
    if (this.fields.length) draw();
    room.addEventListener("keydown", (event) => {
      if (event.key === "Enter") { event.preventDefault(); this.#take(choice.value, room); }
    });
  }

  #inputs({ name, kind, least, greatest }) {
    if (kind === "text") return this.#textInputs(name);
    const whole = /^\d{4}-\d\d-\d\d$/.test(least) && /^\d{4}-\d\d-\d\d$/.test(greatest);
    const type = kind === "number" ? "number" : whole ? "date" : "text";
    const input = (operator, words, end) => {
      const field = make("input", { type, step: "any", "data-operator": operator, placeholder: end });
      if (type === "date") { field.min = least; field.max = greatest; }
      return make("label", {}, make("span", { words }), field);
    };
    return [input(">=", "from", least), input("<=", "to", greatest)];
  }

  #textInputs(name) {
    const operators = [["=", "is"], ["!=", "is not"], ["glob", "is like"]];
    const sign = make("select", { "aria-label": "How", "data-sign": true }, ...operators.map(([value, words]) => make("option", { value, words })));
    if (name === "source") sign.value = "glob";
    const known = make("datalist", { id: "known-values" });
    const hint = name === "source" ? "manuals/*.pdf" : "* stands for anything under “is like”";
    const input = make("input", { type: "text", "aria-label": "Value", list: "known-values", placeholder: hint, "data-operator": "text" });
    read("/facets", { method: "POST", body: { fields: [name] } }).then(
      ({ facets }) => known.append(...facets[0].counts.map(({ value }) => make("option", { value }))),
      () => {}, // without, one types
    );
    return [sign, input, known];
  }

  #take(field, room) {
    const kind = this.fields.find(({ name }) => name === field).kind;
    const filled = [...room.querySelectorAll("input")].filter((input) => input.value.trim());
    if (!filled.length) return room.querySelector("input").focus();
    for (const input of filled) {
      const sign = room.querySelector("[data-sign]")?.value ?? input.dataset.operator;
      const value = kind === "number" ? Number(input.value) : input.value.trim();
      this.question.filters = [...this.question.filters, { field, operator: sign, value }];
    }
    this.#fold(at("to-filter"), at("filtering"), () => {});
    at("to-filter").focus();
    this.#drawChips();
    this.changed();
  }

  #facet({ field, counts, more }) {
    const chosen = this.#chosen(field);
    const all = this.open.has(field);
    const listed = counts.filter(({ value }, place) => all || place < LISTED || chosen.includes(value));
    const rows = listed.map((count) => this.#value(field, count, chosen));
    const rest = counts.length - listed.length;
    const list = make("ul", {}, ...rows);
    const group = make("fieldset", { kind: "facet" }, make("legend", { words: nameOf(field) }), list);
    if (rest) {
      group.append(button(`${rest} more`, () => { this.open.add(field); group.replaceWith(this.#facet({ field, counts, more })); }, { kind: "link" }));
    } else if (more) {
      group.append(make("p", { kind: "hint", words: `and ${more.toLocaleString("en")} rarer ones` }));
    }
    return group;
  }

  #value(field, { value, units, documents }, chosen) {
    const box = make("input", { type: "checkbox", checked: chosen.includes(value) });
    box.addEventListener("change", () => this.#choose(field, value, box.checked));
    const count = make("span", { kind: "count", words: documents.toLocaleString("en"), title: `${counted(documents, "document")}, ${counted(units, "page or section", "pages and sections")}` });
    count.append(make("span", { kind: "unseen", words: documents === 1 ? " document" : " documents" }));
    return make("li", {}, make("label", { title: value }, box, make("span", { kind: "value", words: shortened(field, value) }), count));
  }

  #chosen(field) {
    return this.question.filters.filter((filter) => filter.field === field && filter.operator === "in").flatMap((filter) => filter.value);
  }

  #choose(field, value, wanted) {
    const others = this.#chosen(field).filter((other) => other !== value);
    const values = wanted ? [...others, value] : others;
    const rest = this.question.filters.filter((filter) => !(filter.field === field && filter.operator === "in"));
    this.question.filters = values.length ? [...rest, { field, operator: "in", value: values }] : rest;
    this.#drawChips();
    this.changed();
  }

  #drawAdvanced() {
    const { question } = this;
    const sense = this.#select("Compare by", [["both", "meaning and exact words"], ["meaning", "meaning only"], ["words", "exact words only"]], question.sense, (value) => { question.sense = value; });
    const most = this.#select("Hits of one document", [["0", "any number"], ["1", "at most 1"], ["2", "at most 2"], ["5", "at most 5"]], String(question.perDocument), (value) => { question.perDocument = Number(value); });
    const fold = make("input", { type: "checkbox", checked: question.fold });
    fold.addEventListener("change", () => { question.fold = fold.checked; this.changed(); });
    at("advanced").replaceChildren(sense, most, make("label", {}, fold, make("span", { words: "show nearly the same once" })));
  }

  #select(words, options, value, choose) {
    const select = make("select", {}, ...options.map(([name, shown]) => make("option", { value: name, words: shown })));
    select.value = value;
    select.addEventListener("change", () => { choose(select.value); this.changed(); });
    return make("label", {}, make("span", { words }), select);
  }
}

function said({ field, operator, value }) {
  return `${nameOf(field)} ${SIGNS[operator]} ${[value].flat().join(" or ")}`;
}

// Headings and titles that each stand in one document tell nothing that the hits do not.
function says({ field, counts }) {
  return !["title", "section"].includes(field) || counts.some(({ documents }) => documents > 1);
}

// A path is best known by its end.
function shortened(field, value) {
  return field === "source" ? value.split("/").slice(-1)[0] : value;
}
