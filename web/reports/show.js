/** Puts what was heard on the nodes on show, by the host's own means. */

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { fit } from "./fit.js";
import { textsOf } from "./heard.js";
import { holdText, writeOutside } from "./outside.js";
import { pathTo, placesOf, shownGraph, shownWorkflow, textWidget } from "./places.js";

/** @typedef {import("./places.js").Place} Place */

/** @type {WeakMap<object, string>} */
const fitted = new WeakMap(); // widgets, and the text that they have room for

/** Show on every node in sight what this page has heard of it, and on that of a subgraph what is inside. */
export function show() {
  for (const place of placesOf(textsOf(shownWorkflow()))) put(place);
  writeOutside();
}

/** The same where the front end shows what a run has left: not in a workflow that is just loaded. */
export function showAgain() {
  const outputs = /** @type {any} */ (app).nodeOutputs ?? {};
  if (Object.keys(outputs).length > 0) requestAnimationFrame(show); // when the nodes are there
}

/**
 * Another workflow's node of this number has said this: take it off the one on show.
 *
 * @param {string} id
 * @param {string} text
 */
export function takeBack(id, text) {
  const node = pathTo(id).pop();
  const widget = textWidget(node);
  if (node && widget && node.graph === shownGraph() && widget.value === text) node.removeWidget(widget);
}

/** @param {Place} place */
function put({ id, node, text }) {
  if (node.subgraph) holdText(node);
  if (textWidget(node)?.value !== text) {
    api.dispatchCustomEvent("progress_text", /** @type {any} */ ({ nodeId: id, text, again: true }));
  }
  const widget = textWidget(node);
  if (!widget || fitted.get(widget) === text) return;
  fitted.set(widget, text);
  fit(node, text);
}
