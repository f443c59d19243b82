/** A square to draw on, by mouse, pen, finger or keys. */

/**
 * @typedef {{x: number, y: number}} Point 0 to 1 from the top left of the pad
 * @typedef {import("./numbers.js").Pixels} Pixels
 */

const STROKE = 0.075; // of the pad's side
const SIDE = 128; // px of what is read
const MARGIN = 8; // px of it around the pad, so that no stroke touches its border
const STEP = 1 / 40; // of the pad's side, that an arrow key moves the pen
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Strokes on a canvas; tells of every change. */
export class Pad {
  /** @type {Point[][]} */
  #strokes = [];
  /** @type {Point[][]} what was cleared last, for undo */
  #cleared = [];
  #pen = { x: 0.5, y: 0.2 };
  #penDown = false;
  #keys = new Set();
  #pointer = null;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {(ended: boolean) => void} onChange called after each change; `ended` with its stroke
   */
  constructor(canvas, onChange) {
    this.canvas = canvas;
    this.onChange = onChange;
    new ResizeObserver(() => this.#fitCanvas()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#paint());
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#end(event));
    canvas.addEventListener("pointercancel", (event) => this.#end(event));
    // Else the browser may take a quick tap after a stroke for the end of a gesture.
    canvas.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
    canvas.addEventListener("keydown", (event) => this.#keyDown(event));
    canvas.addEventListener("keyup", (event) => this.#keys.delete(event.key));
    for (const event of ["focus", "blur"]) canvas.addEventListener(event, () => this.#leave());
  }

  /** Whether nothing is drawn. */
  get empty() {
    return !this.#strokes.length;
  }

  /** Whether there is something to undo. */
  get undoable() {
    return Boolean(this.#strokes.length || this.#cleared.length);
  }

  /** Take the last stroke away, or bring back what was cleared. */
  undo() {
    if (this.#strokes.length) this.#strokes.pop();
    else [this.#strokes, this.#cleared] = [this.#cleared, []];
    this.#penDown = false;
    this.#changed(true);
  }

  /** Start anew. */
  clear() {
    if (this.#strokes.length) this.#cleared = this.#strokes;
    this.#strokes = [];
    this.#penDown = false;
    this.#changed(true);
  }

  /**
   * The drawing as dark ink on white.
   *
   * @returns {Pixels}
   */
  pixels() {
    const canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.translate(MARGIN, MARGIN);
    draw(context, this.#strokes, SIDE - 2 * MARGIN, "#000");
    const rgba = context.getImageData(0, 0, SIDE, SIDE).data;
    const data = Uint8Array.from({ length: SIDE * SIDE }, (_, i) => 255 - rgba[4 * i + 3]);
    return { data, width: SIDE, height: SIDE, channels: 1 };
  }

  #begin(event) {
    if (this.#pointer !== null || event.button !== 0) return;
    event.preventDefault(); // no selection, no drag
    this.canvas.focus({ preventScroll: true, focusVisible: false });
    this.canvas.setPointerCapture(event.pointerId);
    this.#pointer = event.pointerId;
    this.#penDown = false;
    this.#strokes.push([this.#place(event)]);
    this.#changed(false);
  }

  #move(event) {
    if (event.pointerId !== this.#pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    this.#strokes.at(-1).push(...(events.length ? events : [event]).map((e) => this.#place(e)));
    this.#changed(false);
  }

  #end(event) {
    if (event.pointerId !== this.#pointer) return;
    this.#pointer = null;
    this.#pen = { ...this.#strokes.at(-1).at(-1) };
    this.#changed(true);
  }

  /** @returns {Point} */
  #place(event) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    return inside({ x: (event.clientX - left) / width, y: (event.clientY - top) / height });
  }

  #keyDown(event) {
    if (event.key in ARROWS && !event.ctrlKey && !event.metaKey && !event.altKey) {
      this.#keys.add(event.key);
      for (const key of this.#keys) {
        const [x, y] = ARROWS[key];
        const step = event.shiftKey ? 4 * STEP : STEP;
        this.#pen = inside({ x: this.#pen.x + x * step, y: this.#pen.y + y * step });
      }
      if (this.#penDown) this.#strokes.at(-1).push(this.#pen);
      this.#changed(false);
    } else if (event.key === " " || event.key === "Enter") {
      this.#penDown = !this.#penDown;
      if (this.#penDown) this.#strokes.push([this.#pen]);
      this.#changed(!this.#penDown);
    } else if (event.key === "Backspace" || (event.key === "z" && (event.ctrlKey || event.metaKey))) {
      this.undo();
    } else if (event.key === "Delete" || event.key === "Escape") {
      this.clear();
    } else return;
    event.preventDefault();
  }

  /** The keyboard's pen is lifted where the focus comes or goes. */
  #leave() {
    this.#penDown = false;
    this.#keys.clear();
    this.#paint();
  }

  #changed(ended) {
    if (!this.empty) this.#cleared = [];
    this.#paint();
    this.onChange(ended);
  }

  #fitCanvas() {
    const side = Math.round(this.canvas.clientWidth * devicePixelRatio);
    if (this.canvas.width !== side) this.canvas.width = this.canvas.height = side;
    this.#paint();
  }

  #paint() {
    const { canvas } = this;
    const context = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    context.clearRect(0, 0, canvas.width, canvas.height);
    draw(context, this.#strokes, canvas.width, style.color);
    if (!canvas.matches(":focus-visible") || this.#pointer !== null) return;
    const radius = (STROKE / 2) * canvas.width;
    context.beginPath();
    context.arc(this.#pen.x * canvas.width, this.#pen.y * canvas.width, radius, 0, 2 * Math.PI);
    context.lineWidth = 2 * devicePixelRatio;
    context.strokeStyle = context.fillStyle = style.accentColor;
    if (this.#penDown) context.fill();
    context.stroke();
  }
}

/** @param {Point} point @returns {Point} */
function inside({ x, y }) {
  return { x: Math.min(1, Math.max(0, x)), y: Math.min(1, Math.max(0, y)) };
}

/** Strokes as smooth curves between the points that came in. */
function draw(context, strokes, side, colour) {
  context.lineWidth = STROKE * side;
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = colour;
  for (const stroke of strokes) {
    const points = stroke.map(({ x, y }) => [x * side, y * side]);
    const last = points.at(-1);
    context.beginPath();
    context.moveTo(...points[0]);
    for (let i = 1; i + 1 < points.length; i++) {
      const [[x, y], [nextX, nextY]] = [points[i], points[i + 1]];
      context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
    }
    context.lineTo(...last);
    context.stroke();
  }
}
