// Talking to the service this page came from, and to nothing else. The token lives in this tab only.

import { at } from "/elements.js";

const KEY = "token";
const GRACE = 1000; // milliseconds

export class Problem extends Error {
  constructor(status, message) {
    super(message);
    this.name = "Problem";
    this.status = status; // 0: nobody answers
  }
}

// The address holds the token behind "#", which browsers never send; it goes from the address at once.
export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, "", location.pathname);
  }
  return Boolean(sessionStorage.getItem(KEY));
}

export function setToken(token) {
  sessionStorage.setItem(KEY, token.trim());
}

// Return the reply to a request; a body that is no form is sent as JSON.
export async function call(path, { method = "GET", body, signal } = {}) {
  const headers = { Authorization: `Bearer ${sessionStorage.getItem(KEY) ?? ""}` };
  const plain = body !== undefined && !(body instanceof FormData);
  if (plain) headers["Content-Type"] = "application/json";
  const options = { method, headers, signal, credentials: "omit", redirect: "error" };
  const reply = await reached(path, { ...options, body: plain ? JSON.stringify(body) : body });
  if (reply.ok) return reply;
  const said = await reply.json().catch(() => ({}));
  if (reply.status === 401) document.dispatchEvent(new Event("locked"));
  throw new Problem(reply.status, said.detail ?? `the service answered ${reply.status}`);
}

export async function read(path, options) {
  return (await call(path, options)).json();
}

async function reached(path, options) {
  try {
    const reply = await fetch(path, options);
    at("away").hidden = true;
    return reply;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    at("away").hidden = false;
    throw new Problem(0, "The service does not answer.");
  }
}

// Pictures of one view. An <img> cannot send the token, so they are fetched and shown from memory.
export class Pictures {
  #urls = new Map(); // path -> promise of an object URL
  #near = new IntersectionObserver((seen) => this.#load(seen), { rootMargin: "500px" });
  #waiting = new WeakMap();

  // Show a picture once it is near to what is seen.
  show(image, path) {
    this.#waiting.set(image, path);
    this.#near.observe(image);
    return image;
  }

  url(path) {
    if (!this.#urls.has(path)) {
      this.#urls.set(path, call(path).then((reply) => reply.blob()).then((blob) => URL.createObjectURL(blob)));
    }
    return this.#urls.get(path);
  }

  free() {
    this.#near.disconnect();
    const urls = [...this.#urls.values()];
    this.#urls.clear();
    // A picture that was just begun to be shown is not taken from under it.
    setTimeout(() => urls.forEach((url) => url.then((made) => URL.revokeObjectURL(made), () => {})), GRACE);
  }

  #load(seen) {
    for (const { target, isIntersecting } of seen) {
      if (!isIntersecting) continue;
      this.#near.unobserve(target);
      this.url(this.#waiting.get(target)).then(
        (url) => { if (target.isConnected) target.src = url; },
        () => target.dispatchEvent(new Event("error")),
      );
    }
  }
}
