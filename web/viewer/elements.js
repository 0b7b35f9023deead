/** Making elements and icons. */

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  play: "M4 2.5v11l9-5.5z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  save: "M7 2h2v6h2.5L8 12 4.5 8H7zM3 13h10v1.5H3z",
  previous: "M10.5 3 5 8l5.5 5V3z",
  use: "M2 6.5h6.5V3l5 5-5 5V9.5H2z",
  next: "M5.5 3 11 8l-5.5 5V3z",
};

/**
 * An element with attributes and children.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string>} attributes
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/**
 * @param {keyof typeof ICONS} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/**
 * A button with an icon, a label as its tooltip, and what it does. Without a text the label is its name as well.
 *
 * @param {keyof typeof ICONS} name
 * @param {string} label
 * @param {() => void} act
 * @param {string} [text]
 * @returns {HTMLButtonElement}
 */
export function button(name, label, act, text = "") {
  const element = make("button", { type: "button", title: label }, icon(name), text);
  if (!text) element.setAttribute("aria-label", label);
  element.addEventListener("click", act);
  return element;
}
