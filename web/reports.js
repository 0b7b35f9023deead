/** Makes reports of runs readable on their nodes, of which the host shows two lines, and brings them back. */

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { drop, keep, remember, textsOf } from "./reports/heard.js";
import { holdText } from "./reports/outside.js";
import { shownWorkflow } from "./reports/places.js";
import { runOf, unknownRun } from "./reports/run.js";
import { show, showAgain, takeBack } from "./reports/show.js";
import { addSheet } from "./viewer/front_end.js";

/** @typedef {import("./reports/places.js").Node} Node */
/** @typedef {import("./reports/run.js").Run} Run */

app.registerExtension({
  name: "AttentionControl.Reports",
  setup() {
    addSheet(new URL("./reports.css", import.meta.url));
    listen();
    app.canvas.canvas.addEventListener("litegraph:set-graph", showAgain); // a subgraph was opened or left
  },
  nodeCreated(node) {
    const created = /** @type {Node} */ (/** @type {unknown} */ (node));
    if (created.subgraph) holdText(created);
  },
  /** The front end brings back what nodes showed, after an undo or when another workflow's tab is chosen. */
  onNodeOutputsUpdated: showAgain,
});

function listen() {
  let running = Promise.resolve(unknownRun());
  api.addEventListener("execution_start", (event) => {
    running = runOf(/** @type {CustomEvent<{ prompt_id: string }>} */ (event).detail.prompt_id);
  });
  api.addEventListener("progress_text", async (event) => {
    const { nodeId, text, again } = /** @type {CustomEvent<any>} */ (event).detail;
    if (!again) hear(await running, String(nodeId), text); // else it is show's own
  });
  api.addEventListener("execution_cached", async (event) => {
    const { nodes } = /** @type {CustomEvent<{ nodes: string[] }>} */ (event).detail;
    remember((await running).workflow(), nodes.map(String));
    requestAnimationFrame(show);
  });
  for (const end of /** @type {const} */ (["execution_success", "execution_error", "execution_interrupted"])) {
    api.addEventListener(end, async () => {
      const ended = running;
      running = Promise.resolve(unknownRun());
      const { workflow, said } = await ended;
      (end === "execution_success" ? keep : drop)(workflow(), said); // else its last words are no report
    });
  }
}

/**
 * Take what a node of ours has said. The host has put it on the node of this number on show, whichever it is.
 *
 * @param {Run} run
 * @param {string} id
 * @param {string} text
 */
function hear(run, id, text) {
  if (!run.hasOurs(id)) return;
  run.said.add(id);
  textsOf(run.workflow()).set(id, text);
  if (run.workflow() !== shownWorkflow()) takeBack(id, text);
  requestAnimationFrame(show);
}
