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
const TIME_OVER = "The half minute is over.";
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
    this.budget = 28; // seconds; whatever still runs then is ended
    this.records = new Records(TITLE);
    this.find("#machine").textContent = device();
    this.find("#start").addEventListener("click", () => this.measure());
    this.find("#stop").addEventListener("click", () => this.stop());
    this.find("#save").addEventListener("click", () => this.save());
    this.#show();
  }

  find(selector) {
    return this.page.querySelector(selector);
  }

  /** Time everything in interleaved rounds, until all rounds are done, the time is over or somebody stops it. */
  async measure() {
    this.records = new Records(TITLE);
    this.known = {}; // seconds that one visit takes, by name and size
    this.out = {}; // why a contestant was left out
    this.partial = false;
    this.stopped = "";
    this.#show();
    this.#running(true);
    this.#say("Starting. Leave the page in front, and the device alone.");
    this.end = performance.now() + 1000 * this.budget;
    const timer = setTimeout(() => this.#stop(TIME_OVER), 1000 * this.budget);
    try {
      await this.#startWorker();
      for (let round = 0; round < ROUNDS && this.#left() > 0; round++) await this.#round(round);
      this.#say(`Done: ${this.#rounds()}.`);
    } catch (error) {
      this.partial = this.stopped !== TIME_OVER;
      const kept = this.records.rows.length ? "What was measured is kept." : "Nothing was measured.";
      this.#say(`${this.stopped || `It ended early (${error.message}).`} ${kept}`);
    }
    clearTimeout(timer);
    this.worker?.stop(); // and with it the memory of the largest size goes back
    this.worker = null;
    this.#running(false);
  }

  async #startWorker() {
    this.worker = this.runtime.start(...Object.keys(NAMES));
    await this.worker.whenReady();
  }

  async #round(round) {
    for (const k of this.sizes)
      for (const [name, title] of Object.entries(NAMES)) {
        if (!this.#fits(name, k, round)) continue;
        const start = performance.now();
        try {
          this.records.add(title, k, await this.worker.ask("time", { name, k, ...LAYER }));
        } catch (error) {
          if (error instanceof Stopped) throw error;
          // Out of memory, most likely: the others go on, in a worker that has all of its memory again.
          this.out[title] = `${title} was left out from k = ${k} on (${error.message})`;
          this.sizes.filter((size) => size >= k).forEach((size) => (this.known[[name, size]] = Infinity));
          this.worker.stop();
          await this.#startWorker();
          continue;
        }
        this.known[[name, k]] = (performance.now() - start) / 1000;
        this.#show();
        this.#say(`Round ${round + 1} of ${ROUNDS}.`);
      }
  }

  /** Whether a contestant is measured at a size: not where memory or time would run out. */
  #fits(name, k, round) {
    if (name === "multi_head" && multiHeadBytes(k, LAYER.d, LAYER.h) > memory()) return false;
    if (this.known[[name, k]] === Infinity) return false;
    const before = this.known[[name, k / 2]];
    // Four times the size before, at worst; and the first round may take half of the time.
    if (round === 0) return k === this.sizes[0] || (before !== undefined && 4 * before < this.#left() / 2);
    return this.known[[name, k]] !== undefined && this.known[[name, k]] < this.#left();
  }

  #left() {
    return (this.end - performance.now()) / 1000;
  }

  stop() {
    this.#stop("Stopped.");
  }

  #stop(why) {
    this.stopped = why;
    this.worker?.stop();
  }

  save() {
    const name = this.find("#device").value.trim();
    const machine = name ? `${name}: ${device()}` : device();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([this.records.json(machine)], { type: "application/json" }));
    const plain = (name || device()).replace(/[^\p{L}\p{N}]+/gu, "_").replace(/^_|_$/g, "").slice(0, 60);
    link.download = `${plain || "record"}${this.partial ? ".partial" : ""}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  #running(on) {
    const [start, stop] = [this.find("#start"), this.find("#stop")];
    const [leaving, taking] = on ? [start, stop] : [stop, start];
    const focused = document.activeElement === leaving;
    taking.disabled = false;
    if (focused) taking.focus(); // a button that is switched off loses the focus to nowhere
    leaving.disabled = true;
    this.find("#save").disabled = on || !this.records.rows.length;
    if (on) this.find("#progress").value = 0;
    else if (!this.partial) this.find("#progress").value = 1;
  }

  #show() {
    const titles = Object.values(NAMES);
    plot(this.find("#plot"), Object.fromEntries(titles.map((title) => [title, this.records.best(title)])), this.sizes, LOOKS);
    if (this.records.rows.length) {
      const done = this.records.rows.reduce((sum, row) => sum + row.seconds.length, 0);
      this.find("#progress").value = Math.max(done / (ROUNDS * this.sizes.length * titles.length), 1 - this.#left() / this.budget);
    }
    const measured = this.sizes.filter((k) => this.records.rows.some((row) => row.size === k));
    this.find("#times tbody").replaceChildren(...measured.map((k) => this.#row(k)));
    for (const title of titles) {
      const { sizes, seconds } = this.records.best(title, FIT_FROM);
      const line = slope(sizes, seconds);
      const cell = this.find(`#slopes [data-name="${title}"]`);
      cell.textContent = line ? `${line.value.toFixed(2)} ± ${line.error < 0.005 ? "less than 0.01" : line.error.toFixed(2)}` : "–";
      cell.dataset.slope = line ? line.value : "";
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
    const rounds = least === most ? `${most} round${most > 1 ? "s" : ""}` : `${least} to ${most} rounds`;
    const largest = Math.max(0, ...this.records.best(NAMES.multi_head).sizes);
    const left = Object.values(this.out);
    if (largest < this.sizes[this.sizes.length - 1] && !left.length)
      left.push(`multi-head up to k = ${largest}, because more would take half a gigabyte of memory or too much time here`);
    return [rounds, ...left].join("; ");
  }

  #say(text) {
    const place = this.find("#measuring");
    if (place.textContent !== text) place.textContent = text; // or a screen reader would say it again
  }
}

/** Bytes that a device can spare for one layer: what it says of its memory, or what an old phone has. */
function memory() {
  return (navigator.deviceMemory ?? 0) >= 8 ? 1024 * MEBIBYTE : 160 * MEBIBYTE;
}

function milliseconds(seconds) {
  const value = 1000 * seconds;
  return value < 1000 ? value.toPrecision(3) : String(Math.round(value));
}

/** Name the machine as far as a browser tells. */
function device() {
  const agent = navigator.userAgent;
  const browsers = { Edg: "Edge", OPR: "Opera", SamsungBrowser: "Samsung Internet", Firefox: "Firefox", FxiOS: "Firefox", CriOS: "Chrome", Chrome: "Chrome", Version: "Safari" };
  const [, code, version] = /(Edg|OPR|SamsungBrowser|Firefox|FxiOS|CriOS)\/(\d+)/.exec(agent) ?? /(Chrome|Version)\/(\d+)/.exec(agent) ?? [];
  // In this order: Android says Linux as well, and an iPhone Mac OS X.
  const systems = { iPhone: "iPhone", iPad: "iPad", Android: "Android", Windows: "Windows", CrOS: "ChromeOS", "Mac OS X": "macOS", Linux: "Linux" };
  const system = Object.keys(systems).find((name) => agent.includes(name));
  const cores = navigator.hardwareConcurrency;
  return [
    systems[system] ?? "a device",
    ...(cores ? [`${cores} core${cores > 1 ? "s" : ""}`] : []),
    "1 thread",
    code ? `${browsers[code]} ${version}` : "a browser",
    "WebAssembly",
  ].join(", ");
}
