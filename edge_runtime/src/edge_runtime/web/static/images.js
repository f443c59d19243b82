/** The images that were dropped: a card for each, and their readings as CSV. */

import { ImageError } from "./pixels.js";
import { at, inWords, paint } from "./view.js";

const COLUMNS = ["path", "status", "label", "score", "error"]; // of `edge-runtime predict`

/** @type {Map<HTMLElement, string[]>} the row of each card that has been read */
const rows = new Map();

/**
 * Add a card for a file that is about to be read.
 *
 * @param {string} name
 * @param {() => void} onRemove called when the user has taken it away
 * @returns {HTMLElement}
 */
export function addCard(name, onRemove) {
  const card = document.createElement("li");
  const open = Object.assign(document.createElement("button"), { type: "button" });
  const remove = Object.assign(document.createElement("button"), { type: "button" });
  const [thumbnail, file, result] = ["canvas", "span", "span"].map((kind) =>
    document.createElement(kind),
  );
  open.className = "open";
  file.className = "file";
  file.textContent = file.title = name;
  result.className = "result";
  remove.className = "remove";
  remove.textContent = "×";
  remove.setAttribute("aria-label", `Remove ${name}`);
  remove.addEventListener("click", () => {
    const next = card.nextElementSibling ?? card.previousElementSibling;
    removeCard(card);
    (next?.querySelector(".remove") ?? at("choose")).focus();
    onRemove();
  });
  open.append(thumbnail, file, result);
  card.append(open, remove);
  at("images").prepend(card);
  at("list").hidden = false;
  return card;
}

/** Take a card away. @param {HTMLElement} card */
export function removeCard(card) {
  card.remove();
  rows.delete(card);
  at("list").hidden = !at("images").children.length;
}

/** What a card shows of a file that was read; `onOpen` is called when it is chosen. */
export function fillCard(card, picture, { name, reading }, onOpen) {
  const [thumbnail, , result] = card.firstChild.children;
  paint(thumbnail, picture);
  const label = document.createElement("b");
  label.textContent = reading.label;
  result.append(label, reading.best < 0 ? "" : ` ${inWords(reading.score)}`);
  card.firstChild.addEventListener("click", onOpen);
  rows.set(card, [name, "ok", reading.label, reading.score.toFixed(6), ""]);
}

/** What a card shows of a file that could not be read. */
export function failCard(card, name, error) {
  card.className = "failed";
  card.firstChild.disabled = true;
  card.querySelector(".result").textContent = error.message;
  const status = error instanceof ImageError ? error.status : "unreadable";
  rows.set(card, [name, status, "", "", error.message]);
}

/** Mark one card as the one that is shown, or none. @param {HTMLElement | null} card */
export function markCard(card) {
  for (const button of at("images").querySelectorAll(".open")) {
    button.setAttribute("aria-pressed", String(button.parentElement === card));
  }
}

/** The readings as `edge-runtime predict --min-score` writes them, in the order of the files. */
export function readingsCsv() {
  const field = (text) => (/[,"\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return [COLUMNS, ...rows.values()].map((row) => row.map(field).join(",") + "\n").join("");
}
