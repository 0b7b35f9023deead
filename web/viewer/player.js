/** Play over time: the maps fade from slice to slice, round and round. */

import { moment } from "./view.js";

/** @typedef {import("./view.js").View} View */
/** @typedef {import("./view.js").Change} Change */

const SLICES_PER_SECOND = 2.5;

/**
 * @param {(change: Change) => void} change
 * @param {() => boolean} seen  whether it is in the page; where it comes back, it is shown, and plays on
 */
export function createPlayer(change, seen) {
  let frame = 0;

  function stop() {
    cancelAnimationFrame(frame);
    frame = 0;
  }

  /** @param {View} view */
  function start({ payload, time }) {
    const slices = payload.slices.length;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const from = performance.now() - ((time ?? 0) * 1000) / SLICES_PER_SECOND;
    const tick = (/** @type {number} */ now) => {
      if (!seen()) return stop();
      frame = requestAnimationFrame(tick);
      const at = moment(slices, (Math.max(0, now - from) / 1000) * SLICES_PER_SECOND);
      const next = calm ? { time: at.time, blend: 0 } : at;
      change((view) => (view.playing ? next : {})); // it may have been paused in this very frame
    };
    frame = requestAnimationFrame(tick);
  }

  return {
    stop,
    /** @param {View} view */
    show(view) {
      if (view.playing && !frame) start(view);
      if (!view.playing && frame) stop();
    },
  };
}
