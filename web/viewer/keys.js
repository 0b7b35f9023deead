/** Which keys are ours. */

/**
 * Whether a key is pressed together with one that makes it a shortcut of the host's or the browser's.
 *
 * @param {KeyboardEvent} event
 * @returns {boolean}
 */
export function isShortcut({ ctrlKey, metaKey, altKey }) {
  return ctrlKey || metaKey || altKey;
}
