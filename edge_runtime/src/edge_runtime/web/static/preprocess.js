/** From decoded pixels to the model's input tensor, by the manifest's parameters. */

import { fitInk } from "./crop.js";
import { locateInk } from "./find.js";
import { clip, rint } from "./numbers.js";
import { drafted } from "./pixels.js";
import { reduce, resample } from "./resize.js";

/**
 * @typedef {import("./numbers.js").Pixels} Pixels
 * @typedef {{height: number, width: number, channels: 1 | 3}} InputSpec of the manifest
 * @typedef {{kind: string, [parameter: string]: any}} Preprocessing of the manifest
 */

/** The kinds of preprocessing that this page knows. */
export const KINDS = ["ink", "fit", "crop", "stretch"];

/**
 * What the model is to see of an image.
 *
 * @param {Pixels} pixels
 * @param {InputSpec} spec
 * @param {Preprocessing} preprocessing
 * @returns {Uint8Array} (height, width, channels); with `ink`, all zeros for a blank image
 */
export function prepare(pixels, spec, preprocessing) {
  pixels = drafted(pixels, spec, preprocessing);
  if (preprocessing.kind === "ink") {
    const found = locateInk(pixels);
    const size = spec.width * spec.height;
    return found ? fitInk(found, spec.height, preprocessing) : new Uint8Array(size);
  }
  return placed(spec.channels === 1 ? grey(pixels) : coloured(pixels), spec, preprocessing);
}

/** @param {Pixels} pixels @returns {Pixels} */
function grey(pixels) {
  if (pixels.channels === 1) return pixels;
  const data = new Uint8Array(pixels.width * pixels.height);
  for (let i = 0, from = 0; i < data.length; i++, from += 3) {
    const [red, green, blue] = pixels.data.subarray(from, from + 3);
    data[i] = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
  }
  return { ...pixels, data, channels: 1 };
}

/** @param {Pixels} pixels @returns {Pixels} */
function coloured(pixels) {
  if (pixels.channels === 3) return pixels;
  const data = new Uint8Array(pixels.data.length * 3);
  pixels.data.forEach((value, i) => data.fill(value, 3 * i, 3 * i + 3));
  return { ...pixels, data, channels: 3 };
}

/** The whole image at the input's size, by `fit`, `crop` or `stretch`. */
function placed(image, { width, height, channels }, { kind, fill = 0 }) {
  let box = [0, 0, image.width, image.height];
  let [wide, high] = [width, height];
  if (kind === "crop") {
    const scale = Math.min(image.width / width, image.height / height);
    const [left, top] = [(image.width - width * scale) / 2, (image.height - height * scale) / 2];
    box = [left, top, left + width * scale, top + height * scale];
  } else if (kind === "fit") {
    const scale = Math.min(width / image.width, height / image.height);
    wide = Math.max(1, rint(image.width * scale));
    high = Math.max(1, rint(image.height * scale));
  }
  const { data } = gently(image, wide, high, image.width >= wide ? "box" : "bilinear", box);
  if (wide === width && high === height) return data;
  const canvas = new Uint8Array(width * height * channels).fill(fill);
  const left = Math.floor((width - wide) / 2);
  const top = Math.floor((height - high) / 2);
  for (let y = 0; y < high; y++) {
    const row = data.subarray(y * wide * channels, (y + 1) * wide * channels);
    canvas.set(row, ((top + y) * width + left) * channels);
  }
  return canvas;
}

/** Resample in two steps if the image is much larger, as Pillow does with reducing_gap=3. */
function gently(image, width, height, filter, box) {
  const scaleX = (box[2] - box[0]) / width;
  const scaleY = (box[3] - box[1]) / height;
  const factorX = Math.floor(scaleX / 3) || 1;
  const factorY = Math.floor(scaleY / 3) || 1;
  if (factorX === 1 && factorY === 1) return resample(image, width, height, filter, box);
  const beside = filter === "box" ? 0 : 0.5;
  const part = [
    clip(Math.trunc(box[0] - beside * scaleX), 0, image.width),
    clip(Math.trunc(box[1] - beside * scaleY), 0, image.height),
    clip(Math.ceil(box[2] + beside * scaleX), 0, image.width),
    clip(Math.ceil(box[3] + beside * scaleY), 0, image.height),
  ];
  const inside = [
    (box[0] - part[0]) / factorX,
    (box[1] - part[1]) / factorY,
    (box[2] - part[0]) / factorX,
    (box[3] - part[1]) / factorY,
  ];
  return resample(reduce(image, factorX, factorY, part), width, height, filter, inside);
}
