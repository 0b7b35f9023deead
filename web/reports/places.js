/** Where nodes are: in the graph on show, or in a subgraph of it, and what the host's text on one says. */

import { app } from "../../../scripts/app.js";

/**
 * @typedef {{
 *   name: string,
 *   value?: unknown,
 *   options: { getMinHeight?: () => number },
 *   onRemove?: () => void,
 * }} Widget
 * @typedef {{ nodes: Node[], getNodeById: (id: string) => Node | null }} Graph
 * @typedef {{
 *   id: string | number,
 *   title: string,
 *   constructor: { nodeData?: { category?: string } },
 *   widgets?: Widget[],
 *   graph: Graph,
 *   pos: [number, number],
 *   size: [number, number],
 *   addCustomWidget: (widget: Widget) => Widget,
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
 * @param {Widget} widget
 * @returns {boolean}
 */
export function isText(widget) {
  return widget.name === TEXT;
}

/**
 * @param {Node | null | undefined} node
 * @returns {Widget | undefined}
 */
export function textWidget(node) {
  return node?.widgets?.find(isText);
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
 * Where in the graph on show texts can be read: on their nodes, and on the node of a subgraph those from inside it.
 *
 * @param {Iterable<[string, string]>} texts  by node, of the workflow on show
 * @returns {Place[]}
 */
export function placesOf(texts) {
  /** @type {Map<Node, { id: string, texts: { title: string, text: string }[] }>} */
  const found = new Map();
  for (const [id, text] of texts) {
    const path = pathTo(id);
    const depth = path.findIndex((node) => node.graph === shownGraph());
    if (depth < 0 || !isOurs(path[path.length - 1])) continue;
    const place = found.get(path[depth]) ?? { id: id.split(":").slice(0, depth + 1).join(":"), texts: [] };
    const other = path.length - 1 > depth ? path[path.length - 1] : path[depth - 1]; // a subgraph can be there twice
    place.texts.push({ title: other?.title, text });
    found.set(path[depth], place);
  }
  return [...found].map(([node, { id, texts }]) => ({ id, node, text: together(texts) }));
}

/**
 * One text, or several with the title of a node in front.
 *
 * @param {{ title: string, text: string }[]} texts
 * @returns {string}
 */
function together(texts) {
  if (texts.length === 1) return texts[0].text;
  return texts.map(({ title, text }) => `${title}: ${text}`).join("  \n"); // two spaces: as the server ends lines
}
