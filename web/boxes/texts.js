/**
 * What the editor of boxes says. English stands here; `locales/` of the pack has the other languages, under the
 * same names.
 *
 * @typedef {Record<keyof typeof ENGLISH, string>} Texts
 */

export const ENGLISH = {
  boxes: "Boxes",
  box: "Box {name}: {width} × {height} pixels at {x}, {y}",
  box_hint: "Drag it, or use the arrow keys; its corner, or Shift and the arrow keys, stretch it. Delete removes it.",
  what: "What is in the box",
  draw: "Draw or add a box, then say what is in it",
  add: "Add",
  add_hint: "Add a box, without the mouse",
  remove: "Remove",
};
