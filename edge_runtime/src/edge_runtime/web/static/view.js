/** What the page shows of a reading. */

import { UNKNOWN } from "./reading.js";

/**
 * @typedef {{name: string, tensor: Uint8Array, probabilities: Float32Array,
 *   reading: import("./reading.js").Reading}} Shown
 */

const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 0 });
const exact = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 1 });

/** @param {string} id */
export const at = (id) => /** @type {any} */ (document.getElementById(id));

/** A probability for people: 100% is never said of one. @param {number} share */
export function inWords(share) {
  if (share > 0.999) return ">\u00a099.9%";
  return (share > 0.99 ? exact : percent).format(share);
}

const LETTERS = 2; // the longest label that is shown large
const FEW = 12; // labels whose bars are seen without scrolling

/** @type {HTMLElement[]} one for each label, in the order of the labels */
let bars = [];

/** Lay out the page once, so that nothing moves later. @param {any} manifest */
export function prepareView(manifest) {
  at("name").textContent = manifest.name;
  document.title = `${manifest.name}: draw or drop`;
  at("model").textContent = `${manifest.name} ${manifest.version}`;
  const { width, height } = manifest.input;
  at("size").textContent = `${width} × ${height}`;
  Object.assign(at("tensor"), { width, height });
  at("bars").style.setProperty("--least", String(manifest.min_score));
  bars = manifest.labels.map(bar);
  at("bars").replaceChildren(...bars);
  if (bars.length > FEW) {
    at("order").textContent = ", likeliest first";
    at("bars").tabIndex = 0; // scrolled by keyboard
  }
  const longest = Math.max(...manifest.labels.map((label) => [...label].length));
  document.body.classList.toggle("words", longest > LETTERS);
  at("least").textContent = inWords(manifest.min_score);
}

function bar(label) {
  const item = document.createElement("li");
  const [name, track, value] = ["name", "track", "value"].map((kind) => {
    const part = document.createElement("span");
    part.className = kind;
    return part;
  });
  track.append(document.createElement("span"));
  name.textContent = name.title = label;
  value.textContent = "–";
  item.append(name, track, value);
  return item;
}

/** Show a reading, or that there is none. @param {any} manifest @param {Shown | null} shown */
export function show(manifest, shown) {
  const { labels } = manifest;
  const blank = !shown || shown.reading.best < 0;
  const label = blank ? "" : shown.reading.label;
  at("label").textContent = label === "" && shown ? UNKNOWN : label;
  at("label").title = at("label").textContent;
  at("label").classList.toggle("long", [...at("label").textContent].length > LETTERS);
  at("label").classList.toggle("unsure", Boolean(shown) && (blank || label === UNKNOWN));
  at("score").textContent = sentence(labels, shown);
  bars.forEach((item, i) => {
    const share = blank ? 0 : shown.probabilities[i];
    item.style.setProperty("--share", String(share));
    item.classList.toggle("best", !blank && i === shown.reading.best);
    item.lastElementChild.textContent = blank ? "–" : inWords(share);
  });
  if (bars.length > FEW) {
    const share = (item) => Number(item.style.getPropertyValue("--share"));
    at("bars").replaceChildren(...[...bars].sort((a, b) => share(b) - share(a)));
    at("bars").scrollTop = 0;
  }
  paint(at("tensor"), shown && { data: shown.tensor, ...manifest.input });
}

/** The reading in a few words. */
export function sentence(labels, shown) {
  if (!shown) return "Nothing is drawn yet.";
  const { best, label, score } = shown.reading;
  if (best < 0) return "There is nothing to read in it.";
  if (label === UNKNOWN) return `Too unsure: perhaps ${labels[best]}, ${inWords(score)}.`;
  return `${inWords(score)} sure.`.replace(/^>\s/, "Over ");
}

/**
 * Put pixels on a canvas of their size, or nothing.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {{data: Uint8Array, width: number, height: number, channels: number} | null} pixels
 */
export function paint(canvas, pixels) {
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!pixels) return;
  const { data, width, height, channels } = pixels;
  const rgba = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) rgba.data[4 * i + c] = data[i * channels + (c % channels)];
    rgba.data[4 * i + 3] = 255;
  }
  Object.assign(canvas, { width, height });
  context.putImageData(rgba, 0, 0);
}
