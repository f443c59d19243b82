/**
 * Strips along the border of a small photo that are no paper: a table's edge, a shadow, a frame.
 * See ink/strips.py.
 */

import { ranked, upperMedian } from "./numbers.js";

/**
 * @typedef {import("./numbers.js").Pixels} Pixels
 * @typedef {import("./components.js").Box} Box
 */

const { abs, floor, max, min, sign } = Math;

const MAX_STRIP = 0.2; // of the image's height or width, the broadest strip
const MIN_STEP = 12; // grey levels between strip and paper
const SPAN = 0.6; // share of the outermost line that is the strip
const EDGE = 2; // px, over which a strip's edge has half of its step
const MAX_REST = 0.25; // share of a line that may be the strip's where the paper begins
const PAPER_LINES = 3; // the innermost lines, whose median is the paper's level
const STRONG_QUANTILE = 0.9; // of the pixels in the ink's box: the strength of the ink
const ALIKE = 0.8; // of the strip's strength: stronger ink may be of the same pen

/** The image in one channel, and its lines from each side, the outermost first. */
function seen({ data, width, height, channels }) {
  const grey = Float32Array.from({ length: width * height }, (_, i) =>
    channels === 1 ? data[i] : data[3 * i + 1],
  );
  const row = (y) => grey.subarray(y * width, (y + 1) * width);
  const column = (x) => Float32Array.from({ length: height }, (_, y) => grey[y * width + x]);
  const sides = [
    { line: column, size: width },
    { line: row, size: height },
    { line: (i) => column(width - 1 - i), size: width },
    { line: (i) => row(height - 1 - i), size: height },
  ];
  return { grey, sides };
}

/** The part inside the strips along the border. @param {Pixels} pixels @returns {Box} */
export function insideStrips(pixels) {
  const { width, height } = pixels;
  const { grey, sides } = seen(pixels);
  const usual = upperMedian(grey);
  const [left, top, right, bottom] = sides.map(({ line, size }) =>
    strip(
      Array.from({ length: floor(MAX_STRIP * size) + 1 }, (_, i) => line(i)),
      usual,
    ),
  );
  return [left, top, width - right, height - bottom];
}

/** How many lines, the outermost first, are a strip's; `usual` is the median of the image. */
function strip(lines, usual) {
  if (lines.length <= PAPER_LINES) return 0;
  const innermost = lines.slice(-PAPER_LINES).flatMap((line) => [...line]);
  const paper = upperMedian(Float32Array.from(innermost));
  const outermost = upperMedian(lines[0]);
  const step = outermost - paper;
  const towards = sign(step);
  if (abs(step) < MIN_STEP) return 0;
  if ((outermost - usual) * towards < max(MIN_STEP, abs(step) / 2)) return 0;
  const off = lines.map((line) => line.map((value) => (value - paper) * towards));
  const half = abs(step) / 2;
  const share = off.map((line) => line.filter((value) => value > half).length / line.length);
  const middle = off.map(upperMedian);
  const jump = max(...middle.slice(EDGE).map((value, i) => middle[i] - value));
  if (share[0] < SPAN || jump < half) return 0;
  const begins = share.findIndex((part) => part < MAX_REST);
  return begins < 0 ? 0 : min(begins + 1, lines.length - 1); // the next line is blurred
}

/**
 * True if ink touches a strip and is about as strong: then both are a digit's.
 *
 * @param {Pixels} pixels
 * @param {Box} inside what `insideStrips` left
 * @param {number[]} ink the box of the ink there
 */
export function runsIntoStrip(pixels, inside, ink) {
  const { width, height } = pixels;
  const { grey, sides } = seen(pixels);
  const values = ([left, top, right, bottom]) => {
    const rows = [];
    for (let y = top; y < bottom; y++) {
      rows.push(...grey.subarray(y * width + left, y * width + right));
    }
    return Float32Array.from(rows);
  };
  const whole = [0, 0, width, height];
  const paper = upperMedian(values(inside));
  const off = values(ink).map((value) => abs(value - paper));
  const strength = ranked(off, floor(STRONG_QUANTILE * off.length));
  return sides.some(({ line }, i) => {
    const touched = ink[i] === inside[i] && inside[i] !== whole[i];
    return touched && strength > ALIKE * abs(upperMedian(line(0)) - paper);
  });
}
