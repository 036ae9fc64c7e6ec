// Looking at a hit where it stands: its page with the place marked, the words beside it, pages around it.

import { at, fileOf, lay, make, say } from "/elements.js";
import { Region } from "/region.js";
import { call, Pictures, read } from "/service.js";
import { explained, matching } from "/why.js";

const LARGEST = 6; // times as large as the whole page fits
const STEP = 1.25;
const FIRST = 1.8; // at most so much larger than the whole page when it is opened, so that one can read

export class Viewer {
  // `ask` is given a picture and a region to search with; `closed` is told when the viewer closes.
  constructor({ ask, closed }) {
    this.ask = ask;
    this.dialog = at("viewer");
    this.stage = at("stage");
    this.sheet = at("sheet");
    this.image = at("large");
    this.pictures = new Pictures();
    this.fingers = new Map();
    this.region = null;
    this.#buttons();
    this.#moves();
    this.dialog.addEventListener("keydown", (event) => this.#pressed(event));
    this.dialog.addEventListener("cancel", (event) => { if (this.region) { event.preventDefault(); this.#draw(false); } });
    this.dialog.addEventListener("close", () => { this.#empty(); closed(); });
  }

  get isOpen() {
    return this.dialog.open;
  }

  // Open a unit at a place of it: {unit_id, title, box, passage, picture}; `texts` are marked in its words.
  async open(place, texts) {
    this.texts = texts;
    this.#name(place.title ?? "", "");
    at("viewer-note").textContent = "Opening…";
    this.dialog.showModal();
    await this.#turn(place.unit_id, place);
    this.stage.focus();
  }

  close() {
    this.dialog.close();
  }

  async #turn(id, place = {}) {
    const turn = (this.turning = Symbol("turn")); // only the page asked last is shown
    try {
      const unit = await read(`/units/${encodeURIComponent(id)}`);
      if (turn !== this.turning || !this.isOpen) return;
      this.unit = unit;
      this.#draw(false);
      this.#name(unit.title || unit.source, [unit.page ? `page ${unit.page}` : "", unit.section.join(" › "), fileOf(unit.source)].filter(Boolean).join(" · "));
      at("viewer-before").disabled = !unit.previous;
      at("viewer-after").disabled = !unit.next;
      this.#read(unit, place);
      await this.#picture(unit.page_picture ?? place.picture ?? unit.figures.find((figure) => figure.picture)?.picture, place, turn);
      if (turn === this.turning) at("viewer-note").textContent = "";
    } catch (error) {
      if (turn === this.turning) at("viewer-note").textContent = error.message;
    }
  }

  #name(title, place) {
    at("viewer-title").textContent = title;
    at("viewer-place").textContent = place;
  }

  async #picture(path, { box }, turn) {
    this.path = path;
    this.sheet.querySelectorAll(".box").forEach((mark) => mark.remove());
    this.dialog.classList.toggle("unpictured", !path);
    for (const name of ["wider", "closer", "fit", "region"]) at(`viewer-${name}`).disabled = !path;
    if (!path) return this.image.removeAttribute("src");
    const url = await this.pictures.url(path);
    if (turn !== this.turning) return;
    this.image.src = url;
    this.image.alt = `${at("viewer-title").textContent}, ${at("viewer-place").textContent}`;
    await this.image.decode();
    if (turn !== this.turning) return;
    const onPage = path === this.unit.page_picture;
    this.#size(this.#firstZoom());
    if (box && onPage) this.#mark(box);
    else this.stage.scrollTo(0, 0);
  }

  #mark(box) {
    const mark = lay(make("i", { kind: "box" }), box);
    this.sheet.append(mark);
    const { offsetTop, offsetLeft, offsetWidth, offsetHeight } = mark;
    this.stage.scrollTo(offsetLeft + offsetWidth / 2 - this.stage.clientWidth / 2, offsetTop + offsetHeight / 2 - this.stage.clientHeight / 2);
  }

  // The words of the page; those that matched are marked and scrolled to.
  #read(unit, { passage = "", words = [] }) {
    const here = unit.passages.findIndex(({ text }) => passage && (text.includes(passage) || passage.includes(text)));
    const shown = unit.passages.map(({ text }, place) => {
      const marked = place === here && words.length && text === passage;
      return make("p", { kind: place === here ? "here" : "" }, marked ? explained(text, words) : matching(text, this.texts));
    });
    const figures = unit.figures.filter((figure) => figure.picture).map((figure) => this.#figure(figure));
    at("reading").replaceChildren(...shown, ...figures);
    if (!shown.length && !figures.length) at("reading").append(make("p", { kind: "hint", words: "There are no words here." }));
    const first = at("reading").querySelector(".here");
    at("reading").scrollTop = first ? Math.max(0, first.offsetTop - at("reading").offsetTop - 24) : 0;
  }

  #figure(figure) {
    const image = this.pictures.show(make("img", { alt: figure.caption || "Figure" }), figure.picture);
    return make("figure", {}, image, figure.caption ? make("figcaption", { words: figure.caption }) : null);
  }

  #firstZoom() {
    const { stage, image } = this;
    const wide = stage.clientWidth / image.naturalWidth;
    return Math.min(Math.max(wide / this.#whole(), 1), FIRST);
  }

  // The scale at which all of the picture is seen; a small one is not blown up.
  #whole() {
    const { stage, image } = this;
    return Math.min(stage.clientWidth / image.naturalWidth, stage.clientHeight / image.naturalHeight, 1.5);
  }

  // Set how many times larger than the whole page it is shown; what is in the middle stays there.
  #size(zoom) {
    const { stage, sheet } = this;
    const middle = { x: (stage.scrollLeft + stage.clientWidth / 2) / sheet.offsetWidth, y: (stage.scrollTop + stage.clientHeight / 2) / sheet.offsetHeight };
    this.zoom = Math.min(Math.max(zoom, 1), LARGEST);
    sheet.style.width = `${Math.floor(this.image.naturalWidth * this.#whole() * this.zoom)}px`;
    stage.scrollTo(middle.x * sheet.offsetWidth - stage.clientWidth / 2, middle.y * sheet.offsetHeight - stage.clientHeight / 2);
  }

  #buttons() {
    const deeds = {
      before: () => this.#step("previous"), after: () => this.#step("next"),
      wider: () => this.#size(this.zoom / STEP), closer: () => this.#size(this.zoom * STEP), fit: () => this.#size(1),
      region: () => this.#draw(!this.region), close: () => this.close(), search: () => this.#search(),
    };
    for (const [name, deed] of Object.entries(deeds)) at(`viewer-${name}`).addEventListener("click", deed);
  }

  #step(way) {
    if (this.unit?.[way]) this.#turn(this.unit[way]);
  }

  #pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const deeds = {
      ArrowLeft: () => this.#step("previous"), ArrowRight: () => this.#step("next"),
      PageUp: () => this.#step("previous"), PageDown: () => this.#step("next"),
      "+": () => this.#size(this.zoom * STEP), "=": () => this.#size(this.zoom * STEP),
      "-": () => this.#size(this.zoom / STEP), 0: () => this.#size(1), r: () => this.#draw(!this.region),
    };
    if (event.key === "Enter" && this.region?.box && event.target === this.region.frame) {
      event.preventDefault();
      return this.#search();
    }
    if (!deeds[event.key] || (!this.path && !/^(Arrow|Page)/.test(event.key))) return;
    event.preventDefault();
    deeds[event.key]();
  }

  // Drag to pan, Ctrl and wheel or two fingers to zoom. One finger scrolls by itself.
  #moves() {
    const { stage, fingers } = this;
    stage.addEventListener("wheel", (event) => {
      if (!event.ctrlKey || !this.path) return;
      event.preventDefault();
      this.#size(this.zoom * (event.deltaY < 0 ? STEP : 1 / STEP));
    }, { passive: false });
    stage.addEventListener("pointerdown", (event) => {
      if (this.region) return;
      fingers.set(event.pointerId, event);
      if (event.pointerType === "mouse" && event.button === 0) stage.setPointerCapture(event.pointerId);
    });
    stage.addEventListener("pointermove", (event) => this.#dragged(event));
    for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, (event) => fingers.delete(event.pointerId));
    stage.addEventListener("dblclick", () => { if (this.path && !this.region) this.#size(this.zoom > 1.1 ? 1 : 2.5); });
  }

  #dragged(event) {
    const before = this.fingers.get(event.pointerId);
    if (!before) return;
    const others = [...this.fingers.values()].filter((finger) => finger.pointerId !== event.pointerId);
    if (others.length === 1) {
      this.#size(this.zoom * (apart(event, others[0]) / Math.max(apart(before, others[0]), 1)));
    } else if (event.pointerType === "mouse") {
      this.stage.scrollBy(before.clientX - event.clientX, before.clientY - event.clientY);
    }
    this.fingers.set(event.pointerId, event);
  }

  // Begin or end drawing a region on the page.
  #draw(on) {
    at("viewer-region").setAttribute("aria-pressed", String(on));
    this.dialog.classList.toggle("drawing", on);
    at("viewer-search").hidden = true;
    at("viewer-note").textContent = "";
    this.region?.remove();
    this.region = null;
    if (!on) return;
    this.region = new Region(this.sheet, (box) => {
      at("viewer-search").hidden = !box;
      at("viewer-note").textContent = box ? "" : "Draw a rectangle on the page, or press an arrow key.";
    });
    this.region.focus();
  }

  async #search() {
    const { box } = this.region;
    try {
      const blob = await (await call(this.path)).blob();
      this.close();
      this.ask(new File([blob], "region", { type: blob.type }), box);
    } catch (error) {
      this.close();
      say(error.message, true);
    }
  }

  #empty() {
    this.turning = null;
    this.#draw(false);
    this.image.removeAttribute("src");
    at("reading").replaceChildren();
    this.pictures.free();
    this.pictures = new Pictures();
  }
}

const apart = (one, other) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
