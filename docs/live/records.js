// Records as mvit2_lib.course.records reads them, and the slopes in them.

/** The slope of a straight line through the logarithms, and its standard error; null with fewer than three points. */
export function slope(sizes, seconds) {
  const count = sizes.length;
  if (count < 3) return null;
  const [x, y] = [sizes.map(Math.log2), seconds.map(Math.log2)];
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / count;
  const [middleX, middleY] = [mean(x), mean(y)];
  const spread = x.reduce((sum, value) => sum + (value - middleX) ** 2, 0);
  const value = x.reduce((sum, place, i) => sum + (place - middleX) * (y[i] - middleY), 0) / spread;
  const rest = x.reduce((sum, place, i) => sum + (y[i] - middleY - value * (place - middleX)) ** 2, 0);
  return { value, error: Math.sqrt(rest / (count - 2) / spread) };
}

/** The records of one device: name of a contestant, and size, to the seconds of each round. */
export class Records {
  constructor(title) {
    this.title = title;
    this.rows = [];
  }

  add(name, size, seconds) {
    const row = this.rows.find((row) => row.name === name && row.size === size);
    if (row) row.seconds.push(seconds);
    else this.rows.push({ name, size, seconds: [seconds] });
  }

  /** Sizes, and the shortest time at each. */
  best(name, from = 0) {
    const rows = this.rows.filter((row) => row.name === name && row.size >= from).sort((a, b) => a.size - b.size);
    return { sizes: rows.map((row) => row.size), seconds: rows.map((row) => Math.min(...row.seconds)) };
  }

  json(machine) {
    const measurements = this.rows.map((row) => ({
      ...row,
      seconds: row.seconds.map((time) => Number(time.toPrecision(4))),
    }));
    return JSON.stringify({ title: this.title, machine, measurements }, null, 1);
  }
}
