/** What is shown, as a PNG file with its caption. */

import { placeText } from "./caption.js";
import { colormap } from "./colormaps.js";
import { make } from "./elements.js";
import { paint } from "./painting.js";
import { boxes } from "./panes.js";
import { filled } from "./texts.js";

/** @typedef {import("./view.js").View} View */
/** @typedef {import("./scene.js").Scene} Scene */

const SIDE = 1024;
const MARGIN = 24;
const LINE = 32;

/**
 * Hand the scene to the browser as a download.
 *
 * @param {View} view
 * @param {Scene} scene
 */
export async function savePicture(view, scene) {
  const canvas = drawn(view, scene);
  const blob = await new Promise((/** @type {(blob: Blob | null) => void} */ done) => canvas.toBlob(done));
  if (!blob) return;
  const href = URL.createObjectURL(blob);
  make("a", { href, download: fileName(view, scene) }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

/**
 * The panes at a good size, the longer side of each 1024 pixels, and the caption below.
 *
 * @param {View} view
 * @param {Scene} scene
 * @returns {HTMLCanvasElement}
 */
function drawn(view, scene) {
  const [width, height] = view.payload.size.map((side) => (side * SIDE) / Math.max(...view.payload.size));
  const count = scene.panes.length;
  const space = /** @type {[number, number]} */ ([count * width + (count - 1) * MARGIN, height]);
  const lines = caption(view, scene);
  const canvas = make("canvas", {});
  const below = 8 + LINE * lines.length;
  [canvas.width, canvas.height] = [space[0] + 2 * MARGIN, space[1] + 2 * MARGIN + below].map(Math.round);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.fillStyle = "#15161a";
  context.fillRect(0, 0, canvas.width, canvas.height);
  const places = boxes(count, view.payload.size, space, MARGIN);
  const moved = places.map((box) => ({ ...box, x: box.x + MARGIN, y: box.y + MARGIN }));
  paint(context, scene.panes, moved, { opacity: view.opacity, table: colormap(view.colormap), radius: 16 });
  lines.forEach((text, i) => {
    context.fillStyle = i === 0 ? "#f2f2f4" : "#a6a8b0";
    context.font = `${i === 0 ? 26 : 20}px Inter, system-ui, sans-serif`;
    context.fillText(text, MARGIN, space[1] + MARGIN + 42 + LINE * i, space[0]);
  });
  return canvas;
}

/**
 * What is shown, of which time and layer, and what differs from these.
 *
 * @param {View} view
 * @param {Scene} scene
 * @returns {string[]}
 */
function caption({ payload, time, layer, texts }, { title, note }) {
  const differs = note ? [filled(texts.shown, { what: note })] : [];
  return [title, placeText(payload, time, layer, texts), ...differs];
}

/**
 * @param {View} view
 * @param {Scene} scene
 * @returns {string}
 */
function fileName(view, scene) {
  const words = ["attention", ...caption(view, scene)].join(" ");
  return `${words.replace(/[^\p{L}\p{N}.]+/gu, "-").replace(/^-|-$/g, "").slice(0, 120)}.png`;
}
