/**
 * Reading decoded atlases: tiles of words, rows of self-attention, the ranking of words at a point.
 *
 * @typedef {{ width: number, height: number, values: Uint8Array }} Gray  a decoded 8-bit picture
 * @typedef {{ values: Float32Array, size: [number, number] }} Heat  0..1; size: width, height
 * @typedef {[number, number]} Point  across and down the picture, 0..1
 */

/** @typedef {import("./payload.js").CrossAtlas} CrossAtlas */

/**
 * One word's map at one row of the atlas, as a share of its own maximum.
 *
 * @param {Gray} gray
 * @param {[number, number]} tile  width, height
 * @param {number} column
 * @param {number} row
 * @returns {Heat}
 */
export function tileOf(gray, [width, height], column, row) {
  const values = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const start = (row * height + y) * gray.width + column * width;
    for (let x = 0; x < width; x++) values[y * width + x] = gray.values[start + x] / 255;
  }
  return { values, size: [width, height] };
}

/**
 * Where the token under a point looks, as a share of its maximum, on the grid of the keys.
 *
 * @param {Gray} gray
 * @param {[number, number]} grid  height, width of the queries
 * @param {Point} point
 * @param {[number, number]} [keys]  height, width of the keys, if they are another picture's
 * @returns {Heat}
 */
export function rowAt(gray, grid, point, keys = grid) {
  const [across, down] = cellAt(grid, point);
  const start = (down * grid[1] + across) * gray.width;
  const values = Float32Array.from(gray.values.subarray(start, start + keys[0] * keys[1]), (v) => v / 255);
  return { values, size: [keys[1], keys[0]] };
}

/**
 * The column and row of the grid's cell under a point.
 *
 * @param {[number, number]} grid  height, width
 * @param {Point} point
 * @returns {[number, number]}
 */
export function cellAt([height, width], [u, v]) {
  const within = (/** @type {number} */ share, /** @type {number} */ cells) =>
    Math.min(cells - 1, Math.max(0, Math.floor(share * cells)));
  return [within(u, width), within(v, height)];
}

/**
 * The words that the cell under a point looks at, the most probable first.
 *
 * @param {Gray} gray
 * @param {CrossAtlas} atlas
 * @param {number} row
 * @param {Point} point
 * @returns {{ word: number, probability: number }[]}
 */
export function ranking(gray, atlas, row, point) {
  const [width, height] = atlas.tile;
  const [x, y] = cellAt([height, width], point);
  const start = (row * height + y) * gray.width + x;
  return atlas.scale[row]
    .map((scale, word) => ({ word, probability: (gray.values[start + word * width] / 255) * scale }))
    .sort((a, b) => b.probability - a.probability);
}

/**
 * Between two maps of one size; 0 gives the first.
 *
 * @param {Heat} first
 * @param {Heat} second
 * @param {number} share
 * @returns {Heat}
 */
export function between(first, second, share) {
  const values = first.values.map((value, i) => value + share * (second.values[i] - value));
  return { values, size: first.size };
}

/**
 * The centre of a map's highest cell.
 *
 * @param {Heat} heat
 * @returns {Point}
 */
export function peak({ values, size: [width, height] }) {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return [((best % width) + 0.5) / width, (Math.floor(best / width) + 0.5) / height];
}
