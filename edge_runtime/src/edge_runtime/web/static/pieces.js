/** The connected pieces of a mask: which are the digit, which are dust, lines and neighbours. */

const EDGE = 90; // of 255, ink that counts as digit
const MIN_EXTENT = 0.06; // of the frame's long side: smaller marks are dust
const SPECK = 0.12; // of the digit's long side: detached marks smaller than this are dust
const REACH = 0.22; // of the main piece's long side plus twice a detached stroke's
const CRUMBS = 10; // pieces, beyond which a main piece with under a third of all ink is grain

/**
 * @typedef {[number, number, number, number]} Box left, top, right, bottom, the last two exclusive
 * @typedef {{row: number, start: number, stop: number, piece: number}} Run
 * @typedef {{x0: number, y0: number, x1: number, y1: number, area: number}} Piece
 */

/**
 * The digit in (height, width) ink levels, 0 = ground to 255 = ink.
 *
 * @param {Uint8Array} level
 * @param {number} width
 * @param {number} height
 * @param {boolean} clean the levels are noiseless: ink along the border is the digit's own
 * @returns {{level: Uint8Array, box: Box} | null} levels without the pieces of neighbours;
 *   null when there is nothing but dust
 */
export function digitBox(level, width, height, clean) {
  const mask = level.map((value) => (value > EDGE ? 1 : 0));
  const rows = new Uint8Array(height);
  const columns = new Uint8Array(width);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) if (mask[i]) rows[y] = columns[x] = 1;
  }
  const [y0, y1] = [rows.indexOf(1), rows.lastIndexOf(1) + 1];
  const [x0, x1] = [columns.indexOf(1), columns.lastIndexOf(1) + 1];
  if (Math.max(x1 - x0, y1 - y0) < Math.max(3, MIN_EXTENT * Math.max(width, height))) return null;
  const apart = rows.subarray(y0, y1).includes(0) || columns.subarray(x0, x1).includes(0);
  const touching = x0 === 0 || y0 === 0 || y1 === height || x1 === width;
  if (apart || (touching && !clean)) return mainBox(level, mask, width, height, clean);
  return { level, box: [x0, y0, x1, y1] };
}

/**
 * The runs of a mask joined into 8-connected pieces numbered from 0.
 *
 * @returns {Run[]}
 */
function findRuns(mask, width, height) {
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
      runs.push({ row, start, stop: x, piece: 0 });
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
    run.piece = number.get(top);
  });
  return runs;
}

/** @param {Run[]} runs @returns {Piece[]} */
function extents(runs) {
  const pieces = [];
  for (const { row, start, stop, piece } of runs) {
    const p = (pieces[piece] ??= { x0: Infinity, y0: Infinity, x1: 0, y1: 0, area: 0 });
    p.x0 = Math.min(p.x0, start);
    p.y0 = Math.min(p.y0, row);
    p.x1 = Math.max(p.x1, stop);
    p.y1 = Math.max(p.y1, row + 1);
    p.area += stop - start;
  }
  return pieces;
}

/** As digitBox, from the main piece and the strokes that belong to it. */
function mainBox(level, mask, width, height, clean) {
  const frame = Math.max(width, height);
  const runs = findRuns(mask, width, height);
  const pieces = extents(runs);
  const extent = pieces.map((p) => Math.max(p.x1 - p.x0, p.y1 - p.y0));
  const atEdge = pieces.map((p) => p.x0 === 0 || p.y0 === 0 || p.x1 === width || p.y1 === height);
  let ruled = pieces.map((p) => isRuled(p, width, height));
  if (!extent.some((size, i) => size >= 0.15 * frame && !ruled[i])) ruled = ruled.map(() => false);
  const weight = pieces.map((p, i) => (ruled[i] ? 0 : p.area * (atEdge[i] ? 1 : 4)));
  const main = weight.indexOf(Math.max(...weight));
  const size = extent[main];
  const whole = pieces.reduce((sum, p, i) => sum + (atEdge[i] ? 0 : p.area), 0);
  const dust = pieces.length > CRUMBS && 3 * pieces[main].area < whole;
  if (dust || size < Math.max(3, MIN_EXTENT * frame)) return null;
  const { x0, y0, x1, y1 } = pieces[main];
  const spans = x1 - x0 >= 0.8 * width || y1 - y0 >= 0.8 * height;
  const tight = atEdge[main] && (clean || spans);
  const foreign = pieces.map((_, i) => i !== main && (ruled[i] || (atEdge[i] && !tight)));
  let left = [...pieces.keys()].filter(
    (i) => extent[i] >= SPECK * size && !foreign[i] && i !== main,
  );
  /** @type {Box} */
  let box = [x0, y0, x1, y1];
  for (;;) {
    const near = left.filter((i) => {
      const p = pieces[i];
      const gap = Math.max(p.x0 - box[2], box[0] - p.x1, p.y0 - box[3], box[1] - p.y1);
      return gap <= REACH * (size + 2 * extent[i]);
    });
    if (!near.length) break;
    for (const i of near) {
      const p = pieces[i];
      box = [
        Math.min(box[0], p.x0),
        Math.min(box[1], p.y0),
        Math.max(box[2], p.x1),
        Math.max(box[3], p.y1),
      ];
    }
    left = left.filter((i) => !near.includes(i));
  }
  const inside = pieces.map(
    (p, i) => foreign[i] && p.x0 < box[2] && p.x1 > box[0] && p.y0 < box[3] && p.y1 > box[1],
  );
  if (inside.includes(true)) level = without(level, mask, width, height, runs, inside);
  return { level, box };
}

/** Levels with the foreign pieces, and their soft edges two pixels wide, set to ground. */
function without(level, mask, width, height, runs, foreign) {
  const near = new Uint8Array(mask.length);
  const own = Uint8Array.from(mask);
  for (const { row, start, stop, piece } of runs) {
    if (!foreign[piece]) continue;
    own.fill(0, row * width + start, row * width + stop);
    for (let y = Math.max(0, row - 2); y < Math.min(height, row + 3); y++) {
      near.fill(1, y * width + Math.max(0, start - 2), y * width + Math.min(width, stop + 2));
    }
  }
  return level.map((value, i) => (near[i] && !own[i] ? 0 : value));
}

/** Whether a piece looks like a ruled line or a printed frame: right across, and thin. */
function isRuled({ x0, y0, x1, y1, area }, width, height) {
  const [wide, high] = [x1 - x0, y1 - y0];
  const [across, down] = [wide >= 0.8 * width, high >= 0.8 * height];
  const line = (across && high < 0.08 * height) || (down && wide < 0.08 * width);
  return line || (across && down && area < 0.08 * height * width);
}
