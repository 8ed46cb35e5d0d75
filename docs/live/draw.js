// Draw a digit: the model answers while you draw, and shows where its attention layers look.

import { enlarge, toPicture } from "./digit.js";

const LAYERS = [2, 4, 3]; // attention layers in stages 3, 4 and 5
const SIDE = 320; // of the canvas, in its own pixels
const STEP = 16; // of the pen, by keyboard
const QUIET = 700; // milliseconds without a change, before a screen reader says the answer
const MOST = 3000; // points; a longer scribble takes no more

export class Drawing {
  constructor(page, model) {
    this.strokes = [];
    this.pen = null; // by keyboard: { x, y, stroke }, without a stroke while it is lifted
    this.drawing = null; // by finger or mouse: the stroke that grows
    this.pending = this.busy = false;
    this.model = model;
    this.canvas = page.querySelector("#paper");
    this.answer = page.querySelector("#answer");
    this.spoken = page.querySelector("#spoken");
    this.slider = page.querySelector("#equal");
    this.table = page.querySelector("#probabilities tbody");
    this.views = page.querySelector("#views");
    this.#makeTable();
    this.#makeViews();
    this.#listen(page);
    this.#redraw();
  }

  /** Put strokes on the paper, lists of points [x, y] between 0 and 1. */
  show(strokes) {
    this.pen = this.drawing = null;
    this.strokes = strokes.map((stroke) => stroke.map(([x, y]) => [SIDE * x, SIDE * y]));
    this.#redraw();
  }

  #listen(page) {
    const place = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [((event.clientX - box.left) * SIDE) / box.width, ((event.clientY - box.top) * SIDE) / box.height].map(inside);
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      if (!event.isPrimary || event.button) return; // one finger draws, and the main button
      this.canvas.setPointerCapture(event.pointerId);
      this.pen = null;
      this.drawing = [place(event)];
      this.strokes.push(this.drawing);
      this.#redraw();
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!event.isPrimary || !this.drawing) return;
      const [x, y] = place(event);
      const [lastX, lastY] = this.drawing[this.drawing.length - 1];
      if (Math.hypot(x - lastX, y - lastY) < 3 || this.strokes.flat().length > MOST) return;
      this.drawing.push([x, y]);
      this.#redraw();
    });
    for (const end of ["pointerup", "pointercancel"])
      this.canvas.addEventListener(end, (event) => event.isPrimary && (this.drawing = null));
    this.canvas.addEventListener("keydown", (event) => this.#move(event));
    this.canvas.addEventListener("blur", () => this.#drawPaper());
    page.querySelector("#clear").addEventListener("click", () => this.show([]));
    this.slider.addEventListener("input", () => this.#redraw());
  }

  #move(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return; // the browser's own
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const pen = (this.pen ??= { x: SIDE / 2, y: SIDE / 4, stroke: null });
    if (event.key === " ") {
      if (!event.repeat) {
        pen.stroke = pen.stroke ? null : [[pen.x, pen.y]];
        if (pen.stroke) this.strokes.push(pen.stroke);
        this.#say(pen.stroke ? "The pen is down." : `The pen is up. ${this.answer.textContent}`);
      }
    } else if (event.key in steps) {
      const [across, down] = steps[event.key];
      Object.assign(pen, { x: inside(pen.x + STEP * across), y: inside(pen.y + STEP * down) });
      if (pen.stroke) pen.stroke.push([pen.x, pen.y]);
    } else if (event.key === "Backspace" || event.key === "Delete") {
      this.strokes.pop();
      pen.stroke = this.drawing = null;
    } else return;
    event.preventDefault();
    this.#redraw();
  }

  #redraw() {
    this.#drawPaper();
    this.pending = true;
    if (!this.busy) this.#ask();
  }

  /** Ask the model about the newest drawing; what came in between is left out. */
  async #ask() {
    this.busy = true;
    while (this.pending) {
      this.pending = false;
      const equal = this.slider.value / 100;
      try {
        const picture = toPicture(this.strokes);
        const feeds = { picture: [picture, [1, 1, 8, 8]], equal: [Float32Array.of(equal), []] };
        const outputs = picture && (await this.model.ask("run", { name: "digits", feeds }));
        if (outputs && this.strokes.length) this.#tell(picture, equal, outputs);
        else this.#blank();
      } catch (error) {
        this.answer.textContent = `The model could not answer (${error.message}). Reload the page.`;
      }
      clearTimeout(this.speaking);
      this.speaking = setTimeout(() => this.#say(this.answer.textContent), QUIET);
    }
    this.busy = false;
  }

  #say(text) {
    if (this.spoken.textContent !== text) this.spoken.textContent = text;
  }

  #blank() {
    this.answer.textContent = "Draw a digit, or choose an example.";
    this.answer.dataset.digit = "";
    this.#fillTable(new Array(10).fill(0));
    this.views.hidden = true;
  }

  #tell(picture, equal, outputs) {
    const logits = Array.from(outputs.logits[0]);
    const largest = Math.max(...logits);
    const powers = logits.map((logit) => Math.exp(logit - largest));
    const total = powers.reduce((sum, power) => sum + power, 0);
    const probabilities = powers.map((power) => power / total);
    const digit = logits.indexOf(largest);
    const scores = ["", ", with mixed scores", ", with equal scores"][Math.ceil(equal) + Math.floor(equal)];
    this.answer.textContent = `${digit}, with ${Math.round(100 * probabilities[digit])} %${scores}`;
    Object.assign(this.answer.dataset, { digit, logits: logits.join(" ") });
    this.#fillTable(probabilities);
    this.views.hidden = false;
    const enlarged = enlarge(picture, 8, 64);
    this.views.querySelectorAll("figure").forEach((figure, number) => {
      const [shares, dims] = outputs[`shares_${number}`];
      drawShares(figure, enlarged, shares, dims.at(-1));
    });
  }

  #drawPaper() {
    const pencil = this.canvas.getContext("2d");
    pencil.fillStyle = "#000";
    pencil.fillRect(0, 0, SIDE, SIDE);
    Object.assign(pencil, { strokeStyle: "#fff", fillStyle: "#fff", lineWidth: 22, lineCap: "round", lineJoin: "round" });
    for (const stroke of this.strokes) {
      pencil.beginPath();
      stroke.forEach(([x, y]) => pencil.lineTo(x, y));
      if (stroke.length === 1) pencil.lineTo(stroke[0][0] + 0.1, stroke[0][1]);
      pencil.stroke();
    }
    if (this.pen && document.activeElement === this.canvas) {
      Object.assign(pencil, { strokeStyle: this.pen.stroke ? "#ffb000" : "#a9bcff", lineWidth: 4 });
      pencil.beginPath();
      pencil.arc(this.pen.x, this.pen.y, 14, 0, 7);
      pencil.stroke();
    }
  }

  #makeTable() {
    for (let digit = 0; digit < 10; digit++) {
      const row = this.table.insertRow();
      row.innerHTML = `<th scope="row">${digit}</th><td class="bar"><span></span></td><td class="number"></td>`;
    }
  }

  #fillTable(probabilities) {
    const best = Math.max(...probabilities);
    [...this.table.rows].forEach((row, digit) => {
      row.querySelector("span").style.width = `${100 * probabilities[digit]}%`;
      row.querySelector(".number").textContent = `${(100 * probabilities[digit]).toFixed(1)} %`;
      row.classList.toggle("best", probabilities[digit] === best && best > 0);
    });
  }

  #makeViews() {
    LAYERS.forEach((count, stage) => {
      const row = this.views.querySelector(`#stage-${stage + 3}`);
      for (let layer = 1; layer <= count; layer++)
        row.insertAdjacentHTML(
          "beforeend",
          `<figure data-stage="${stage + 3}"><canvas width="128" height="128" role="img" aria-label="Layer ${layer}"></canvas>
           <figcaption>layer ${layer}<br><span></span></figcaption></figure>`,
        );
    });
  }
}

const inside = (part) => Math.min(SIDE, Math.max(0, part));

/** Colour the picture by the share of each patch: orange above an equal share, violet below. */
function drawShares(figure, picture, shares, side) {
  const canvas = figure.querySelector("canvas");
  const pencil = canvas.getContext("2d");
  const pixels = pencil.createImageData(128, 128);
  for (let y = 0; y < 128; y++)
    for (let x = 0; x < 128; x++) {
      const share = shares[Math.floor((y * side) / 128) * side + Math.floor((x * side) / 128)];
      const strength = Math.min(0.7, 0.7 * Math.abs(Math.log2(Math.max(share, 1e-6))));
      const color = share > 1 ? [254, 97, 0] : [120, 94, 240];
      const grey = 30 + 225 * picture[(y >> 1) * 64 + (x >> 1)];
      const place = 4 * (128 * y + x);
      color.forEach((part, channel) => (pixels.data[place + channel] = grey + strength * (part - grey)));
      pixels.data[place + 3] = 255;
    }
  pencil.putImageData(pixels, 0, 0);
  const [least, most] = [Math.min(...shares), Math.max(...shares)].map((share) => share.toFixed(2));
  const said = least === most ? `all ${most}` : `${least} to ${most}`;
  figure.querySelector("span").textContent = said;
  const layer = figure.querySelector("figcaption").firstChild.textContent;
  const place = least === most ? "" : `; the largest ${where(shares, side)}`;
  canvas.setAttribute("aria-label", `Stage ${figure.dataset.stage}, ${layer}: shares ${said}${place}`);
}

/** Say in words where the largest share is. */
function where(shares, side) {
  const place = shares.indexOf(Math.max(...shares));
  const third = (part) => Math.floor((3 * (part + 0.5)) / side);
  const down = ["at the top", "in the middle", "at the bottom"][third(Math.floor(place / side))];
  return `${down}, ${["left", "centre", "right"][third(place % side)]}`;
}
