/** Ink levels of small photos with ink hardly stronger than the noise. See ink/faint.py. */

import { MAX_CONSTANT_SIDE, offSurface } from "./background.js";
import { boxesAndAreas, labelRuns } from "./components.js";
import { clip, ranked, upperMedian } from "./numbers.js";

/** @typedef {import("./numbers.js").Pixels} Pixels */

const { abs, floor, fround, max, min, sqrt } = Math;

export const MAX_SIDE = 72; // px: strokes in a larger image have several pixels
const LUMA = [0.299, 0.587, 0.114].map(fround); // weights of red, green and blue in grey
const CONTRAST_SHARE = 0.005; // of the pixels: the darkest and the lightest, for the contrast
const MAX_CONTRAST = 40; // standard deviations of the noise: with more the ink is not faint
const CLEAR_CONTRAST = 80; // grey levels: with more the ink is not faint either
const MIN_NOISE = 1; // grey levels
const GAUSSIAN_MEDIAN = 0.6745; // of absolute normal noise, in standard deviations
const LAPLACIAN_GAIN = 6; // standard deviation of white noise's Laplacian, in the noise's own
const MIN_RISE = 2; // standard deviations of the smoothed noise: stronger pixels may be ink
const MIN_PEAK = 4.5; // the same, for the strongest pixel of the most significant component
const MIN_SIGNIFICANCE = 16; // sum over its pixels, in standard deviations of such a sum
const MIN_STROKE_SIGNIFICANCE = 8; // the same for other components
const MAX_BORDER_BREADTH = 0.2; // of the height or width: no broader along the border is no ink
const FULL_INK_QUANTILE = 0.9; // of the ink, what becomes 255
const SOFT_DEVIATIONS = 4; // standard deviations of the smoothed noise, the soft threshold
const MAX_THRESHOLD = 0.3; // of full ink, the most that the soft threshold may reach

/** True for a small photo with little contrast for its noise. @param {Pixels} pixels */
export function isFaint(pixels) {
  const { width, height } = pixels;
  if (min(width, height) <= MAX_CONSTANT_SIDE || max(width, height) > MAX_SIDE) return false;
  const values = grey(pixels);
  const sorted = Float32Array.from(values).sort();
  const [few, middle] = [floor(CONTRAST_SHARE * sorted.length), sorted[sorted.length >> 1]];
  const contrast = max(middle - sorted[few], sorted.at(-1 - few) - middle);
  if (contrast >= CLEAR_CONTRAST) return false;
  return contrast < MAX_CONTRAST * max(noiseDeviation(values, width, height), MIN_NOISE);
}

/** The standard deviation of the noise in grey levels, by the median of the Laplacian. */
function noiseDeviation(values, width, height) {
  const laplacian = new Float32Array((width - 2) * (height - 2));
  const across = (i) => fround(fround(values[i - 1] - 2 * values[i]) + values[i + 1]);
  for (let y = 1, to = 0; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      const i = y * width + x;
      const above = fround(across(i - width) - 2 * across(i));
      laplacian[to++] = abs(fround(above + across(i + width)));
    }
  }
  return upperMedian(laplacian) / (GAUSSIAN_MEDIAN * LAPLACIAN_GAIN);
}

/**
 * Ink levels of a small photo, 255 as full ink; null where nothing stands out of the noise.
 *
 * @param {Pixels} pixels
 * @returns {Uint8Array | null}
 */
export function faintLevels(pixels) {
  const { width, height } = pixels;
  const [off] = offSurface([grey(pixels)], width, height, null);
  let signed = smoothed(off, width, height);
  const usual = upperMedian(signed);
  signed = signed.map((value) => value - usual);
  if (signed.reduce((sum, v) => sum + v * v * v, 0) < 0) signed = signed.map((value) => -value);
  const noise = max(upperMedian(signed.map(abs)) / GAUSSIAN_MEDIAN, MIN_NOISE);
  if (signed.every((value) => value < MIN_PEAK * noise)) return null;
  const enough = fround(MIN_RISE * noise);
  const mask = Uint8Array.from(signed, (value) => (value > enough ? 1 : 0));
  const runs = labelRuns(mask, width, height);
  const components = boxesAndAreas(runs).map((box) => ({ ...box, sum: 0, peak: 0 }));
  for (const { row, start, stop, component } of runs) {
    const found = components[component];
    for (const value of signed.subarray(row * width + start, row * width + stop)) {
      found.sum += value;
      found.peak = max(found.peak, value);
    }
  }
  const significance = components.map((component) =>
    alongBorder(component, width, height) ? 0 : component.sum / (noise * sqrt(component.area)),
  );
  const main = significance.indexOf(max(...significance));
  if (significance[main] < MIN_SIGNIFICANCE) return null;
  if (components[main].peak < MIN_PEAK * noise) return null;
  mask.fill(0);
  for (const { row, start, stop, component } of runs) {
    if (significance[component] < MIN_STROKE_SIGNIFICANCE) continue;
    mask.fill(1, row * width + start, row * width + stop);
  }
  const ink = signed.filter((_, i) => mask[i]);
  const full = ranked(ink, floor(FULL_INK_QUANTILE * ink.length));
  const [scale, near] = [fround(1 / full), widened(mask, width, height)];
  const half = fround(min(MAX_THRESHOLD, (SOFT_DEVIATIONS * noise) / full) / 2);
  return Uint8Array.from(signed, (value, i) => {
    if (!near[i]) return 0;
    const share = clip(fround(value * scale), 0, 1);
    const factor = clip(fround(fround(share - half) / half), 0, 1);
    return fround(fround(fround(share * factor) * 255) + 0.5);
  });
}

/** True for a component along the border that reaches inwards no farther than a strip. */
function alongBorder({ x0, y0, x1, y1 }, width, height) {
  const low = (y0 === 0 || y1 === height) && y1 - y0 <= MAX_BORDER_BREADTH * height;
  return low || ((x0 === 0 || x1 === width) && x1 - x0 <= MAX_BORDER_BREADTH * width);
}

/** @param {Pixels} pixels */
function grey({ data, width, height, channels }) {
  if (channels === 1) return Float32Array.from(data);
  return Float32Array.from({ length: width * height }, (_, i) =>
    LUMA.reduce((sum, weight, c) => sum + weight * data[3 * i + c], 0),
  );
}

/** Smoothed by the binomial weights 1, 2, 1 down and across. */
function smoothed(values, width, height) {
  const across = values.map((value, i) => {
    const before = i % width ? values[i - 1] : value;
    const after = (i + 1) % width ? values[i + 1] : value;
    return fround(before + 2 * value) + after;
  });
  return across.map((value, i) => {
    const above = i < width ? value : across[i - width];
    const below = i + width < across.length ? across[i + width] : value;
    return fround(fround(above + 2 * value) + below) / 16;
  });
}

/** The mask with the neighbours of its pixels. */
function widened(mask, width, height) {
  const wide = new Uint8Array(mask.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!mask[y * width + x]) continue;
      for (let j = max(0, y - 1); j < min(height, y + 2); j++) {
        wide.fill(1, j * width + max(0, x - 1), j * width + min(width, x + 2));
      }
    }
  }
  return wide;
}
