/** Colours: maps from low to high heat, and one distinct colour per word. */

/** @typedef {[number, number, number]} Color  red, green, blue, 0..255 */

/** The same as in the pictures that the node gives: colours joined by straight lines. */
const STOPS = {
  magma: "000004 180f3e 451077 721f81 9f2f7f cd4071 f1605d fd9567 fec98d fcfdbf",
  inferno: "000004 1b0c42 4b0c6b 781c6d a52c60 cf4446 ed6925 fb9a06 f7d03c fcffa4",
  viridis: "440154 482878 3e4a89 31688e 26828e 1f9e89 35b779 6dcd59 b4de2c fde725",
  turbo: "30123b 4454c4 4490fe 1fc8de 29efa2 7dff56 c1f334 f1ca3a fe922a ea4f0d be2102 7a0403",
  gray: "000000 ffffff",
};

export const COLORMAPS = Object.keys(STOPS);

const WORD_COLORS = [
  ...["ff5d6c", "2bb8f0", "ffb730", "47d18c", "b388ff", "ff8a3d"],
  ...["1fd1c1", "ff7ac8", "9bd63a", "7d94ff", "f06bff", "e0c14a"],
];

/**
 * A colour map by name, magma if unknown: the colour of i / 255 at 3 * i.
 *
 * @param {string} name
 * @returns {Uint8ClampedArray}
 */
export function colormap(name) {
  const stops = (/** @type {Record<string, string>} */ (STOPS)[name] ?? STOPS.magma).split(" ").map(rgb);
  const table = new Uint8ClampedArray(256 * 3);
  for (let i = 0; i < 256; i++) {
    const position = (i / 255) * (stops.length - 1);
    const k = Math.min(stops.length - 2, Math.floor(position));
    for (let c = 0; c < 3; c++) {
      table[3 * i + c] = stops[k][c] + (position - k) * (stops[k + 1][c] - stops[k][c]);
    }
  }
  return table;
}

/**
 * The colour of the word with this index; it repeats after a dozen.
 *
 * @param {number} index
 * @returns {Color}
 */
export function wordColor(index) {
  return rgb(WORD_COLORS[index % WORD_COLORS.length]);
}

/**
 * @param {Color} color
 * @returns {string}
 */
export function css([red, green, blue]) {
  return `rgb(${red} ${green} ${blue})`;
}

/**
 * @param {string} hex
 * @returns {Color}
 */
function rgb(hex) {
  const channel = (/** @type {number} */ from) => parseInt(hex.slice(from, from + 2), 16);
  return [channel(0), channel(2), channel(4)];
}
