/** The run that speaks: of which workflow it is, and which of its nodes are ours. Its tab need not be on show. */

import { api } from "../../../scripts/api.js";
import { isOurs, isOurType, pathTo, shownWorkflow } from "./places.js";

/** @typedef {{ workflow: () => string | undefined, hasOurs: (id: string) => boolean, said: Set<string> }} Run */

/**
 * A run of which nothing is known: it is taken for one of the workflow on show.
 *
 * @returns {Run}
 */
export function unknownRun() {
  return { workflow: shownWorkflow, hasOurs: (id) => isOurs(pathTo(id).pop()), said: new Set() };
}

/**
 * @param {string} prompt
 * @returns {Promise<Run>}
 */
export async function runOf(prompt) {
  const item = await itemOf(prompt).catch(() => undefined);
  const workflow = item?.[3]?.extra_pnginfo?.workflow?.id;
  if (!workflow) return unknownRun();
  return { workflow: () => workflow, hasOurs: (id) => isOurType(item[2][id]?.class_type), said: new Set() };
}

/**
 * What the server has in its queue, or, after a short run, in its history.
 *
 * @param {string} prompt
 * @returns {Promise<any[] | undefined>}
 */
async function itemOf(prompt) {
  const { queue_running: running } = await answer("/queue");
  const item = running.find((/** @type {any[]} */ each) => each[1] === prompt);
  return item ?? (await answer(`/history/${prompt}`))[prompt]?.prompt;
}

/**
 * @param {string} route
 * @returns {Promise<any>}
 */
async function answer(route) {
  return (await api.fetchApi(route)).json();
}
