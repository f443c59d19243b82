/**
 * Find the ink of one handwritten digit in an image.
 *
 * The modules find, clean, texture, background, photo, faint, strips, components and crop are a port
 * of edge_runtime/preprocessing/ink: the same names, steps and numbers, which are explained there;
 * float32 where NumPy has float32, so that both agree but for the order of long sums.
 */

import { ANALYSIS_SIDE, cleanLevels } from "./clean.js";
import { digitBox } from "./components.js";
import { faintLevels, isFaint, MAX_SIDE } from "./faint.js";
import { photoLevels } from "./photo.js";
import { reduce } from "./resize.js";
import { insideStrips, runsIntoStrip } from "./strips.js";
import { isTextured } from "./texture.js";

/**
 * @typedef {import("./numbers.js").Pixels} Pixels
 * @typedef {{data: Uint8Array, width: number, height: number, box: number[]}} Found
 *   ink, 0 = background to 255 = ink, and its left, top, right, bottom in the image
 */

const { floor, max, min } = Math;

const SHARP_SIDE = 40; // px, a digit with a shorter long side is searched again, enlarged
const SECOND_MARGIN = 0.3; // of the digit's long side, kept around it for the second search
const MAX_AVERAGED_SIDE = 1024; // px, larger images are thinned to about this side first

/**
 * The ink of one digit, or null for a blank image.
 *
 * @param {Pixels} pixels
 * @returns {Found | null}
 */
export function locateInk(pixels) {
  const { width, height } = pixels;
  const level = cleanLevels(pixels);
  if (level) {
    const part = digitBox(level, width, height, true);
    return part && crop(part, width, [0, 0, 1]);
  }
  if (max(width, height) <= MAX_SIDE) return searchInsideStrips(pixels);
  const { reduced, scale } = reducedImage(pixels);
  if (isTextured(reduced)) return null;
  const first = search(reduced, [0, 0, scale]);
  if (!first || max(first.width, first.height) >= SHARP_SIDE) return first;
  if (max(width, height) <= ANALYSIS_SIDE) return first;
  const [x0, y0, x1, y1] = first.box;
  const margin = SECOND_MARGIN * max(x1 - x0, y1 - y0);
  const [left, top] = [max(0, floor(x0 - margin)), max(0, floor(y0 - margin))];
  const [right, bottom] = [min(width, floor(x1 + margin) + 1), min(height, floor(y1 + margin) + 1)];
  const window = reducedImage(cut(pixels, left, top, right, bottom));
  return search(window.reduced, [left, top, window.scale]) ?? first;
}

/** Find the ink in a part of the image, whose left, top and scale in it are given. */
function search(pixels, place) {
  const { width, height } = pixels;
  const level = photoLevels(pixels);
  const part = level && digitBox(level, width, height, false);
  return part && crop(part, width, place);
}

/** Find the ink of a small photo, which may be faint. @param {Pixels} pixels */
function searchInsideStrips(pixels) {
  const { width, height } = pixels;
  const inside = insideStrips(pixels);
  const found = searchSmall(cut(pixels, ...inside), inside[0], inside[1]);
  const whole = [0, 0, width, height];
  if (!found || inside.every((at, i) => at === whole[i])) return found;
  return runsIntoStrip(pixels, inside, found.box) ? searchSmall(pixels, 0, 0) : found;
}

/** The same, the window of the image being given. */
function searchSmall(pixels, left, top) {
  const { width, height } = pixels;
  const level = isFaint(pixels) ? faintLevels(pixels) : photoLevels(pixels);
  const part = level && digitBox(level, width, height, false);
  return part && crop(part, width, [left, top, 1]);
}

/** The image at no more than ANALYSIS_SIDE px a side, and the factor by which it is smaller. */
function reducedImage(pixels) {
  const stride = max(1, floor(max(pixels.width, pixels.height) / MAX_AVERAGED_SIDE));
  const thin = stride > 1 ? thinned(pixels, stride) : pixels;
  const factor = Math.ceil(max(thin.width, thin.height) / ANALYSIS_SIDE);
  return { reduced: factor > 1 ? reduce(thin, factor) : thin, scale: stride * factor };
}

/** @param {Pixels} pixels @param {number} stride every so many-th pixel stays @returns {Pixels} */
function thinned({ data, width, height, channels }, stride) {
  const [wide, high] = [Math.ceil(width / stride), Math.ceil(height / stride)];
  const kept = new Uint8Array(wide * high * channels);
  for (let y = 0, to = 0; y < high; y++) {
    for (let x = 0; x < wide; x++) {
      const from = (y * width + x) * stride * channels;
      for (let c = 0; c < channels; c++) kept[to++] = data[from + c];
    }
  }
  return { data: kept, width: wide, height: high, channels };
}

/** @param {Pixels} pixels @returns {Pixels} the window of them */
function cut({ data, width, channels }, left, top, right, bottom) {
  const wide = (right - left) * channels;
  const kept = new Uint8Array(wide * (bottom - top));
  for (let y = top; y < bottom; y++) {
    const from = (y * width + left) * channels;
    kept.set(data.subarray(from, from + wide), (y - top) * wide);
  }
  return { data: kept, width: right - left, height: bottom - top, channels };
}

/** The box of the levels, which have this left, top and scale in the image. @returns {Found} */
function crop({ level, box: [x0, y0, x1, y1] }, width, [left, top, scale]) {
  const { data } = cut({ data: level, width, height: 0, channels: 1 }, x0, y0, x1, y1);
  const box = [left + x0 * scale, top + y0 * scale, left + x1 * scale, top + y1 * scale];
  return { data, width: x1 - x0, height: y1 - y0, box };
}
