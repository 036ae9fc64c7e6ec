// The library: what it holds, adding to it and removing from it, and how far adding has come.

import { at, button, counted, fileOf, icon, make, say, sure } from "/elements.js";
import { call, read } from "/service.js";

const PAGE = 50;
const AT_ONCE = 20; // files of one request
const SOON = 400; // milliseconds to the next look at jobs that are under way
const LATER = 2000;
const STATES = { waiting: "Waiting", adding: "Adding…", added: "Added", failed: "Not added" };

export class Library {
  // `changed` hears when documents came or went.
  constructor(changed) {
    this.changed = changed;
    this.jobs = new Map(); // id -> job, newest last
    this.rights = new Set();
    this.looking = 0;
    this.input = make("input", { type: "file", multiple: true, hidden: true, id: "documents-file" });
    this.input.addEventListener("change", () => { this.add([...this.input.files]); this.input.value = ""; });
    this.list = make("ul", { kind: "documents", "aria-label": "Documents" });
    this.work = make("ul", { kind: "jobs", "aria-label": "What is being added" });
    this.below = make("div", {});
    this.#draw();
  }

  // Learn what the library holds and what this key may do; also finds jobs begun before.
  async learn() {
    this.status = await read("/status");
    this.rights = new Set(this.status.caller?.rights ?? ["search", "add", "remove"]);
    this.adding.hidden = !this.rights.has("add");
    if (this.status.jobs?.waiting || this.status.jobs?.adding) await this.#look();
    return this.status;
  }

  async show() {
    at("library-title").textContent = this.#heading();
    this.list.replaceChildren();
    await this.#more("");
  }

  async add(files) {
    if (!files.length) return;
    try {
      for (let sent = 0; sent < files.length; sent += AT_ONCE) {
        say(`Sending ${counted(files.length - sent, "file")}…`);
        const form = new FormData();
        for (const file of files.slice(sent, sent + AT_ONCE)) form.append("file", file, file.name);
        this.#keep((await read("/documents", { method: "POST", body: form })).jobs);
        this.#lookSoon(SOON);
      }
      say(`${counted(files.length, "file")} sent.`);
    } catch (error) {
      say(error.message, true);
    }
  }

  #draw() {
    const pick = button("Add documents…", () => this.input.click(), { kind: "primary" });
    const hint = make("span", { kind: "hint", words: "or drop them anywhere on this page: PDF, Office, Markdown, HTML, pictures, archives, and more" });
    this.adding = make("div", { kind: "adding" }, pick, hint, this.input);
    at("library").append(make("h2", { id: "library-title", words: "Library" }), this.adding, this.work, this.list, this.below);
  }

  #heading() {
    const { documents, units, figures } = this.status;
    return documents ? `${counted(documents, "document")}, ${counted(units, "page or section", "pages and sections")}, ${counted(figures, "figure")}` : "The library is empty";
  }

  async #more(after) {
    try {
      const page = await read(`/documents?limit=${PAGE}&after=${encodeURIComponent(after)}`);
      this.list.append(...page.documents.map((document) => this.#document(document)));
      this.below.replaceChildren(...(page.next ? [button("More", () => this.#more(page.next))] : []));
    } catch (error) {
      say(error.message, true);
    }
  }

  #document({ id, title, source, units, figures, warnings }) {
    const holds = [counted(units, "part"), figures ? counted(figures, "figure") : ""].filter(Boolean).join(", ");
    const words = make("div", { kind: "document-words" }, make("strong", { words: title || source }), make("span", { kind: "place", words: `${fileOf(source)} · ${holds}` }));
    if (warnings?.length) words.append(make("span", { kind: "hint", words: warnings.join(" ") }));
    const item = make("li", {}, icon("books"), words);
    if (this.rights.has("remove")) {
      item.append(button("Delete", () => this.#remove(id, title || source, item), { kind: "link", "aria-label": `Delete ${title || source}` }));
    }
    return item;
  }

  async #remove(id, title, item) {
    if (!(await sure(`Delete “${title}” from the library? It can no longer be found then.`, "Delete"))) return;
    try {
      await call(`/documents/${encodeURIComponent(id)}`, { method: "DELETE" });
      const next = item.nextElementSibling ?? item.previousElementSibling;
      item.remove();
      (next?.querySelector("button") ?? this.adding.querySelector("button")).focus();
      say(`“${title}” was deleted.`);
      await this.#relearn();
    } catch (error) {
      say(error.message, true);
    }
  }

  async #relearn() {
    await this.learn();
    at("library-title").textContent = this.#heading();
    await this.changed();
  }

  // Look how far the jobs are, again and again until all are finished.
  async #look() {
    try {
      const before = this.#unfinished();
      const { jobs } = await read("/jobs?limit=100");
      this.#keep(jobs.filter((job) => this.jobs.has(job.id) || !job.ended).reverse());
      const ended = before.filter((id) => this.jobs.get(id)?.ended);
      if (ended.length) await this.#ended();
      if (this.#unfinished().length) this.#lookSoon(document.hidden ? LATER : SOON);
    } catch (error) {
      if (error.status === 0) this.#lookSoon(LATER);
      else say(error.message, true);
    }
  }

  #lookSoon(milliseconds) {
    clearTimeout(this.looking);
    this.looking = setTimeout(() => this.#look(), milliseconds);
  }

  async #ended() {
    const left = this.#unfinished().length;
    const failed = [...this.jobs.values()].filter(({ state }) => state === "failed").length;
    if (!left) say(failed ? `${counted(failed, "file")} could not be added; the library says why.` : "Everything was added.", failed > 0);
    await this.#relearn();
    if (!at("library").hidden) await this.show();
  }

  #unfinished() {
    return [...this.jobs.values()].filter((job) => !job.ended).map(({ id }) => id);
  }

  #keep(jobs) {
    for (const job of jobs) this.jobs.set(job.id, job);
    const left = this.#unfinished().length;
    at("jobs-note").hidden = !left;
    at("jobs-note").textContent = left ? `adding ${left}` : "";
    this.#drawJobs();
  }

  // Rows that are there change in place, so that what is focused or read out stays.
  #drawJobs() {
    for (const job of this.jobs.values()) {
      const row = this.work.querySelector(`[data-id="${CSS.escape(job.id)}"]`) ?? this.#row(job);
      row.className = `job ${job.state}`;
      row.querySelector(".state").textContent = `${STATES[job.state]}${job.pages ? ` ${counted(job.pages, "page")}` : ""}`;
      row.querySelector(".remark").textContent = remark(job);
      const bar = row.querySelector("progress");
      bar.hidden = job.state !== "adding";
      const [done, total] = job.bytes_total ? [job.bytes_done, job.bytes_total] : [job.done, job.total];
      if (total && done < total) { bar.max = total; bar.value = done; } else bar.removeAttribute("value");
      row.querySelector("button").hidden = !job.ended && job.state !== "waiting";
    }
  }

  #row(job) {
    const away = button("", () => this.#forget(job.id), { symbol: "close", kind: "bare", "aria-label": `Forget ${job.name}` });
    const bar = make("progress", { "aria-label": `Adding ${job.name}` });
    const row = make("li", { "data-id": job.id }, make("strong", { words: job.name }), make("span", { kind: "state" }), bar, away, make("p", { kind: "remark" }));
    this.work.prepend(row);
    return row;
  }

  async #forget(id) {
    try {
      await call(`/jobs/${encodeURIComponent(id)}`, { method: "DELETE" });
    } catch (error) {
      if (error.status !== 404) return say(error.message, true);
    }
    this.jobs.delete(id);
    this.work.querySelector(`[data-id="${CSS.escape(id)}"]`)?.remove();
    this.#keep([]);
  }
}

// What went wrong and what to do, or what came of it.
function remark({ state, reason, remedy, note, report }) {
  if (state === "failed") return [reason, remedy].filter(Boolean).join("; ");
  if (state === "added" && report) {
    const told = [counted(report.units, "page or section", "pages and sections"), counted(report.figures, "figure")];
    const kept = report.unchanged && !report.added ? ["it was there already"] : told;
    return [...kept, ...report.failed.map((failure) => `${failure.source}: ${failure.reason}`)].join(", ");
  }
  return note;
}
