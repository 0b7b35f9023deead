/** The prompt's words as chips: hover or focus looks at one, click pins it, shift adds. */

import { css, wordColor } from "./colormaps.js";
import { make } from "./elements.js";
import { isShortcut } from "./keys.js";
import { filled } from "./texts.js";
import { pinned } from "./view.js";

/** @typedef {import("./view.js").View} View */
/** @typedef {import("./view.js").Change} Change */
/** @typedef {import("./payload.js").Word} Word */

/**
 * @param {(change: Change) => void} change
 * @param {import("./texts.js").Texts} texts
 */
export function createChips(change, texts) {
  const element = make("div", { class: "amv-chips", role: "toolbar", "aria-label": texts.words });
  let words = "";
  /** @type {HTMLButtonElement[]} */
  let chips = [];

  /**
   * @param {Word} word
   * @param {number} index
   * @returns {HTMLButtonElement}
   */
  function chip(word, index) {
    const title = filled(texts.word, { word: word.text });
    const made = make("button", { type: "button", class: "amv-chip", title }, word.text);
    made.style.setProperty("--word", css(wordColor(index)));
    made.addEventListener("pointerenter", () => change({ hoveredWord: index }));
    made.addEventListener("pointerleave", () => change({ hoveredWord: null }));
    made.addEventListener("focus", () => made.matches(":focus-visible") && change({ hoveredWord: index }));
    made.addEventListener("blur", () => change({ hoveredWord: null }));
    made.addEventListener("click", (event) => {
      change((view) => ({ pinnedWords: pinned(view.pinnedWords, index, event.shiftKey), pinnedPoint: null }));
    });
    return made;
  }

  /**
   * Arrow keys walk along the chips, of which one takes part in the order of tabs.
   *
   * @param {number} index
   */
  function stopAt(index) {
    chips.forEach((other, i) => (other.tabIndex = i === index ? 0 : -1));
  }

  element.addEventListener("keydown", (event) => {
    const at = chips.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: chips.length - 1 }[event.key];
    if (isShortcut(event) || to === undefined || at < 0) return;
    event.preventDefault();
    const next = (to + chips.length) % chips.length;
    stopAt(next);
    chips[next].focus();
  });

  return {
    element,
    /** @param {View} view */
    show(view) {
      const shown = view.payload.words.map(({ text }) => text).join("\n");
      if (words !== shown) { // else the same chips stay, and with them the focus
        words = shown;
        chips = view.payload.words.map(chip);
        element.replaceChildren(...chips);
        stopAt(0);
      }
      const pressed = (/** @type {number} */ index) => String(view.pinnedWords.includes(index));
      chips.forEach((other, index) => other.setAttribute("aria-pressed", pressed(index)));
    },
  };
}
