/**
 * Fetching and decoding what the server keeps, when it is looked at for the first time.
 *
 * @typedef {import("./payload.js").FileReference} FileReference
 * @typedef {import("./atlas.js").Gray} Gray
 */

const KEPT = 64;

/**
 * Pictures and atlases of one run. `ready` is called when one has come, `failed` once if one is gone.
 *
 * @param {(file: FileReference) => string} address
 * @param {() => void} ready
 * @param {() => void} failed
 */
export function createFiles(address, ready, failed) {
  /** @type {Map<string, { bitmap?: ImageBitmap, gray?: Gray }>} */
  const found = new Map();
  /** @type {Set<string>} */
  const asked = new Set();
  let open = true;

  /** @param {FileReference} file */
  function wanted(file) {
    const url = address(file);
    const entry = found.get(url) ?? {};
    found.delete(url);
    found.set(url, entry); // the last place: looked at most recently
    if (found.size > KEPT) found.delete(found.keys().next().value ?? "");
    return { url, entry };
  }

  /**
   * @param {string} url
   * @param {{ bitmap?: ImageBitmap, gray?: Gray }} entry
   */
  async function load(url, entry) {
    try {
      const answer = await fetch(url);
      if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
      const exact = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
      entry.bitmap = await createImageBitmap(await answer.blob(), /** @type {ImageBitmapOptions} */ (exact));
      asked.delete(url);
      if (open) ready();
    } catch (error) {
      asked.delete(url);
      console.warn("Attention Map Viewer:", error);
      if (open) failed();
      open = false;
    }
  }

  return {
    /**
     * The picture, or undefined while it is on its way.
     *
     * @param {FileReference} file
     * @returns {ImageBitmap | undefined}
     */
    bitmap(file) {
      const { url, entry } = wanted(file);
      if (!entry.bitmap && !asked.has(url)) {
        asked.add(url);
        load(url, entry);
      }
      return entry.bitmap;
    },

    /**
     * The values of a gray picture, or undefined while it is on its way.
     *
     * @param {FileReference} file
     * @returns {Gray | undefined}
     */
    gray(file) {
      const bitmap = this.bitmap(file);
      const { entry } = wanted(file);
      if (bitmap && !entry.gray) entry.gray = grayOf(bitmap);
      return entry.gray;
    },

    /** @returns {boolean} whether something is on its way */
    get waiting() {
      return asked.size > 0;
    },

    /** Nothing that is still on its way is reported any more. */
    close() {
      open = false;
      found.clear();
    },
  };
}

/**
 * @param {ImageBitmap} bitmap
 * @returns {Gray}
 */
function grayOf(bitmap) {
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("this browser gives no 2d canvas");
  context.drawImage(bitmap, 0, 0);
  const pixels = context.getImageData(0, 0, width, height).data;
  const values = new Uint8Array(width * height);
  for (let i = 0; i < values.length; i++) values[i] = pixels[4 * i];
  return { width, height, values };
}
