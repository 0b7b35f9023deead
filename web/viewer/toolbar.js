/** The row below: layout, which other picture, opacity, colour map, which picture of the batch, use for outputs, save. */

import { COLORMAPS } from "./colormaps.js";
import { button, make } from "./elements.js";
import { matchAtlas, othersOf } from "./payload.js";

/** @typedef {import("./view.js").View} View */
/** @typedef {import("./view.js").Change} Change */

const LAYOUTS = /** @type {const} */ (["single", "side", "match"]);

/**
 * @param {(change: Change) => void} change
 * @param {() => void} save
 * @param {() => void} use
 * @param {import("./texts.js").Texts} texts
 */
export function createToolbar(change, save, use, texts) {
  const layout = choice(texts.view, LAYOUTS.map((name) => [name, texts[name]]), (value) => {
    change({ layout: /** @type {View["layout"]} */ (value) });
  });
  const other = choice(texts.other, [], (value) => change({ other: Number(value) }));
  const colormap = choice(texts.colormap, COLORMAPS.map((name) => [name, name]), (value) => {
    change({ colormap: value });
  });
  const title = texts.opacity;
  const opacity = make("input", { type: "range", min: "0", max: "1", step: "0.05", title, "aria-label": title });
  opacity.addEventListener("input", () => change({ opacity: opacity.valueAsNumber }));

  const step = (/** @type {number} */ by) => change(({ image, payload: { images } }) => ({
    image: (image + images.length + by) % images.length,
  }));
  const number = make("output", { "aria-live": "polite" });
  const previous = button("previous", texts.previous, () => step(-1));
  const next = button("next", texts.next, () => step(1));
  const batch = make("span", { class: "amv-batch" }, previous, number, next);

  const saving = button("save", texts.save_hint, save, texts.save);
  const using = button("use", texts.use_hint, use, texts.use);
  const element = make("div", { class: "amv-toolbar" }, layout, other, colormap, opacity, batch, using, saving);

  return {
    element,
    /** @param {View} view */
    show(view) {
      layout.value = view.layout;
      colormap.value = view.colormap;
      opacity.value = String(view.opacity);
      opacity.style.setProperty("--filled", `${100 * view.opacity}%`);
      const { image, payload: { images } } = view;
      number.textContent = `${image + 1} / ${images.length}`;
      batch.hidden = images.length < 2;
      const match = /** @type {HTMLOptionElement} */ (layout.querySelector("option[value=match]"));
      match.hidden = match.disabled = images[image].correspondence.length === 0;
      showOthers(other, view);
    },
  };
}

/**
 * Where there are several other pictures, one may be chosen.
 *
 * @param {HTMLSelectElement} select
 * @param {View} view
 */
function showOthers(select, { payload: { images }, image, other, layout }) {
  const others = othersOf(images[image]);
  const values = others.map(String);
  if (String(values) !== String(Array.from(select.options, ({ value }) => value))) {
    const named = others.map((number) => make("option", { value: String(number) }, `${number + 1} / ${images.length}`));
    select.replaceChildren(...named);
  }
  select.value = String(matchAtlas(images[image], other, null, null)?.other);
  select.hidden = layout !== "match" || others.length < 2;
}

/**
 * @param {string} label
 * @param {string[][]} options  value and text of each
 * @param {(value: string) => void} chosen
 * @returns {HTMLSelectElement}
 */
function choice(label, options, chosen) {
  const made = options.map(([value, text]) => make("option", { value }, text));
  const select = make("select", { title: label, "aria-label": label }, ...made);
  select.addEventListener("change", () => chosen(select.value));
  return select;
}
