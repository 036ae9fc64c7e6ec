// Everything by keys: where they lead from anywhere on the page.

import { at } from "/elements.js";

// `deeds`: focusBox(), back().
export function listen(deeds) {
  at("to-keys").addEventListener("click", () => at("keys").showModal());
  at("keys-close").addEventListener("click", () => at("keys").close());
  document.addEventListener("keydown", (event) => pressed(event, deeds));
  const answers = { cropper: { use: "region", whole: "whole", cancel: "" }, photographing: { take: "take", cancel: "" }, sure: { yes: "yes", no: "" } };
  for (const [dialog, names] of Object.entries(answers)) {
    for (const [name, answer] of Object.entries(names)) {
      at(`${dialog}-${name}`).addEventListener("click", () => at(dialog).close(answer));
    }
  }
  at("cropper").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.classList.contains("region") && !at("cropper-use").disabled) at("cropper").close("region");
  });
}

function pressed(event, deeds) {
  if (event.isComposing || document.querySelector("dialog[open]")) return; // a dialog closes itself on Escape
  const writing = event.target.matches("input:not([type=checkbox], [type=radio], [type=range]), select, textarea");
  const withControl = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k";
  if (withControl || (event.key === "/" && !writing)) {
    event.preventDefault();
    deeds.focusBox();
  } else if (event.ctrlKey || event.metaKey || event.altKey) {
    return;
  } else if (event.key === "?" && !writing) {
    event.preventDefault();
    at("keys").showModal();
  } else if (event.key === "Escape") {
    event.preventDefault();
    deeds.back();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    move(event, event.key === "ArrowDown" ? 1 : -1);
  }
}

// From the box to the first hit, from hit to hit, and back. Sliders, lists and radio buttons keep their arrows.
function move(event, step) {
  const hits = [...document.querySelectorAll("#hits > .hit")];
  const { activeElement } = document;
  const inBox = activeElement === at("text");
  const own = activeElement?.closest("#hits > .hit");
  if (!hits.length || !(inBox || own || activeElement === document.body)) return;
  event.preventDefault();
  const next = hits.indexOf(own) + step;
  if (next < 0) return at("text").focus();
  if (next >= hits.length) return at("after").querySelector("button")?.focus();
  hits[next].focus();
  hits[next].scrollIntoView({ block: "nearest" });
}
