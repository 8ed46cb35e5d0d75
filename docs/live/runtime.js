// What the page loads once, and the workers that compute with it, also without a network.

// A function with one instruction of WebAssembly's SIMD; a browser that lacks it finds these bytes invalid.
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];
const PATIENCE = 20_000; // milliseconds without a byte, or without a sign of life from a worker that starts

/** An error whose message can be shown as it is. */
export class Sentence extends Error {
  isSentence = true;
}

export class Stopped extends Error {}

/** A sentence that says why this browser cannot compute, or null. */
export function whatIsMissing() {
  if (typeof WebAssembly !== "object")
    return "This browser has no WebAssembly, so it cannot run the model. Counting, below, works without it.";
  if (!WebAssembly.validate(new Uint8Array(SIMD)))
    return "This browser has WebAssembly without SIMD, which the model needs. A newer browser has it: Chrome and Edge since version 91, Firefox since 89, Safari since 16.4. Counting, below, works without it.";
  return null;
}

/** The files to load, `{ name: bytes }`. */
export async function listed(address) {
  try {
    const answer = await fetch(address, { cache: "no-cache", signal: AbortSignal.timeout?.(PATIENCE) });
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    const sizes = await answer.json();
    const right = sizes && Object.values(sizes).length && Object.values(sizes).every((size) => size > 0);
    if (!right) throw new Error("it is no list of files");
    return sizes;
  } catch (error) {
    throw new Sentence(`The list of files could not be loaded (${error.message}). Try again when the network is back.`);
  }
}

/** Load files; `progress` hears how many bytes have come. Throws a Sentence. */
export async function download(sizes, progress) {
  const loaded = {};
  let done = 0;
  for (const [name, size] of Object.entries(sizes)) {
    const whole = new Uint8Array(size);
    const control = new AbortController();
    let filled = 0;
    let timer;
    const wait = () => {
      clearTimeout(timer);
      timer = setTimeout(() => control.abort(), PATIENCE);
    };
    try {
      wait();
      const answer = await fetch(name, { cache: "no-cache", signal: control.signal });
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      const reader = answer.body.getReader();
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        wait();
        whole.set(part.value, filled); // raises where more comes than announced
        filled += part.value.length;
        progress((done += part.value.length));
      }
      if (filled < size) throw new Error("the rest did not come");
    } catch (error) {
      const reason = control.signal.aborted ? "nothing came any more" : error.message;
      const share = Math.floor((100 * filled) / size);
      throw new Sentence(`The download of ${name} stopped at ${share} % (${reason}). Try again when the network is back.`);
    } finally {
      clearTimeout(timer);
    }
    loaded[name] = whole;
  }
  return loaded;
}

/** The runtime, ready to start workers from what was downloaded. */
export class Runtime {
  constructor(files) {
    const url = (name) => URL.createObjectURL(new Blob([files[name]], { type: "text/javascript" }));
    this.files = files;
    this.library = url("ort.mjs");
    this.worker = url("worker.js");
  }

  /** Start a worker that knows some graphs; wait for `whenReady` before asking it. */
  start(...graphs) {
    const helper = new Helper(this.worker);
    helper.begin({ library: this.library, wasm: this.files["ort.wasm"] }, graphs.map((name) => [name, this.files[`${name}.onnx`]]));
    return helper;
  }
}

class Helper {
  constructor(url) {
    this.waiting = new Map();
    this.asked = 0;
    this.worker = new Worker(url, { type: "module" });
    this.worker.onmessage = ({ data: { id, answer, error } }) => {
      const { resolve, reject } = this.waiting.get(id);
      this.waiting.delete(id);
      if (error === undefined) resolve(answer);
      else reject(new Error(error));
    };
    this.worker.onerror = (event) => this.end(new Error(event.message || "the worker did not start"));
  }

  begin(settings, graphs) {
    this.ready = (async () => {
      await this.ask("start", settings);
      for (const [name, graph] of graphs) await this.ask("load", { name, graph });
      return this;
    })();
    this.ready.catch(() => {}); // whoever waits for it hears of it
  }

  async whenReady() {
    const timer = setTimeout(() => this.end(new Error("it gave no sign of life")), PATIENCE);
    try {
      return await this.ready;
    } catch (error) {
      this.stop();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  ask(job, data) {
    return new Promise((resolve, reject) => {
      const id = this.asked++;
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, job, data });
    });
  }

  /** End it at once, in the middle of a product too; the memory goes back to the device. */
  stop() {
    this.end(new Stopped());
  }

  end(error) {
    this.worker.terminate();
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}
