/** From what is kept in the viewer to the node's own inputs, so that its outputs give the same. No document here. */

import { atLayer, atTime, wordsText } from "./caption.js";
import { selfAtlas } from "./payload.js";
import { filled } from "./texts.js";

/** @typedef {import("./view.js").View} View */
/** @typedef {Record<string, string | number>} Inputs  by the names that the node gives them */

/**
 * The inputs that ask for what the view keeps: its pins, its layer, its time. What is not named stays as it is.
 *
 * @param {View} view
 * @returns {Inputs}
 */
export function inputsOf(view) {
  const { payload, pinnedPoint, pinnedWords } = view;
  const { layer, time } = shownPlace(view);
  const place = {
    layer: layer === null ? "all" : String(payload.layers[layer].ordinal),
    time: time === null ? "all" : String(time + 1), // slices are counted from 1
  };
  if (pinnedPoint) {
    const [x, y] = pinnedPoint.map((side) => Math.round(1000 * side) / 1000);
    const mode = matches(view) ? "correspondence" : "self";
    return { ...place, mode, x, y, point_image: view.image };
  }
  if (pinnedWords.length === 0) return place;
  return { ...place, mode: "words", words: pinnedWords.map((word) => payload.words[word].text).join(", ") };
}

/**
 * What was written, and what was not because a connection gives it.
 *
 * @param {View} view
 * @param {string[]} connected  names of inputs
 * @returns {string}
 */
export function writtenText(view, connected) {
  const { payload, pinnedPoint, pinnedWords, texts } = view;
  const { layer, time } = shownPlace(view);
  const what = pinnedPoint ? texts.place : pinnedWords.length > 0 ? `“${wordsText(payload, pinnedWords)}”` : "";
  const where = [what, atLayer(payload, layer, texts), atTime(payload, time, texts)].filter(Boolean).join(" · ");
  const text = connected.length > 0 ? texts.written_in_part : texts.written;
  return filled(text, { where, names: connected.join(", ") });
}

/**
 * The layer and the time that were chosen; for a kept place those of the map on show, where these were not kept.
 *
 * @param {View} view
 * @returns {{ layer: number | null, time: number | null }}
 */
function shownPlace(view) {
  const { payload, image, layer, time, pinnedPoint } = view;
  const { self, correspondence } = payload.images[image];
  const found = pinnedPoint ? selfAtlas(matches(view) ? correspondence : self, layer, time) : undefined;
  if (!found) return { layer, time };
  return { layer: layer === null ? null : found.layer, time: time === null ? null : found.slice ?? null };
}

/**
 * Whether counterparts in another picture are on show.
 *
 * @param {View} view
 * @returns {boolean}
 */
function matches({ payload, image, layout }) {
  return layout === "match" && payload.images[image].correspondence.length > 0;
}
