/** The viewer: holds the view, shows it, changes it. One per node; nothing is shared between them. */

import { placeText } from "./caption.js";
import { createChips } from "./chips.js";
import { make } from "./elements.js";
import { createFiles } from "./files.js";
import { isShortcut } from "./keys.js";
import { inputsOf, writtenText } from "./outputs.js";
import { createPlayer } from "./player.js";
import { savePicture } from "./saving.js";
import { sceneOf } from "./scene.js";
import { createSliders } from "./sliders.js";
import { createStage } from "./stage.js";
import { filled } from "./texts.js";
import { createToolbar } from "./toolbar.js";
import { released, viewOf } from "./view.js";

/** @typedef {import("./view.js").View} View */
/** @typedef {import("./payload.js").Payload} Payload */
/** @typedef {import("./payload.js").FileReference} FileReference */
/** @typedef {{ opacity: number, layout: View["layout"], colormap: string }} Settings */

const OURS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "Enter", " ", "Escape"];
const OUTPUT = ["pinnedWords", "pinnedPoint", "layer", "time", "image", "layout"]; // what `use` writes

/**
 * @param {{
 *   address: (file: FileReference) => string,
 *   keep: (settings: Settings) => void,
 *   write: (inputs: import("./outputs.js").Inputs) => string[],
 *   texts: import("./texts.js").Texts,
 * }} host  write: set inputs of the node; returns the names of those that a connection gives
 */
export function createPanel({ address, keep, write, texts }) {
  /** @type {Settings} */
  let settings = { opacity: 0.85, layout: "single", colormap: "magma" };
  /** @type {View | null} */
  let view = null;
  /** @type {ReturnType<typeof createFiles> | null} */
  let files = null;
  let frame = 0;
  let saving = false; // as soon as all that is shown has come

  const chips = createChips(change, texts);
  const stage = createStage(change, schedule, texts);
  const sliders = createSliders(change, texts);
  const toolbar = createToolbar(change, save, use, texts);
  const player = createPlayer(change, () => element.isConnected);
  const title = make("div", { class: "amv-title" });
  const place = make("div", { class: "amv-place" });
  const note = make("div", { class: "amv-note" });
  const caption = make("div", { class: "amv-caption" }, title, place, note);
  const remark = make("div", { class: "amv-remark", role: "status" });
  const written = make("div", { class: "amv-written", role: "status" });
  const message = make("div", { class: "amv-message", role: "status" });
  const content = make("div", { class: "amv-content" });
  content.append(chips.element, stage.element, caption, remark, sliders.element, toolbar.element, written);
  const element = make("div", { class: "amv", role: "group", "aria-label": texts.panel }, content, message);
  element.addEventListener("keydown", (event) => {
    if (isShortcut(event)) return;
    if (event.key === "Escape") change(released);
    if (OURS.includes(event.key)) event.stopPropagation(); // the host has shortcuts on the same keys
  });

  /** @param {import("./view.js").Change} wanted */
  function change(wanted) {
    if (!view) return;
    const changes = typeof wanted === "function" ? wanted(view) : wanted;
    view = { ...view, ...changes };
    const layout = "layout" in changes ? view.layout : settings.layout; // a view may need another than is chosen
    settings = { opacity: view.opacity, layout, colormap: view.colormap };
    if (Object.keys(changes).some((name) => OUTPUT.includes(name))) written.textContent = "";
    if ("opacity" in changes || "layout" in changes || "colormap" in changes) keep(settings);
    schedule();
  }

  function schedule() {
    if (!frame) frame = requestAnimationFrame(show);
  }

  function show() {
    frame = 0;
    if (!view || !files) return;
    chips.show(view);
    sliders.show(view);
    toolbar.show(view);
    player.show(view);
    place.textContent = placeText(view.payload, view.time, view.layer, texts);
    const scene = sceneOf(view, files);
    element.setAttribute("aria-busy", String(files.waiting));
    if (!scene) return;
    title.textContent = scene.title;
    note.textContent = scene.note && filled(texts.shown, { what: scene.note });
    stage.show(view, scene);
    if (saving && !files.waiting) {
      saving = false;
      savePicture(view, scene);
    }
  }

  function save() {
    saving = true;
    schedule();
  }

  function use() {
    if (view) written.textContent = writtenText(view, write(inputsOf(view)));
  }

  /** What has been shown is over. */
  function end() {
    files?.close();
    player.stop();
    saving = false;
  }

  /** @param {string} text */
  function say(text) {
    end();
    [view, files] = [null, null];
    content.hidden = true;
    element.setAttribute("aria-busy", "false");
    message.textContent = text;
  }

  return {
    element,
    say,
    /** @param {Payload} payload */
    open(payload) {
      end();
      files = createFiles(address, schedule, () => say(texts.gone));
      view = viewOf(payload, settings, view, texts);
      keep(settings);
      content.hidden = false;
      message.textContent = written.textContent = "";
      remark.textContent = payload.remark ?? "";
      schedule();
    },
    /**
     * Settings that come from outside, not from the user of the panel.
     *
     * @param {Partial<Settings>} changes
     */
    set(changes) {
      settings = { ...settings, ...changes };
      change(changes);
    },
    /** The node is gone. */
    close() {
      say("");
      cancelAnimationFrame(frame);
    },
  };
}
