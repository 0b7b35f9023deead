/**
 * Maps to pixels. Where a map is low the picture shows through, dimmed; where it is high the colour covers it.
 *
 * @typedef {import("./atlas.js").Heat} Heat
 * @typedef {import("./colormaps.js").Color} Color
 */

const DIMMING = 0.5;

/**
 * RGBA of one map through a colour table.
 *
 * @param {Heat} heat
 * @param {Uint8ClampedArray} table  from colormap()
 * @returns {Uint8ClampedArray<ArrayBuffer>}
 */
export function mapPixels({ values }, table) {
  const pixels = new Uint8ClampedArray(4 * values.length);
  values.forEach((value, i) => {
    const entry = 3 * Math.round(255 * value);
    for (let c = 0; c < 3; c++) pixels[4 * i + c] = table[entry + c];
    pixels[4 * i + 3] = 255 * (DIMMING + (1 - DIMMING) * value);
  });
  return pixels;
}

/**
 * RGBA of several maps of one size, each in its colour; where they meet, the higher one tells more.
 *
 * @param {Heat[]} heats
 * @param {Color[]} colors
 * @returns {Uint8ClampedArray<ArrayBuffer>}
 */
export function mixedPixels(heats, colors) {
  const count = heats[0].values.length;
  const pixels = new Uint8ClampedArray(4 * count);
  for (let i = 0; i < count; i++) {
    const weights = heats.map(({ values }) => values[i] ** 3);
    const total = weights.reduce((sum, weight) => sum + weight, 1e-6);
    const paint = Math.max(...heats.map(({ values }) => values[i]));
    const cover = paint + (1 - paint) * DIMMING; // the paint, over black that dims the picture
    for (let c = 0; c < 3; c++) {
      const mixed = weights.reduce((sum, weight, k) => sum + weight * colors[k][c], 0) / total;
      pixels[4 * i + c] = (paint / cover) * mixed;
    }
    pixels[4 * i + 3] = 255 * cover;
  }
  return pixels;
}
