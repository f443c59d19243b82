/** The golden vectors, in this browser: the counterpart of `edge-runtime check`. */

import { decode } from "./decode.js";
import { prepare } from "./preprocess.js";
import { readingOf } from "./reading.js";

const PROBABILITY_TOLERANCE = 1e-3;

/**
 * @param {import("./model.js").Model} model
 * @returns {Promise<{image: string, about: string, label: string, tensorDifference: number | string,
 *   probabilityDifference: number | undefined, passed: boolean}[]>} one for each golden image
 */
export async function checkGolden(model) {
  const rows = [];
  for (const vector of await model.golden()) rows.push(await checked(model, vector));
  return rows;
}

async function checked(model, vector) {
  const { image, about } = vector;
  const manifest = { ...model.manifest, min_score: 0 }; // as the vectors were made
  const expected = Uint8Array.from(vector.tensor);
  const largest = (a, b) => a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
  let tensor;
  try {
    tensor = prepare(await decode(vector.file), manifest.input, manifest.preprocessing);
  } catch (error) {
    return { image, about, label: error.message, tensorDifference: "", passed: false };
  }
  const { label } = readingOf(tensor, await model.probabilities(tensor), manifest);
  const tensorDifference = largest(Array.from(tensor), expected);
  const probabilities = Array.from(await model.probabilities(expected));
  const probabilityDifference = largest(probabilities, vector.probabilities);
  const passed =
    label === vector.label &&
    tensorDifference <= vector.tensor_tolerance &&
    probabilityDifference <= PROBABILITY_TOLERANCE;
  return { image, about, label, tensorDifference, probabilityDifference, passed };
}
