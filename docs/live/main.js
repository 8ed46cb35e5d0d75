// The live page. Counting works at once; the rest after one download, and from then on without a network.

import { count } from "./count.js";
import { Drawing } from "./draw.js";
import { EXAMPLES } from "./examples.js";
import { Measuring } from "./measure.js";
import { Runtime, download, whatIsMissing } from "./runtime.js";

const find = (selector) => document.querySelector(selector);
const button = find("#load");

async function prepare() {
  const answer = await fetch("files.json").catch(() => null);
  if (!answer?.ok) throw new Error("The list of files could not be loaded. Reload the page when the network is back.");
  const sizes = await answer.json();
  const total = Object.values(sizes).reduce((sum, size) => sum + size, 0);
  button.textContent = `Load the model (${megabytes(total)})`;
  button.disabled = false;
  button.addEventListener("click", () => start(sizes, total));
}

async function start(sizes, total) {
  button.disabled = true;
  find("#loading").hidden = false;
  tell("Loading.");
  try {
    const files = await download(sizes, (bytes) => {
      find("#loading").value = bytes / total;
      tell(`Loading: ${megabytes(bytes)} of ${megabytes(total)}`);
    });
    tell("Starting the model.");
    const runtime = new Runtime(files);
    const drawing = new Drawing(document, await runtime.start("digits"));
    new Measuring(document, runtime);
    for (const [name, strokes] of Object.entries(EXAMPLES)) addExample(name, () => drawing.show(strokes));
    for (const part of document.querySelectorAll(".without-model")) part.hidden = true;
    for (const part of document.querySelectorAll(".needs-model")) part.hidden = false;
    find("#paper").focus({ preventScroll: true });
    tell("Ready. From here on the page needs no network.");
  } catch (error) {
    tell(error.message.startsWith("The download") ? error.message : `This browser could not start the model (${error.message}).`);
    button.textContent = "Try again";
    button.disabled = false;
  }
}

function addExample(name, show) {
  const example = document.createElement("button");
  Object.assign(example, { type: "button", textContent: name, onclick: show });
  example.setAttribute("aria-label", `Example: ${name}`);
  find("#examples").append(example);
}

function tell(text) {
  for (const place of document.querySelectorAll(".state")) place.textContent = text;
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

count(document);
const missing = whatIsMissing();
if (missing) tell(missing);
else prepare().catch((error) => tell(error.message));
