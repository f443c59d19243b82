/**
 * What NumPy does to arrays, where JavaScript does otherwise.
 *
 * @typedef {{data: Uint8Array, width: number, height: number, channels: 1 | 3, jpeg?: boolean}} Pixels
 * Rows from the top, 0 to 255; grey, or red, green, blue. `jpeg`: of a JPEG, at its full size.
 */

const { fround } = Math;

/** The nearest whole number, of two equally near the even one. @param {number} value */
export function rint(value) {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/** @param {number} value @param {number} low @param {number} high */
export function clip(value, low, high) {
  return Math.min(high, Math.max(low, value));
}

/** The value at `place` if all were sorted. @param {Float32Array} values @param {number} place */
export function ranked(values, place) {
  return Float32Array.from(values).sort()[place];
}

/** The median, of two middle values the larger; 0 of none. @param {Float32Array} values */
export function upperMedian(values) {
  return values.length ? ranked(values, values.length >> 1) : 0;
}

/** How many values pass. @param {ArrayLike<number>} values @param {(v: number) => boolean} test */
export function count(values, test) {
  let found = 0;
  for (let i = 0; i < values.length; i++) if (test(values[i])) found++;
  return found;
}

/**
 * The solution of a small linear system, by elimination with pivots.
 *
 * @param {number[][]} matrix (n, n)
 * @param {number[][]} right (n, m)
 * @returns {number[][]} (n, m)
 */
export function solve(matrix, right) {
  const n = matrix.length;
  const rows = matrix.map((row, i) => [...row, ...right[i]]);
  for (let i = 0; i < n; i++) {
    let pivot = i;
    for (let j = i + 1; j < n; j++) {
      if (Math.abs(rows[j][i]) > Math.abs(rows[pivot][i])) pivot = j;
    }
    [rows[i], rows[pivot]] = [rows[pivot], rows[i]];
    for (let j = i + 1; j < n; j++) {
      const share = rows[j][i] / rows[i][i];
      for (let k = i; k < rows[j].length; k++) rows[j][k] -= share * rows[i][k];
    }
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = n; k < rows[i].length; k++) {
      for (let j = i + 1; j < n; j++) rows[i][k] -= rows[i][j] * rows[j][k];
      rows[i][k] = fround(rows[i][k] / rows[i][i]);
    }
  }
  return rows.map((row) => row.slice(n));
}
