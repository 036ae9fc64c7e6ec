"use strict";
const choose = document.getElementById("choose");
const kind = document.getElementById("kind");
const order = document.getElementById("order");

function show() {
  for (const list of document.querySelectorAll(".cards")) {
    const cards = [...list.querySelectorAll("article")];
    const by = order.value === "id" ? (card) => card.dataset.id : null;
    cards.sort((one, other) => by ? by(one).localeCompare(by(other)) : one.dataset.place - other.dataset.place);
    for (const card of cards) {
      card.hidden = kind.value !== "" && card.dataset.kind !== kind.value;
      list.append(card);
    }
  }
}

if (choose) {
  choose.hidden = false;
  kind.addEventListener("change", show);
  order.addEventListener("change", show);
}
