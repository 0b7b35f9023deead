/** Which workflows' runs gave what a viewer was handed: a tab that is chosen again may have been handed another's. */

import { payloadOf } from "./payload.js";

/** @type {Map<string, Set<string | undefined>>} */
const ORIGINS = new Map(); // by picture; equal runs of two workflows give the same from the server's cache

/**
 * Keep in mind whose run gave an output.
 *
 * @param {unknown} output  of the node
 * @param {string | undefined} workflow
 */
export function noteOrigin(output, workflow) {
  const key = keyOf(output);
  if (key) ORIGINS.set(key, (ORIGINS.get(key) ?? new Set()).add(workflow));
}

/**
 * Whether an output is known to be of other workflows only.
 *
 * @param {unknown} output
 * @param {string | undefined} workflow
 * @returns {boolean}
 */
export function isOfOthers(output, workflow) {
  const origins = ORIGINS.get(keyOf(output));
  return origins !== undefined && !origins.has(workflow);
}

/**
 * @param {unknown} output
 * @returns {string}
 */
function keyOf(output) {
  const picture = payloadOf(output)?.images[0].picture;
  return picture ? JSON.stringify(picture) : "";
}
