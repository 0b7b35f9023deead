/**
 * What the viewer shows: one plain value per panel, and the rules by which it changes. No document here.
 *
 * @typedef {import("./payload.js").Payload} Payload
 * @typedef {import("./atlas.js").Point} Point
 * @typedef {"single" | "side" | "match"} Layout  match: the point's counterpart in another picture of the batch
 * @typedef {{
 *   payload: Payload, image: number, other: number | null, layout: Layout, colormap: string, opacity: number,
 *   time: number | null, blend: number, playing: boolean, layer: number | null,
 *   hoveredWord: number | null, pinnedWords: number[], hoveredPoint: Point | null, pinnedPoint: Point | null,
 *   texts: import("./texts.js").Texts,
 * }} View  other: the picture beside this one in layout match, null: the first; time, layer null: the mean;
 *   blend 0..1: on the way to the next slice
 * @typedef {Partial<View> | ((view: View) => Partial<View>)} Change  a function for what depends on the present
 * @typedef {{ kind: "words", words: number[] } | { kind: "patch", point: Point } | { kind: "nothing" }} Shown
 */

const POINTED = ["self", "correspondence"];

/**
 * The view of a new payload; what the user had chosen stays where it still means something.
 *
 * @param {Payload} payload
 * @param {{ opacity: number, layout: Layout, colormap: string }} settings
 * @param {View | null} before
 * @param {import("./texts.js").Texts} texts
 * @returns {View}
 */
export function viewOf(payload, settings, before, texts) {
  const kept = before && sameSliders(payload, before.payload) ? before : null;
  const same = before && asked(payload) === asked(before.payload) ? before : null;
  return {
    payload,
    ...settings,
    texts,
    layout: layoutOf(payload, settings.layout),
    image: Math.min(before?.image ?? 0, payload.images.length - 1),
    other: before?.other ?? null,
    time: kept ? kept.time : payload.time,
    layer: kept ? kept.layer : payload.layer,
    blend: 0,
    playing: false,
    hoveredWord: null,
    pinnedWords: same ? same.pinnedWords : firstWords(payload),
    hoveredPoint: null,
    pinnedPoint: same ? same.pinnedPoint : POINTED.includes(payload.mode) ? payload.point ?? [0.5, 0.5] : null,
  };
}

/**
 * Counterparts are shown where the node finds them, and only where there are any: else nothing would say that what
 * is shown is something else.
 *
 * @param {Payload} payload
 * @param {Layout} chosen
 * @returns {Layout}
 */
function layoutOf({ mode, images }, chosen) {
  const found = images.some(({ correspondence }) => correspondence.length > 0);
  if (mode === "correspondence" && found) return "match";
  return chosen === "match" && !found ? "single" : chosen;
}

/**
 * What the node's inputs ask to see; while that stays, so do the user's pins.
 *
 * @param {Payload} payload
 * @returns {string}
 */
function asked({ mode, point, chosen, words }) {
  return JSON.stringify([mode, point, chosen, words.map((word) => word.text)]);
}

/**
 * The words that were asked for by name.
 *
 * @param {Payload} payload
 * @returns {number[]}
 */
function firstWords({ mode, chosen, words }) {
  return mode === "words" && chosen && chosen.length < words.length ? chosen : [];
}

/**
 * @param {Payload} one
 * @param {Payload} other
 * @returns {boolean}
 */
function sameSliders(one, other) {
  const key = (/** @type {Payload} */ p) => [p.slices.length, p.time, p.layer, p.layers.map((x) => x.ordinal)];
  return JSON.stringify(key(one)) === JSON.stringify(key(other));
}

/**
 * Of all that is hovered and pinned, what is on show: a hovered word, a pinned patch, pinned words, a hovered patch.
 *
 * @param {View} view
 * @returns {Shown}
 */
export function shown(view) {
  if (view.hoveredWord !== null) return { kind: "words", words: [view.hoveredWord] };
  if (view.pinnedPoint) return { kind: "patch", point: view.pinnedPoint };
  if (view.pinnedWords.length > 0) return { kind: "words", words: view.pinnedWords };
  if (view.hoveredPoint) return { kind: "patch", point: view.hoveredPoint };
  return { kind: "nothing" };
}

/**
 * The pinned words after a click on one: it alone or, with shift, added or taken away.
 *
 * @param {number[]} pinned
 * @param {number} word
 * @param {boolean} adding
 * @returns {number[]}
 */
export function pinned(pinned, word, adding) {
  const there = pinned.includes(word);
  if (adding) return there ? pinned.filter((other) => other !== word) : [...pinned, word].sort((a, b) => a - b);
  return there && pinned.length === 1 ? [] : [word];
}

/**
 * After Escape: the patch goes first, then the words.
 *
 * @param {View} view
 * @returns {Partial<View>}
 */
export function released(view) {
  return view.pinnedPoint ? { pinnedPoint: null, hoveredPoint: null } : { pinnedWords: [], hoveredPoint: null };
}

/**
 * A moment of the play, `slices` per unit; round and round.
 *
 * @param {number} slices
 * @param {number} progress  in slices, from the start of the play
 * @returns {{ time: number, blend: number }}
 */
export function moment(slices, progress) {
  const time = Math.floor(progress) % slices;
  return { time, blend: time === slices - 1 ? 0 : progress - Math.floor(progress) };
}
