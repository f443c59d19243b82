/** The connected components of the ink: which belong to the digit. See ink/components.py. */

const INK_THRESHOLD = 90; // of 255, the ink level above which a pixel counts as digit
const MIN_DIGIT_SIDE = 0.06; // of the frame's long side: a smaller main component is dust
const MIN_DIGIT_PIXELS = 3; // px, the same bound in small images
const MIN_STROKE_SIDE = 0.12; // of the main component's long side: smaller detached ones are dust
const MAX_GAP = 0.22; // of the main component's long side plus twice a detached stroke's
const MAX_COMPONENTS = 10; // with more, a main one with under a third of the ink is paper grain
const INNER_WEIGHT = 4; // times its area, for a component that does not touch the border
const SPANNING = 0.8; // of the image's width or height: right across it
const MAX_RULED_BREADTH = 0.08; // of the image's height or width: what is across and thinner
const MIN_BESIDE_RULED = 0.15; // of the frame's long side: the largest other component at least
const SOFT_EDGE = 2; // px around an erased component

/**
 * @typedef {[number, number, number, number]} Box left, top, right, bottom, the last two exclusive
 * @typedef {{row: number, start: number, stop: number, component: number}} Run
 * @typedef {{x0: number, y0: number, x1: number, y1: number, area: number}} Component
 */

/** The long side that a digit must have at least, in pixels. */
function leastDigitSide(width, height) {
  return Math.max(MIN_DIGIT_PIXELS, MIN_DIGIT_SIDE * Math.max(width, height));
}

/**
 * Find the digit in (height, width) ink levels, 0 = background to 255 = ink.
 *
 * @param {Uint8Array} level
 * @param {number} width
 * @param {number} height
 * @param {boolean} clean the levels have no noise: ink along the border is the digit's own
 * @returns {{level: Uint8Array, box: Box} | null} levels with the foreign components erased;
 *   null when there is nothing but dust
 */
export function digitBox(level, width, height, clean) {
  const mask = level.map((value) => (value > INK_THRESHOLD ? 1 : 0));
  const rows = new Uint8Array(height);
  const columns = new Uint8Array(width);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) if (mask[i]) rows[y] = columns[x] = 1;
  }
  const [y0, y1] = [rows.indexOf(1), rows.lastIndexOf(1) + 1];
  const [x0, x1] = [columns.indexOf(1), columns.lastIndexOf(1) + 1];
  if (Math.max(x1 - x0, y1 - y0) < leastDigitSide(width, height)) return null;
  const apart = rows.subarray(y0, y1).includes(0) || columns.subarray(x0, x1).includes(0);
  const touching = x0 === 0 || y0 === 0 || y1 === height || x1 === width;
  if (apart || (touching && !clean)) return selectComponents(level, mask, width, height, clean);
  return { level, box: [x0, y0, x1, y1] };
}

/**
 * Split a mask into runs and label their 8-connected components from 0.
 *
 * @returns {Run[]}
 */
export function labelRuns(mask, width, height) {
  /** @type {Run[]} */
  const runs = [];
  const root = [];
  const find = (i) => {
    while (root[i] !== i) i = root[i];
    return i;
  };
  let above = 0; // the first run of the row above
  for (let row = 0; row < height; row++) {
    const first = runs.length;
    for (let x = 0; x < width; x++) {
      if (!mask[row * width + x]) continue;
      const start = x;
      while (x < width && mask[row * width + x]) x++;
      root.push(runs.length);
      runs.push({ row, start, stop: x, component: 0 });
    }
    for (let i = first; i < runs.length; i++) {
      for (let j = above; j < first; j++) {
        if (runs[j].stop < runs[i].start || runs[j].start > runs[i].stop) continue;
        const [p, q] = [find(i), find(j)];
        root[Math.max(p, q)] = Math.min(p, q);
      }
    }
    above = first;
  }
  const number = new Map();
  runs.forEach((run, i) => {
    const top = find(i);
    if (!number.has(top)) number.set(top, number.size);
    run.component = number.get(top);
  });
  return runs;
}

/** @param {Run[]} runs @returns {Component[]} */
export function boxesAndAreas(runs) {
  const components = [];
  for (const { row, start, stop, component } of runs) {
    const p = (components[component] ??= { x0: Infinity, y0: Infinity, x1: 0, y1: 0, area: 0 });
    p.x0 = Math.min(p.x0, start);
    p.y0 = Math.min(p.y0, row);
    p.x1 = Math.max(p.x1, stop);
    p.y1 = Math.max(p.y1, row + 1);
    p.area += stop - start;
  }
  return components;
}

/** As digitBox: the main component, the strokes near it, and without foreign ones. */
function selectComponents(level, mask, width, height, clean) {
  const frame = Math.max(width, height);
  const runs = labelRuns(mask, width, height);
  const components = boxesAndAreas(runs);
  const side = components.map((p) => Math.max(p.x1 - p.x0, p.y1 - p.y0));
  const atBorder = components.map(
    (p) => p.x0 === 0 || p.y0 === 0 || p.x1 === width || p.y1 === height,
  );
  let ruled = components.map((p) => isRuledLine(p, width, height));
  const beside = side.some((size, i) => size >= MIN_BESIDE_RULED * frame && !ruled[i]);
  if (!beside) ruled = ruled.map(() => false);
  const weight = components.map((p, i) =>
    ruled[i] ? 0 : p.area * (atBorder[i] ? 1 : INNER_WEIGHT),
  );
  const main = weight.indexOf(Math.max(...weight));
  const size = side[main];
  const inner = components.reduce((sum, p, i) => sum + (atBorder[i] ? 0 : p.area), 0);
  const grain = components.length > MAX_COMPONENTS && 3 * components[main].area < inner;
  if (grain || size < leastDigitSide(width, height)) return null;
  const { x0, y0, x1, y1 } = components[main];
  const spans = x1 - x0 >= SPANNING * width || y1 - y0 >= SPANNING * height;
  const tightCrop = atBorder[main] && (clean || spans);
  const foreign = components.map((_, i) => i !== main && (ruled[i] || (atBorder[i] && !tightCrop)));
  let left = [...components.keys()].filter(
    (i) => side[i] >= MIN_STROKE_SIDE * size && !foreign[i] && i !== main,
  );
  /** @type {Box} */
  let box = [x0, y0, x1, y1];
  for (;;) {
    const near = left.filter((i) => {
      const p = components[i];
      const gap = Math.max(p.x0 - box[2], box[0] - p.x1, p.y0 - box[3], box[1] - p.y1);
      return gap <= MAX_GAP * (size + 2 * side[i]);
    });
    if (!near.length) break;
    for (const i of near) {
      const p = components[i];
      box = [
        Math.min(box[0], p.x0),
        Math.min(box[1], p.y0),
        Math.max(box[2], p.x1),
        Math.max(box[3], p.y1),
      ];
    }
    left = left.filter((i) => !near.includes(i));
  }
  const inside = components.map(
    (p, i) => foreign[i] && p.x0 < box[2] && p.x1 > box[0] && p.y0 < box[3] && p.y1 > box[1],
  );
  if (inside.includes(true)) level = erased(level, mask, width, height, runs, inside);
  return { level, box };
}

/** The levels with the foreign components and their soft edges set to 0. */
function erased(level, mask, width, height, runs, foreign) {
  const near = new Uint8Array(mask.length);
  const own = Uint8Array.from(mask);
  for (const { row, start, stop, component } of runs) {
    if (!foreign[component]) continue;
    own.fill(0, row * width + start, row * width + stop);
    const [left, right] = [Math.max(0, start - SOFT_EDGE), Math.min(width, stop + SOFT_EDGE)];
    for (let y = Math.max(0, row - SOFT_EDGE); y < Math.min(height, row + SOFT_EDGE + 1); y++) {
      near.fill(1, y * width + left, y * width + right);
    }
  }
  return level.map((value, i) => (near[i] && !own[i] ? 0 : value));
}

/** True for a component that looks like a ruled line or a printed frame: across, and thin. */
function isRuledLine({ x0, y0, x1, y1, area }, width, height) {
  const [wide, high] = [x1 - x0, y1 - y0];
  const [across, down] = [wide >= SPANNING * width, high >= SPANNING * height];
  const thin = [high < MAX_RULED_BREADTH * height, wide < MAX_RULED_BREADTH * width];
  const line = (across && thin[0]) || (down && thin[1]);
  return line || (across && down && area < MAX_RULED_BREADTH * height * width);
}
