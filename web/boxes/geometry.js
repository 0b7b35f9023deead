/**
 * Boxes on a canvas, in its pixels. No document here.
 *
 * @typedef {{ type: string, text: string, desc: string, palette: string[] }} Metadata
 * @typedef {{ x: number, y: number, width: number, height: number, metadata: Metadata }} Box  as the host keeps it
 * @typedef {[number, number]} Point  across, down
 */

const LEAST = 4; // pixels of a side: less is a click
const PLACES = 4; // from the upper left corner to the lower right one

/**
 * The box between two corners, cut to the canvas; null if there is nothing in it.
 *
 * @param {Point} from
 * @param {Point} to
 * @param {Point} size
 * @returns {{ x: number, y: number, width: number, height: number } | null}
 */
export function between(from, to, size) {
  const [[left, right], [top, bottom]] = [0, 1].map((axis) =>
    [from[axis], to[axis]].map((at) => clamp(at, size[axis])).sort((one, other) => one - other),
  );
  const [width, height] = [right - left, bottom - top];
  return width < LEAST || height < LEAST ? null : { x: left, y: top, width, height };
}

/**
 * A place of the screen in pixels of the canvas.
 *
 * @param {{ left: number, top: number, width: number, height: number }} shown  where the canvas is on the screen
 * @param {Point} at
 * @param {Point} size
 * @returns {Point}
 */
export function within(shown, at, size) {
  return [((at[0] - shown.left) / shown.width) * size[0], ((at[1] - shown.top) / shown.height) * size[1]];
}

/**
 * A box of half the canvas's sides for whoever draws without a pointer, the next one a little further on.
 *
 * @param {number} number  from 0
 * @param {Point} size
 * @returns {{ x: number, y: number, width: number, height: number }}
 */
export function placed(number, [width, height]) {
  const by = (number % PLACES) / (2 * PLACES);
  const [x, y] = [by * width, by * height].map(Math.round);
  return { x, y, width: Math.round(width / 2), height: Math.round(height / 2) };
}

/**
 * A box shifted by so much, as far as the canvas reaches.
 *
 * @param {Box} box
 * @param {Point} by
 * @param {Point} size
 * @returns {Box}
 */
export function moved(box, by, size) {
  return { ...box, x: clamp(box.x + by[0], size[0] - box.width), y: clamp(box.y + by[1], size[1] - box.height) };
}

/**
 * A box whose lower right corner is shifted by so much, as far as the canvas reaches.
 *
 * @param {Box} box
 * @param {Point} by
 * @param {Point} size
 * @returns {Box}
 */
export function resized(box, by, size) {
  return {
    ...box,
    width: Math.max(LEAST, clamp(box.width + by[0], size[0] - box.x)),
    height: Math.max(LEAST, clamp(box.height + by[1], size[1] - box.y)),
  };
}

/**
 * @param {number} at
 * @param {number} most
 * @returns {number}
 */
function clamp(at, most) {
  return Math.round(Math.min(Math.max(at, 0), Math.max(most, 0)));
}
