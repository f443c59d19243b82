/** The bundle beside the page: its manifest, and its ONNX model in onnxruntime-web. */

import * as ort from "./onnxruntime-web/ort.wasm.bundle.min.mjs";
import { KINDS } from "./preprocess.js";

const BUNDLE = new URL("bundle/", document.baseURI);

ort.env.wasm.numThreads = 1; // more would need headers that not every host sends
ort.env.wasm.wasmPaths = {
  wasm: new URL("onnxruntime-web/ort-wasm-simd-threaded.wasm", document.baseURI).href,
};

/** @typedef {import("./preprocess.js").InputSpec} InputSpec */

/** A model that has been loaded. */
export class Model {
  #session;
  #queue = Promise.resolve();

  constructor(manifest, session) {
    /** The bundle's manifest.json. */
    this.manifest = manifest;
    this.#session = session;
  }

  /** Load the bundle beside the page. Throws Error in plain words. */
  static async load() {
    const manifest = JSON.parse(new TextDecoder().decode(await fetched("manifest.json")));
    const { kind } = manifest.preprocessing;
    if (!KINDS.includes(kind)) {
      throw new Error(
        `This model wants its images prepared by “${kind}”. This page knows ${KINDS.join(", ")}.`,
      );
    }
    const file = manifest.files.find((f) => f.format === "onnx" && f.precision === "fp32");
    if (!file) throw new Error("The bundle has no fp32 ONNX model.");
    const bytes = await fetched(file.path);
    await checkHash(bytes, file);
    const session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
    return new Model(manifest, session);
  }

  /**
   * @param {Uint8Array} tensor (height, width, channels)
   * @returns {Promise<Float32Array>} one probability for each label
   */
  probabilities(tensor) {
    const { input, output } = this.manifest;
    const shape = [1, input.height, input.width, input.channels];
    const run = async () => {
      const feeds = { [input.name]: new ort.Tensor("uint8", tensor, shape) };
      return (await this.#session.run(feeds, [output.name]))[output.name].data;
    };
    const result = this.#queue.then(run); // a session takes one call at a time
    this.#queue = result.catch(() => {});
    return result;
  }

  /** The golden vectors, each with its encoded image as `file`. */
  async golden() {
    const vectors = JSON.parse(new TextDecoder().decode(await fetched("golden/golden.json")));
    return Promise.all(
      vectors.map(async (vector) => ({
        ...vector,
        file: new Blob([await fetched(`golden/${vector.image}`)]),
      })),
    );
  }
}

/** @param {string} path inside the bundle @returns {Promise<Uint8Array>} */
async function fetched(path) {
  const response = await fetch(new URL(path, BUNDLE));
  if (!response.ok) throw new Error(`bundle/${path} is not beside this page.`);
  return new Uint8Array(await response.arrayBuffer());
}

/** Refuse a model that is not the manifest's, where the browser can tell. */
async function checkHash(bytes, { path, sha256 }) {
  if (!globalThis.crypto?.subtle) return; // a page served without TLS from elsewhere
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hex === sha256) return;
  throw new Error(`bundle/${path} is not the file that the manifest describes; copy it again.`);
}
