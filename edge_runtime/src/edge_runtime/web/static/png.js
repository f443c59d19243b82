/** PNG of every kind: a canvas would keep neither 16 bits nor colours under transparency. */

import { ImageError, checkSize, inflate } from "./pixels.js";
import { exifOrientation } from "./tiff.js";

const GREY = 0;
const RGB = 2;
const PALETTE = 3;
const GREY_ALPHA = 4;
const SAMPLES = { [GREY]: 1, [RGB]: 3, [PALETTE]: 1, [GREY_ALPHA]: 2, 6: 4 };
const DEPTHS = { [GREY]: [1, 2, 4, 8, 16], [RGB]: [8, 16], [PALETTE]: [1, 2, 4, 8] };

// Of Adam7: first column and row, steps across and down.
const PASSES = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

/**
 * Decode a PNG file; of 16 bits the upper 8 are kept.
 *
 * @param {Uint8Array} bytes
 * @returns {Promise<{data: Uint8Array, width: number, height: number, channels: 1 | 3 | 4,
 *   orientation: number}>} throws ImageError
 */
export async function decodePng(bytes) {
  const { header, palette, transparency, exif, packed } = readChunks(bytes);
  const { width, height, depth, type, interlaced } = header;
  checkSize(width, height);
  const samples = SAMPLES[type];
  if (!samples || !(DEPTHS[type] ?? [8, 16]).includes(depth) || (type === PALETTE && !palette)) {
    throw damaged();
  }
  const passes = (interlaced ? PASSES : [[0, 0, 1, 1]])
    .map(([left, top, right, down]) => ({
      ...{ left, top, right, down },
      width: Math.ceil((width - left) / right),
      height: Math.ceil((height - top) / down),
    }))
    .filter((pass) => pass.width > 0 && pass.height > 0);
  const lineBytes = (pass) => 1 + Math.ceil((pass.width * depth * samples) / 8);
  const total = passes.reduce((sum, pass) => sum + pass.height * lineBytes(pass), 0);
  const raw = await inflate(packed, total);
  const values = new Uint8Array(width * height * samples);
  let start = 0;
  for (const pass of passes) {
    const line = lineBytes(pass);
    const step = Math.max(1, (depth * samples) / 8);
    unfilter(raw.subarray(start, start + line * pass.height), line, step);
    for (let y = 0; y < pass.height; y++) {
      const row = raw.subarray(start + y * line + 1, start + (y + 1) * line);
      for (let i = 0; i < pass.width * samples; i++) {
        const x = pass.left + Math.floor(i / samples) * pass.right;
        const to = ((pass.top + y * pass.down) * width + x) * samples + (i % samples);
        values[to] = sample(row, i, depth);
      }
    }
    start += line * pass.height;
  }
  const pixels = colours(values, type, depth, palette, transparency);
  return { ...pixels, width, height, orientation: exif ? exifOrientation(exif) : 1 };
}

function damaged() {
  return new ImageError("The PNG file is damaged.");
}

function readChunks(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = { header: null, palette: null, transparency: null, exif: null, packed: null };
  const parts = [];
  for (let at = 8; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at);
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const data = bytes.subarray(at + 8, at + 8 + length);
    if (data.length < length) throw damaged();
    if (kind === "IHDR" && length >= 13) {
      const [width, height] = [view.getUint32(at + 8), view.getUint32(at + 12)];
      found.header = { width, height, depth: data[8], type: data[9], interlaced: data[12] === 1 };
    } else if (kind === "PLTE") found.palette = data;
    else if (kind === "tRNS") found.transparency = data;
    else if (kind === "eXIf") found.exif = data;
    else if (kind === "IDAT") parts.push(data);
    else if (kind === "IEND") break;
    at += 12 + length;
  }
  if (!found.header || !parts.length) throw damaged();
  found.packed = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((place, part) => (found.packed.set(part, place), place + part.length), 0);
  return found;
}

/** Undo the filter that each line's first byte names, in place. */
function unfilter(raw, line, step) {
  for (let start = 0; start < raw.length; start += line) {
    const filter = raw[start];
    for (let i = 1; i < line; i++) {
      const left = i > step ? raw[start + i - step] : 0;
      const up = start ? raw[start + i - line] : 0;
      const corner = start && i > step ? raw[start + i - line - step] : 0;
      if (filter === 1) raw[start + i] += left;
      else if (filter === 2) raw[start + i] += up;
      else if (filter === 3) raw[start + i] += (left + up) >> 1;
      else if (filter === 4) raw[start + i] += paeth(left, up, corner);
      else if (filter) throw damaged();
    }
  }
}

function paeth(left, up, corner) {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

/** The i-th sample of a line, of 16 bits the upper 8. */
function sample(row, i, depth) {
  if (depth === 8) return row[i];
  if (depth === 16) return row[2 * i];
  const bit = i * depth;
  return (row[bit >> 3] >> (8 - depth - (bit & 7))) & ((1 << depth) - 1);
}

/** Samples as grey, RGB or RGBA. */
function colours(values, type, depth, palette, transparency) {
  const spread = (channels, make) => {
    const data = new Uint8Array((values.length / SAMPLES[type]) * channels);
    for (let i = 0; i * channels < data.length; i++) data.set(make(i), i * channels);
    return { data, channels };
  };
  if (type === PALETTE) {
    const colour = (v) => [palette[3 * v], palette[3 * v + 1], palette[3 * v + 2]];
    if (!transparency) return spread(3, (i) => colour(values[i]));
    return spread(4, (i) => [...colour(values[i]), transparency[values[i]] ?? 255]);
  }
  if (type === GREY) {
    const scale = depth < 8 ? 255 / ((1 << depth) - 1) : 1;
    const data = scale === 1 ? values : values.map((value) => value * scale);
    if (!transparency || depth === 1 || depth === 16) return { data, channels: 1 };
    const clear = transparency[1];
    return spread(4, (i) => [data[i], data[i], data[i], data[i] === clear ? 0 : 255]);
  }
  if (type === GREY_ALPHA) {
    return spread(4, (i) => {
      const value = values[2 * i];
      return [value, value, value, values[2 * i + 1]];
    });
  }
  if (type !== RGB) return { data: values, channels: 4 };
  if (!transparency || depth === 16) return { data: values, channels: 3 };
  const clear = [transparency[1], transparency[3], transparency[5]];
  return spread(4, (i) => {
    const colour = values.subarray(3 * i, 3 * i + 3);
    return [...colour, colour.every((value, c) => value === clear[c]) ? 0 : 255];
  });
}
