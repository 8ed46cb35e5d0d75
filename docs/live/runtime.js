// What the page loads once, and the workers that compute with it, also without a network.

// A function with one instruction of WebAssembly's SIMD; a browser that lacks it finds these bytes invalid.
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];

/** A sentence that says why this browser cannot compute, or null. */
export function whatIsMissing() {
  if (typeof WebAssembly !== "object")
    return "This browser has no WebAssembly, so it cannot run the model. Counting, below, works without it.";
  if (!WebAssembly.validate(new Uint8Array(SIMD)))
    return "This browser has WebAssembly without SIMD, which the model needs. A newer browser has it: Chrome and Edge since version 91, Firefox since 89, Safari since 16.4. Counting, below, works without it.";
  return null;
}

/** Load some files, `{ name: bytes }`; `progress` hears how many bytes have come. Throws an Error with a sentence. */
export async function download(sizes, progress) {
  const loaded = {};
  let done = 0;
  for (const [name, size] of Object.entries(sizes)) {
    const whole = new Uint8Array(size);
    let filled = 0;
    try {
      const answer = await fetch(name, { cache: "no-cache" });
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      const reader = answer.body.getReader();
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        whole.set(part.value, filled); // raises where more comes than announced
        filled += part.value.length;
        progress((done += part.value.length));
      }
      if (filled < size) throw new Error("the rest did not come");
    } catch (error) {
      const share = size ? Math.floor((100 * filled) / size) : 0;
      throw new Error(`The download of ${name} stopped at ${share} % (${error.message}). Try again when the network is back.`);
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

  /** Start a worker that knows some graphs. */
  async start(...graphs) {
    const helper = new Helper(this.worker);
    await helper.ask("start", { library: this.library, wasm: this.files["ort.wasm"] });
    for (const name of graphs) await helper.ask("load", { name, graph: this.files[`${name}.onnx`] });
    return helper;
  }
}

class Helper {
  #worker;
  #waiting = new Map();
  #asked = 0;

  constructor(url) {
    this.#worker = new Worker(url, { type: "module" });
    this.#worker.onmessage = ({ data: { id, answer, error } }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) resolve(answer);
      else reject(new Error(error));
    };
    this.#worker.onerror = (event) => this.#fail(new Error(event.message || "the worker did not start"));
  }

  ask(job, data) {
    return new Promise((resolve, reject) => {
      const id = this.#asked++;
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, job, data });
    });
  }

  /** End it at once, in the middle of a product too; the memory goes back to the device. */
  stop() {
    this.#worker.terminate();
    this.#fail(new Stopped());
  }

  #fail(error) {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

export class Stopped extends Error {}
