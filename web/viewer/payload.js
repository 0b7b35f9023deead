/**
 * What the node sends to the viewer, and which atlas answers which question.
 *
 * An atlas is an 8-bit gray PNG that the host serves. Cross-attention: columns are words, rows are time slices
 * and then their mean; a tile's 255 is `scale[row][column]`, a probability. Self-attention: row n is where
 * token n looks, divided by its maximum.
 *
 * @typedef {{ filename: string, subfolder: string, type: string }} FileReference
 * @typedef {{ start: number, end: number, time: number }} Slice  parts of the run; time is 1 for pure noise
 * @typedef {{ ordinal: number, total: number, name: string, grid: [number, number] }} Layer  grid: height, width
 * @typedef {{ text: string, positions: number[] }} Word
 * @typedef {{ layer: number | null, file: FileReference, tile: [number, number], scale: number[][] }} CrossAtlas
 * @typedef {{ layer: number | null, slice: number | null, file: FileReference, grid: [number, number] }} SelfAtlas
 * @typedef {SelfAtlas & { other: number, other_grid: [number, number] }} MatchAtlas
 * @typedef {{ slice: number, file: FileReference, grid: [number, number] }} Components  a picture in colours
 * @typedef {{
 *   picture: FileReference, cross: CrossAtlas[], self: SelfAtlas[], correspondence: MatchAtlas[],
 *   components?: Components[],
 * }} Picture
 * @typedef {{
 *   version: number, model: { layers_total: number, family: string }, size: [number, number],
 *   slices: Slice[], layers: Layer[], words: Word[], images: Picture[],
 *   colormap: string, threshold: number, mode: string, layer: number | null, time: number | null,
 *   chosen?: number[], point?: [number, number], remark?: string,
 * }} Payload  chosen: the words that the node's own inputs ask for; point: the same, across and down; remark: a doubt
 */

export const VERSION = 1;

/**
 * The payload in a node's output, if it holds one that this viewer understands.
 *
 * @param {unknown} output
 * @returns {Payload | null}
 */
export function payloadOf(output) {
  const sent = /** @type {{ attention_maps?: Payload[] } | undefined} */ (output)?.attention_maps?.[0];
  return sent && sent.version === VERSION && sent.images.length > 0 ? sent : null;
}

/**
 * What is said in place of a picture, if the node's output is that.
 *
 * @param {unknown} output
 * @returns {string}
 */
export function messageOf(output) {
  return /** @type {{ attention_maps?: { message?: string }[] } | undefined} */ (output)?.attention_maps?.[0]?.message ?? "";
}

/**
 * The words' atlas of a layer (null: the mean over layers); the nearest thing to it if that was not sent.
 *
 * @param {Picture} picture
 * @param {number | null} layer
 * @returns {CrossAtlas | undefined}
 */
export function crossAtlas(picture, layer) {
  const of = (/** @type {number | null} */ wanted) => picture.cross.find((atlas) => atlas.layer === wanted);
  return of(layer) ?? of(null) ?? picture.cross[0];
}

/**
 * The self-attention of a layer at a time slice (null: mean over time), else that layer's mean over time.
 *
 * Without a layer it is the mean over the layers of the finest grid; where that was not sent, the last of them.
 *
 * @template {SelfAtlas} Atlas
 * @param {Atlas[]} atlases
 * @param {number | null} layer
 * @param {number | null} slice
 * @returns {Atlas | undefined}
 */
export function selfAtlas(atlases, layer, slice) {
  const ofLayer = atlases.filter((atlas) => atlas.layer === layer);
  const candidates = ofLayer.length > 0 ? ofLayer : finest(atlases);
  const at = (/** @type {number | null} */ wanted) => candidates.find((atlas) => atlas.slice === wanted);
  return at(slice) ?? at(null) ?? candidates[0];
}

/**
 * The pictures in which points of this one are found again, by their numbers in the batch.
 *
 * @param {Picture} picture
 * @returns {number[]}
 */
export function othersOf({ correspondence }) {
  return [...new Set(correspondence.map(({ other }) => other))].sort((one, other) => one - other);
}

/**
 * The counterparts in another picture, or in the first one where that has none; of the layers and times as above.
 *
 * @param {Picture} picture
 * @param {number | null} other
 * @param {number | null} layer
 * @param {number | null} slice
 * @returns {MatchAtlas | undefined}
 */
export function matchAtlas(picture, other, layer, slice) {
  const others = othersOf(picture);
  const chosen = others.find((number) => number === other) ?? others[0];
  return selfAtlas(picture.correspondence.filter((atlas) => atlas.other === chosen), layer, slice);
}

/**
 * The atlases of the layer with the most tokens; of several such layers, the last.
 *
 * @template {SelfAtlas} Atlas
 * @param {Atlas[]} atlases
 * @returns {Atlas[]}
 */
function finest(atlases) {
  const tokens = (/** @type {Atlas} */ atlas) => atlas.grid[0] * atlas.grid[1];
  const most = Math.max(...atlases.map(tokens));
  const last = Math.max(...atlases.filter((atlas) => tokens(atlas) === most).map((atlas) => atlas.layer ?? -1));
  return atlases.filter((atlas) => (atlas.layer ?? -1) === last);
}
