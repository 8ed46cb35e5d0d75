// Runs ONNX graphs beside the page, so that it stays responsive. Everything it needs comes in messages.

let ort;
const sessions = new Map();
const repetitions = new Map(); // how many calls make a block, by contestant and size
let prepared = {}; // one contestant at one size, ready to be timed
let least; // milliseconds of a block

const JOBS = {
  async start({ library, wasm }) {
    ort = await import(library);
    ort.env.logLevel = "error";
    ort.env.wasm.numThreads = 1; // as in the course; more would need headers that a plain server does not send
    ort.env.wasm.wasmBinary = wasm;
  },

  async load({ name, graph }) {
    sessions.set(name, await ort.InferenceSession.create(graph, { executionProviders: ["wasm"] }));
  },

  /** Feeds `{ name: [numbers, dimensions] }` to outputs of the same form. */
  async run({ name, feeds }) {
    const tensors = Object.entries(feeds).map(([input, [data, dims]]) => [input, new ort.Tensor("float32", data, dims)]);
    const outputs = await sessions.get(name).run(Object.fromEntries(tensors));
    return Object.fromEntries(Object.entries(outputs).map(([output, tensor]) => [output, [tensor.data, tensor.dims]]));
  },

  /** Seconds of one call with `k` tokens: warmed up, repeated, the shortest of some blocks. */
  async time({ name, k, d, p }) {
    least ??= Math.max(20, 5 * tick());
    if (prepared.name !== name || prepared.k !== k) {
      const random = (...dims) => new ort.Tensor("float32", numbers(dims), dims);
      const mixing = name === "linformer" ? { E: random(p, k), F: random(p, k) } : {};
      prepared = { name, k, feeds: { x: random(1, k, d), ...mixing } };
    }
    const session = sessions.get(name);
    await session.run(prepared.feeds); // warms up: the contestant before has emptied the caches
    const key = `${name} ${k}`;
    let repeats = repetitions.get(key) ?? 1;
    let taken = await block(session, repeats);
    while (taken < least) {
      repeats *= Math.min(8, Math.max(2, Math.ceil(least / Math.max(taken, 0.1))));
      taken = await block(session, repeats);
    }
    repetitions.set(key, repeats);
    let best = taken / repeats;
    const blocks = taken < 5 * least ? 3 : 1;
    for (let number = 1; number < blocks; number++) best = Math.min(best, (await block(session, repeats)) / repeats);
    return Math.max(best, taken / repeats / 2) / 1000; // a coarse clock may read nothing at all
  },
};

async function block(session, repeats) {
  const start = performance.now();
  for (let number = 0; number < repeats; number++) await session.run(prepared.feeds);
  return performance.now() - start;
}

/** How far this browser's clock jumps, in milliseconds: some make it coarse on purpose. */
function tick() {
  const jump = () => {
    const start = performance.now();
    let now = start;
    while (now === start) now = performance.now();
    return now - start;
  };
  jump();
  return jump();
}

function numbers(dims) {
  return Float32Array.from({ length: dims.reduce((product, side) => product * side) }, () => 2 * Math.random() - 1);
}

onmessage = async ({ data: { id, job, data } }) => {
  try {
    postMessage({ id, answer: await JOBS[job](data) });
  } catch (error) {
    postMessage({ id, error: String(error?.message ?? error) });
  }
};
