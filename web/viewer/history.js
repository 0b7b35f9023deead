/** What a workflow holds has changed: the host's history and drafts look at its own controls only, so tell it. */

import { app } from "../../../scripts/app.js";

const PAUSE = 500; // milliseconds after the last letter: a word is one step, not one for each letter

/** @typedef {{ captureCanvasState?: () => void, checkState?: () => void }} Tracker  the second in older hosts */

/** Let the host look at the workflow now; where nothing is other than before, it does nothing. */
export function noteChange() {
  /** @type {Tracker | undefined} */
  const tracker = /** @type {any} */ (app.extensionManager).workflow?.activeWorkflow?.changeTracker;
  if (tracker?.captureCanvasState) tracker.captureCanvasState();
  else tracker?.checkState?.();
}

/**
 * The same when a text field has been typed in: at a pause, or when it is left.
 *
 * @param {HTMLInputElement} field
 */
export function noteTyping(field) {
  let timer = 0;
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(noteChange, PAUSE);
  });
  field.addEventListener("change", () => {
    clearTimeout(timer);
    noteChange();
  });
}
