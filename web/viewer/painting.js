/** Painting a scene on a canvas, for the panel and for the file to save. */

import { cellAt } from "./atlas.js";
import { mapPixels, mixedPixels } from "./heatmap.js";
import { enlarged } from "./resample.js";

/** @typedef {import("./panes.js").Box} Box */
/** @typedef {import("./scene.js").Pane} Pane */
/** @typedef {import("./scene.js").Overlay} Overlay */
/** @typedef {import("./scene.js").Mark} Mark */

const FINEST = 384;
const STROKES = [{ color: "rgb(0 0 0 / 0.45)", thickness: 3 }, { color: "rgb(255 255 255 / 0.9)", thickness: 1.2 }];

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Pane[]} panes
 * @param {Box[]} places  one per pane, in the canvas's pixels
 * @param {{ opacity: number, table: Uint8ClampedArray, radius: number }} style  radius of the corners, in pixels
 */
export function paint(context, panes, places, { opacity, table, radius }) {
  context.imageSmoothingQuality = "high";
  panes.forEach(({ bitmap, overlay, marks }, i) => {
    const { x, y, width, height } = places[i];
    context.save();
    context.beginPath();
    context.roundRect(x, y, width, height, radius);
    context.clip();
    context.drawImage(bitmap, x, y, width, height);
    if (overlay) {
      context.globalAlpha = opacity;
      context.drawImage(overlayOf(overlay, width, height, table), x, y, width, height);
      context.globalAlpha = 1;
    }
    for (const mark of marks) markOn(context, places[i], mark);
    context.restore();
  });
}

/**
 * @param {Overlay} overlay
 * @param {number} width
 * @param {number} height
 * @param {Uint8ClampedArray} table
 * @returns {CanvasImageSource}
 */
function overlayOf(overlay, width, height, table) {
  if ("picture" in overlay) return overlay.picture;
  const { heats, colors } = overlay;
  const scale = Math.min(1, FINEST / Math.max(width, height));
  const size = /** @type {[number, number]} */ ([width, height].map((x) => Math.max(1, Math.round(x * scale))));
  const fine = heats.map((heat) => enlarged(heat, size));
  const pixels = colors ? mixedPixels(fine, colors) : mapPixels(fine[0], table);
  const canvas = new OffscreenCanvas(...size);
  canvas.getContext("2d")?.putImageData(new ImageData(pixels, ...size), 0, 0);
  return canvas;
}

/**
 * The cell under the point, with a crosshair through it or a ring round it.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Box} box
 * @param {Mark} mark
 */
function markOn(context, box, { point, grid, kind }) {
  const [column, row] = cellAt(grid, point);
  const [wide, high] = [box.width / grid[1], box.height / grid[0]];
  const [x, y] = [box.x + column * wide, box.y + row * high];
  const [middleX, middleY] = [x + wide / 2, y + high / 2];
  const unit = Math.max(1, box.width / 400);
  const lines = new Path2D();
  lines.roundRect(x, y, wide, high, 2 * unit);
  if (kind === "target") {
    const radius = 1.2 * Math.hypot(wide, high);
    lines.moveTo(middleX + radius, middleY);
    lines.arc(middleX, middleY, radius, 0, 2 * Math.PI);
  } else {
    for (const [x1, y1, x2, y2] of [
      [box.x, middleY, x, middleY], [x + wide, middleY, box.x + box.width, middleY],
      [middleX, box.y, middleX, y], [middleX, y + high, middleX, box.y + box.height],
    ]) {
      lines.moveTo(x1, y1);
      lines.lineTo(x2, y2);
    }
  }
  for (const { color, thickness } of STROKES) {
    context.strokeStyle = color;
    context.lineWidth = thickness * unit;
    context.stroke(lines);
  }
}
