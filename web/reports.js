/** Makes reports of runs readable on their nodes, of which the host shows two lines, and brings them back in new tabs. */

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { addSheet, isClassic } from "./viewer/front_end.js";

/**
 * @typedef {{ category?: string }} Kind
 * @typedef {{
 *   constructor: { nodeData?: Kind },
 *   widgets?: { name: string, options: { getMinHeight?: () => number } }[],
 *   graph: Graph,
 *   pos: [number, number],
 *   size: [number, number],
 *   computeSize: () => [number, number],
 *   setSize: (size: [number, number]) => void,
 *   setDirtyCanvas: (front: boolean, back: boolean) => void,
 *   subgraph?: Graph,
 * }} Node
 * @typedef {{ nodes: Node[], getNodeById: (id: string) => Node | null }} Graph
 */

const TEXT = "$$node-text-preview"; // the host's widget for what the server says of a node
const STORE = "AttentionControl.Reports"; // in the browser's own storage
const MANY = 200; // texts that are kept
const ABOUT = [58, 46]; // pixels beside and below the text, in its widget
const LEAST = 58; // pixels of the widget, as the host has it
const MOST = 236; // then the host scrolls
const TITLE = 30; // pixels of a node's title, above its place
const GAP = 10; // between nodes

app.registerExtension({
  name: "AttentionControl.Reports",
  setup() {
    addSheet(new URL("./reports.css", import.meta.url));
    /** @type {Map<string, string>} */
    const said = new Map(); // the latest in this run
    /** @type {string | null} */
    let running = null; // the workflow whose nodes speak, if it is known
    api.addEventListener("progress_text", (event) => {
      const { nodeId, text } = /** @type {CustomEvent<{ nodeId: string, text: string }>} */ (event).detail;
      if (running && running !== shownWorkflow()) return; // in another tab a node of this number is another one
      requestAnimationFrame(() => fit(nodeId, text)); // when the host has shown it
      if (isOurs(nodeAt(String(nodeId)))) said.set(keyOf(nodeId), text);
    });
    api.addEventListener("execution_start", async (event) => {
      const { prompt_id } = /** @type {CustomEvent<{ prompt_id: string }>} */ (event).detail;
      said.clear();
      running = null;
      running = await workflowOf(prompt_id);
    });
    api.addEventListener("execution_success", () => keep(said, said));
    for (const end of /** @type {const} */ (["execution_error", "execution_interrupted"])) {
      api.addEventListener(end, () => keep(said, [])); // its last words are no report
    }
    api.addEventListener("execution_cached", (event) => {
      const { nodes } = /** @type {CustomEvent<{ nodes: string[] }>} */ (event).detail;
      for (const id of nodes) recall(String(id));
    });
  },
});

/**
 * Keep texts for the workflow's next tab, in place of those that nodes had.
 *
 * @param {Map<string, string>} said  by workflow and node, whoever said something
 * @param {Iterable<[string, string]>} texts  those to keep
 */
function keep(said, texts) {
  const others = Object.entries(kept()).filter(([key]) => !said.has(key));
  localStorage.setItem(STORE, JSON.stringify(Object.fromEntries([...others, ...texts].slice(-MANY))));
}

/**
 * What comes from the server's cache is not said again: in a tab that has not heard it, show what was kept.
 *
 * @param {string} id
 */
function recall(id) {
  const node = nodeAt(id);
  const text = kept()[keyOf(id)];
  if (!text || !isOurs(node) || node?.widgets?.some((widget) => widget.name === TEXT)) return;
  api.dispatchCustomEvent("progress_text", { nodeId: id, text });
}

/**
 * The texts by workflow and node, the oldest first.
 *
 * @returns {Record<string, string>}
 */
function kept() {
  return JSON.parse(localStorage.getItem(STORE) ?? "{}");
}

/** @param {string} id */
function keyOf(id) {
  return `${shownWorkflow()}/${id}`;
}

/**
 * The workflow that a run is of, while the server has it in its queue.
 *
 * @param {string} prompt
 * @returns {Promise<string | null>}
 */
async function workflowOf(prompt) {
  const queue = await (await api.fetchApi("/queue")).json();
  const item = queue.queue_running.find((/** @type {any[]} */ each) => each[1] === prompt);
  return item?.[3]?.extra_pnginfo?.workflow?.id ?? null;
}

/** @returns {string | undefined} */
function shownWorkflow() {
  return /** @type {any} */ (app).rootGraph?.id;
}

/** @param {Node | null} node */
function isOurs(node) {
  return Boolean(node?.constructor.nodeData?.category?.startsWith("attention control"));
}

/**
 * In the classic renderer, make room for a text on a node of ours, as far as the node below it leaves any; the
 * other renderer does it by itself.
 *
 * @param {string} id  "12", or "3:12" for a node in a subgraph
 * @param {string} text
 */
function fit(id, text) {
  const node = nodeAt(String(id));
  const widget = node?.widgets?.find((widget) => widget.name === TEXT);
  if (!node || !widget || !isOurs(node) || !isClassic()) return;
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
 * @param {string} id
 * @returns {Node | null}
 */
function nodeAt(id) {
  /** @type {Graph | undefined} */
  let graph = /** @type {any} */ (app).rootGraph;
  /** @type {Node | null} */
  let node = null;
  for (const part of id.split(":")) {
    node = graph?.getNodeById(part) ?? null;
    graph = node?.subgraph;
  }
  return node;
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
