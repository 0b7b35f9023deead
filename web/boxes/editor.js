/** Draw, move, stretch and describe boxes. One per node; what it shows is the host's own list. */

import { make } from "../viewer/elements.js";
import { between, moved, resized } from "./geometry.js";

/** @typedef {import("./geometry.js").Box} Box */
/** @typedef {import("./geometry.js").Point} Point */

const COLOURS = ["#e8821c", "#3f8fd2", "#4aa564", "#b25fc4", "#d2504b", "#8a8d93"];
const STEP = 8; // pixels, by an arrow key
const ARROWS = /** @type {Record<string, Point>} */ ({
  ArrowLeft: [-STEP, 0],
  ArrowRight: [STEP, 0],
  ArrowUp: [0, -STEP],
  ArrowDown: [0, STEP],
});

/**
 * @param {{ read: () => Box[], write: (boxes: Box[]) => void, size: () => Point }} host  size: of its canvas, in pixels
 */
export function createBoxEditor({ read, write, size }) {
  let chosen = -1;
  const stage = make("div", { class: "acb-stage" });
  const words = /** @type {HTMLInputElement} */ (make("input", { class: "acb-words", "aria-label": "What is in the box" }));
  words.placeholder = "Draw a box, then say what is in it";
  const remove = make("button", { type: "button" });
  remove.textContent = "Remove";
  const foot = make("div", { class: "acb-foot" }, words, remove);
  const element = make("div", { class: "acb", role: "group", "aria-label": "Boxes" }, stage, foot);

  function show() {
    const boxes = read();
    const [width, height] = size();
    stage.style.aspectRatio = `${width} / ${height}`;
    stage.replaceChildren(...boxes.map((box, number) => drawn(box, number, [width, height])));
    const box = boxes[chosen];
    words.disabled = /** @type {HTMLButtonElement} */ (remove).disabled = !box;
    if (words.value !== (box?.metadata.desc ?? "")) words.value = box?.metadata.desc ?? "";
  }

  /**
   * @param {Box} box
   * @param {number} number
   * @param {Point} canvas
   */
  function drawn(box, number, [width, height]) {
    const label = `${number + 1} ${box.metadata.desc || box.metadata.text}`.trim();
    const shown = make("div", { class: "acb-box", role: "button", tabindex: "0", "aria-label": `Box ${label}` });
    shown.setAttribute("aria-pressed", String(number === chosen));
    shown.dataset.number = String(number);
    const parts = { left: box.x / width, top: box.y / height, width: box.width / width, height: box.height / height };
    for (const [side, part] of Object.entries(parts)) shown.style.setProperty(side, `${100 * part}%`);
    shown.style.setProperty("--box", box.metadata.palette[0] ?? COLOURS[number % COLOURS.length]);
    const name = make("span", {});
    name.textContent = label;
    shown.append(name, make("i", { class: "acb-corner" }));
    return shown;
  }

  /** @param {Box[]} boxes */
  function change(boxes) {
    write(boxes);
    show();
  }

  /**
   * Replace the chosen box, and keep the focus on it.
   *
   * @param {(box: Box) => Box} how
   */
  function edit(how) {
    change(read().map((box, number) => (number === chosen ? how(box) : box)));
    /** @type {HTMLElement | undefined} */ (stage.children[chosen])?.focus();
  }

  function removeChosen() {
    change(read().filter((_, number) => number !== chosen));
    chosen = -1;
    show();
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
      const metadata = { type: "obj", text: "", desc: "", palette: [COLOURS[chosen % COLOURS.length]] };
      change(sides ? [...boxes, { ...sides, metadata }] : boxes);
    }
    function drop() {
      stage.removeEventListener("pointermove", drag);
      if (chosen >= read().length) chosen = -1;
      show();
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
    /** @type {HTMLElement | undefined} */ (stage.children[chosen])?.focus();
  });

  element.addEventListener("keydown", (event) => {
    event.stopPropagation(); // the host has shortcuts on the same keys
    if (event.target === words || chosen < 0) return;
    const by = ARROWS[event.key];
    if (by) edit((box) => (event.shiftKey ? resized : moved)(box, by, size()));
    else if (event.key === "Delete" || event.key === "Backspace") removeChosen();
    else if (event.key === "Enter") words.focus();
    else return;
    event.preventDefault();
  });
  words.addEventListener("input", () => {
    const desc = words.value;
    change(read().map((box, number) => (number === chosen ? { ...box, metadata: { ...box.metadata, desc } } : box)));
  });
  remove.addEventListener("click", removeChosen);

  /**
   * Where the pointer is, in pixels of the canvas.
   *
   * @param {PointerEvent} event
   * @returns {Point}
   */
  function place(event) {
    const shown = stage.getBoundingClientRect();
    const [width, height] = size();
    return [
      ((event.clientX - shown.left) / shown.width) * width,
      ((event.clientY - shown.top) / shown.height) * height,
    ];
  }

  return { element, show };
}
