/**
 * Runs the page's modules outside a browser, for test_page_scripts.py.
 *
 * node page_scripts.mjs PAGE JOB.json OUT.bin: JOB is {decode: [files]} or {input, preprocessing,
 * data: file, images: [{offset, width, height, channels, jpeg}]}. The pixels or tensors are written to
 * OUT, one behind the other, their shapes (or errors) to standard output.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [page, job, out] = process.argv.slice(2);
const load = (name) => import(new URL(name, pathToFileURL(`${page}/`)));
const { decodeHere, formatOf } = await load("decode.js");
const { prepare } = await load("preprocess.js");

async function decoded(file) {
  const bytes = new Uint8Array(readFileSync(file));
  try {
    const { data, width, height, channels } = await decodeHere(bytes, formatOf(bytes));
    return { data, shape: channels === 1 ? [height, width] : [height, width, channels] };
  } catch (error) {
    return { data: new Uint8Array(), error: `${error.constructor.name}: ${error.message}` };
  }
}

function prepared({ input, preprocessing, data, images }) {
  const bytes = new Uint8Array(readFileSync(data));
  return images.map(({ offset, width, height, channels, jpeg }) => {
    const pixels = bytes.subarray(offset, offset + width * height * channels);
    const image = { data: pixels, width, height, channels, jpeg };
    const shape = [input.height, input.width, input.channels];
    return { data: prepare(image, input, preprocessing), shape };
  });
}

const work = JSON.parse(readFileSync(job, "utf-8"));
const results = work.decode ? await Promise.all(work.decode.map(decoded)) : prepared(work);
writeFileSync(out, Buffer.concat(results.map(({ data }) => data)));
console.log(JSON.stringify(results.map(({ shape, error }) => ({ shape, error }))));
