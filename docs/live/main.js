// What needs the model: loaded once, and from then on without a network. Counting, in count.js, works without it.

import { Drawing } from "./draw.js";
import { EXAMPLES } from "./examples.js";
import { Measuring } from "./measure.js";
import { Runtime, download, listed, whatIsMissing } from "./runtime.js";

const find = (selector) => document.querySelector(selector);
const button = find("#load");

async function start() {
  button.disabled = true;
  find("#loading").hidden = false;
  let said = -1;
  try {
    tell("Loading.");
    const sizes = await listed("files.json"); // anew at each try: the page may have been renewed
    const total = Object.values(sizes).reduce((sum, size) => sum + size, 0);
    const files = await download(sizes, (bytes) => {
      find("#loading").value = bytes / total;
      const tenths = Math.floor((10 * bytes) / total);
      if (tenths > said) tell(`Loading: ${megabytes(bytes)} of ${megabytes(total)}`); // a screen reader hears ten of these
      said = Math.max(said, tenths);
    });
    tell("Starting the model.");
    const runtime = new Runtime(files);
    const model = await runtime.start("digits").whenReady();
    for (const part of document.querySelectorAll(".without-model")) part.hidden = true;
    for (const part of document.querySelectorAll(".needs-model")) part.hidden = false;
    const drawing = new Drawing(document, model);
    new Measuring(document, runtime);
    for (const [name, strokes] of Object.entries(EXAMPLES)) addExample(name, () => drawing.show(strokes));
    if ([button, document.body].includes(document.activeElement)) find("#paper").focus({ preventScroll: true });
    tell("Ready. From here on the page needs no network.");
  } catch (error) {
    tell(error.isSentence ? error.message : `The model could not be started in this browser (${error.message}).`);
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
  const place = find(".state");
  place.classList.remove("waiting");
  place.textContent = text;
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

tell(whatIsMissing() ?? "");
button.disabled = whatIsMissing() !== null;
button.addEventListener("click", start);
