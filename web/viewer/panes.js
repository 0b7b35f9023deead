/**
 * Where pictures lie in a space, and where a point of the space lies in them.
 *
 * @typedef {{ x: number, y: number, width: number, height: number }} Box
 * @typedef {import("./atlas.js").Point} Point
 */

const WORTH_STACKING = 1.25;

/**
 * Boxes for `count` pictures of one size, as large as they fit: beside each other, or below if much larger there.
 *
 * @param {number} count
 * @param {[number, number]} picture  width, height
 * @param {[number, number]} space  width, height
 * @param {number} gap
 * @returns {Box[]}
 */
export function boxes(count, picture, space, gap) {
  const [beside, below] = [true, false].map((across) => lined(count, picture, space, gap, across));
  return below[0].width > WORTH_STACKING * beside[0].width ? below : beside;
}

/**
 * @param {number} count
 * @param {[number, number]} picture
 * @param {[number, number]} space
 * @param {number} gap
 * @param {boolean} across
 * @returns {Box[]}
 */
function lined(count, picture, [wide, high], gap, across) {
  const [columns, rows] = across ? [count, 1] : [1, count];
  const room = [(wide - gap * (columns - 1)) / columns, (high - gap * (rows - 1)) / rows];
  const scale = Math.max(0, Math.min(room[0] / picture[0], room[1] / picture[1]));
  const [width, height] = [picture[0] * scale, picture[1] * scale];
  const left = (wide - columns * width - gap * (columns - 1)) / 2;
  const top = (high - rows * height - gap * (rows - 1)) / 2;
  return Array.from({ length: count }, (_, i) => ({
    x: left + (across ? i * (width + gap) : 0),
    y: top + (across ? 0 : i * (height + gap)),
    width,
    height,
  }));
}

/**
 * The point of a picture under a place of the space, if there is a picture.
 *
 * @param {Box[]} places
 * @param {Point} place  in the units of the boxes
 * @returns {Point | null}
 */
export function pointIn(places, [x, y]) {
  for (const box of places) {
    const [u, v] = [(x - box.x) / box.width, (y - box.y) / box.height];
    if (u >= 0 && u < 1 && v >= 0 && v < 1) return [u, v];
  }
  return null;
}
