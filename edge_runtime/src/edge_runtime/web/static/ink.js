/**
 * Find the ink of one handwritten digit in an image: polarity, ground and levels.
 *
 * The same steps and numbers as edge_runtime/ink.py, where they are explained; float32 where
 * NumPy has float32, so that both agree but for the order of long sums.
 */

import { clip, count, middle, ranked, rint, solve } from "./numbers.js";
import { digitBox } from "./pieces.js";
import { reduce, resample } from "./resize.js";

/**
 * @typedef {import("./numbers.js").Pixels} Pixels
 * @typedef {{data: Uint8Array, width: number, height: number, box: number[]}} Found
 *   ink, 0 = ground to 255 = ink, and its left, top, right, bottom in the image
 * @typedef {{signed: Float32Array, level: number, spread: number}} Reading
 *   differences from one idea of the ground (ink positive), the ink's level in grey levels, and
 *   the spread of the rest relative to it
 */

const { abs, floor, fround, max, min, sqrt } = Math;

const WORK = 128; // px, longest side analysed
const CLEAN = 48; // px, images up to this side may have ink all along the border and be "clean"
const TIGHT = 0.1; // of the border that must be exactly ground when ink lies along it
const SHARP = 40; // px, a digit lower than this is cropped again from the full-resolution pixels
const MARGIN = 0.3; // of the digit's long side, the ground kept around it for that second look
const STRIDE = 1024; // px, larger images are thinned to about this side before they are averaged
const STEP = 8; // grey levels, the faintest contrast believed
const NOISE_KNEE = 3; // noise deviations below which ink is exactly 0
const SEPARATE = 2.2; // ink level over the opposite-side level: 1 for noise or grain
const POOR_FIT = 0.12; // ground spread over ink level above which a second reading is tried
const LOOSE_FIT = 0.16; // the same, above which no reading is believed
const CROWDED = 0.35; // share of ink above which a second reading is tried too
const STROKE = 0.3; // of the long side, the broadest stroke looked for among shadows
const BROAD = 0.4; // of the long side, ink this broad that runs off the image is a shadow
const CRISP = 0.12; // of the ink's level, its least step between pixels if it runs off the image
const ROUNDS = 4; // of reweighting in the ground fit
const EVEN = 0.04; // ground spread over ink level below which no local levelling is needed
const SAMPLES = 16; // points along each side at which the ground surface is fitted

/**
 * The ink of one digit, or null for a blank image.
 *
 * @param {Pixels} pixels
 * @returns {Found | null}
 */
export function locateInk(pixels) {
  const { width, height } = pixels;
  const level = cleanLevels(pixels);
  if (level) {
    const part = digitBox(level, width, height, true);
    return part && cropped(part, width, [0, 0, 1]);
  }
  const first = look(pixels, 0, 0);
  if (!first || max(first.width, first.height) >= SHARP || max(width, height) <= WORK) return first;
  const [x0, y0, x1, y1] = first.box;
  const pad = MARGIN * max(x1 - x0, y1 - y0);
  const [left, top] = [max(0, floor(x0 - pad)), max(0, floor(y0 - pad))];
  const [right, bottom] = [min(width, floor(x1 + pad) + 1), min(height, floor(y1 + pad) + 1)];
  return look(cut(pixels, left, top, right, bottom), left, top) ?? first;
}

/** Find the ink in a window of the image whose top left pixel is at this corner. */
function look(pixels, left, top) {
  const { work, scale } = shrunk(pixels);
  const level = photoLevels(work);
  const part = level && digitBox(level, work.width, work.height, false);
  return part && cropped(part, work.width, [left, top, scale]);
}

/**
 * Ink levels of a noiseless image, only stretched: its border is one value, or (when small) a
 * good part of it is, and that value is the image's darkest or lightest. Null if not so.
 */
function cleanLevels({ data, width, height, channels }) {
  if (channels === 3) {
    if (max(width, height) > CLEAN) return null;
    const grey = new Uint8Array(width * height);
    for (let i = 0; i < grey.length; i++) {
      grey[i] = data[3 * i];
      if (data[3 * i + 1] !== grey[i] || data[3 * i + 2] !== grey[i]) return null;
    }
    data = grey;
  }
  if (max(width, height) > WORK) return null;
  const ring = [...data.subarray(0, width), ...data.subarray(-width)];
  for (let y = 0; y < height; y++) ring.push(data[y * width]);
  for (let y = 0; y < height; y++) ring.push(data[y * width + width - 1]);
  const low = data.reduce((a, b) => min(a, b));
  const high = data.reduce((a, b) => max(a, b));
  let ground = ring[0];
  if (ring.some((value) => value !== ground)) {
    if (max(width, height) > CLEAN) return null;
    const corners = [data[0], data[width - 1], data.at(-width), data.at(-1)];
    ground = tightGround([data, ring, corners], low, high);
    if (count(ring, (value) => value === ground) < TIGHT * ring.length) return null;
  }
  if (ground !== low && ground !== high) return null;
  const table = stretchTable(ground, ground === high ? low : high);
  return data.map((value) => table[value]);
}

/** Which extreme is the ground: the one nearer to most of the pixels, border and corners. */
function tightGround(parts, low, high) {
  const half = (low + high + 1) >> 1;
  const shares = parts.reduce(
    (sum, part) => sum + count(part, (value) => value >= half) / part.length,
    0,
  );
  return shares > 1.5 ? high : low;
}

/** Grey level -> ink, 0 at the ground and 255 at full ink. */
function stretchTable(ground, full) {
  const span = abs(full - ground);
  const sign = full > ground ? 1 : -1;
  return Uint8Array.from({ length: 256 }, (_, value) =>
    span < STEP ? 0 : clip(floor((sign * (value - ground) * 510 + span) / (2 * span)), 0, 255),
  );
}

/** At most WORK px a side, and how many of the image's pixels one of them spans. */
function shrunk(pixels) {
  const stride = max(1, floor(max(pixels.width, pixels.height) / STRIDE));
  const thin = stride > 1 ? thinned(pixels, stride) : pixels;
  const factor = Math.ceil(max(thin.width, thin.height) / WORK);
  return { work: factor > 1 ? reduce(thin, factor) : thin, scale: stride * factor };
}

/** @param {Pixels} pixels @param {number} stride every so many-th pixel stays @returns {Pixels} */
function thinned({ data, width, height, channels }, stride) {
  const [wide, high] = [Math.ceil(width / stride), Math.ceil(height / stride)];
  const kept = new Uint8Array(wide * high * channels);
  for (let y = 0, to = 0; y < high; y++) {
    for (let x = 0; x < wide; x++) {
      const from = (y * width + x) * stride * channels;
      for (let c = 0; c < channels; c++) kept[to++] = data[from + c];
    }
  }
  return { data: kept, width: wide, height: high, channels };
}

/** @param {Pixels} pixels @returns {Pixels} the window of them */
function cut({ data, width, channels }, left, top, right, bottom) {
  const wide = (right - left) * channels;
  const kept = new Uint8Array(wide * (bottom - top));
  for (let y = top; y < bottom; y++) {
    const from = (y * width + left) * channels;
    kept.set(data.subarray(from, from + wide), (y - top) * wide);
  }
  return { data: kept, width: right - left, height: bottom - top, channels };
}

/** -1 to 1 across `size` pixels, their middles. */
function span(size) {
  return Float32Array.from({ length: size }, (_, i) => fround(fround((2 * i + 1) / size) - 1));
}

/** About SAMPLES places along a side. */
function sampled(size) {
  const places = Array.from({ length: SAMPLES }, (_, i) => rint((i * (size - 1)) / (SAMPLES - 1)));
  return [...new Set(places)];
}

/** Quadratic terms of a place. */
function terms(x, y, order) {
  return [1, x, y, fround(x * x), fround(x * y), fround(y * y)].slice(0, order);
}

/**
 * Differences of planes from a robust ground: a quadratic in which outliers (the ink) lose their
 * weight; or, from a mask of likely ground, a plane through that (a constant if tiny).
 *
 * @param {Float32Array[]} planes
 * @param {Uint8Array | null} ground
 * @returns {Float32Array[]}
 */
function offSurface(planes, width, height, ground) {
  const order = min(width, height) <= CLEAN >> 1 ? 1 : ground ? 3 : 6;
  const [across, down] = [span(width), span(height)];
  const points = sampled(height).flatMap((y) => sampled(width).map((x) => ({ x, y })));
  const at = points.map(({ x, y }) => terms(across[x], down[y], order));
  const index = points.map(({ x, y }) => y * width + x);
  let weight = index.map((i) => (ground ? ground[i] : 1));
  let surface = [];
  for (let round = 0; round < ROUNDS; round++) {
    const matrix = at[0].map((_, i) =>
      at[0].map((_, j) => {
        let sum = i !== j ? 0 : i ? fround(1e-3 * index.length) : fround(1e-4);
        for (let n = 0; n < at.length; n++) sum += at[n][i] * at[n][j] * weight[n];
        return sum;
      }),
    );
    const right = at[0].map((_, i) =>
      planes.map((plane) => index.reduce((sum, k, n) => sum + at[n][i] * weight[n] * plane[k], 0)),
    );
    surface = solve(matrix, right);
    const square = Float32Array.from(index, (k, n) =>
      planes.reduce((sum, plane, c) => {
        const off = plane[k] - at[n].reduce((level, term, i) => level + term * surface[i][c], 0);
        return sum + off * off;
      }, 0),
    );
    const some = max(middle(square.filter((_, n) => weight[n] > fround(0.1))), 4);
    weight = Array.from(square, (value) => fround(1 / (1 + value / some) ** 2));
  }
  return planes.map((plane, c) => {
    const off = new Float32Array(plane.length);
    const [one, right = 0, below = 0, xx = 0, xy = 0, yy = 0] = surface.map((row) => row[c]);
    for (let j = 0, i = 0; j < height; j++) {
      const y = down[j];
      const start = one + below * y + yy * fround(y * y);
      for (let k = 0; k < width; k++, i++) {
        const x = across[k];
        const slope = right * x + xx * fround(x * x) + xy * fround(x * y);
        off[i] = plane[i] - fround(start + slope);
      }
    }
    return off;
  });
}

/** The side of Otsu's split that holds more of the image and of its border, as a mask. */
function likelyGround(planes, width, height) {
  const grey = planes[0].map((_, i) =>
    fround(planes.reduce((sum, plane) => fround(sum + plane[i]), 0) / planes.length),
  );
  const counts = new Float64Array(256);
  for (const value of grey) counts[floor(value)]++;
  const total = counts.reduce((sum, n, value) => sum + n * value, 0);
  let [below, belowTotal, best, split] = [0, 0, -1, 0];
  for (let value = 0; value < 256; value++) {
    below += counts[value];
    belowTotal += counts[value] * value;
    const gap = belowTotal * grey.length - below * total;
    const parted = gap ** 2 / max(below * (grey.length - below), 1);
    if (parted > best) [best, split] = [parted, value];
  }
  const bright = Uint8Array.from(grey, (value) => (value >= split + 1 ? 1 : 0));
  const sides = [0, 0, 0, 0];
  for (let x = 0; x < width; x++) {
    sides[0] += bright[x] / width;
    sides[1] += bright[(height - 1) * width + x] / width;
  }
  for (let y = 0; y < height; y++) {
    sides[2] += bright[y * width] / height;
    sides[3] += bright[(y + 1) * width - 1] / height;
  }
  const edge = (sides[0] + sides[1] + sides[2] + sides[3]) / 4;
  const share = count(bright, (value) => value === 1) / bright.length;
  const side = 0.5 * edge + share > 0.75 ? 1 : 0;
  return bright.map((value) => (value === side ? 1 : 0));
}

/** Differences along the ink's colour, ink positive. @param {Float32Array[]} off */
function alongInk(off) {
  const towards = (line) => line.reduce((sum, v) => sum + v * v * v, 0) < 0;
  if (off.length === 1) return towards(off[0]) ? off[0].map((v) => -v) : off[0];
  const moment = off.map(() => off.map(() => 0));
  for (let i = 0; i < off[0].length; i++) {
    const square = off.reduce((sum, plane) => sum + plane[i] * plane[i], 0);
    for (let a = 0; a < off.length; a++) {
      for (let b = 0; b < off.length; b++) moment[a][b] += off[a][i] * square * off[b][i];
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
  const line = off[0].map((_, i) => off.reduce((sum, plane, a) => sum + axis[a] * plane[i], 0));
  return towards(line) ? line.map((v) => -v) : line;
}

/** Typical size of the large positive values, however few: sum x^4 / sum x^3. */
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

/** Take away what is left of the ground locally: means on a coarse grid, outliers left out. */
function levelGround(signed, level, width, height) {
  const near = fround(0.4 * level);
  const paper = signed.map((value) => (abs(value) < near ? 1 : 0));
  const [wide, high] = [Math.ceil(width / 12), Math.ceil(height / 12)];
  const image = (data) => ({ data, width, height, channels: 1 });
  const total = resample(image(paper.map((p, i) => p * signed[i])), wide, high, "box").data;
  const share = resample(image(paper), wide, high, "box").data;
  const grid = total.map((value, i) => value / fround(share[i] + fround(0.15)));
  const coarse = { data: grid, width: wide, height: high, channels: 1 };
  const local = resample(coarse, width, height, "bicubic").data;
  return signed.map((value, i) => value - local[i]);
}

/** Judge differences from a ground. @param {Float32Array} signed @returns {Reading} */
function judged(signed) {
  const level = meanLevel(signed);
  const near = fround(0.4 * level);
  let [power, paper] = [0, 0];
  for (const value of signed) {
    if (value >= near) continue;
    paper++;
    power += value * value;
  }
  return { signed, level, spread: sqrt(fround(power) / max(paper, 1)) / max(level, 1) };
}

/** Running maximum or minimum over window x window, clipped at the borders, by doubling. */
function extreme(image, width, height, window, pick) {
  const half = window >> 1;
  let from = image;
  for (const [step, size, across, lines] of [
    [width, height, 1, width],
    [1, width, width, height],
  ]) {
    const to = new Int16Array(image.length);
    const line = new Int16Array(size + 2 * half);
    for (let n = 0; n < lines; n++) {
      for (let i = 0; i < line.length; i++) {
        line[i] = from[n * across + clip(i - half, 0, size - 1) * step];
      }
      let end = line.length;
      for (let span = 1; span < window; ) {
        const hop = min(span, window - span);
        end -= hop;
        for (let i = 0; i < end; i++) line[i] = pick(line[i], line[i + hop]);
        span += hop;
      }
      for (let i = 0; i < size; i++) to[n * across + i * step] = line[i];
    }
    from = to;
  }
  return from;
}

/**
 * Strokes as what an opening removes, which follows shadow edges; or what a closing removes, if
 * that has clearly more contrast (less may be holes).
 */
function thinReading(signed, width, height) {
  const grey = Int16Array.from(signed, (value) => rint(4 * value));
  const window = max(3, floor(STROKE * max(width, height)) | 1);
  const [light, dark] = [
    [min, max],
    [max, min],
  ].map(([first, second]) => {
    const eaten = extreme(grey, width, height, window, first);
    const ground = extreme(eaten, width, height, window, second);
    const gap = Float32Array.from(ground, (value, i) => abs(value - grey[i]) / 4);
    const usual = middle(gap.filter((_, i) => i % 3 === 0));
    return judged(gap.map((value) => value - usual));
  });
  return dark.level > 1.5 * light.level ? dark : light;
}

/** How many of the image's four sides are touched by ink over this share of its level. */
function sides({ signed, level }, width, height, share) {
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

/** Ink running off the image must have crisp edges and no great breadth, or it is a shadow. */
function likeStrokes(found, width, height, anywhere = false) {
  if (!anywhere && sides(found, width, height, 0.4) === 0) return true;
  const { signed, level } = found;
  const enough = fround(0.4 * level);
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
  const broad = 2.5 * area > BROAD * max(width, height) * outline;
  return !broad && steps > CRISP * level * outline;
}

/**
 * The ground as a smooth surface; if that fits badly, as a flat half of the tones (tight crops),
 * or as whatever is broader than a stroke (shadows).
 *
 * @param {Float32Array[]} planes
 * @returns {Reading | null}
 */
function bestReading(planes, width, height) {
  const smooth = judged(alongInk(offSurface(planes, width, height, null)));
  let found = smooth;
  const inked = fround(0.4 * found.level);
  const crowded = count(found.signed, (value) => value > inked) > CROWDED * height * width;
  if (found.spread < POOR_FIT && !crowded) return likeStrokes(found, width, height) ? found : null;
  const likely = likelyGround(planes, width, height);
  const split = judged(alongInk(offSurface(planes, width, height, likely)));
  if (found.spread < min(POOR_FIT, 1.4 * split.spread) && likeStrokes(found, width, height)) {
    return found;
  }
  if (split.spread < found.spread && likeStrokes(split, width, height)) {
    found = split;
    const touched = sides(split, width, height, 0.4);
    if (split.spread < (touched === 4 ? POOR_FIT : touched === 3 ? 0.5 * POOR_FIT : 0)) return split;
  }
  if (min(width, height) <= CLEAN >> 1) return found;
  const thin = thinReading(smooth.signed, width, height);
  if (thin.spread < found.spread) found = thin;
  const sure = found.spread < LOOSE_FIT && likeStrokes(found, width, height, true);
  const clear = found.level > 1.2 * smooth.level || sides(found, width, height, 0.7) < 2;
  return sure && clear ? found : null;
}

/** Ink levels of pixels with uneven, noisy ground; null if blank. @param {Pixels} work */
function photoLevels({ data, width, height, channels }) {
  const planes = Array.from({ length: channels }, () => new Float32Array(width * height));
  for (let i = 0; i < data.length; i++) planes[i % channels][(i / channels) | 0] = data[i];
  const found = bestReading(planes, width, height);
  if (!found) return null;
  let { signed, level } = found;
  if (found.spread > EVEN && min(width, height) > CLEAN) {
    signed = levelGround(signed, level, width, height);
    level = meanLevel(signed);
  }
  const faint = level < STEP * channels ** 0.5;
  if (faint || level < SEPARATE * meanLevel(signed.map((value) => -value))) return null;
  const strong = signed.filter((value) => value > fround(0.5 * level));
  const full = ranked(strong, floor(0.8 * strong.length));
  const noise = middle(
    signed.filter((value, i) => i % 3 === 0 && value < 0).map((value) => -value),
  );
  const knee = min(0.3, (NOISE_KNEE * 1.5 * noise) / full);
  const [start, length] = [fround(knee / 2), fround(knee / 2 + 1e-6)];
  const table = Uint8Array.from({ length: 256 }, (_, value) => {
    const share = fround(value / 255);
    const soft = clip(fround(fround(share - start) / length), 0, 1);
    return fround(fround(fround(share * soft) * 255) + 0.5);
  });
  const scale = fround(255 / full);
  return Uint8Array.from(signed, (value) => table[floor(clip(fround(value * scale), 0, 255))]);
}

/** @returns {Found} */
function cropped({ level, box: [x0, y0, x1, y1] }, width, [left, top, scale]) {
  const { data } = cut({ data: level, width, height: 0, channels: 1 }, x0, y0, x1, y1);
  const box = [left + x0 * scale, top + y0 * scale, left + x1 * scale, top + y1 * scale];
  return { data, width: x1 - x0, height: y1 - y0, box };
}
