/** Colours: the usual perceptual maps, sampled at 17 points, and one distinct colour per word. */

/** @typedef {[number, number, number]} Color  red, green, blue, 0..255 */

/** matplotlib's maps (CC0), at 0, 1/16, ..., 1. */
const STOPS = {
  magma: "000004 0a0822 1d1147 36106b 51127c 6a1c81 832681 9c2e7f b73779 d0416f e75263 f56b5c fc8961 fea772 fec488 fde2a3 fcfdbf",
  inferno: "000004 0b0724 210c4a 3d0965 57106e 71196e 8a226a a32c61 bc3754 d24644 e45a31 f1731d f98e09 fcac11 f9cb35 f2ea69 fcffa4",
  viridis: "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c 1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725",
  turbo: "30123b 4040a2 466be3 4294ff 28bceb 18ddc2 32f298 6dfe62 a4fc3c cdec34 eecf3a fdac34 fb7e21 eb500e d02f05 a91601 7a0403",
  gray: "000000 ffffff",
};

export const COLORMAPS = Object.keys(STOPS);

const WORD_COLORS = [
  "ff5d6c", "2bb8f0", "ffb730", "47d18c", "b388ff", "ff8a3d", "1fd1c1", "ff7ac8", "9bd63a", "7d94ff", "f06bff", "e0c14a",
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
