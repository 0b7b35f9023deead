/**
 * Which workflow a run is of. The host hands what a node gives to whatever node of that number is on show, and in
 * another tab that is another one.
 */

import { api } from "../../../scripts/api.js";
import { shownWorkflow } from "../reports/places.js";
import { workflowOf } from "../reports/run.js";

/** @type {string | null} */
let prompt = null;
/** @type {string | null} */
let running = null; // known a moment after the run has started

api.addEventListener("execution_start", async (event) => {
  const { prompt_id } = /** @type {CustomEvent<{ prompt_id: string }>} */ (event).detail;
  [prompt, running] = [prompt_id, null];
  const workflow = (await workflowOf(prompt_id)) ?? null;
  if (prompt === prompt_id) running = workflow;
});

/** @returns {string | null} the workflow whose nodes speak, if it is known */
export function runningWorkflow() {
  return running;
}

/** @returns {boolean} whether what comes now is another workflow's than the one on show */
export function runsElsewhere() {
  return running !== null && running !== shownWorkflow();
}
