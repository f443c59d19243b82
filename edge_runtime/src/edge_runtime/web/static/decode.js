/** From a file to pixels: PNG and TIFF here, JPEG, WebP, GIF and BMP by the browser. */

import { ImageError, checkSize, opaque, upright } from "./pixels.js";
import { decodePng } from "./png.js";
import { decodeTiff } from "./tiff.js";

/** @typedef {import("./numbers.js").Pixels} Pixels */

const STARTS = {
  png: ["\x89PNG\r\n\x1a\n"],
  jpeg: ["\xff\xd8\xff"],
  gif: ["GIF87a", "GIF89a"],
  bmp: ["BM"],
  tiff: ["II*\0", "MM\0*"],
};

/** What a file is by its first bytes, whatever its name; null if none of the formats read. */
export function formatOf(bytes) {
  const start = String.fromCharCode(...bytes.subarray(0, 12));
  if (start.startsWith("RIFF") && start.endsWith("WEBP")) return "webp";
  for (const [format, starts] of Object.entries(STARTS)) {
    if (starts.some((magic) => start.startsWith(magic))) return format;
  }
  return null;
}

/**
 * The pixels of an encoded image: upright, first frame only, transparency laid over a
 * contrasting ground.
 *
 * @param {Blob} file
 * @returns {Promise<Pixels>} throws ImageError, in plain words
 */
export async function decode(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (!bytes.length) throw new ImageError("The file is empty.", "empty");
  const format = formatOf(bytes);
  if (!format) {
    throw new ImageError("This is no PNG, JPEG, BMP, GIF, TIFF or WebP file.", "not_an_image");
  }
  if (format === "png" || format === "tiff") {
    return decodeHere(bytes, format);
  }
  const rgba = await decodeByBrowser(file);
  const { width, height } = rgba;
  const data = opaque(rgba.data);
  const size = { width, height, jpeg: format === "jpeg" };
  return isGrey(bytes, format)
    ? { data: data.filter((_, i) => i % 3 === 0), channels: 1, ...size }
    : { data, channels: 3, ...size };
}

/**
 * As decode, of the formats that need no browser.
 *
 * @param {Uint8Array} bytes
 * @param {"png" | "tiff"} format
 * @returns {Promise<Pixels>}
 */
export async function decodeHere(bytes, format) {
  const { orientation, ...pixels } = await (format === "png" ? decodePng : decodeTiff)(bytes);
  const { data, channels } = pixels;
  const seen = channels === 4 ? { ...pixels, data: opaque(data), channels: 3 } : pixels;
  return upright(seen, orientation);
}

/** @param {Blob} file @returns {Promise<ImageData>} */
async function decodeByBrowser(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, {
      colorSpaceConversion: "none",
      premultiplyAlpha: "none",
      imageOrientation: "from-image",
    });
  } catch {
    throw new ImageError("The file is damaged, or of a kind that this browser does not read.");
  }
  const { width, height } = bitmap;
  checkSize(width, height);
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, width, height);
}

/** Whether Python takes a file for grey, not for colours that happen to be grey. */
export function isGrey(bytes, format) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (format === "jpeg") return jpegComponents(view) === 1;
    if (format === "gif") return greyGif(bytes);
    return format === "bmp" && greyBmp(view);
  } catch {
    return false; // a header that ends too early; the pixels were read all the same
  }
}

function jpegComponents(view) {
  for (let at = 2; ; at += 2 + view.getUint16(at + 2)) {
    const marker = view.getUint16(at);
    const frame = marker >= 0xffc0 && marker <= 0xffcf;
    if (frame && ![0xffc4, 0xffc8, 0xffcc].includes(marker)) return view.getUint8(at + 9);
    if (marker < 0xff00) return 0;
  }
}

/** Grey is a GIF without a palette other than 0, 1, 2, ... and without transparency. */
function greyGif(bytes) {
  const size = (flags) => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);
  const plain = (start, end) =>
    bytes.subarray(start, end).every((value, i) => value === Math.floor(i / 3));
  let at = 13 + size(bytes[10]);
  const usual = plain(13, at);
  while (bytes[at] === 0x21) {
    if (bytes[at + 1] === 0xf9 && bytes[at + 3] & 1) return false; // transparency
    at += 2;
    while (bytes[at]) at += bytes[at] + 1;
    at++;
  }
  const own = size(bytes[at + 9]);
  return own ? plain(at + 10, at + 10 + own) : usual;
}

function greyBmp(view) {
  const [header, bits] = [view.getUint32(14, true), view.getUint16(28, true)];
  if (header < 40 || bits > 8) return false;
  const colours = view.getUint32(46, true) || 2 ** bits;
  for (let i = 0; i < colours; i++) {
    const value = colours === 2 ? 255 * i : i;
    for (let c = 0; c < 3; c++) {
      if (view.getUint8(14 + header + 4 * i + c) !== value) return false;
    }
  }
  return true;
}
