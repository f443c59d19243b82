/**
 * Resizing as Pillow does it, with its whole-number weights for 8-bit pixels, across before down.
 * Pillow 13 sometimes goes down first, which rounds a few pixels by one otherwise.
 */

import { clip } from "./numbers.js";

/** @typedef {import("./numbers.js").Pixels} Pixels */
/** @typedef {[number, number, number, number]} Box left, top, right, bottom */

const PRECISION = 2 ** 22; // of Pillow's whole-number weights

const FILTERS = {
  box: { support: 0.5, at: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: {
    support: 2,
    at: (x) => {
      const a = -0.5;
      x = Math.abs(x);
      if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
    },
  },
};

/**
 * Averages of factorX x factorY blocks; those at the right and bottom may be smaller.
 *
 * @param {Pixels} pixels
 * @param {number} factorX
 * @param {number} factorY
 * @param {Box} box whole numbers, the part that is reduced
 * @returns {Pixels}
 */
export function reduce(
  { data, width: stride, channels, height: rows },
  factorX,
  factorY = factorX,
  box = [0, 0, stride, rows],
) {
  const [left, top, right, bottom] = box;
  const width = Math.ceil((right - left) / factorX);
  const height = Math.ceil((bottom - top) / factorY);
  const reduced = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const y0 = top + y * factorY;
    const y1 = Math.min(bottom, y0 + factorY);
    for (let x = 0; x < width; x++) {
      const x0 = left + x * factorX;
      const x1 = Math.min(right, x0 + factorX);
      const area = (x1 - x0) * (y1 - y0);
      const multiplier = Math.floor(2 ** 24 / area);
      for (let c = 0; c < channels; c++) {
        let sum = area >> 1;
        for (let j = y0; j < y1; j++) {
          const end = (j * stride + x1) * channels + c;
          for (let i = (j * stride + x0) * channels + c; i < end; i += channels) sum += data[i];
        }
        reduced[(y * width + x) * channels + c] = Math.floor((sum * multiplier) / 2 ** 24);
      }
    }
  }
  return { data: reduced, width, height, channels };
}

/** Which input values make each output value, and their weights. */
function weightsAlong(size, from, to, outSize, { support, at }) {
  const scale = (to - from) / outSize;
  const spread = Math.max(scale, 1);
  const closer = 1 / spread;
  return Array.from({ length: outSize }, (_, place) => {
    const centre = from + (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support * spread + 0.5));
    const last = Math.min(size, Math.trunc(centre + support * spread + 0.5));
    const weights = [];
    for (let i = first; i < last; i++) weights.push(at((i - centre + 0.5) * closer));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return { first, weights: weights.map((weight) => weight / (total || 1)) };
  });
}

/** Resample (outer, size, inner) values along the middle axis. */
function along(data, outer, size, inner, weights, Kind) {
  const made = new Kind(outer * weights.length * inner);
  const whole = Kind === Uint8Array;
  weights.forEach(({ first, weights: shares }, place) => {
    const kernel = whole
      ? shares.map((share) => Math.trunc(share * PRECISION + (share < 0 ? -0.5 : 0.5)))
      : shares;
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        let sum = whole ? PRECISION / 2 : 0;
        let at = (o * size + first) * inner + i;
        for (let k = 0; k < kernel.length; k++, at += inner) sum += data[at] * kernel[k];
        const value = whole ? clip(Math.floor(sum / PRECISION), 0, 255) : sum;
        made[(o * weights.length + place) * inner + i] = value;
      }
    }
  });
  return made;
}

/**
 * Resample interleaved (height, width, channels) values, Uint8Array or Float32Array.
 *
 * @template {Uint8Array | Float32Array} T
 * @param {{data: T, width: number, height: number, channels: number}} image
 * @param {number} width of the result
 * @param {number} height of the result
 * @param {"box" | "bilinear" | "bicubic"} filter
 * @param {Box} box the part of the image that fills the result
 * @returns {{data: T, width: number, height: number, channels: number}}
 */
export function resample(image, width, height, filter, box = [0, 0, image.width, image.height]) {
  const { channels } = image;
  const Kind = /** @type {any} */ (image.data.constructor);
  let { data } = image;
  if (width !== image.width || box[0] !== 0 || box[2] !== image.width) {
    const weights = weightsAlong(image.width, box[0], box[2], width, FILTERS[filter]);
    data = along(data, image.height, image.width, channels, weights, Kind);
  }
  if (height !== image.height || box[1] !== 0 || box[3] !== image.height) {
    const weights = weightsAlong(image.height, box[1], box[3], height, FILTERS[filter]);
    data = along(data, 1, image.height, width * channels, weights, Kind);
  }
  return { data, width, height, channels };
}
