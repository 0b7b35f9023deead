/** Room for a text on its node, in the classic renderer; the other one makes it by itself. */

import { isClassic } from "../viewer/front_end.js";
import { textWidget } from "./places.js";

/** @typedef {import("./places.js").Node} Node */

const ABOUT = [58, 46]; // pixels beside and below the text, in its widget
const LEAST = 58; // pixels of the widget, as the host has it
const MOST = 236; // then the host scrolls
const TITLE = 30; // pixels of a node's title, above its place
const GAP = 10; // between nodes

/**
 * Make room for a text, as far as the node below leaves any.
 *
 * @param {Node} node
 * @param {string} text
 */
export function fit(node, text) {
  const widget = textWidget(node);
  if (!widget || !isClassic()) return;
  const wanted = Math.min(heightOf(text, node.size[0] - ABOUT[0]) + ABOUT[1], MOST);
  widget.options.getMinHeight = () => LEAST;
  const height = Math.max(LEAST, Math.min(wanted, LEAST + floorBelow(node) - node.pos[1] - node.computeSize()[1]));
  widget.options.getMinHeight = () => height;
  node.setSize([node.size[0], Math.max(node.size[1], node.computeSize()[1])]);
  node.setDirtyCanvas(true, true);
}

/**
 * How far down a node may reach, in pixels of the canvas.
 *
 * @param {Node} node
 * @returns {number}
 */
function floorBelow(node) {
  const [left, top] = node.pos;
  const right = left + node.size[0];
  const below = node.graph.nodes.filter(
    ({ pos, size }) => pos[1] > top && pos[0] < right && left < pos[0] + size[0],
  );
  return Math.min(...below.map(({ pos }) => pos[1] - TITLE - GAP));
}

/**
 * How high a text is at this width, in the size of the host's.
 *
 * @param {string} text
 * @param {number} width
 * @returns {number}
 */
function heightOf(text, width) {
  const measure = document.createElement("div");
  measure.className = "attention-control-measure";
  measure.style.width = `${width}px`;
  measure.textContent = text;
  document.body.append(measure);
  const height = measure.offsetHeight;
  measure.remove();
  return height;
}
