/**
 * Which workflow a run is of. The host hands what a node gives to whatever node of that number is on show, and in
 * another tab that is another one.
 */

import { api } from "../../../scripts/api.js";
import { shownWorkflow } from "../reports/places.js";
import { workflowOf } from "../reports/run.js";

/** @type {Promise<string | undefined>} */
let running = Promise.resolve(undefined); // known a moment after the run has started, or after a short one has ended

api.addEventListener("execution_start", (event) => {
  running = workflowOf(/** @type {CustomEvent<{ prompt_id: string }>} */ (event).detail.prompt_id);
});

/** @returns {Promise<string | undefined>} the workflow whose nodes speak; the one on show now, if nobody knows it */
export async function runningWorkflow() {
  const shown = shownWorkflow();
  return (await running) ?? shown;
}
