/** What every decoder's pixels go through: transparency, orientation, limits. */

import { reduce } from "./resize.js";

/** @typedef {import("./numbers.js").Pixels} Pixels */

/** Width times height above which an image is refused. */
export const MAX_PIXELS = 64_000_000;

// px, a JPEG is read at a fraction of its size, both sides at least this, where no manifest says more
const DRAFT_SIDE = 200;

/** An image that cannot be read, in plain words; `status` is that of `edge-runtime predict`. */
export class ImageError extends Error {
  /** @param {string} message @param {string} [status] */
  constructor(message, status = "corrupt") {
    super(message);
    this.status = status;
  }
}

/** Refuse what is too large before it is decoded. @param {number} width @param {number} height */
export function checkSize(width, height) {
  if (!width || !height) throw new ImageError("The file is damaged: it has no width or height.");
  if (width * height <= MAX_PIXELS) return;
  const most = `${MAX_PIXELS / 1e6} million pixels`;
  const message = `The image is too large: ${width}×${height}, at most ${most} are read.`;
  throw new ImageError(message, "too_large");
}

/**
 * Lay a transparent image over white, or over black where its opaque pixels are light.
 *
 * @param {Uint8Array | Uint8ClampedArray} rgba (height, width, 4), alpha not multiplied in
 * @returns {Uint8Array} (height, width, 3)
 */
export function opaque(rgba) {
  let [total, weight, transparent] = [0, 0, false];
  for (let i = 0; i < rgba.length; i += 4) {
    const alpha = rgba[i + 3];
    weight += 3 * alpha;
    total += (rgba[i] + rgba[i + 1] + rgba[i + 2]) * alpha;
    transparent ||= alpha < 255;
  }
  const ground = transparent && total > 127 * weight ? 0 : 255;
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let i = 0, to = 0; i < rgba.length; i += 4) {
    const alpha = rgba[i + 3];
    const under = ground * (255 - alpha) + 127;
    for (let c = 0; c < 3; c++) rgb[to++] = (rgba[i + c] * alpha + under) / 255;
  }
  return rgb;
}

/**
 * Turn pixels as an EXIF orientation says, 1 to 8; any other leaves them.
 *
 * @param {Pixels} pixels
 * @param {number} orientation
 * @returns {Pixels}
 */
export function upright(pixels, orientation) {
  if (!(orientation >= 2 && orientation <= 8)) return pixels;
  const { data, width, height, channels } = pixels;
  const turned = orientation >= 5; // rows become columns
  const fromRight = [2, 3, 7, 8].includes(orientation);
  const fromBottom = [3, 4, 6, 7].includes(orientation);
  const [wide, high] = turned ? [height, width] : [width, height];
  const made = new Uint8Array(data.length);
  for (let y = 0, to = 0; y < high; y++) {
    for (let x = 0; x < wide; x++) {
      const [column, row] = turned ? [y, x] : [x, y];
      const fromX = fromRight ? width - 1 - column : column;
      const fromY = fromBottom ? height - 1 - row : row;
      const from = (fromY * width + fromX) * channels;
      for (let c = 0; c < channels; c++) made[to++] = data[from + c];
    }
  }
  return { data: made, width: wide, height: high, channels };
}

/**
 * A JPEG at the fraction of its size at which Python decodes it; other pixels as they are.
 *
 * @param {Pixels} pixels
 * @param {{width: number, height: number}} [input] of the manifest
 * @param {{kind: string, oversampling?: number}} [preprocessing] of the manifest
 * @returns {Pixels}
 */
export function drafted(pixels, input, preprocessing) {
  if (!pixels.jpeg) return pixels;
  const { width, height } = pixels;
  const room = Math.min(roomFor(width, height, input, preprocessing), width, height);
  const factor = [8, 4, 2].find((fraction) => room >= fraction);
  return factor ? reduce(pixels, factor) : pixels;
}

/** How many times smaller a JPEG may be decoded. */
function roomFor(width, height, input, { kind, oversampling } = {}) {
  const [short, long] = [Math.min(width, height), Math.max(width, height)];
  if (!oversampling) return short / DRAFT_SIDE;
  const least = Math.min(input.width, input.height) * oversampling;
  const most = Math.max(input.width, input.height) * oversampling;
  return kind === "fit" ? Math.max(short / least, long / most) : short / most;
}

/**
 * Decompress zlib data of which the length is known.
 *
 * @param {Uint8Array} data
 * @param {number} length
 * @returns {Promise<Uint8Array>} throws ImageError if it is damaged or shorter
 */
export async function inflate(data, length) {
  const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate"));
  const reader = stream.getReader();
  const made = new Uint8Array(length);
  let place = 0;
  try {
    while (place < length) {
      const { done, value } = await reader.read();
      if (done) break;
      made.set(value.subarray(0, length - place), place);
      place += value.length;
    }
    await reader.cancel();
  } catch {
    place = 0;
  }
  if (place < length) throw new ImageError("The file is damaged: its pixels cannot be unpacked.");
  return made;
}
