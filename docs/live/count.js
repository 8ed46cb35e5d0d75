// Count it: multiply–accumulates and bytes of the attentions, by the formulas of the library.

import * as cost from "./cost.js";

const ROWS = [
  ["multi-head", ({ k, d }) => cost.multiHeadMacs(k, d), ({ k, d, h }) => cost.multiHeadBytes(k, d, h)],
  ["Linformer", ({ k, d, p }) => cost.linformerMacs(k, d, p), ({ k, d, p, h }) => cost.linformerBytes(k, d, p, h)],
  ["separable, the paper's order", ({ k, d }) => cost.separableMacs(k, d, "paper"), ({ k, d }) => cost.separableBytes(k, d)],
  ["separable, pooled first", ({ k, d }) => cost.separableMacs(k, d, "executed"), ({ k, d }) => cost.separableBytes(k, d)],
];

function count(page) {
  const sliders = Object.fromEntries(["k", "d", "h", "p"].map((name) => [name, page.querySelector(`#count-${name}`)]));
  const [macs, bytes] = ["macs", "bytes"].map((name) => page.querySelector(`#${name} tbody`));
  const update = () => {
    const chosen = Object.fromEntries(Object.entries(sliders).map(([name, slider]) => [name, 2 ** slider.value]));
    chosen.p = Math.min(chosen.p, chosen.k); // mixing up would be no saving
    for (const [name, slider] of Object.entries(sliders)) {
      const shown = name === "p" && chosen.p < 2 ** slider.value ? `${chosen.p}, as many as there are` : `${chosen[name]}`;
      page.querySelector(`#count-${name}-value`).textContent = shown;
      slider.setAttribute("aria-valuetext", shown);
    }
    fill(macs, ROWS.map(([name, value]) => [name, value(chosen)]), (value) => amount(value, 1000, ["", " thousand", " million", " billion", " trillion"]));
    fill(bytes, ROWS.map(([name, , value]) => [name, value(chosen)]), (value) => amount(value, 1024, [" bytes", " KiB", " MiB", " GiB"]));
    page.querySelector("#count-small").hidden = Math.min(chosen.k, chosen.p) >= chosen.d / chosen.h;
  };
  for (const slider of Object.values(sliders)) slider.addEventListener("input", update);
  update();
}

function fill(body, rows, write) {
  const most = Math.max(...rows.map(([, value]) => value));
  const least = Math.min(...rows.map(([, value]) => value));
  body.replaceChildren(
    ...rows.map(([name, value]) => {
      const row = document.createElement("tr");
      row.innerHTML = `<th scope="row">${name}</th><td class="bar"><span style="width: ${(100 * value) / most}%"></span></td>
        <td class="number" data-value="${value}">${write(value)}</td><td class="number">${(value / least).toFixed(1)} ×</td>`;
      return row;
    }),
  );
}

function amount(value, base, units) {
  const unit = Math.min(units.length - 1, Math.floor(Math.log(value) / Math.log(base)));
  const number = value / base ** unit;
  return (number < 10 && unit ? number.toFixed(1) : Math.round(number).toString()) + units[unit];
}

count(document);
