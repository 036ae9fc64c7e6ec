// The search box: words, pictures beside them, and a chip for each part of the question.

import { listenForCamera } from "/camera.js";
import { choosePart } from "/crop.js";
import { at, button, icon, make, say } from "/elements.js";
import { newKey } from "/query.js";

const MOST = 8; // pictures
const SHOWN = 96; // pixels of a chip's picture, drawn larger than it is seen

// Shows a question and changes it. `changed` hears of changes that should be asked at once.
export class Box {
  constructor(question, changed) {
    this.question = question;
    this.changed = changed;
    this.text = at("text");
    this.text.addEventListener("input", () => { this.question.words = this.text.value; this.#showWords(); });
    at("also").addEventListener("click", () => this.addText(1));
    at("without").addEventListener("click", () => this.addText(-1));
    at("pick").addEventListener("click", () => at("file").click());
    listenForCamera((photograph) => this.addPictures([photograph]));
    for (const input of [at("file"), at("camera")]) {
      input.addEventListener("change", () => { this.addPictures([...input.files]); input.value = ""; });
    }
    document.addEventListener("paste", (event) => this.#pasted(event));
  }

  show(question) {
    this.question = question;
    this.text.value = question.words;
    this.#drawChips();
  }

  focus() {
    this.text.focus();
    this.text.select();
  }

  clear() {
    this.question.words = "";
    this.question.parts = [];
    this.show(this.question);
  }

  addText(weight) {
    const part = { key: newKey(), kind: "text", text: "", weight };
    this.#add(part);
    at("parts").querySelector(`[data-key="${part.key}"] .part-text`).focus();
  }

  addPictures(files, box = null) {
    const pictures = files.filter((file) => file.type.startsWith("image/"));
    if (!pictures.length) return say("That is not a picture.", true);
    const room = MOST - this.question.images.length;
    if (room < pictures.length) say(`A question takes at most ${MOST} pictures.`, true);
    pictures.slice(0, room).forEach((file) => this.#add({ key: newKey(), kind: "image", file, box, weight: 1 }));
    if (pictures.length === 1 && box) return this.changed();
    this.text.focus();
    say(`${pictures.length === 1 ? "Picture" : "Pictures"} added. Add words if you like, then search.`);
  }

  addLike(hit, weight) {
    const others = this.question.parts.filter((part) => part.id !== hit.id);
    const picture = hit.picture ?? hit.page_picture;
    this.question.parts = [...others, { key: newKey(), kind: "like", id: hit.id, title: hit.title, picture, weight }];
    this.#drawChips();
    this.changed();
  }

  #add(part) {
    this.question.parts.push(part);
    this.#drawChips();
  }

  #pasted(event) {
    const files = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"));
    if (!files.length || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    this.addPictures(files);
  }

  #drawChips() {
    const chips = this.question.parts.map((part) => this.#chip(part));
    at("parts").replaceChildren(this.#wordsChip(), ...chips);
    this.#showWords();
  }

  // The words need a chip of their own only where something stands beside them.
  #showWords() {
    const chip = at("parts").firstElementChild;
    if (!chip) return;
    chip.hidden = !this.question.parts.length || !this.question.words.trim();
    chip.querySelector(".part-name").textContent = this.question.words.trim();
    at("parts").hidden = !this.question.parts.length;
  }

  #wordsChip() {
    const words = { weight: this.question.weight, name: "the words" };
    const weigh = (weight) => { this.question.weight = weight; };
    return make("li", { kind: "chip" }, ...this.#weighing(words, weigh), make("span", { kind: "part-name" }));
  }

  #chip(part) {
    const name = nameOf(part);
    const chip = make("li", { kind: `chip ${part.kind}`, "data-key": part.key });
    chip.classList.toggle("unwanted", part.weight < 0);
    chip.append(...this.#weighing({ weight: part.weight, name }, (weight) => {
      part.weight = weight;
      chip.classList.toggle("unwanted", weight < 0);
    }));
    chip.append(...this.#content(part, chip));
    chip.append(button("", () => this.#remove(part), { symbol: "close", kind: "bare", "aria-label": `Remove ${name}` }));
    return chip;
  }

  #content(part, chip) {
    if (part.kind === "text") return [this.#textOf(part)];
    if (part.kind === "like") {
      return [icon("alike"), make("span", { kind: "part-name", words: part.title, title: part.title })];
    }
    const picture = make("canvas", { kind: "thumb", role: "img", "aria-label": part.box ? "Region of your picture" : "Your picture" });
    draw(part, picture);
    const crop = button("", () => this.#crop(part, chip), { symbol: "crop", kind: "bare", "aria-label": `Choose a region of ${nameOf(part)}` });
    crop.title = "Search with a region of it";
    return [picture, crop];
  }

  #textOf(part) {
    const input = make("input", { kind: "part-text", type: "text", maxlength: "2000", size: "12", placeholder: "words…" });
    input.setAttribute("aria-label", "Words of this part");
    input.value = part.text;
    input.addEventListener("input", () => { part.text = input.value; });
    input.addEventListener("change", () => { if (part.text.trim()) this.changed(); });
    input.addEventListener("blur", () => { if (!part.text.trim()) this.#remove(part, false); });
    input.addEventListener("keydown", (event) => {
      if (event.key === "Backspace" && !input.value) { event.preventDefault(); this.#remove(part, false); this.text.focus(); }
    });
    return input;
  }

  // A switch between wanted and unwanted, and a slider of how much it counts.
  #weighing({ weight, name }, weigh) {
    const slider = make("input", { type: "range", min: "0.25", max: "3", step: "0.25", value: Math.abs(weight), title: "How much it counts" });
    const sign = button("", () => put(-signed()), { kind: "sign" });
    const signed = () => Number(slider.value) * (sign.getAttribute("aria-pressed") === "true" ? -1 : 1);
    const show = (now) => {
      sign.setAttribute("aria-pressed", String(now < 0));
      sign.setAttribute("aria-label", `Unwanted: ${name}`);
      sign.title = now < 0 ? "Unwanted: what is like it ranks lower" : "Wanted; press for less of it";
      sign.textContent = now < 0 ? "−" : "+";
      slider.setAttribute("aria-label", `How much ${name} counts`);
      slider.setAttribute("aria-valuetext", `${Math.abs(now)} times`);
    };
    const put = (now) => { show(now); weigh(now); this.changed(); };
    slider.addEventListener("input", () => show(signed()));
    slider.addEventListener("change", () => put(signed()));
    show(weight);
    return [sign, slider];
  }

  async #crop(part, chip) {
    const chosen = await choosePart(part.file, part.box);
    if (chosen === undefined) return;
    part.box = chosen;
    draw(part, chip.querySelector("canvas"));
    chip.querySelector("canvas").setAttribute("aria-label", chosen ? "Region of your picture" : "Your picture");
    this.changed();
  }

  #remove(part, again = true) {
    this.question.parts = this.question.parts.filter((other) => other !== part);
    this.#drawChips();
    if (!again) return;
    this.text.focus();
    this.changed();
  }
}

function nameOf(part) {
  return { text: "these words", image: "this picture", like: part.title }[part.kind];
}

// Draw a picture, or the region of it that is meant, as large as a chip's.
async function draw({ file, box }, canvas) {
  const shown = box ?? { left: 0, top: 0, right: 1, bottom: 1 };
  try {
    const picture = await createImageBitmap(file);
    const width = (shown.right - shown.left) * picture.width;
    const height = (shown.bottom - shown.top) * picture.height;
    const scale = SHOWN / Math.max(width, height);
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    const from = [shown.left * picture.width, shown.top * picture.height, width, height];
    canvas.getContext("2d").drawImage(picture, ...from, 0, 0, canvas.width, canvas.height);
    picture.close();
  } catch {
    canvas.replaceWith(make("span", { kind: "part-name", words: file.name || "picture" })); // the service may know its kind
  }
}
