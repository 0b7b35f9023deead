/** Boxes as the host keeps them, or as another program has written them. No document here. */

import { colourOf } from "./colours.js";

/** @typedef {import("./geometry.js").Box} Box */

const SIDES = /** @type {const} */ (["x", "y", "width", "height"]);

/**
 * The boxes in a value, each with all that is said of one; what is no box is left out.
 *
 * @param {unknown} value
 * @returns {Box[]}
 */
export function boxesIn(value) {
  const entries = Array.isArray(value) ? value : [];
  return entries.filter((entry) => SIDES.every((side) => Number.isFinite(entry?.[side]))).map(complete);
}

/**
 * A box of which nothing is said yet.
 *
 * @param {{ x: number, y: number, width: number, height: number }} sides
 * @param {number} number  from 0
 * @returns {Box}
 */
export function untold(sides, number) {
  return { ...sides, metadata: { type: "obj", text: "", desc: "", palette: [colourOf(number)] } };
}

/**
 * @param {any} box
 * @returns {Box}
 */
function complete(box) {
  const { type, text, desc, palette, ...others } = box.metadata ?? {};
  const colours = Array.isArray(palette) ? palette.filter((colour) => typeof colour === "string") : [];
  return {
    ...box,
    metadata: { ...others, type: word(type) || "obj", text: word(text), desc: word(desc), palette: colours },
  };
}

/**
 * @param {unknown} said
 * @returns {string}
 */
function word(said) {
  return typeof said === "string" ? said : "";
}
