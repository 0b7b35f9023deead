/** One box as it is shown. */

import { make } from "../viewer/elements.js";
import { filled } from "../viewer/texts.js";
import { colourIn, inkOn } from "./colours.js";

/** @typedef {import("./geometry.js").Box} Box */
/** @typedef {import("./geometry.js").Point} Point */

/**
 * An element that lies on a stage of the canvas's shape, takes the focus, and says where it is.
 *
 * @param {Box} box
 * @param {number} number  from 0
 * @param {boolean} chosen
 * @param {Point} canvas  its size
 * @param {import("./texts.js").Texts} texts
 * @returns {HTMLElement}
 */
export function drawn(box, number, chosen, canvas, texts) {
  const name = `${number + 1} ${box.metadata.desc || box.metadata.text}`.trim();
  const { x, y, width, height } = box;
  const label = filled(texts.box, { name, x, y, width, height });
  const element = make("div", { class: "acb-box", role: "button", tabindex: "0", title: texts.box_hint });
  element.setAttribute("aria-label", label);
  element.setAttribute("aria-pressed", String(chosen));
  element.dataset.number = String(number);
  const parts = { left: x / canvas[0], top: y / canvas[1], width: width / canvas[0], height: height / canvas[1] };
  for (const [side, part] of Object.entries(parts)) element.style.setProperty(side, `${100 * part}%`);
  const colour = colourIn(box.metadata.palette, number);
  element.style.setProperty("--box", colour);
  element.style.setProperty("--ink", inkOn(colour));
  element.append(make("span", {}, name), make("i", { class: "acb-corner" }));
  return element;
}
