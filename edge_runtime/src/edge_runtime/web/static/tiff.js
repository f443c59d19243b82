/** TIFF, which browsers do not decode: the plain kinds, and the tags that EXIF shares with it. */

import { ImageError, checkSize, inflate } from "./pixels.js";

const WIDTH = 256;
const HEIGHT = 257;
const BITS = 258;
const COMPRESSION = 259;
const PHOTOMETRIC = 262;
const STRIPS = 273;
const ORIENTATION = 274;
const SAMPLES = 277;
const STRIP_ROWS = 278;
const STRIP_BYTES = 279;
const PLANAR = 284;
const PREDICTOR = 317;

const NONE = 1;
const DEFLATE = [8, 32946];
const SIZES = { 1: 1, 3: 2, 4: 4 }; // bytes, of the types of whole numbers

/**
 * The whole-number tags of the first directory.
 *
 * @param {Uint8Array} bytes of a TIFF file, or of EXIF from its byte order on
 * @returns {Map<number, number[]>} throws RangeError if they lie outside the bytes
 */
function readTags(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = view.getUint16(0) === 0x4949;
  const read = { 1: "getUint8", 3: "getUint16", 4: "getUint32" };
  const directory = view.getUint32(4, little);
  const tags = new Map();
  for (let i = 0; i < view.getUint16(directory, little); i++) {
    const entry = directory + 2 + 12 * i;
    const [tag, type] = [view.getUint16(entry, little), view.getUint16(entry + 2, little)];
    const size = SIZES[type];
    const count = view.getUint32(entry + 4, little);
    if (!size || count * size > bytes.length) continue;
    const start = count * size <= 4 ? entry + 8 : view.getUint32(entry + 8, little);
    const values = Array.from({ length: count }, (_, k) =>
      view[read[type]](start + k * size, little),
    );
    tags.set(tag, values);
  }
  return tags;
}

/** The orientation that EXIF data asks for, 1 if it is damaged. @param {Uint8Array} exif */
export function exifOrientation(exif) {
  try {
    return readTags(exif).get(ORIENTATION)?.[0] ?? 1;
  } catch {
    return 1;
  }
}

/**
 * Decode a TIFF file in strips: 1, 8 or 16-bit grey or 8-bit RGB, not compressed or by deflate.
 *
 * @param {Uint8Array} bytes
 * @returns {Promise<import("./numbers.js").Pixels & {orientation: number}>} throws ImageError
 */
export async function decodeTiff(bytes) {
  let tags;
  try {
    tags = readTags(bytes);
  } catch {
    throw new ImageError("The TIFF file is damaged.");
  }
  const first = (tag, otherwise) => tags.get(tag)?.[0] ?? otherwise;
  const [width, height] = [first(WIDTH, 0), first(HEIGHT, 0)];
  checkSize(width, height);
  const [bits, channels, photometric] = [first(BITS, 1), first(SAMPLES, 1), first(PHOTOMETRIC, 1)];
  const compression = first(COMPRESSION, NONE);
  const grey = channels === 1 && photometric <= 1 && [1, 8, 16].includes(bits);
  const colour = channels === 3 && photometric === 2 && bits === 8 && first(PLANAR, 1) === 1;
  const packed = compression === NONE || DEFLATE.includes(compression);
  if (!(grey || colour) || !packed || first(PREDICTOR, 1) !== 1 || !tags.has(STRIPS)) {
    throw new ImageError(
      "This kind of TIFF is not read in the browser, where TIFF is only read plain: grey or RGB" +
        " in strips, not compressed or by deflate. edge-runtime predict reads it.",
      "unreadable",
    );
  }
  const line = Math.ceil((width * bits * channels) / 8);
  const raw = await strips(bytes, tags, line, height, compression);
  const inverted = photometric === 0 && bits < 16 ? 255 : 0;
  const data = new Uint8Array(width * height * channels);
  const upper = bits === 16 && bytes[0] === 0x49 ? 1 : 0; // where the upper byte stands
  for (let y = 0, to = 0; y < height; y++) {
    for (let i = 0; i < width * channels; i++) {
      const value =
        bits === 1
          ? ((raw[y * line + (i >> 3)] >> (7 - (i & 7))) & 1) * 255
          : raw[y * line + i * (bits / 8) + upper];
      data[to++] = value ^ inverted;
    }
  }
  return { data, width, height, channels, orientation: first(ORIENTATION, 1) };
}

/** The unpacked strips, one behind the other. */
async function strips(bytes, tags, line, height, compression) {
  const raw = new Uint8Array(line * height);
  const rows = Math.min(height, tags.get(STRIP_ROWS)?.[0] ?? height);
  const sizes = tags.get(STRIP_BYTES) ?? [raw.length];
  for (const [i, start] of tags.get(STRIPS).entries()) {
    const place = i * rows * line;
    const length = Math.min(rows * line, raw.length - place);
    const strip = bytes.subarray(start, start + sizes[i]);
    const part = compression === NONE ? strip.subarray(0, length) : await inflate(strip, length);
    if (length <= 0 || part.length < length) throw new ImageError("The TIFF file is damaged.");
    raw.set(part, place);
  }
  return raw;
}
