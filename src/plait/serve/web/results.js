// The hits: pages and figures with the match marked, and what one can do with each.

import { at, button, counted, fileOf, lay, make, say } from "/elements.js";
import { Pictures, read } from "/service.js";
import { explained, matching, why } from "/why.js";

const STEPS = [[0.8, "very likely what you look for"], [0.6, "likely what you look for"], [0.4, "may be what you look for"], [0, "probably not what you look for"]];
const MOST_ROWS = 6;
const KINDS = { page: "Page", section: "Section", passage: "Passage", figure: "Figure", table: "Table", document: "Document" };

export class Results {
  // `deeds`: open(hit), like(hit, weight), judge(hit, opinion), more(cursor), distant(), drop().
  constructor(deeds) {
    this.deeds = deeds;
    this.pictures = new Pictures();
    this.question = null;
    this.judged = true; // whether the service takes opinions
    at("hits").addEventListener("keydown", (event) => this.#pressed(event));
  }

  show(answer, question) {
    this.pictures.free();
    this.pictures = new Pictures();
    this.question = question;
    at("hits").replaceChildren(...answer.hits.map((hit) => this.#card(hit)));
    this.#end(answer);
  }

  append(answer) {
    const cards = answer.hits.map((hit) => this.#card(hit));
    at("hits").append(...cards);
    this.#end(answer);
    cards[0]?.focus();
  }

  wait() {
    at("hits").replaceChildren(...Array.from({ length: 4 }, () => make("li", { kind: "bone", "aria-hidden": "true" }, make("i"), make("i"), make("i"))));
    at("after").replaceChildren();
  }

  clear() {
    this.pictures.free();
    at("hits").replaceChildren();
    at("after").replaceChildren();
  }

  // What stands below the hits: more of them, or that there is nothing good.
  #end(answer) {
    const below = [];
    if (answer.next_cursor) below.push(button("More", () => this.deeds.more(answer.next_cursor), { id: "more" }));
    if (!answer.hits.length && !at("hits").children.length) {
      below.push(nothing(answer, this.question));
      if (answer.distant) below.push(this.#distant(answer.distant, "distant result"));
    } else if (answer.distant && !answer.next_cursor) {
      below.push(this.#distant(answer.distant, "more distant result"));
    }
    at("after").replaceChildren(...below);
  }

  #distant(count, what) {
    return button(`Show ${counted(count, what)}`, () => this.deeds.distant(), { id: "distant" });
  }

  #card(hit) {
    const title = `hit-${hit.rank}`;
    const card = make("li", { kind: "hit", tabindex: "-1", "aria-labelledby": title });
    card.hit = hit;
    const open = button("", () => this.deeds.open(hit), { kind: "title", id: title });
    open.textContent = hit.title || hit.source;
    const passage = make("div", { kind: "passage" }, this.#passage(hit));
    const words = make("div", { kind: "hit-words" }, make("h2", {}, open), this.#facts(hit));
    if (hit.passage) words.append(passage);
    const figure = this.#figure(hit);
    if (figure) words.append(figure);
    words.append(this.#deeds(hit, card, passage));
    card.append(this.#sheet(hit), words);
    return card;
  }

  // The words that matched; a table's rows as a table.
  #passage({ passage }) {
    const asked = this.question.texts.filter(({ weight }) => weight > 0).map(({ text }) => text);
    const rows = passage.split("\n").map((row) => row.split(" | "));
    if (rows.length < 2 || rows.some((row) => row.length < 2 || row.length !== rows[0].length)) return matching(passage, asked);
    const row = (cells) => make("tr", {}, ...cells.map((cell) => make("td", {}, matching(cell, asked))));
    return make("table", {}, ...rows.slice(0, MOST_ROWS).map(row));
  }

  #facts(hit) {
    const headings = hit.section[0] === hit.title ? hit.section.slice(1) : hit.section; // often the title again
    const kind = hit.part_id ? KINDS[hit.kind] : "";
    const where = [kind, hit.page ? `page ${hit.page}` : "", hit.time ? hit.place.split(",")[0] : "", headings.join(" › "), fileOf(hit.source)];
    const place = where.filter(Boolean).join(" · ");
    return make("p", { kind: "place" }, confidence(hit.confidence), make("span", { words: place }));
  }

  // The page with the place marked, or else the figure.
  #sheet(hit) {
    const path = hit.page_picture ?? hit.picture;
    if (!path) return make("span", { kind: "sheet none", "aria-hidden": "true", words: hit.metadata.type ?? "text" });
    const legend = hit.page_picture ? `Page ${hit.page ?? ""} of ${hit.title}` : hit.caption || `Figure of ${hit.title}`;
    const image = make("img", { alt: "" });
    const inside = make("span", { kind: "paper" }, image);
    if (hit.page_picture && hit.box) inside.append(lay(make("i", { kind: "box" }), hit.box));
    const sheet = button("", () => this.deeds.open(hit), { kind: hit.page_picture ? "sheet page" : "sheet", "aria-label": `Open: ${legend}` });
    sheet.append(inside);
    sheet.tabIndex = -1; // the title beside it does the same
    image.addEventListener("error", () => sheet.classList.add("lost"));
    this.pictures.show(image, path);
    return sheet;
  }

  // Beside a page, the figure on it that matched.
  #figure(hit) {
    if (!hit.picture) return null;
    if (!hit.page_picture) return hit.caption ? make("p", { kind: "caption", words: hit.caption }) : null;
    const image = this.pictures.show(make("img", { alt: hit.caption || `Figure of ${hit.title}` }), hit.picture);
    const figure = make("figure", {}, image);
    if (hit.caption) figure.append(make("figcaption", { words: hit.caption }));
    return figure;
  }

  #deeds(hit, card, passage) {
    const room = make("div", { kind: "why-room", hidden: true });
    const reason = button("Why?", () => this.#why(hit, reason, room, passage), { kind: "link do-why", "aria-expanded": "false", "aria-label": `Why? ${hit.title}` });
    const more = button("More like this", () => this.deeds.like(hit, 1), { kind: "link do-more", "aria-label": `More like this: ${hit.title}` });
    const less = button("Less like this", () => this.deeds.like(hit, -1), { kind: "link do-less", "aria-label": `Less like this: ${hit.title}` });
    const row = make("div", { kind: "deeds" }, reason, more, less, this.judged ? this.#judging(hit) : null);
    if (hit.folded?.length) row.append(this.#folded(hit, card));
    return make("div", {}, row, room);
  }

  async #why(hit, pressed, room, passage) {
    const open = room.hidden;
    room.hidden = !open;
    pressed.setAttribute("aria-expanded", String(open));
    if (!open || room.childElementCount) return;
    room.replaceChildren(make("p", { kind: "hint", role: "status", words: "Measuring…" }));
    try {
      const { said, panel } = await why(this.question, hit, this.pictures);
      room.replaceChildren(panel);
      room.scrollIntoView({ block: "nearest" });
      if (!said.words.length || said.passage !== hit.passage) return;
      passage.replaceChildren(explained(said.passage, said.words));
      hit.words = said.words; // the viewer marks them too
    } catch (error) {
      room.replaceChildren(make("p", { kind: "bad", role: "alert", words: error.message }));
    }
  }

  // Two buttons that say whether a hit answers the question; pressed again, one takes it back.
  #judging(hit) {
    const buttons = [["Right", 1], ["Wrong", 0]].map(([name, grade]) => {
      const one = button(name, async () => {
        const back = one.getAttribute("aria-pressed") === "true";
        if (!(await this.deeds.judge(hit, { grade: back ? null : grade }))) return;
        buttons.forEach((other) => other.setAttribute("aria-pressed", String(other === one && !back)));
      }, { kind: "link", "aria-pressed": "false", "aria-label": `${name}: ${hit.title}` });
      return one;
    });
    return make("span", { kind: "judging" }, ...buttons);
  }

  // Hits that are nearly the same, shown when asked for.
  #folded(hit, card) {
    const words = `${counted(hit.folded.length, "more")} nearly the same`.replace("mores", "more");
    const list = make("ul", { kind: "folded", hidden: true });
    const toggle = button(words, async () => {
      list.hidden = !list.hidden;
      toggle.setAttribute("aria-expanded", String(!list.hidden));
      if (list.hidden || list.childElementCount) return;
      try {
        list.replaceChildren(...(await Promise.all(hit.folded.map((id) => this.#alike(id)))));
      } catch (error) {
        say(error.message, true);
      }
    }, { kind: "link do-folded", "aria-expanded": "false" });
    card.append(list);
    return toggle;
  }

  async #alike(id) {
    const part = await read(`/parts/${encodeURIComponent(id)}`);
    const unit = ["passage", "figure", "table"].includes(part.kind) ? part.parent : part.id;
    const { title, section, page, source } = await read(`/units/${encodeURIComponent(unit)}`);
    const place = [page ? `page ${page}` : "", section.join(" › "), fileOf(source)].filter(Boolean).join(" · ");
    const open = button(title || source, () => this.deeds.open({ unit_id: unit, title, box: part.box, page }), { kind: "link" });
    return make("li", {}, open, make("span", { kind: "place", words: place }));
  }

  #pressed(event) {
    const card = event.target;
    if (!card.hit || event.ctrlKey || event.metaKey || event.altKey) return;
    const deed = { Enter: ".title", w: ".do-why", m: ".do-more", l: ".do-less" }[event.key];
    if (!deed) return;
    event.preventDefault();
    card.querySelector(deed).click();
  }
}

// How sure the service is, in words and four steps: more would claim a precision that it has not.
function confidence(value) {
  if (value === null || value === undefined) return null;
  const place = STEPS.findIndex(([least]) => value >= least);
  const dots = Array.from({ length: STEPS.length }, (_, dot) => make("i", { kind: dot < STEPS.length - place ? "on" : "" }));
  return make("span", { kind: `sureness step-${place}`, role: "img", "aria-label": STEPS[place][1], title: STEPS[place][1] }, ...dots);
}

function nothing(answer, question) {
  const narrowed = question.filters.length || question.kind;
  const title = answer.distant ? "Nothing good found" : "Nothing found";
  const advice = narrowed ? "Try without the filters, or look for anything." : "Try other words, or a picture of what you mean.";
  return make("div", { kind: "nothing" }, make("h2", { words: title }), make("p", { words: advice }));
}
