// From a drawing to what the digit model was trained on: 8×8 pixels, each the share of ink in 4×4 points of a grid.

const GRID = 32; // points along a side
const INK = 0.3; // of all points: every digit of the data set is written about as thick, a one fatter than an eight
const [THIN, THICK] = [1.4, 5]; // half the width of the pen, in points, at least and at most
const WIDE = 26; // a digit fills the height, and at most this much of the width

/** Strokes, lists of points [x, y], to 64 numbers in [0, 1], row by row; null without a stroke. */
export function toPicture(strokes) {
  const segments = toSegments(strokes);
  if (!segments.length) return null;
  const distances = new Float32Array(GRID * GRID).fill(Infinity);
  for (let y = 0; y < GRID; y++)
    for (let x = 0; x < GRID; x++)
      for (const segment of segments)
        distances[y * GRID + x] = Math.min(distances[y * GRID + x], distance(x + 0.5, y + 0.5, segment));
  // As thick a pen as it takes for the usual amount of ink.
  const radius = Math.min(THICK, Math.max(THIN, distances.slice().sort()[Math.round(INK * GRID * GRID)]));
  const picture = new Float32Array(64);
  for (let y = 0; y < GRID; y++)
    for (let x = 0; x < GRID; x++)
      if (distances[y * GRID + x] <= radius) picture[8 * (y >> 2) + (x >> 2)] += 1 / 16;
  return picture;
}

/** Move and scale the strokes to the middle of the grid, full height, and cut them into segments. */
function toSegments(strokes) {
  const points = strokes.flat();
  if (!points.length) return [];
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const [x, y] of points) {
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
  }
  const edge = 2; // about half a pen
  const scale = Math.min((GRID - 2 * edge) / Math.max(bottom - top, 1), (WIDE - 2 * edge) / Math.max(right - left, 1));
  const place = ([x, y]) => [
    GRID / 2 + scale * (x - (left + right) / 2),
    GRID / 2 + scale * (y - (top + bottom) / 2),
  ];
  const segments = [];
  for (const stroke of strokes) {
    const placed = stroke.map(place);
    if (placed.length === 1) segments.push([placed[0], placed[0]]);
    for (let number = 1; number < placed.length; number++) segments.push([placed[number - 1], placed[number]]);
  }
  return segments;
}

function distance(x, y, [[ax, ay], [bx, by]]) {
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const along = length ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / length)) : 0;
  return Math.hypot(x - ax - along * dx, y - ay - along * dy);
}

/** Enlarge a picture of `from`×`from` numbers bilinearly to `to`×`to`, as the model does. */
export function enlarge(picture, from, to) {
  const result = new Float32Array(to * to);
  const steps = Array.from({ length: to }, (_, number) => {
    const place = Math.max(0, ((number + 0.5) * from) / to - 0.5);
    const low = Math.floor(place);
    return [low, Math.min(low + 1, from - 1), place - low];
  });
  steps.forEach(([top, bottom, down], y) =>
    steps.forEach(([left, right, across], x) => {
      const upper = picture[top * from + left] * (1 - across) + picture[top * from + right] * across;
      const lower = picture[bottom * from + left] * (1 - across) + picture[bottom * from + right] * across;
      result[y * to + x] = upper * (1 - down) + lower * down;
    }),
  );
  return result;
}
