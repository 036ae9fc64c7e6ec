// Photographing what one asks about: with the phone's own camera program, or with the computer's camera.

import { at, say } from "/elements.js";

// `taken` is given the photograph, as a file.
export async function listenForCamera(taken) {
  const phone = matchMedia("(pointer: coarse)").matches;
  at("shoot").hidden = !phone && !(await hasCamera());
  at("shoot").addEventListener("click", () => (phone ? at("camera").click() : photograph(taken)));
}

async function hasCamera() {
  const devices = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
  return devices.some(({ kind }) => kind === "videoinput");
}

async function photograph(taken) {
  const dialog = at("photographing");
  const film = at("film");
  try {
    film.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    return say("The camera cannot be used: allow it for this page, or pick a picture.", true);
  }
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  if (dialog.returnValue === "take") taken(await still(film));
  film.srcObject.getTracks().forEach((track) => track.stop());
  film.srcObject = null;
}

async function still(film) {
  const canvas = new OffscreenCanvas(film.videoWidth, film.videoHeight);
  canvas.getContext("2d").drawImage(film, 0, 0);
  return new File([await canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 })], "photograph.jpg", { type: "image/jpeg" });
}
