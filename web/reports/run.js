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
  const workflow = idIn(item);
  if (!item || !workflow) return unknownRun();
  return { workflow: () => workflow, hasOurs: (id) => isOurType(item[2][id]?.class_type), said: new Set() };
}

/**
 * The workflow that a run is of, if the server says it.
 *
 * @param {string} prompt
 * @returns {Promise<string | undefined>}
 */
export async function workflowOf(prompt) {
  return idIn(await itemOf(prompt).catch(() => undefined));
}

/**
 * @param {any[] | undefined} item  of the queue
 * @returns {string | undefined}
 */
function idIn(item) {
  return item?.[3]?.extra_pnginfo?.workflow?.id;
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
