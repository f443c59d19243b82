/** From the ink of an image to the model's input tensor: one box, one resampling (ink/crop.py). */

const { fround } = Math;
const PAD_MULTIPLE = 16; // px, an ink is padded to a square of a multiple of it

/**
 * Resample an ink, 0 as background, into a square.
 *
 * @param {{data: Uint8Array, width: number, height: number}} ink
 * @param {number} side of the result
 * @param {{max_stretch: number, spread: number, reach: number}} how the manifest's parameters
 * @returns {Uint8Array} (side, side), the strongest cell 255
 */
export function fitInk(ink, side, { max_stretch: maxStretch, spread, reach }) {
  const { data, width, height } = ink;
  const pixels = Math.ceil(Math.max(width, height) / PAD_MULTIPLE) * PAD_MULTIPLE;
  const sums = { total: 0, x: 0, xx: 0, y: 0, yy: 0 };
  for (let y = 0, i = 0; y < height; y++) {
    const down = y + 0.5 - pixels / 2;
    for (let x = 0; x < width; x++, i++) {
      const across = x + 0.5 - pixels / 2;
      const value = data[i];
      sums.total += value;
      sums.x += value * across;
      sums.xx += value * across * across;
      sums.y += value * down;
      sums.yy += value * down * down;
    }
  }
  const total = Math.max(fround(sums.total), 1e-6);
  const ends = (size, first, second) => {
    const mean = fround(first) / total;
    const deviation = Math.max(fround(second) / total - mean * mean, 1 / 12) ** 0.5;
    const centre = spread * (mean + pixels / 2);
    const half = spread * reach * deviation;
    return [centre - half, (1 - spread) * size + centre + half];
  };
  const [top, bottom] = ends(height, sums.y, sums.yy);
  const [left, right] = ends(width, sums.x, sums.xx);
  const [tall, wide] = [Math.max(bottom - top, 2), Math.max(right - left, 2)];
  const rows = weights(top + tall / 2, stretched(tall, wide, side, maxStretch), side, height);
  const columns = weights(left + wide / 2, stretched(wide, tall, side, maxStretch), side, width);
  return resampled(data, width, height, side, rows, columns);
}

/** The length of a cell along the axis on which the box has `length`, in pixels. */
function stretched(length, other, side, maxStretch) {
  return length / side / Math.min(1, (maxStretch * length) / other);
}

/** (side, pixels) shares of each pixel in each cell, the middle of the cells at `centre`. */
function weights(centre, step, side, pixels) {
  [centre, step] = [fround(centre), fround(step)];
  const half = fround(Math.max(step, 1) * 0.5);
  const share = fround(0.5 / half);
  const covered = (bound, edge) => Math.min(Math.max(fround(bound - edge), 0), 1);
  return Array.from({ length: side }, (_, cell) => {
    const at = fround(fround((cell + 0.5 - side / 2) * step) + centre);
    const [from, to] = [fround(at - half), fround(at + half)];
    return Float32Array.from({ length: pixels }, (_, edge) =>
      fround(fround(covered(to, edge) - covered(from, edge)) * share),
    );
  });
}

function resampled(data, width, height, side, rows, columns) {
  const level = new Float32Array(side * side);
  const line = new Float32Array(width);
  for (let row = 0; row < side; row++) {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let y = 0; y < height; y++) sum += rows[row][y] * data[y * width + x];
      line[x] = sum;
    }
    for (let column = 0; column < side; column++) {
      let sum = 0;
      for (let x = 0; x < width; x++) sum += columns[column][x] * line[x];
      level[row * side + column] = sum;
    }
  }
  const full = fround(255 / Math.max(level.reduce((a, b) => Math.max(a, b)), fround(1e-6)));
  return Uint8Array.from(level, (value) => fround(fround(value * full) + 0.5));
}
