// A log–log plot of seconds over tokens, as SVG.

const HEIGHT = 400;
const BOX = { left: 64, right: 24, top: 14, bottom: 48 };

/** Draw curves `{ name: { sizes, seconds } }` into an <svg>; `looks` gives each name a class and a mark. */
export function plot(svg, curves, sizes, looks) {
  const WIDTH = svg.clientWidth < 500 ? 380 : 640; // so that letters stay readable on a phone
  const times = Object.values(curves).flatMap((curve) => curve.seconds);
  const low = times.length ? Math.floor(Math.log10(Math.min(...times))) : -4;
  const high = times.length ? Math.max(low + 1, Math.ceil(Math.log10(Math.max(...times)))) : 0;
  const [first, last] = [Math.log2(sizes[0]), Math.log2(sizes.at(-1))];
  const x = (k) => BOX.left + ((Math.log2(k) - first) / (last - first)) * (WIDTH - BOX.left - BOX.right);
  const y = (s) => HEIGHT - BOX.bottom - ((Math.log10(s) - low) / (high - low)) * (HEIGHT - BOX.top - BOX.bottom);
  const parts = [];
  for (const k of sizes)
    parts.push(
      `<line class="grid" x1="${x(k)}" x2="${x(k)}" y1="${BOX.top}" y2="${HEIGHT - BOX.bottom}"/>`,
      `<text x="${x(k)}" y="${HEIGHT - BOX.bottom + 18}" text-anchor="middle">${k}</text>`,
    );
  for (let power = low; power <= high; power++)
    parts.push(
      `<line class="grid" x1="${BOX.left}" x2="${WIDTH - BOX.right}" y1="${y(10 ** power)}" y2="${y(10 ** power)}"/>`,
      `<text x="${BOX.left - 8}" y="${y(10 ** power) + 5}" text-anchor="end">${said(power)}</text>`,
    );
  parts.push(`<text x="${(WIDTH + BOX.left) / 2}" y="${HEIGHT - 8}" text-anchor="middle">tokens k</text>`);
  for (const [name, curve] of Object.entries(curves)) {
    const points = curve.sizes.map((k, number) => [x(k), y(curve.seconds[number])]);
    const line = points.map((point) => point.map((part) => part.toFixed(1)).join(",")).join(" ");
    parts.push(`<g class="${looks[name].class}"><polyline points="${line}"/>`);
    parts.push(...points.map(([across, down]) => looks[name].mark(across.toFixed(1), down.toFixed(1))), "</g>");
  }
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.innerHTML = parts.join("");
}

function said(power) {
  return power >= 0 ? `${10 ** power} s` : power >= -3 ? `${10 ** (power + 3)} ms` : `${10 ** (power + 6)} µs`;
}
