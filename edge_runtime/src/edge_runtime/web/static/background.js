/** Estimates of a photo's background, and tools to take it away. See ink/background.py. */

import { clip, count, rint, solve, upperMedian } from "./numbers.js";
import { resample } from "./resize.js";

const { abs, floor, fround, max, min } = Math;

export const MAX_CONSTANT_SIDE = 24; // px, a side up to which the background is one constant
const REWEIGHTINGS = 4; // rounds of least squares
const SAMPLES = 16; // sampled rows and columns
const MIN_SCALE = 2; // grey levels, the least scale of the residuals in the weights
const MIN_WEIGHT = 0.1; // samples above it give that scale
const RIDGE = 1e-3; // penalty on slopes and curvatures, as a share of the number of samples
const RIDGE_CONSTANT = 1e-4; // penalty on the constant, in samples
const CELL = 12; // px, the cells of the local mean
const CELL_PRIOR = 0.15; // share of a cell added to its background pixels

/** The middles of `size` pixels, from -1 to 1. */
function span(size) {
  return Float32Array.from({ length: size }, (_, i) => fround(fround((2 * i + 1) / size) - 1));
}

/** At most SAMPLES places along a side. */
function sampled(size) {
  const places = Array.from({ length: SAMPLES }, (_, i) => rint((i * (size - 1)) / (SAMPLES - 1)));
  return [...new Set(places)];
}

/** The first `order` terms of a quadratic surface at a place. */
function terms(x, y, order) {
  return [1, x, y, fround(x * x), fround(x * y), fround(y * y)].slice(0, order);
}

/**
 * Differences of planes from a smooth background, fitted by iteratively reweighted least squares:
 * a quadratic surface, or from a mask of the background a plane; a constant in a small image.
 *
 * @param {Float32Array[]} planes
 * @param {Uint8Array | null} background
 * @returns {Float32Array[]}
 */
export function offSurface(planes, width, height, background) {
  const order = min(width, height) <= MAX_CONSTANT_SIDE ? 1 : background ? 3 : 6;
  const [across, down] = [span(width), span(height)];
  const points = sampled(height).flatMap((y) => sampled(width).map((x) => ({ x, y })));
  const at = points.map(({ x, y }) => terms(across[x], down[y], order));
  const index = points.map(({ x, y }) => y * width + x);
  let weight = index.map((i) => (background ? background[i] : 1));
  let surface = [];
  for (let round = 0; round < REWEIGHTINGS; round++) {
    const matrix = at[0].map((_, i) =>
      at[0].map((_, j) => {
        let sum = i !== j ? 0 : i ? fround(RIDGE * index.length) : fround(RIDGE_CONSTANT);
        for (let n = 0; n < at.length; n++) sum += at[n][i] * at[n][j] * weight[n];
        return sum;
      }),
    );
    const right = at[0].map((_, i) =>
      planes.map((plane) => index.reduce((sum, k, n) => sum + at[n][i] * weight[n] * plane[k], 0)),
    );
    surface = solve(matrix, right);
    const square = Float32Array.from(index, (k, n) =>
      planes.reduce((sum, plane, c) => {
        const off = plane[k] - at[n].reduce((level, term, i) => level + term * surface[i][c], 0);
        return sum + off * off;
      }, 0),
    );
    const believed = square.filter((_, n) => weight[n] > fround(MIN_WEIGHT));
    const scale = max(upperMedian(believed), MIN_SCALE ** 2);
    weight = Array.from(square, (value) => fround(1 / (1 + value / scale) ** 2));
  }
  return planes.map((plane, c) => {
    const off = new Float32Array(plane.length);
    const [one, right = 0, below = 0, xx = 0, xy = 0, yy = 0] = surface.map((row) => row[c]);
    for (let j = 0, i = 0; j < height; j++) {
      const y = down[j];
      const start = one + below * y + yy * fround(y * y);
      for (let k = 0; k < width; k++, i++) {
        const x = across[k];
        const slope = right * x + xx * fround(x * x) + xy * fround(x * y);
        off[i] = plane[i] - fround(start + slope);
      }
    }
    return off;
  });
}

/** The background's side of Otsu's threshold, as a mask. @param {Float32Array[]} planes */
export function otsuBackground(planes, width, height) {
  const grey = planes[0].map((_, i) =>
    fround(planes.reduce((sum, plane) => fround(sum + plane[i]), 0) / planes.length),
  );
  const counts = new Float64Array(256);
  for (const value of grey) counts[floor(value)]++;
  const total = counts.reduce((sum, n, value) => sum + n * value, 0);
  let [below, belowTotal, best, split] = [0, 0, -1, 0];
  for (let value = 0; value < 256; value++) {
    below += counts[value];
    belowTotal += counts[value] * value;
    const gap = belowTotal * grey.length - below * total;
    const between = gap ** 2 / max(below * (grey.length - below), 1);
    if (between > best) [best, split] = [between, value];
  }
  const bright = Uint8Array.from(grey, (value) => (value >= split + 1 ? 1 : 0));
  const sides = [0, 0, 0, 0];
  for (let x = 0; x < width; x++) {
    sides[0] += bright[x] / width;
    sides[1] += bright[(height - 1) * width + x] / width;
  }
  for (let y = 0; y < height; y++) {
    sides[2] += bright[y * width] / height;
    sides[3] += bright[(y + 1) * width - 1] / height;
  }
  const border = (sides[0] + sides[1] + sides[2] + sides[3]) / 4;
  const share = count(bright, (value) => value === 1) / bright.length;
  const side = 0.5 * border + share > 0.75 ? 1 : 0;
  return bright.map((value) => (value === side ? 1 : 0));
}

/** Erode, then dilate: erases what is bright and narrower than the window. */
export function opening(image, width, height, window) {
  return running(running(image, width, height, window, min), width, height, window, max);
}

/** Dilate, then erode: erases what is dark and narrower than the window. */
export function closing(image, width, height, window) {
  return running(running(image, width, height, window, max), width, height, window, min);
}

/** Running maximum or minimum over window x window, the border repeated outside, by doubling. */
function running(image, width, height, window, pick) {
  const half = window >> 1;
  let from = image;
  for (const [step, size, across, lines] of [
    [width, height, 1, width],
    [1, width, width, height],
  ]) {
    const to = new Int16Array(image.length);
    const line = new Int16Array(size + 2 * half);
    for (let n = 0; n < lines; n++) {
      for (let i = 0; i < line.length; i++) {
        line[i] = from[n * across + clip(i - half, 0, size - 1) * step];
      }
      let end = line.length;
      for (let span = 1; span < window; ) {
        const hop = min(span, window - span);
        end -= hop;
        for (let i = 0; i < end; i++) line[i] = pick(line[i], line[i + hop]);
        span += hop;
      }
      for (let i = 0; i < size; i++) to[n * across + i * step] = line[i];
    }
    from = to;
  }
  return from;
}

/** Subtract from differences their local mean over the pixels that differ by less than `limit`. */
export function subtractLocalMean(signed, limit, width, height) {
  const near = fround(limit);
  const background = signed.map((value) => (abs(value) < near ? 1 : 0));
  const [wide, high] = [Math.ceil(width / CELL), Math.ceil(height / CELL)];
  const image = (data) => ({ data, width, height, channels: 1 });
  const total = resample(image(background.map((p, i) => p * signed[i])), wide, high, "box").data;
  const share = resample(image(background), wide, high, "box").data;
  const grid = total.map((value, i) => value / fround(share[i] + fround(CELL_PRIOR)));
  const coarse = { data: grid, width: wide, height: high, channels: 1 };
  const local = resample(coarse, width, height, "bicubic").data;
  return signed.map((value, i) => value - local[i]);
}
