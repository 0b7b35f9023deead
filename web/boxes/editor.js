/** Draw, move, stretch and describe boxes. One per node; what it shows is the host's own list. */

import { make } from "../viewer/elements.js";
import { isShortcut } from "../viewer/keys.js";
import { drawn } from "./drawn.js";
import { between, moved, placed, resized, within } from "./geometry.js";
import { untold } from "./kept.js";

/** @typedef {import("./geometry.js").Box} Box */
/** @typedef {import("./geometry.js").Point} Point */

const STEP = 8; // pixels, by an arrow key
const HIGHEST = 22.5; // rem of the stage
const ARROWS = /** @type {Record<string, Point>} */ ({
  ArrowLeft: [-STEP, 0],
  ArrowRight: [STEP, 0],
  ArrowUp: [0, -STEP],
  ArrowDown: [0, STEP],
});

/**
 * @param {{
 *   read: () => Box[],
 *   write: (boxes: Box[]) => void,
 *   done: () => void,
 *   size: () => Point,
 *   texts: import("./texts.js").Texts,
 * }} host  done: a drag or another step is over; size: of its canvas, in pixels
 */
export function createBoxEditor({ read, write, done, size, texts }) {
  let chosen = -1;
  const stage = make("div", { class: "acb-stage" });
  const words = make("input", { class: "acb-words", "aria-label": texts.what, placeholder: texts.draw });
  const add = make("button", { type: "button", title: texts.add_hint }, texts.add);
  const remove = make("button", { type: "button" }, texts.remove);
  const foot = make("div", { class: "acb-foot" }, words, add, remove);
  const element = make("div", { class: "acb", role: "group", "aria-label": texts.boxes }, stage, foot);

  function show() {
    const boxes = read();
    stage.style.aspectRatio = size().join(" / ");
    stage.style.maxWidth = `min(100%, ${(HIGHEST * size()[0]) / size()[1]}rem)`; // else a high one would be cut
    stage.replaceChildren(...boxes.map((box, number) => drawn(box, number, number === chosen, size(), texts)));
    const box = boxes[chosen];
    words.disabled = remove.disabled = !box;
    if (words.value !== (box?.metadata.desc ?? "")) words.value = box?.metadata.desc ?? "";
  }

  /** @param {Box[]} boxes */
  function change(boxes) {
    write(boxes);
    show();
  }

  /** @param {(box: Box) => Box} how  for the chosen one */
  function edit(how) {
    change(read().map((box, number) => (number === chosen ? how(box) : box)));
  }

  /** The chosen box, or what makes one, takes the focus. */
  function focus() {
    const box = /** @type {HTMLElement | undefined} */ (stage.children[chosen]);
    (box ?? add).focus();
  }

  function addBox() {
    const boxes = read();
    chosen = boxes.length;
    change([...boxes, untold(placed(chosen, size()), chosen)]);
    done();
    focus();
  }

  function removeChosen() {
    const left = read().filter((_, number) => number !== chosen);
    chosen = Math.min(chosen, left.length - 1);
    change(left);
    done();
    focus();
  }

  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    event.stopPropagation();
    stage.setPointerCapture(event.pointerId);
    const at = place(event);
    const target = /** @type {HTMLElement} */ (event.target);
    const box = target.closest(".acb-box");
    const boxes = read();
    chosen = box ? Number(/** @type {HTMLElement} */ (box).dataset.number) : boxes.length;
    const how = !box ? null : target.classList.contains("acb-corner") ? resized : moved;

    /** @param {PointerEvent} now */
    function drag(now) {
      const to = place(now);
      if (how) {
        const by = /** @type {Point} */ ([to[0] - at[0], to[1] - at[1]]);
        return change(boxes.map((old, number) => (number === chosen ? how(old, by, size()) : old)));
      }
      const sides = between(at, to, size());
      change(sides ? [...boxes, untold(sides, chosen)] : boxes);
    }
    function drop() {
      stage.removeEventListener("pointermove", drag);
      if (chosen >= read().length) chosen = -1;
      show();
      done();
      if (chosen >= 0) words.focus();
    }
    stage.addEventListener("pointermove", drag);
    stage.addEventListener("lostpointercapture", drop, { once: true }); // let go or cancelled
    show();
  });

  stage.addEventListener("focusin", (event) => {
    const number = Number(/** @type {HTMLElement} */ (event.target).dataset.number ?? -1);
    if (number === chosen) return;
    chosen = number;
    show();
    focus();
  });

  element.addEventListener("keydown", (event) => {
    if (isShortcut(event)) return;
    event.stopPropagation(); // the host has shortcuts on the same keys
    if (event.target !== stage.children[chosen]) return;
    const by = ARROWS[event.key];
    if (by) {
      edit((box) => (event.shiftKey ? resized : moved)(box, by, size()));
      done();
      focus();
    } else if (event.key === "Delete" || event.key === "Backspace") removeChosen();
    else if (event.key === "Enter") words.focus();
    else return;
    event.preventDefault();
  });
  words.addEventListener("input", () => {
    const desc = words.value;
    edit((box) => ({ ...box, metadata: { ...box.metadata, desc } }));
  });
  add.addEventListener("click", addBox);
  remove.addEventListener("click", removeChosen);

  /** @param {PointerEvent} event */
  function place(event) {
    return within(stage.getBoundingClientRect(), [event.clientX, event.clientY], size());
  }

  return { element, words, show };
}
