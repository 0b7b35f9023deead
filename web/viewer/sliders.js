/** Sliders whose first place is the mean, and the play button of the time. */

import { atLayer, atTime, layerText, timeText } from "./caption.js";
import { button, icon, make } from "./elements.js";

/** @typedef {import("./view.js").View} View */
/** @typedef {import("./view.js").Change} Change */

/**
 * @param {(change: Change) => void} change
 * @param {import("./texts.js").Texts} texts
 */
export function createSliders(change, texts) {
  const time = slider(texts.time, (place) => change({ time: place, blend: 0, playing: false }));
  const layer = slider(texts.layer, (place) => change({ layer: place }));
  let playing = false;
  const play = button("play", texts.play, () => change((view) => ({ playing: !view.playing, blend: 0 })));
  play.classList.add("amv-play");
  const element = make("div", { class: "amv-sliders" }, play, ...time.parts, ...layer.parts);

  return {
    element,
    /** @param {View} view */
    show({ payload, ...view }) {
      const at = view.time === null ? texts.mean_over_time : atTime(payload, view.time, texts);
      time.show(payload.slices.length, view.time, timeText(payload, view.time, texts), at);
      const name = view.layer === null ? texts.mean_over_layers : atLayer(payload, view.layer, texts);
      layer.show(payload.layers.length, view.layer, layerText(payload, view.layer, texts), name);
      play.disabled = payload.slices.length < 2;
      if (playing === view.playing) return;
      playing = view.playing;
      play.replaceChildren(icon(playing ? "pause" : "play"));
      play.title = playing ? texts.pause : texts.play;
      play.setAttribute("aria-label", play.title);
    },
  };
}

/**
 * @param {string} label
 * @param {(place: number | null) => void} moved  null: the mean
 */
function slider(label, moved) {
  const input = make("input", { type: "range", min: "0", step: "1", value: "0", "aria-label": label });
  const value = make("span", { class: "amv-value", "aria-hidden": "true" }); // the slider itself says it
  input.addEventListener("input", () => moved(input.valueAsNumber === 0 ? null : input.valueAsNumber - 1));
  return {
    parts: [make("span", { class: "amv-label", "aria-hidden": "true" }, label), input, value],
    /**
     * @param {number} count
     * @param {number | null} place
     * @param {string} text
     * @param {string} spoken
     */
    show(count, place, text, spoken) {
      input.max = String(count);
      input.value = String(place === null ? 0 : place + 1);
      input.style.setProperty("--filled", `${(100 * input.valueAsNumber) / Math.max(1, count)}%`);
      input.setAttribute("aria-valuetext", spoken);
      value.textContent = text;
    },
  };
}
