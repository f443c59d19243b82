/**
 * Ink levels in a photo: three hypotheses of its background, and the one that leaves least. See
 * ink/photo.py.
 */

import {
  closing,
  MAX_CONSTANT_SIDE,
  offSurface,
  opening,
  otsuBackground,
  subtractLocalMean,
} from "./background.js";
import { MIN_CONTRAST, SMALL_SIDE } from "./clean.js";
import { clip, count, ranked, rint, upperMedian } from "./numbers.js";

/**
 * @typedef {import("./numbers.js").Pixels} Pixels
 * @typedef {{signed: Float32Array, level: number, residual: number}} Hypothesis
 *   differences from an estimate of the background (ink positive), the ink's level in grey levels,
 *   and the RMS of the pixels that are not ink, over the level
 */

const { abs, floor, fround, max, min, sqrt } = Math;

const INK_SHARE = 0.4; // of the ink's level: pixels above are ink, below background
const STRONG_INK_SHARE = 0.7; // of the ink's level: ink beyond doubt
const GOOD_RESIDUAL = 0.12; // a hypothesis that leaves less is taken at once
const MAX_RESIDUAL = 0.16; // a hypothesis that leaves more is not believed
const MAX_INK_SHARE = 0.35; // of the pixels: with more, the surface may have followed the ink
const OTSU_ADVANTAGE = 1.4; // smooth stays while it leaves less than this many times Otsu's
const MAX_STROKE = 0.3; // of the long side: the window of the top-hat
const BLACK_ADVANTAGE = 1.5; // level of the black top-hat over the white one's, to be taken
const TOP_HAT_SCALE = 4; // steps in a grey level
const MAX_BREADTH = 0.4; // of the long side, ink this broad that runs off the image is a shadow
const MIN_EDGE_STEP = 0.12; // of the ink's level, the mean step across its outline
const TOP_HAT_GAIN = 1.2; // over the smooth level, of ink that runs off two sides
const EVEN_RESIDUAL = 0.04; // below it no local levelling is needed
const MIN_ASYMMETRY = 2.2; // level of the ink over that of the opposite side
const FULL_INK_SHARE = 0.5; // of the ink's level: what is above is strong ink
const FULL_INK_QUANTILE = 0.8; // of strong ink, what becomes 255
const NOISE_DEVIATIONS = 3; // standard deviations of noise, the soft threshold
const SIGMA_PER_MEDIAN = 1.5; // standard deviation over the median absolute deviation
const MAX_THRESHOLD = 0.3; // of full ink, the most that the soft threshold may reach

/** The background is a robust quadratic surface. */
function smoothHypothesis(planes, width, height) {
  return scored(alongInkColour(offSurface(planes, width, height, null)));
}

/** The background is a plane through one side of Otsu's threshold. */
function otsuHypothesis(planes, width, height) {
  const background = otsuBackground(planes, width, height);
  return scored(alongInkColour(offSurface(planes, width, height, background)));
}

/**
 * The background is what an opening of the differences keeps, and the ink the white top-hat; or the
 * black one, where the ink's polarity was misjudged and that is clearly stronger.
 */
function topHatHypothesis(signed, width, height) {
  const grey = Int16Array.from(signed, (value) => rint(TOP_HAT_SCALE * value));
  const window = max(3, floor(MAX_STROKE * max(width, height)) | 1);
  const [white, black] = [opening, closing].map((morphology) => {
    const background = morphology(grey, width, height, window);
    const topHat = Float32Array.from(background, (v, i) => abs(v - grey[i]) / TOP_HAT_SCALE);
    const usual = upperMedian(topHat.filter((_, i) => i % 3 === 0));
    return scored(topHat.map((value) => value - usual));
  });
  return black.level > BLACK_ADVANTAGE * white.level ? black : white;
}

/**
 * The hypothesis of the background that fits best, or null if none is believed. The smooth one is
 * taken at once where it fits well.
 *
 * @param {Float32Array[]} planes
 * @returns {Hypothesis | null}
 */
function chooseHypothesis(planes, width, height) {
  const smooth = smoothHypothesis(planes, width, height);
  let best = smooth;
  const inked = fround(INK_SHARE * smooth.level);
  const crowded = count(smooth.signed, (value) => value > inked) > MAX_INK_SHARE * height * width;
  if (smooth.residual < GOOD_RESIDUAL && !crowded) {
    return noShadow(smooth, width, height) ? smooth : null;
  }
  const otsu = otsuHypothesis(planes, width, height);
  const limit = min(GOOD_RESIDUAL, OTSU_ADVANTAGE * otsu.residual);
  if (smooth.residual < limit && noShadow(smooth, width, height)) return smooth;
  if (otsu.residual < smooth.residual && noShadow(otsu, width, height)) {
    best = otsu;
    const sides = sidesWithInk(otsu, width, height, INK_SHARE);
    const tightLimit = sides === 4 ? GOOD_RESIDUAL : sides === 3 ? 0.5 * GOOD_RESIDUAL : 0;
    if (otsu.residual < tightLimit) return otsu;
  }
  if (min(width, height) <= MAX_CONSTANT_SIDE) return best;
  const topHat = topHatHypothesis(smooth.signed, width, height);
  if (topHat.residual < best.residual) best = topHat;
  const sure = best.residual < MAX_RESIDUAL && likeStrokes(best, width, height);
  const clear =
    best.level > TOP_HAT_GAIN * smooth.level ||
    sidesWithInk(best, width, height, STRONG_INK_SHARE) < 2;
  return sure && clear ? best : null;
}

/**
 * Ink levels of a photo, 255 as full ink; null for an image without ink.
 *
 * @param {Pixels} pixels
 * @returns {Uint8Array | null}
 */
export function photoLevels({ data, width, height, channels }) {
  const planes = Array.from({ length: channels }, () => new Float32Array(width * height));
  for (let i = 0; i < data.length; i++) planes[i % channels][(i / channels) | 0] = data[i];
  const found = chooseHypothesis(planes, width, height);
  if (!found) return null;
  let { signed, level } = found;
  if (found.residual > EVEN_RESIDUAL && min(width, height) > SMALL_SIDE) {
    signed = subtractLocalMean(signed, INK_SHARE * level, width, height);
    level = meanLevel(signed);
  }
  const faint = level < MIN_CONTRAST * channels ** 0.5;
  if (faint || level < MIN_ASYMMETRY * meanLevel(signed.map((value) => -value))) return null;
  return softThreshold(signed, level);
}

/** Scale differences to ink levels and press noise to 0. */
function softThreshold(signed, level) {
  const strong = signed.filter((value) => value > fround(FULL_INK_SHARE * level));
  const full = ranked(strong, floor(FULL_INK_QUANTILE * strong.length));
  const median = upperMedian(
    signed.filter((value, i) => i % 3 === 0 && value < 0).map((value) => -value),
  );
  const threshold = min(MAX_THRESHOLD, (NOISE_DEVIATIONS * SIGMA_PER_MEDIAN * median) / full);
  const [start, length] = [fround(threshold / 2), fround(threshold / 2 + 1e-6)];
  const table = Uint8Array.from({ length: 256 }, (_, value) => {
    const share = fround(value / 255);
    const factor = clip(fround(fround(share - start) / length), 0, 1);
    return fround(fround(fround(share * factor) * 255) + 0.5);
  });
  const scale = fround(255 / full);
  return Uint8Array.from(signed, (value) => table[floor(clip(fround(value * scale), 0, 255))]);
}

/** Differences projected on the ink's colour (their principal axis), ink positive. */
function alongInkColour(difference) {
  const towards = (line) => line.reduce((sum, v) => sum + v * v * v, 0) < 0;
  const [first] = difference;
  if (difference.length === 1) return towards(first) ? first.map((v) => -v) : first;
  const moment = difference.map(() => difference.map(() => 0));
  for (let i = 0; i < difference[0].length; i++) {
    const square = difference.reduce((sum, plane) => sum + plane[i] * plane[i], 0);
    for (let a = 0; a < difference.length; a++) {
      for (let b = 0; b < difference.length; b++) {
        moment[a][b] += difference[a][i] * square * difference[b][i];
      }
    }
  }
  const diagonal = moment.map((row, a) => row[a]);
  const largest = diagonal.indexOf(max(...diagonal));
  let axis = moment.map((row) => row[largest]);
  for (let round = 0; round < 4; round++) {
    const size = max(...axis.map(abs), 1e-6);
    axis = moment.map((row) => row.reduce((sum, m, b) => sum + m * (axis[b] / size), 0));
  }
  const length = max(sqrt(axis.reduce((sum, v) => sum + v * v, 0)), 1e-6);
  axis = axis.map((v) => fround(v / length));
  const line = first.map((_, i) =>
    difference.reduce((sum, plane, a) => sum + axis[a] * plane[i], 0),
  );
  return towards(line) ? line.map((v) => -v) : line;
}

/** Typical size of the large positive values, however few: the Lehmer mean of order 4. */
function meanLevel(signed) {
  let [third, fourth] = [0, 0];
  for (const value of signed) {
    if (value <= 0) continue;
    const square = value * value;
    third += square * value;
    fourth += square * square;
  }
  return fround(fourth) / max(fround(third), 1e-3);
}

/** The hypothesis with these differences. @param {Float32Array} signed @returns {Hypothesis} */
function scored(signed) {
  const level = meanLevel(signed);
  const near = fround(INK_SHARE * level);
  let [power, background] = [0, 0];
  for (const value of signed) {
    if (value >= near) continue;
    background++;
    power += value * value;
  }
  return { signed, level, residual: sqrt(fround(power) / max(background, 1)) / max(level, 1) };
}

/** How many of the image's four sides are touched by ink over this share of its level. */
function sidesWithInk({ signed, level }, width, height, share) {
  const enough = fround(share * level);
  const touched = [false, false, false, false];
  for (let x = 0; x < width; x++) {
    touched[0] ||= signed[x] > enough;
    touched[1] ||= signed[(height - 1) * width + x] > enough;
  }
  for (let y = 0; y < height; y++) {
    touched[2] ||= signed[y * width] > enough;
    touched[3] ||= signed[(y + 1) * width - 1] > enough;
  }
  return touched.filter(Boolean).length;
}

/** True unless the ink runs off the image and does not look like strokes. */
function noShadow(found, width, height) {
  return sidesWithInk(found, width, height, INK_SHARE) === 0 || likeStrokes(found, width, height);
}

/** True if the ink has crisp edges and no great breadth, as strokes have and shadows have not. */
function likeStrokes(found, width, height) {
  const { signed, level } = found;
  const enough = fround(INK_SHARE * level);
  let [area, outline, steps] = [0, 0, 0];
  const compare = (i, j) => {
    if (signed[i] > enough === signed[j] > enough) return;
    outline++;
    steps += abs(signed[i] - signed[j]);
  };
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (signed[i] > enough) area++;
      if (x) compare(i, i - 1);
      if (y) compare(i, i - width);
    }
  }
  const broad = 2.5 * area > MAX_BREADTH * max(width, height) * outline;
  return !broad && steps > MIN_EDGE_STEP * level * outline;
}
