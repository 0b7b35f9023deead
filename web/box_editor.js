/** Boxes by hand in the classic renderer too, in the host's own node, whose canvas exists only in Nodes 2.0. */

import { app } from "../../scripts/app.js";
import { createBoxEditor } from "./boxes/editor.js";
import { boxesIn } from "./boxes/kept.js";
import { ENGLISH } from "./boxes/texts.js";
import { shownWorkflow } from "./reports/places.js";
import { addSheet, after, isClassic, pixels } from "./viewer/front_end.js";
import { noteChange, noteTyping } from "./viewer/history.js";
import { spoken } from "./viewer/languages.js";
import { runningWorkflow } from "./viewer/running.js";

/** @typedef {import("./boxes/geometry.js").Box} Box */
/** @typedef {{ name: string, value: any, serialize?: boolean, callback?: (value: any) => void }} Widget */
/**
 * @typedef {{
 *   comfyClass?: string,
 *   inputs?: { name: string, link: unknown }[],
 *   widgets?: Widget[],
 *   addDOMWidget: (name: string, type: string, element: HTMLElement, options: object) => Widget,
 *   onConfigure?: (...parameters: any[]) => void,
 *   onExecuted?: (output: { input_bboxes?: Box[] }) => void,
 *   setDirtyCanvas: (front: boolean, back: boolean) => void,
 * }} Node
 */

const NODE = "CreateBoundingBoxes";
const GIVEN = "bboxes"; // the host's input for another node's boxes
const STATE = "editor_state"; // its widget that keeps the boxes
const TAKEN = "last_incoming"; // and the one that says which of another node's boxes the drawn ones began with
const HEIGHT = 26.25; // rem

app.registerExtension({
  name: "AttentionControl.BoxEditor",
  setup() {
    addSheet(new URL("./boxes/boxes.css", import.meta.url));
  },
  nodeCreated(node) {
    const created = /** @type {Node} */ (/** @type {unknown} */ (node));
    if (created.comfyClass === NODE) addEditor(created);
  },
});

/** @param {Node} node */
function addEditor(node) {
  const named = (/** @type {string} */ name) => node.widgets?.find((widget) => widget.name === name);
  const state = named(STATE);
  if (!state) return; // another version of the host's node
  const side = (/** @type {string} */ name) => Number(named(name)?.value) || 512;
  const editor = createBoxEditor({
    read: () => boxesIn(state.value),
    write(boxes) {
      state.value = boxes;
      state.callback?.(boxes);
      node.setDirtyCanvas(true, true);
    },
    done: noteChange,
    size: () => [side("width"), side("height")],
    texts: spoken("boxEditor", ENGLISH),
  });
  noteTyping(editor.words);
  const widget = node.addDOMWidget("attention_control_boxes", "attention_control_boxes", editor.element, {
    serialize: false,
    canvasOnly: true, // the other renderer of nodes has the host's own editor; either may be chosen at any time
    hideOnZoom: false,
    getMinHeight: () => pixels(HEIGHT),
  });
  widget.serialize = false;
  for (const watched of [state, named("width"), named("height")]) {
    if (watched) after(watched, "callback", editor.show);
  }
  after(node, "onConfigure", editor.show);
  after(node, "onExecuted", async (/** @type {{ input_bboxes?: Box[] }} */ output) => {
    const linked = node.inputs?.some(({ name, link }) => name === GIVEN && link != null);
    if (!isClassic() || !linked || (await runningWorkflow()) !== shownWorkflow()) return; // another tab's boxes
    if (takeOver(output?.input_bboxes ?? [], state, named(TAKEN))) editor.show();
  });
  new ResizeObserver(editor.show).observe(editor.element); // the other renderer's editor may have been used before
}

/**
 * Go on with the boxes that another node has given, as the host's own canvas does: until those change, what is drawn
 * here counts.
 *
 * @param {Box[]} incoming
 * @param {Widget} state
 * @param {Widget | undefined} taken
 * @returns {boolean} whether they are other ones than before
 */
function takeOver(incoming, state, taken) {
  if (!taken || incoming.length === 0 || JSON.stringify(incoming) === JSON.stringify(taken.value)) return false;
  taken.value = incoming;
  state.value = boxesIn(incoming);
  return true;
}
