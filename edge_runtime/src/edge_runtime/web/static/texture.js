/** Photos of things, told from ink on a ground by their texture, before the search for ink. */

import { count } from "./numbers.js";

/** @typedef {import("./numbers.js").Pixels} Pixels */

const { abs, floor, max, min } = Math;

const CELL = 4; // px, the side of a cell, in the image at half its size
const MIN_SPAN = 56; // grey levels, of a cell with contrast
const MIN_BETWEEN = 7; // of 16 pixels, between a quarter and three quarters of the cell's span
const MIN_VARIATION = 5; // spans, the sum of all steps between neighbours in a cell
const [MIN_CELLS, MIN_SHARE] = [8, 0.05]; // that have all three: so many, and this share of all
const MIN_CELLS_A_SIDE = 4; // narrower images are crops of a digit

/** True for an image without ink on a ground, reduced to ANALYSIS_SIDE. @param {Pixels} pixels */
export function isTextured(pixels) {
  const down = floor(pixels.height / (2 * CELL));
  const across = floor(pixels.width / (2 * CELL));
  if (min(down, across) < MIN_CELLS_A_SIDE) return false;
  const limit = MIN_CELLS + MIN_SHARE * (down * across);
  let textured = 0;
  for (let i = 0; i < down * across; i++) {
    if (hasTexture(cellOf(pixels, CELL * floor(i / across), CELL * (i % across)))) textured++;
  }
  return textured > limit;
}

/** A cell of the image at half its size, in sums of 4 pixels: 4 times its grey levels. */
function cellOf({ data, width, channels }, top, left) {
  const green = channels === 3 ? 1 : 0;
  const at = (y, x) => data[(y * width + x) * channels + green];
  return Array.from({ length: CELL * CELL }, (_, i) => {
    const [y, x] = [2 * (top + floor(i / CELL)), 2 * (left + (i % CELL))];
    return at(y, x) + at(y, x + 1) + at(y + 1, x) + at(y + 1, x + 1);
  });
}

/** @param {number[]} cell rows of it, one behind the other */
function hasTexture(cell) {
  const low = min(...cell);
  const span = max(...cell) - low;
  if (span <= 4 * MIN_SPAN) return false;
  const between = count(cell, (v) => 4 * (v - low) > span && 4 * (v - low) < 3 * span);
  let steps = 0;
  for (let i = 0; i < cell.length; i++) {
    if (i >= CELL) steps += abs(cell[i] - cell[i - CELL]);
    if (i % CELL) steps += abs(cell[i] - cell[i - 1]);
  }
  return between >= MIN_BETWEEN && steps > MIN_VARIATION * span;
}
