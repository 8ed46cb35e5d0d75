// Runs ONNX graphs beside the page, so that it stays responsive. Everything it needs comes in messages.

let ort;
const sessions = new Map();
let prepared = {}; // one contestant at one size, ready to be timed

const MILLISECONDS = 20; // what is shorter is repeated: clocks of browsers tick once a millisecond at worst

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
    if (prepared.name !== name || prepared.k !== k) {
      const random = (...dims) => new ort.Tensor("float32", numbers(dims), dims);
      const mixing = name === "linformer" ? { E: random(p, k), F: random(p, k) } : {};
      prepared = { name, k, feeds: { x: random(1, k, d), ...mixing } };
    }
    const session = sessions.get(name);
    let once = await block(session, 1); // warms up
    if (once < MILLISECONDS) once = Math.min(once, await block(session, 1));
    const repeats = Math.ceil(MILLISECONDS / Math.max(once, 0.05));
    const blocks = once < 5 * MILLISECONDS ? 3 : 1;
    let best = Infinity;
    for (let number = 0; number < blocks; number++) best = Math.min(best, await block(session, repeats));
    return best / 1000;
  },
};

async function block(session, repeats) {
  const start = performance.now();
  for (let number = 0; number < repeats; number++) await session.run(prepared.feeds);
  return (performance.now() - start) / repeats;
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
