// The counts of mvit2_lib/cost.py, letter for letter; tests/test_live.py compares the two.

const FLOAT32 = 4; // bytes

export const multiHeadMacs = (k, d) => 4 * k * d ** 2 + 2 * k ** 2 * d;
export const linformerMacs = (k, d, p) => 4 * k * d ** 2 + 4 * k * p * d;
export const separableMacs = (k, d, form = "paper") =>
  form === "paper" ? 3 * k * d ** 2 + k * d : 2 * k * d ** 2 + d ** 2 + 2 * k * d;

export const multiHeadBytes = (k, d, heads) => FLOAT32 * (2 * heads * k ** 2 + 2 * k * d);
export const linformerBytes = (k, d, p, heads) => FLOAT32 * (2 * heads * k * p + k * d + p * d);
export const separableBytes = (k, d) => FLOAT32 * (2 * k * d + d);
