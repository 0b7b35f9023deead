/** The picture area: a canvas, the pointer and the keys on it, and the ranking of words beside the crosshair. */

import { cellAt } from "./atlas.js";
import { percent } from "./caption.js";
import { colormap, css, wordColor } from "./colormaps.js";
import { make } from "./elements.js";
import { isShortcut } from "./keys.js";
import { paint } from "./painting.js";
import { boxes, pointIn } from "./panes.js";
import { gridAt } from "./scene.js";

/** @typedef {import("./view.js").View} View */
/** @typedef {import("./view.js").Change} Change */
/** @typedef {import("./atlas.js").Point} Point */
/** @typedef {import("./scene.js").Scene} Scene */

const GAP = 8;
const RADIUS = 8;

/**
 * @param {(change: Change) => void} change
 * @param {() => void} resized
 * @param {import("./texts.js").Texts} texts
 */
export function createStage(change, resized, texts) {
  const canvas = make("canvas", { "aria-hidden": "true" });
  const ranking = make("div", { class: "amv-ranking", "aria-live": "polite" });
  const name = { role: "application", "aria-label": texts.picture };
  const element = make("div", { class: "amv-stage", tabindex: "0", ...name });
  element.append(canvas, ranking);
  new ResizeObserver(resized).observe(element);

  /** @type {View | null} */
  let view = null;
  /** @type {import("./panes.js").Box[]} */
  let places = [];

  /**
   * Where the event points in the picture. The rectangle on the screen has all zooming in it.
   *
   * @param {PointerEvent | MouseEvent} event
   * @returns {Point | null}
   */
  function pointed(event) {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const place = [((event.clientX - left) / width) * canvas.width, ((event.clientY - top) / height) * canvas.height];
    const pickable = view?.layout === "match" ? places.slice(0, 1) : places;
    return pointIn(pickable, /** @type {Point} */ (place));
  }

  element.addEventListener("pointermove", (event) => change({ hoveredPoint: pointed(event) }));
  element.addEventListener("pointerleave", () => change({ hoveredPoint: null }));
  element.addEventListener("click", (event) => {
    const point = pointed(event);
    if (point) change((view) => ({ pinnedPoint: sameCell(view, point) ? null : point }));
  });
  element.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (isShortcut(event) || (!step && event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    change((view) => {
      const from = view.hoveredPoint ?? view.pinnedPoint ?? [0.5, 0.5];
      return step ? { hoveredPoint: beside(view, from, step) } : { pinnedPoint: sameCell(view, from) ? null : from };
    });
  });
  element.addEventListener("blur", () => change({ hoveredPoint: null }));

  /**
   * @param {Scene} scene
   * @param {number} scale  canvas pixels per CSS pixel
   */
  function rank(scene, scale) {
    const { words } = /** @type {View} */ (view).payload;
    const point = view?.hoveredPoint ?? view?.pinnedPoint;
    ranking.hidden = scene.ranking.length === 0;
    const most = scene.ranking[0]?.probability || 1;
    ranking.replaceChildren(...scene.ranking.map(({ word, probability }) => {
      const row = make("div", {}, make("span", {}, words[word].text), make("b", {}, percent(probability)));
      row.style.setProperty("--word", css(wordColor(word)));
      row.style.setProperty("--share", `${(100 * probability) / most}%`);
      return row;
    }));
    const box = places[places.length - 1];
    const left = (point?.[0] ?? 0) > 0.5; // away from the crosshair
    ranking.style.left = left ? `${box.x / scale + GAP}px` : "";
    ranking.style.right = left ? "" : `${element.clientWidth - (box.x + box.width) / scale + GAP}px`;
    const below = element.clientHeight - (box.y + box.height) / scale;
    const room = ranking.offsetHeight + GAP;
    ranking.style.bottom = `${below >= room ? below - room : below + GAP}px`;
  }

  return {
    element,
    /**
     * @param {View} shown
     * @param {Scene} scene
     */
    show(shown, scene) {
      view = shown;
      element.style.aspectRatio = scene.panes.length > 1 ? "" : shown.payload.size.join(" / ");
      element.classList.toggle("amv-many", scene.panes.length > 1);
      const zoom = Math.max(1, element.getBoundingClientRect().width / Math.max(1, element.clientWidth));
      const scale = Math.min(3, zoom * devicePixelRatio);
      const size = [element.clientWidth * scale, element.clientHeight * scale].map(Math.round);
      [canvas.width, canvas.height] = size;
      places = boxes(scene.panes.length, shown.payload.size, [size[0], size[1]], GAP * scale);
      const context = canvas.getContext("2d");
      const style = { opacity: shown.opacity, table: colormap(shown.colormap), radius: RADIUS * scale };
      if (context && size[0] > 0 && size[1] > 0) paint(context, scene.panes, places, style);
      rank(scene, scale);
    },
  };
}

/**
 * Whether a point lies in the pinned point's cell.
 *
 * @param {View} view
 * @param {Point} point
 * @returns {boolean}
 */
function sameCell(view, point) {
  if (!view.pinnedPoint) return false;
  return String(cellAt(gridAt(view), point)) === String(cellAt(gridAt(view), view.pinnedPoint));
}

/**
 * The centre of the next cell.
 *
 * @param {View} view
 * @param {Point} point
 * @param {number[]} step
 * @returns {Point}
 */
function beside(view, point, step) {
  const grid = gridAt(view);
  const [column, row] = cellAt(grid, point);
  const [across, down] = cellAt(grid, [(column + step[0] + 0.5) / grid[1], (row + step[1] + 0.5) / grid[0]]);
  return [(across + 0.5) / grid[1], (down + 0.5) / grid[0]];
}
