/** Ink levels of an image without noise: only a contrast stretch. See ink/clean.py. */

import { clip, count } from "./numbers.js";

/** @typedef {import("./numbers.js").Pixels} Pixels */

const { abs, floor, max, min } = Math;

export const ANALYSIS_SIDE = 128; // px, the longest side analysed
export const SMALL_SIDE = 48; // px, an image up to this side may be a digit's own crop
export const MIN_CONTRAST = 8; // grey levels, the faintest contrast believed
const MIN_BORDER_SHARE = 0.1; // of a small image's border that must be exactly background
const MIN_SPAN = 64; // grey levels from the darkest to the lightest pixel there, or else
const MIN_BACKGROUND_SHARE = 0.2; // of the pixels that must be exactly background

/**
 * Ink levels of a clean image; null for an image that is not clean.
 *
 * Clean: the border is one value, or a part of it in a small image, and no pixel is darker, or
 * none lighter, than that value. A colour image is clean if it is small and grey.
 *
 * @param {Pixels} pixels
 * @returns {Uint8Array | null}
 */
export function cleanLevels({ data, width, height, channels }) {
  if (channels === 3) {
    if (max(width, height) > SMALL_SIDE) return null;
    const grey = new Uint8Array(width * height);
    for (let i = 0; i < grey.length; i++) {
      grey[i] = data[3 * i];
      if (data[3 * i + 1] !== grey[i] || data[3 * i + 2] !== grey[i]) return null;
    }
    data = grey;
  }
  if (max(width, height) > ANALYSIS_SIDE) return null;
  const border = [...data.subarray(0, width), ...data.subarray(-width)];
  for (let y = 0; y < height; y++) border.push(data[y * width]);
  for (let y = 0; y < height; y++) border.push(data[y * width + width - 1]);
  const low = data.reduce((a, b) => min(a, b));
  const high = data.reduce((a, b) => max(a, b));
  let background = border[0];
  if (border.some((value) => value !== background)) {
    if (max(width, height) > SMALL_SIDE) return null;
    const corners = [data[0], data[width - 1], data.at(-width), data.at(-1)];
    background = backgroundBehindBorderInk([data, border, corners], low, high);
    const same = count(border, (value) => value === background);
    if (same < MIN_BORDER_SHARE * border.length) return null;
    const paper = count(data, (value) => value === background);
    if (high - low < MIN_SPAN && paper < MIN_BACKGROUND_SHARE * data.length) return null;
  }
  if (background !== low && background !== high) return null;
  const table = stretchTable(background, background === high ? low : high);
  return data.map((value) => table[value]);
}

/** The extreme that is the background: nearer to most of the pixels, border and corners. */
function backgroundBehindBorderInk(parts, low, high) {
  const half = (low + high + 1) >> 1;
  const shares = parts.reduce(
    (sum, part) => sum + count(part, (value) => value >= half) / part.length,
    0,
  );
  return shares > 1.5 ? high : low;
}

/** Grey level -> ink level, 0 at the background and 255 at full ink. */
function stretchTable(background, full) {
  const span = abs(full - background);
  const sign = full > background ? 1 : -1;
  if (span < MIN_CONTRAST) return new Uint8Array(256);
  return Uint8Array.from({ length: 256 }, (_, value) =>
    clip(floor((sign * (value - background) * 510 + span) / (2 * span)), 0, 255),
  );
}
