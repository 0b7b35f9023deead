/**
 * From the view to what is to be painted and said; asks for files as they are needed.
 *
 * @typedef {import("./view.js").View} View
 * @typedef {import("./atlas.js").Heat} Heat
 * @typedef {import("./atlas.js").Point} Point
 * @typedef {import("./colormaps.js").Color} Color
 * @typedef {{ heats: Heat[], colors: Color[] | null } | { picture: ImageBitmap }} Overlay  colors null: one map
 * @typedef {{ point: Point, grid: [number, number], kind: "cross" | "target" }} Mark  grid: height, width
 * @typedef {{ bitmap: ImageBitmap, overlay: Overlay | null, marks: Mark[] }} Pane
 * @typedef {{ panes: Pane[], title: string, note: string, ranking: { word: number, probability: number }[] }} Scene
 * @typedef {ReturnType<typeof import("./files.js").createFiles>} Files
 */

import { between, peak, ranking, rowAt, tileOf } from "./atlas.js";
import { fallbackText, percent, wordsText } from "./caption.js";
import { wordColor } from "./colormaps.js";
import { crossAtlas, matchAtlas, selfAtlas } from "./payload.js";
import { filled } from "./texts.js";
import { shown } from "./view.js";

const RANKED = 5;
const LEAST = 0.0005;

/**
 * The scene, or null while its picture is on its way; maps that are on their way are left out.
 *
 * @param {View} view
 * @param {Files} files
 * @returns {Scene | null}
 */
export function sceneOf(view, files) {
  const bitmap = files.bitmap(view.payload.images[view.image].picture);
  if (!bitmap) return null;
  const what = shown(view);
  const map = what.kind === "words" ? wordsMap(view, files, what.words)
    : what.kind === "patch" ? patchMap(view, files, what.point)
    : restingMap(view, files);
  const point = view.hoveredPoint ?? view.pinnedPoint;
  const match = view.layout === "match" && what.kind === "patch" ? matchPane(view, files, what.point) : null;
  /** @type {Mark[]} */
  const marks = point ? [{ point, grid: match?.grid ?? map.grid ?? gridAt(view), kind: "cross" }] : [];
  const over = { bitmap, overlay: map.overlay, marks };
  const plain = { bitmap, overlay: null, marks };
  const panes = match ? [plain, match.pane] : view.layout === "side" ? [plain, over] : [over];
  const ranked = point ? rankingAt(view, files, point) : [];
  const title = match ? view.texts.matches : map.title;
  return { panes, title, note: match ? match.note : map.note, ranking: ranked };
}

/** @typedef {{ overlay: Overlay | null, title: string, note: string, grid?: [number, number] }} Map */

/**
 * What is shown while nothing is pointed at.
 *
 * @param {View} view
 * @param {Files} files
 * @returns {Map}
 */
function restingMap(view, files) {
  const all = view.payload.images[view.image].components ?? [];
  const entry = all.find(({ slice }) => slice === view.time) ?? all.at(-1);
  if (!entry) return { overlay: null, title: view.texts.resting, note: "" };
  const picture = files.bitmap(entry.file);
  const [wanted, found] = [view.time, entry.slice].map((slice) => ({ layer: null, slice }));
  const note = fallbackText(view.payload, wanted, found, view.texts);
  return { overlay: picture ? { picture } : null, title: view.texts.components, note };
}

/**
 * @param {View} view
 * @param {Files} files
 * @param {number[]} words
 * @returns {Map}
 */
function wordsMap(view, files, words) {
  const { payload, layer, time, texts } = view;
  const atlas = crossAtlas(payload.images[view.image], layer);
  if (!atlas) return { overlay: null, title: texts.no_cross, note: "" };
  const note = fallbackText(payload, { layer }, { layer: atlas.layer }, texts);
  const row = time ?? payload.slices.length;
  const share = words.map((word) => percent(atlas.scale[row][word])).join(", ");
  const title = filled(texts.looked_at, { words: wordsText(payload, words), share });
  const gray = files.gray(atlas.file);
  if (!gray) return { overlay: null, title, note };
  const heats = words.map((word) => {
    const heat = tileOf(gray, atlas.tile, word, row);
    return view.blend > 0 ? between(heat, tileOf(gray, atlas.tile, word, row + 1), view.blend) : heat;
  });
  const colors = words.length > 1 ? words.map(wordColor) : null;
  return { overlay: { heats, colors }, title, note, grid: [atlas.tile[1], atlas.tile[0]] };
}

/**
 * @param {View} view
 * @param {Files} files
 * @param {Point} point
 * @returns {Map}
 */
function patchMap(view, files, point) {
  const { payload, layer, time, texts } = view;
  const atlas = selfAtlas(payload.images[view.image].self, layer, time);
  if (!atlas) return { overlay: null, title: texts.no_self, note: "" };
  const note = fallbackText(payload, { layer, slice: time }, atlas, texts);
  const gray = files.gray(atlas.file);
  const overlay = gray ? { heats: [rowAt(gray, atlas.grid, point)], colors: null } : null;
  return { overlay, title: texts.looks, note, grid: atlas.grid };
}

/**
 * @param {View} view
 * @param {Files} files
 * @param {Point} point
 * @returns {{ pane: Pane, note: string, grid: [number, number] } | null}  grid: of the points that are matched
 */
function matchPane(view, files, point) {
  const { images } = view.payload;
  const atlas = matchAtlas(images[view.image], view.other, view.layer, view.time);
  const bitmap = atlas && files.bitmap(images[atlas.other].picture);
  const gray = atlas && files.gray(atlas.file);
  if (!bitmap || !gray) return null;
  const heat = rowAt(gray, atlas.grid, point, atlas.other_grid);
  const mark = { point: peak(heat), grid: atlas.other_grid, kind: /** @type {const} */ ("target") };
  const note = fallbackText(view.payload, { layer: view.layer, slice: view.time }, atlas, view.texts);
  return { pane: { bitmap, overlay: { heats: [heat], colors: null }, marks: [mark] }, note, grid: atlas.grid };
}

/**
 * @param {View} view
 * @param {Files} files
 * @param {Point} point
 */
function rankingAt(view, files, point) {
  const atlas = crossAtlas(view.payload.images[view.image], view.layer);
  const gray = atlas && files.gray(atlas.file);
  if (!gray) return [];
  const all = ranking(gray, atlas, view.time ?? view.payload.slices.length, point);
  return all.slice(0, RANKED).filter(({ probability }) => probability >= LEAST);
}

/**
 * The grid that a crosshair jumps on while no map is shown, and at all times by keys.
 *
 * @param {View} view
 * @returns {[number, number]}
 */
export function gridAt(view) {
  const picture = view.payload.images[view.image];
  const match = view.layout === "match" ? matchAtlas(picture, view.other, view.layer, view.time) : undefined;
  const patches = match ?? selfAtlas(picture.self, view.layer, view.time);
  if (patches) return patches.grid;
  const cross = crossAtlas(picture, view.layer);
  return cross ? [cross.tile[1], cross.tile[0]] : [16, 16];
}
