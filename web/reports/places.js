/** Where nodes are: in the graph on show, or elsewhere, and what the host's text on one says. */

import { app } from "../../../scripts/app.js";

/**
 * @typedef {{
 *   name: string,
 *   value?: unknown,
 *   options: { getMinHeight?: () => number },
 * }} Widget
 * @typedef {{ nodes: Node[], getNodeById: (id: string) => Node | null }} Graph
 * @typedef {{
 *   constructor: { nodeData?: { category?: string } },
 *   widgets?: Widget[],
 *   graph: Graph,
 *   pos: [number, number],
 *   size: [number, number],
 *   removeWidget: (widget: Widget) => void,
 *   computeSize: () => [number, number],
 *   setSize: (size: [number, number]) => void,
 *   setDirtyCanvas: (front: boolean, back: boolean) => void,
 *   subgraph?: Graph,
 * }} Node
 * @typedef {{ id: string, node: Node, text: string }} Place  a node on show, and what is to be read there
 */

const TEXT = "$$node-text-preview"; // the host's widget for what the server says of a node
const CATEGORY = "attention control";

/** @returns {string | undefined} */
export function shownWorkflow() {
  return /** @type {any} */ (app).rootGraph?.id;
}

/** @returns {Graph | undefined} */
export function shownGraph() {
  return /** @type {any} */ (app).canvas?.graph;
}

/**
 * @param {Node | null | undefined} node
 * @returns {boolean}
 */
export function isOurs(node) {
  return Boolean(node?.constructor.nodeData?.category?.startsWith(CATEGORY));
}

/**
 * @param {string | undefined} type  of a node
 * @returns {boolean}
 */
export function isOurType(type) {
  const { registered_node_types: types } = /** @type {any} */ (window).LiteGraph;
  return isOurs(type && types[type] ? /** @type {Node} */ ({ constructor: types[type] }) : null);
}

/**
 * @param {Node | null | undefined} node
 * @returns {Widget | undefined}
 */
export function textWidget(node) {
  return node?.widgets?.find((widget) => widget.name === TEXT);
}

/**
 * The nodes on the way to one, from the outermost, or none if it is not there.
 *
 * @param {string} id  "12", or "3:12" for a node in a subgraph
 * @returns {Node[]}
 */
export function pathTo(id) {
  /** @type {Graph | undefined} */
  let graph = /** @type {any} */ (app).rootGraph;
  const path = [];
  for (const part of id.split(":")) {
    const node = graph?.getNodeById(part);
    if (!node) return [];
    path.push(node);
    graph = node.subgraph;
  }
  return path;
}

/**
 * Where in the graph on show texts can be read.
 *
 * @param {Iterable<[string, string]>} texts  by node, of the workflow on show
 * @returns {Place[]}
 */
export function placesOf(texts) {
  return [...texts].flatMap(([id, text]) => {
    const node = pathTo(id).pop();
    return node && isOurs(node) && node.graph === shownGraph() ? [{ id, node, text }] : [];
  });
}
