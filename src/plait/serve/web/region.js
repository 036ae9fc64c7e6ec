// A rectangle that is drawn on a picture: by mouse, by finger, or by keys.

import { lay, make } from "/elements.js";

const STEP = 0.02;
const LEAST = 0.02; // of the picture's width and height
const CORNERS = ["nw", "ne", "sw", "se"];

export class Region {
  // Lay an area for drawing over a surface that holds just a picture; `changed` hears of each new box.
  constructor(surface, changed = () => {}) {
    this.box = null;
    this.changed = changed;
    const handles = CORNERS.map((corner) => make("i", { kind: `handle ${corner}`, "data-corner": corner }));
    this.frame = make("div", { kind: "region", tabindex: "0", role: "application" }, ...handles);
    this.frame.setAttribute("aria-roledescription", "region of the picture");
    this.area = make("div", { kind: "region-area" }, this.frame);
    surface.append(this.area);
    this.area.addEventListener("pointerdown", (event) => this.#begin(event));
    this.frame.addEventListener("keydown", (event) => this.#pressed(event));
    this.set(null);
  }

  set(box) {
    this.box = box && { left: round(box.left), top: round(box.top), right: round(box.right), bottom: round(box.bottom) };
    this.frame.classList.toggle("none", !box);
    lay(this.frame, box ?? { left: 0, top: 0, right: 1, bottom: 1 });
    this.frame.setAttribute("aria-label", described(this.box));
    this.changed(this.box);
  }

  focus() {
    this.frame.focus();
  }

  remove() {
    this.area.remove();
  }

  #begin(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    this.focus();
    const from = this.#point(event);
    const corner = event.target.dataset.corner;
    const moved = event.target === this.frame && this.box ? moving(this.box, from) : null;
    const drawn = moved ?? drawing(corner && this.box ? opposite(this.box, corner) : from);
    const follow = (motion) => this.set(drawn(this.#point(motion)) ?? this.box);
    const end = () => {
      this.area.removeEventListener("pointermove", follow);
      this.area.removeEventListener("pointerup", end);
      this.area.removeEventListener("pointercancel", end);
    };
    this.area.setPointerCapture(event.pointerId);
    this.area.addEventListener("pointermove", follow);
    this.area.addEventListener("pointerup", end);
    this.area.addEventListener("pointercancel", end);
  }

  #point(event) {
    const seen = this.area.getBoundingClientRect();
    return { x: within((event.clientX - seen.left) / seen.width), y: within((event.clientY - seen.top) / seen.height) };
  }

  // Arrows move the region; with Shift they move its right and lower side.
  #pressed(event) {
    const way = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
    if (!way || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const box = this.box ?? { left: 0.25, top: 0.25, right: 0.75, bottom: 0.75 };
    this.set(!this.box ? box : event.shiftKey ? resized(box, ...way) : shifted(box, ...way));
  }
}

function drawing(from) {
  return (to) => {
    const box = {
      left: Math.min(from.x, to.x), right: Math.max(from.x, to.x),
      top: Math.min(from.y, to.y), bottom: Math.max(from.y, to.y),
    };
    return box.right - box.left >= LEAST && box.bottom - box.top >= LEAST ? box : null;
  };
}

function moving(box, from) {
  return (to) => shifted(box, to.x - from.x, to.y - from.y);
}

function opposite(box, corner) {
  return { x: corner.includes("w") ? box.right : box.left, y: corner.includes("n") ? box.bottom : box.top };
}

function shifted(box, x, y) {
  const right = Math.min(Math.max(x, -box.left), 1 - box.right);
  const down = Math.min(Math.max(y, -box.top), 1 - box.bottom);
  return { left: box.left + right, right: box.right + right, top: box.top + down, bottom: box.bottom + down };
}

function resized(box, x, y) {
  const right = Math.min(Math.max(box.right + x, box.left + LEAST), 1);
  const bottom = Math.min(Math.max(box.bottom + y, box.top + LEAST), 1);
  return { ...box, right, bottom };
}

function described(box) {
  if (!box) return "No region yet. Press an arrow key to begin with one in the middle.";
  const percent = (part) => `${Math.round(part * 100)} %`;
  return `From the left ${percent(box.left)}, from the top ${percent(box.top)}, `
    + `${percent(box.right - box.left)} wide, ${percent(box.bottom - box.top)} high. `
    + "Arrow keys move it, with Shift they change its size.";
}

const within = (part) => Math.min(Math.max(part, 0), 1);
const round = (part) => Math.round(part * 10_000) / 10_000;
