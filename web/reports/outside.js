/** A text on the node of a subgraph, for which the host has no place: it makes its widgets from its inputs alone. */

import { isText, shownGraph, textWidget } from "./places.js";

/** @typedef {import("./places.js").Node} Node */
/** @typedef {import("./places.js").Widget} Widget */

const ELEMENT = "attention-control-report";
/** @type {WeakSet<Node>} */
const holding = new WeakSet();
/** @type {MutationObserver | undefined} */
let watching;

/**
 * Let a subgraph's node hold the host's text, as other nodes do. It is not saved.
 *
 * @param {Node} node
 */
export function holdText(node) {
  if (holding.has(node)) return;
  holding.add(node);
  /** @type {Widget[]} */
  const own = [];
  const { addCustomWidget, removeWidget } = node;
  const given = /** @type {PropertyDescriptor} */ (Object.getOwnPropertyDescriptor(node, "widgets"));
  Object.defineProperty(node, "widgets", { ...given, get: () => [...given.get?.call(node), ...own] });
  node.addCustomWidget = (widget) => {
    const added = addCustomWidget.call(node, widget);
    if (isText(added)) own.push(added);
    return added;
  };
  node.removeWidget = (widget) => {
    if (!own.includes(widget)) return removeWidget.call(node, widget);
    widget.onRemove?.();
    own.splice(own.indexOf(widget), 1);
  };
}

/** Nodes 2.0 shows none of these widgets: write their texts below the others, as long as the nodes are on show. */
export function writeOutside() {
  const nodes = (shownGraph()?.nodes ?? []).filter((node) => node.subgraph && textWidget(node));
  if (nodes.length > 0) watching ??= watched();
  const written = nodes.map((node) => write(node));
  for (const element of [...document.getElementsByClassName(ELEMENT)]) {
    if (!written.includes(element)) element.remove(); // it was another workflow's
  }
}

/** @returns {MutationObserver} */
function watched() {
  const observer = new MutationObserver(writeOutside); // a node that is opened again is drawn anew
  observer.observe(document.body, { childList: true, subtree: true });
  return observer;
}

/**
 * @param {Node} node
 * @returns {Element | undefined} what stands on the node now, if it is drawn
 */
function write(node) {
  const body = document.querySelector(`[data-testid="node-body-${node.id}"]`);
  if (!body) return undefined;
  let element = body.getElementsByClassName(ELEMENT)[0];
  if (!element) {
    element = document.createElement("div");
    element.className = ELEMENT;
    body.append(element);
  }
  const text = String(textWidget(node)?.value);
  if (element.textContent !== text) element.textContent = text;
  return element;
}
