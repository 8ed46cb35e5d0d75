// Measure your own device: three attentions, by the protocol of mvit2_lib.course.timing.

import { multiHeadBytes } from "./cost.js";
import { plot } from "./plot.js";
import { Records, slope } from "./records.js";
import { Stopped } from "./runtime.js";

const LAYER = { d: 64, h: 4, p: 64 };
const TITLE = "one layer, d = 64, h = 4, p = 64, forward";
const NAMES = { multi_head: "multi-head, explicit", linformer: "Linformer", separable: "separable" };
const ROUNDS = 5;
const FIT_FROM = 512;
const MEBIBYTE = 2 ** 20;
const LOOKS = {
  "multi-head, explicit": { class: "multi-head", mark: (x, y) => `<circle cx="${x}" cy="${y}" r="5"/>` },
  Linformer: { class: "linformer", mark: (x, y) => `<path d="M${x} ${y - 6}l6 11h-12z"/>` },
  separable: { class: "separable", mark: (x, y) => `<rect x="${x - 5}" y="${y - 5}" width="10" height="10"/>` },
};

export class Measuring {
  constructor(page, runtime) {
    this.page = page;
    this.runtime = runtime;
    this.sizes = [64, 128, 256, 512, 1024, 2048, 4096];
    this.budget = 28; // seconds
    for (const [id, job] of Object.entries({ start: "#measure", stop: "#stop", save: "#save" }))
      page.querySelector(`#${id}`).addEventListener("click", () => (id === "start" ? this.measure() : this[job.slice(1)]()));
    page.querySelector("#device").value = device();
    plot(page.querySelector("#plot"), {}, this.sizes, LOOKS);
  }

  /** Time everything in interleaved rounds, until all rounds are done, the time is over or somebody stops it. */
  async measure() {
    this.records = new Records(TITLE);
    this.known = {}; // seconds that one visit takes, by name and size
    this.stopped = false;
    this.#running(true);
    this.#say("Starting. Leave the page in front, and the device alone.");
    try {
      this.worker = await this.runtime.start(...Object.keys(NAMES));
      if (this.stopped) throw new Stopped(); // while it was starting
      this.end = performance.now() + 1000 * this.budget;
      for (let round = 0; round < ROUNDS && this.#left() > 0; round++) await this.#round(round);
      this.#say(`Done: ${this.#rounds()}.`);
    } catch (error) {
      if (error instanceof Stopped) this.#say("Stopped. What was measured is kept.");
      else this.#say(`It ended early (${error.message}). What was measured is kept.`);
    }
    this.worker?.stop(); // and with it the memory of the largest size goes back
    this.worker = null;
    this.#running(false);
  }

  async #round(round) {
    for (const k of this.sizes)
      for (const [name, title] of Object.entries(NAMES)) {
        if (!this.#fits(name, k, round)) continue;
        const start = performance.now();
        this.records.add(title, k, await this.worker.ask("time", { name, k, ...LAYER }));
        this.known[[name, k]] = (performance.now() - start) / 1000;
        this.#show(round);
      }
  }

  /** Whether a contestant is measured at a size: not where memory or time would run out. */
  #fits(name, k, round) {
    if (name === "multi_head" && multiHeadBytes(k, LAYER.d, LAYER.h) > memory()) return false;
    const before = this.known[[name, k / 2]];
    // Four times the size before, at worst; and the first round may take half of the time.
    if (round === 0) return k === this.sizes[0] || (before !== undefined && 4 * before < this.#left() / 2);
    return this.known[[name, k]] !== undefined && this.known[[name, k]] < this.#left();
  }

  #left() {
    return (this.end - performance.now()) / 1000;
  }

  stop() {
    this.stopped = true;
    this.worker?.stop();
  }

  save() {
    const link = document.createElement("a");
    const name = this.page.querySelector("#device").value.trim() || "unnamed device";
    link.href = URL.createObjectURL(new Blob([this.records.json(name)], { type: "application/json" }));
    link.download = `${name.replace(/[^\p{L}\p{N}]+/gu, "_").slice(0, 60)}.json`;
    link.click();
    URL.revokeObjectURL(link.href);
  }

  #running(on) {
    this.page.querySelector("#start").disabled = on;
    this.page.querySelector("#stop").disabled = !on;
    this.page.querySelector("#save").disabled = on || !this.records.rows.length;
    this.page.querySelector("#progress").value = on ? 0 : 1;
  }

  #show(round) {
    const curves = Object.fromEntries(Object.values(NAMES).map((title) => [title, this.records.best(title)]));
    plot(this.page.querySelector("#plot"), curves, this.sizes, LOOKS);
    const done = this.records.rows.reduce((sum, row) => sum + row.seconds.length, 0);
    const share = Math.max(done / (ROUNDS * this.sizes.length * 3), 1 - this.#left() / this.budget);
    this.page.querySelector("#progress").value = share;
    this.#say(`Round ${round + 1} of ${ROUNDS}.`);
    const body = this.page.querySelector("#times tbody");
    body.replaceChildren(...this.sizes.filter((k) => this.records.rows.some((row) => row.size === k)).map((k) => this.#row(k)));
    for (const title of Object.values(NAMES)) {
      const { sizes, seconds } = this.records.best(title, FIT_FROM);
      const line = slope(sizes, seconds);
      const cell = this.page.querySelector(`#slopes [data-name="${title}"]`);
      cell.textContent = line ? `${line.value.toFixed(2)} ± ${line.error.toFixed(2)}` : "–";
      cell.dataset.slope = line?.value ?? "";
    }
  }

  #row(k) {
    const row = document.createElement("tr");
    const cells = Object.values(NAMES).map((title) => {
      const { sizes, seconds } = this.records.best(title);
      const place = sizes.indexOf(k);
      return place < 0 ? "<td>–</td>" : `<td>${milliseconds(seconds[place])}</td>`;
    });
    row.innerHTML = `<th scope="row">${k}</th>${cells.join("")}`;
    return row;
  }

  #rounds() {
    const counts = this.records.rows.map((row) => row.seconds.length);
    const [least, most] = [Math.min(...counts), Math.max(...counts)];
    const largest = this.records.best(NAMES.multi_head).sizes.at(-1);
    const short = largest < this.sizes.at(-1) ? `, multi-head up to k = ${largest}, to spare this device` : "";
    return `${least === most ? most : `${least} to ${most}`} rounds${short}`;
  }

  #say(text) {
    const place = this.page.querySelector("#measuring");
    if (place.textContent !== text) place.textContent = text; // or a screen reader would say it again
  }
}

/** Bytes that a device can spare for one layer: what it says of its memory, or what an old phone has. */
function memory() {
  return (navigator.deviceMemory ?? 0) >= 8 ? 1024 * MEBIBYTE : 160 * MEBIBYTE;
}

function milliseconds(seconds) {
  const value = 1000 * seconds;
  return value < 100 ? String(Number(value.toPrecision(3))) : String(Math.round(value));
}

/** Name the machine as far as a browser tells. */
function device() {
  const agent = navigator.userAgent;
  const browsers = { Edg: "Edge", OPR: "Opera", SamsungBrowser: "Samsung Internet", Firefox: "Firefox", FxiOS: "Firefox", CriOS: "Chrome", Chrome: "Chrome", Version: "Safari" };
  const [, code, version] = /(Edg|OPR|SamsungBrowser|Firefox|FxiOS|CriOS)\/(\d+)/.exec(agent) ?? /(Chrome|Version)\/(\d+)/.exec(agent) ?? [];
  const system = /iPhone|iPad|Android(?: [\d.]+)?|Windows|Mac OS X|CrOS|Linux/.exec(agent)?.[0].replace("Mac OS X", "macOS");
  const cores = navigator.hardwareConcurrency;
  const browser = code ? `${browsers[code]} ${version}` : "a browser";
  return `${system ?? "a device"}, ${cores ? `${cores} cores, ` : ""}1 thread, ${browser}, WebAssembly`;
}
