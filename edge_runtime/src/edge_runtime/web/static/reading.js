/** What probabilities say. */

/** The label of a blank image, and of a reading below the minimum score. */
export const UNKNOWN = "unknown";

/**
 * @typedef {{label: string, score: number, best: number}} Reading
 *   `best` is the index of the likeliest label, -1 for a blank image; `score` is 0 to 1
 */

/**
 * The reading of one image, as `edge-runtime predict --min-score` gives it.
 *
 * @param {Uint8Array} tensor what the model saw
 * @param {Float32Array} probabilities one for each label
 * @param {{labels: string[], min_score: number, preprocessing: {kind: string}}} manifest
 * @returns {Reading}
 */
export function readingOf(tensor, probabilities, manifest) {
  if (manifest.preprocessing.kind === "ink" && tensor.every((value) => value === 0)) {
    return { label: UNKNOWN, score: 0, best: -1 };
  }
  const score = Math.max(...probabilities);
  const best = probabilities.indexOf(score);
  return { label: score < manifest.min_score ? UNKNOWN : manifest.labels[best], score, best };
}
