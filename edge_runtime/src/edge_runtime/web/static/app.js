/** The page: drawing and files in, readings out. */

import { decode } from "./decode.js";
import { checkGolden } from "./golden.js";
import { addCard, failCard, fillCard, markCard, readingsCsv, removeCard } from "./images.js";
import { Model } from "./model.js";
import { Pad } from "./pad.js";
import { drafted } from "./pixels.js";
import { prepare } from "./preprocess.js";
import { readingOf } from "./reading.js";
import { at, paint, prepareView, sentence, show } from "./view.js";

/** @typedef {import("./numbers.js").Pixels} Pixels */

const PREVIEW = 600; // px, the longer side of the picture that is shown of an image
const SPOKEN = 500; // ms without a change before a reading is announced
const REVOKED = 60_000; // ms, by when a browser has taken the file that it saves

/** @type {Model} */
let model;
/** @type {Pad} */
let pad;
let speech = 0;
/** @type {HTMLElement | null} the card of the image that is shown */
let selected = null;
let drawing = 0; // counts changes of the drawing, so that only the newest is shown

/**
 * @param {Pixels} pixels
 * @param {string} name
 * @returns {Promise<import("./view.js").Shown>}
 */
async function read(pixels, name) {
  const { manifest } = model;
  const tensor = prepare(pixels, manifest.input, manifest.preprocessing);
  const probabilities = await model.probabilities(tensor);
  return { name, tensor, probabilities, reading: readingOf(tensor, probabilities, manifest) };
}

/** Say a reading to those who cannot see it, once it has come to rest. */
function announce(text) {
  clearTimeout(speech);
  speech = setTimeout(() => (at("spoken").textContent = text), SPOKEN);
}

function tell(text) {
  at("status").textContent = text;
}

function failed(error) {
  console.error(error);
  tell(error instanceof Error ? error.message : String(error));
  at("status").classList.add("failed");
}

async function readDrawing() {
  const change = ++drawing;
  at("undo").disabled = !pad.undoable;
  at("clear").disabled = pad.empty && at("picture").hidden;
  at("hint").hidden = !pad.empty;
  select(null);
  const shown = pad.empty ? null : await read(pad.pixels(), "drawing");
  if (change !== drawing) return;
  show(model.manifest, shown);
  if (shown) announce(spoken(shown));
}

function spoken(shown) {
  const label = shown.reading.best < 0 ? "" : `Read as ${shown.reading.label}. `;
  return label + sentence(model.manifest.labels, shown);
}

/** Mark one image of the list as the one that is shown, or none. */
function select(card) {
  selected = card;
  at("picture").hidden = !card;
  markCard(card);
}

/** Read files one after the other, and show the last that could be read. */
async function readFiles(files) {
  const list = [...files];
  for (const [i, file] of list.entries()) {
    tell(list.length > 1 ? `Reading ${i + 1} of ${list.length} …` : "Reading …");
    await readFile(file);
  }
  tell("");
}

async function readFile(file) {
  const card = addCard(file.name, removed);
  try {
    const pixels = await decode(file);
    const shown = await read(pixels, file.name);
    if (!card.isConnected) return; // removed while it was read
    const picture = preview(drafted(pixels));
    fillCard(card, picture, shown, () => display(card, picture, shown));
    display(card, picture, shown);
  } catch (error) {
    if (!card.isConnected) return;
    failCard(card, file.name, error);
    announce(`${file.name}: ${error.message}`);
  }
}

/** A reading that is shown goes with its image. */
function removed() {
  if (selected && !selected.isConnected) pad.clear();
}

function removeAll() {
  for (const card of [...at("images").children]) removeCard(card);
  at("choose").focus();
  removed();
}

/** Give the readings to the browser as a file to save. */
function save() {
  const url = URL.createObjectURL(new Blob([readingsCsv()], { type: "text/csv" }));
  Object.assign(document.createElement("a"), { href: url, download: "readings.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(url), REVOKED);
}

function display(card, picture, shown) {
  pad.clear();
  select(card);
  paint(at("picture"), picture);
  at("hint").hidden = true;
  at("clear").disabled = false;
  show(model.manifest, shown);
  announce(`${shown.name}: ${spoken(shown)}`);
}

/** @param {Pixels} pixels @returns {Pixels} at most PREVIEW px a side */
function preview({ data, width, height, channels }) {
  const step = Math.ceil(Math.max(width, height) / PREVIEW);
  const [wide, high] = [Math.ceil(width / step), Math.ceil(height / step)];
  const made = new Uint8Array(wide * high * channels);
  for (let y = 0, to = 0; y < high; y++) {
    for (let x = 0; x < wide; x++) {
      const from = (y * width + x) * step * channels;
      for (let c = 0; c < channels; c++) made[to++] = data[from + c];
    }
  }
  return { data: made, width: wide, height: high, channels };
}

async function runGolden() {
  at("check").disabled = true;
  const rows = await checkGolden(model);
  const body = at("golden").tBodies[0];
  body.replaceChildren(
    ...rows.map(({ image, about, label, tensorDifference, probabilityDifference, passed }) => {
      const row = document.createElement("tr");
      row.className = passed ? "" : "failed";
      const difference = probabilityDifference?.toExponential(1) ?? "";
      const cells = [image, about, label, tensorDifference, difference, passed ? "ok" : "FAILED"];
      row.append(
        ...cells.map((text) => {
          const cell = document.createElement("td");
          cell.textContent = String(text);
          return cell;
        }),
      );
      return row;
    }),
  );
  const good = rows.filter((row) => row.passed).length;
  at("verdict").textContent = `${good} of ${rows.length} golden vectors passed in this browser.`;
  at("golden").parentElement.hidden = false;
  at("check").disabled = false;
}

function listen() {
  pad = new Pad(at("pad"), () => void readDrawing().catch(failed));
  at("undo").addEventListener("click", () => pad.undo());
  at("clear").addEventListener("click", () => pad.clear());
  at("choose").addEventListener("click", () => at("files").click());
  at("files").addEventListener("change", () => {
    readFiles(at("files").files).catch(failed);
    at("files").value = "";
  });
  at("save").addEventListener("click", save);
  at("remove").addEventListener("click", removeAll);
  at("check").addEventListener("click", () => void runGolden().catch(failed));
  const withFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragover", (event) => {
    if (!withFiles(event)) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  addEventListener("drop", (event) => {
    document.body.classList.remove("dropping");
    if (!withFiles(event)) return;
    event.preventDefault();
    readFiles(event.dataTransfer.files).catch(failed);
  });
}

try {
  model = await Model.load();
  prepareView(model.manifest);
  show(model.manifest, null);
  listen();
  for (const id of ["choose", "check"]) at(id).disabled = false;
  tell("");
  document.body.classList.add("ready");
} catch (error) {
  failed(error);
}
