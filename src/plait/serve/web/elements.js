// Making and finding elements, and saying things to everybody, also to those who listen.

export const at = (id) => document.getElementById(id);

// Return an element. Words and attributes are set as text, never read as markup: they may come from documents.
export function make(tag, { kind = "", words = null, on = {}, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  if (words !== null) element.textContent = words;
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  for (const [name, heard] of Object.entries(on)) element.addEventListener(name, heard);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function button(words, pressed, { symbol = "", ...options } = {}) {
  const element = make("button", { type: "button", on: { click: pressed }, ...options });
  if (symbol) element.append(icon(symbol));
  if (words) element.append(make("span", { words }));
  return element;
}

// Return one of the drawings that index.html holds.
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  const use = document.createElementNS(space, "use");
  drawing.setAttribute("class", "icon");
  drawing.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${name}`);
  drawing.append(use);
  return drawing;
}

export function say(words, bad = false) {
  at("note").textContent = words;
  at("note").classList.toggle("bad", bad);
}

// Lay an element over a picture's region, given in fractions of it.
export function lay(element, box) {
  element.style.left = `${box.left * 100}%`;
  element.style.top = `${box.top * 100}%`;
  element.style.width = `${(box.right - box.left) * 100}%`;
  element.style.height = `${(box.bottom - box.top) * 100}%`;
  return element;
}

// "1 hit", "2 hits", "1,234 hits"
export function counted(number, one, several = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : several}`;
}

// A source as people know it: what was sent here lies in a folder of the library's own.
export const fileOf = (source) => source.replace(/^\.plait\/uploads\//, "");

// Return a function that calls another when it was not asked to again within some milliseconds; `stop` forgets it.
export function later(call, milliseconds) {
  let waiting = 0;
  const soon = () => {
    soon.stop();
    waiting = setTimeout(call, milliseconds);
  };
  soon.stop = () => clearTimeout(waiting);
  return soon;
}

// Ask before something that cannot be undone; resolves to whether it shall be done.
export function sure(question, deed) {
  const dialog = at("sure");
  at("sure-question").textContent = question;
  at("sure-yes").textContent = deed;
  dialog.returnValue = "";
  dialog.showModal();
  at("sure-no").focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
