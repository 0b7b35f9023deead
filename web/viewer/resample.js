/**
 * Enlarging a map for the eye: cubic convolution (Keys 1981, a = -1/2), cells centred, edges repeated.
 *
 * @typedef {import("./atlas.js").Heat} Heat
 */

/**
 * The map stretched to its own range, 0..1, and enlarged.
 *
 * @param {Heat} heat
 * @param {[number, number]} size  width, height
 * @returns {Heat}
 */
export function enlarged(heat, size) {
  const { values, size: [width, height] } = stretched(heat);
  const wide = along(values, width, height, size[0], true);
  const whole = along(wide, size[0], height, size[1], false);
  return { values: whole.map((value) => Math.min(1, Math.max(0, value))), size };
}

/**
 * @param {Heat} heat
 * @returns {Heat}
 */
function stretched({ values, size }) {
  const low = values.reduce((least, value) => Math.min(least, value), Infinity);
  const high = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const range = high - low;
  return { values: values.map((value) => (range > 0 ? (value - low) / range : 0)), size };
}

/**
 * Resample one axis of a (height, width) array to `length`.
 *
 * @param {Float32Array} values
 * @param {number} width
 * @param {number} height
 * @param {number} length
 * @param {boolean} across  the axis: across the rows, or down the columns
 * @returns {Float32Array}
 */
function along(values, width, height, length, across) {
  const cells = across ? width : height;
  const [lines, step, line] = across ? [height, 1, width] : [width, width, 1];
  const result = new Float32Array(lines * length);
  const [outStep, outLine] = across ? [1, length] : [width, 1];
  for (let i = 0; i < length; i++) {
    const position = ((i + 0.5) * cells) / length - 0.5;
    const first = Math.floor(position) - 1;
    const weights = cubic(position - Math.floor(position));
    const taps = weights.map((_, k) => Math.min(cells - 1, Math.max(0, first + k)) * step);
    for (let j = 0; j < lines; j++) {
      let sum = 0;
      for (let k = 0; k < 4; k++) sum += weights[k] * values[j * line + taps[k]];
      result[j * outLine + i * outStep] = sum;
    }
  }
  return result;
}

/**
 * The weights of the four nearest cells for a position `t` (0..1) behind the second.
 *
 * @param {number} t
 * @returns {number[]}
 */
function cubic(t) {
  return [
    ((2 - t) * t - 1) * t * 0.5,
    ((3 * t - 5) * t * t + 2) * 0.5,
    ((4 - 3 * t) * t + 1) * t * 0.5,
    (t - 1) * t * t * 0.5,
  ];
}
