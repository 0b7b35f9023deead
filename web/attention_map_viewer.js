/** Puts the viewer into the node AttentionMapViewer. What knows the front end is here and in front_end.js. */

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { shownWorkflow } from "./reports/places.js";
import { addSheet, after, pixels } from "./viewer/front_end.js";
import { noteChange } from "./viewer/history.js";
import { spoken } from "./viewer/languages.js";
import { isOfOthers, noteOrigin } from "./viewer/origins.js";
import { createPanel } from "./viewer/panel.js";
import { messageOf, payloadOf } from "./viewer/payload.js";
import { runningWorkflow } from "./viewer/running.js";
import { ENGLISH } from "./viewer/texts.js";

/** @typedef {import("@comfyorg/comfyui-frontend-types").ComfyExtension} Extension */
/** @typedef {Parameters<NonNullable<Extension["nodeCreated"]>>[0] & Unpublished} Node */
/**
 * What the front end gives its nodes beyond its published types.
 *
 * @typedef {{
 *   addDOMWidget: (name: string, type: string, element: HTMLElement, options: object) => { serialize?: boolean },
 *   onExecuted?: (output: unknown) => void,
 * }} Unpublished
 */
/** @typedef {import("./viewer/panel.js").Settings} Settings */

const NODE = "AttentionMapViewer";
const SETTINGS = "attention_map_viewer"; // a property: saved with the workflow, not sent to the server
const HEIGHT = 28.75; // rem
const PROMPT_HEIGHT = 4;
/** @type {WeakMap<Node, (output: unknown) => void>} */
const SHOW = new WeakMap(); // what the server gives for each node

app.registerExtension({
  name: "AttentionControl.AttentionMapViewer",
  setup() {
    addSheet(new URL("./viewer/viewer.css", import.meta.url));
  },
  nodeCreated(node) {
    if (node.comfyClass === NODE) addPanel(/** @type {Node} */ (node));
  },
  /** The front end brings back what nodes showed, when another workflow's tab is chosen. */
  onNodeOutputsUpdated(/** @type {Record<string, unknown>} */ outputs) {
    const root = app.rootGraph;
    for (const graph of [root, ...root.subgraphs.values()]) {
      for (const node of graph.nodes.filter((node) => node.comfyClass === NODE)) {
        const output = outputs[graph === root ? String(node.id) : `${graph.id}:${node.id}`];
        if (output && !isOfOthers(output, shownWorkflow())) SHOW.get(/** @type {Node} */ (node))?.(output);
      }
    }
  },
});

/** @param {Node} node */
function addPanel(node) {
  const texts = spoken("attentionMapViewer", ENGLISH);
  const colormap = node.widgets?.find((widget) => widget.name === "colormap");
  const panel = createPanel({
    address: (file) => api.apiURL(`/view?${new URLSearchParams(file)}`),
    keep({ opacity, layout, colormap: chosen }) {
      node.properties[SETTINGS] = { opacity, layout };
      if (colormap && colormap.value !== chosen) colormap.value = chosen;
    },
    write: (inputs) => write(node, inputs),
    texts,
  });
  panel.say(texts.never_run);
  panel.element.addEventListener("wheel", zoomCanvas);
  panel.element.addEventListener("change", noteChange); // of a choice or a slider

  const widget = node.addDOMWidget("attention_maps", "attention_map_viewer", panel.element, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: () => pixels(HEIGHT),
  });
  widget.serialize = false;
  const prompt = node.widgets?.find((widget) => widget.name === "prompt");
  if (prompt) Object.assign(prompt.options, { getMaxHeight: () => pixels(PROMPT_HEIGHT) }); // the rest is for the picture
  node.setSize([Math.max(node.size[0], pixels(HEIGHT)), node.computeSize()[1] + 100]);

  if (colormap) {
    after(colormap, "callback", () => panel.set({ colormap: String(colormap.value) }));
  }
  after(node, "onConfigure", () => {
    const saved = /** @type {Partial<Settings> | undefined} */ (node.properties[SETTINGS]);
    if (saved) panel.say(texts.not_kept);
    panel.set({ ...saved, colormap: String(colormap?.value ?? "magma") });
  });
  SHOW.set(node, (output) => {
    const payload = payloadOf(output);
    const message = messageOf(output);
    if (payload) panel.open(payload);
    else if (message) panel.say(message);
  });
  after(node, "onExecuted", async (output) => {
    const workflow = await runningWorkflow();
    noteOrigin(output, workflow);
    const there = node.graph?.getNodeById(node.id) === node; // it may have been removed meanwhile
    if (there && workflow === shownWorkflow()) SHOW.get(node)?.(output);
  });
  after(node, "onRemoved", panel.close);
}

/**
 * Set widgets of a node; a connection to one stays, and wins.
 *
 * @param {Node} node
 * @param {Record<string, string | number>} inputs
 * @returns {string[]} the names of those that are connected
 */
function write(node, inputs) {
  const linked = node.inputs.filter((input) => input.link != null).map((input) => input.name);
  for (const [name, value] of Object.entries(inputs)) {
    const widget = node.widgets?.find((widget) => widget.name === name);
    if (!widget || linked.includes(name)) continue;
    widget.value = value;
    widget.callback?.(value);
  }
  node.setDirtyCanvas(true, true);
  noteChange();
  return Object.keys(inputs).filter((name) => linked.includes(name));
}

/**
 * The wheel zooms the canvas, as it does beside the panel. (Vue nodes pass it on by themselves.)
 *
 * @param {WheelEvent} event
 */
function zoomCanvas(event) {
  const target = /** @type {Element} */ (event.target);
  const list = target.closest(".amv-chips");
  const scrolls = list && list.scrollHeight > list.clientHeight;
  if (!scrolls && !target.closest("[data-node-id]")) app.canvas.processMouseWheel(event);
}
