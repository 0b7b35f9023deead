/** The viewer's texts about what is shown. */

/** @typedef {import("./payload.js").Payload} Payload */
/** @typedef {import("./view.js").View} View */

/**
 * "0.62", or "mean" for the mean over time.
 *
 * @param {Payload} payload
 * @param {number | null} time
 * @returns {string}
 */
export function timeText(payload, time) {
  return time === null ? "mean" : payload.slices[time].time.toFixed(2);
}

/**
 * "10 / 70", or "all 7" for the mean over layers.
 *
 * @param {Payload} payload
 * @param {number | null} layer
 * @returns {string}
 */
export function layerText(payload, layer) {
  if (layer === null) return `all ${payload.layers.length}`;
  const { ordinal, total } = payload.layers[layer];
  return `${ordinal} / ${total}`;
}

/**
 * "t 0.62 · layer 10 / 70 · output 4.1 · 32x32": the time, the layer and its grid, height first.
 *
 * @param {Payload} payload
 * @param {number | null} time
 * @param {number | null} layer
 * @returns {string}
 */
export function placeText(payload, time, layer) {
  const when = `t ${timeText(payload, time)}`;
  if (layer === null) return `${when} · mean of ${count(payload.layers.length, "layer")}`;
  const { name, grid } = payload.layers[layer];
  return `${when} · layer ${layerText(payload, layer)} · ${name} · ${grid[0]}x${grid[1]}`;
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
 * @returns {string}
 */
export function fallbackText(payload, wanted, found) {
  const parts = [];
  if (found.layer !== wanted.layer) {
    parts.push(found.layer === null ? "mean of the layers" : `layer ${layerText(payload, found.layer)}`);
  }
  if ((found.slice ?? null) !== (wanted.slice ?? null)) {
    parts.push(found.slice == null ? "mean over time" : `t ${timeText(payload, found.slice)}`);
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

/**
 * @param {number} number
 * @param {string} noun
 * @returns {string}
 */
function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
