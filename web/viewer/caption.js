/** The viewer's texts about what is shown. */

import { ENGLISH, filled } from "./texts.js";

/** @typedef {import("./payload.js").Payload} Payload */
/** @typedef {import("./texts.js").Texts} Texts */
/** @typedef {import("./view.js").View} View */

/**
 * "0.62", or "mean" for the mean over time.
 *
 * @param {Payload} payload
 * @param {number | null} time
 * @param {Texts} [texts]
 * @returns {string}
 */
export function timeText(payload, time, texts = ENGLISH) {
  return time === null ? texts.mean : payload.slices[time].time.toFixed(2);
}

/**
 * "10 / 70", or "all 7" for the mean over layers.
 *
 * @param {Payload} payload
 * @param {number | null} layer
 * @param {Texts} [texts]
 * @returns {string}
 */
export function layerText(payload, layer, texts = ENGLISH) {
  if (layer === null) return filled(texts.all_layers, { count: payload.layers.length });
  const { ordinal, total } = payload.layers[layer];
  return `${ordinal} / ${total}`;
}

/**
 * "t 0.62 · layer 10 / 70 · output 4.1 · 32x32": the time, the layer and its grid, height first.
 *
 * @param {Payload} payload
 * @param {number | null} time
 * @param {number | null} layer
 * @param {Texts} [texts]
 * @returns {string}
 */
export function placeText(payload, time, layer, texts = ENGLISH) {
  const when = atTime(payload, time, texts);
  const count = payload.layers.length;
  if (layer === null) return `${when} · ${filled(count === 1 ? texts.mean_of_one : texts.mean_of_several, { count })}`;
  const { name, grid } = payload.layers[layer];
  return `${when} · ${atLayer(payload, layer, texts)} · ${name} · ${grid[0]}x${grid[1]}`;
}

/**
 * "t 0.62".
 *
 * @param {Payload} payload
 * @param {number | null} time
 * @param {Texts} texts
 * @returns {string}
 */
export function atTime(payload, time, texts) {
  return filled(texts.at_time, { time: timeText(payload, time, texts) });
}

/**
 * "layer 10 / 70".
 *
 * @param {Payload} payload
 * @param {number | null} layer
 * @param {Texts} texts
 * @returns {string}
 */
export function atLayer(payload, layer, texts) {
  return filled(texts.at_layer, { layer: layerText(payload, layer, texts) });
}

/**
 * "red + fox": the words of a list of indices.
 *
 * @param {Payload} payload
 * @param {number[]} words
 * @returns {string}
 */
export function wordsText(payload, words) {
  return words.map((index) => payload.words[index].text).join(" + ");
}

/**
 * What differs from what the sliders say, if the wanted self-attention was not sent; "" if nothing does.
 *
 * @param {Payload} payload
 * @param {{ layer: number | null, slice?: number | null }} wanted
 * @param {{ layer: number | null, slice?: number | null }} found
 * @param {Texts} [texts]
 * @returns {string}
 */
export function fallbackText(payload, wanted, found, texts = ENGLISH) {
  const parts = [];
  if (found.layer !== wanted.layer) {
    parts.push(found.layer === null ? texts.mean_of_layers : atLayer(payload, found.layer, texts));
  }
  if ((found.slice ?? null) !== (wanted.slice ?? null)) {
    parts.push(found.slice == null ? texts.mean_over_time : atTime(payload, found.slice, texts));
  }
  return parts.join(", ");
}

/**
 * "31 %", with a decimal where it is small.
 *
 * @param {number} share
 * @returns {string}
 */
export function percent(share) {
  return `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;
}
