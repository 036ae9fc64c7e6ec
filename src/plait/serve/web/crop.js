// The dialog in which a region of one's own picture is chosen.

import { at } from "/elements.js";
import { Region } from "/region.js";

// Resolves to the region, to null for all of the picture, or to undefined if it shall stay as it was.
export async function choosePart(file, box) {
  const dialog = at("cropper");
  const surface = at("cropper-surface");
  const url = URL.createObjectURL(file);
  const image = at("cropper-image");
  const region = new Region(surface, (now) => { at("cropper-use").disabled = !now; });
  const closed = new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  try {
    image.src = url;
    await image.decode();
    region.set(box);
    dialog.returnValue = "";
    dialog.showModal();
    region.focus();
    await closed;
    return { region: region.box, whole: null }[dialog.returnValue];
  } catch {
    return undefined; // a kind of picture that this browser does not show
  } finally {
    region.remove();
    image.removeAttribute("src");
    URL.revokeObjectURL(url);
  }
}
