/** The colours of boxes, and what can be read on them. No document here. */

const COLOURS = ["#e8821c", "#3f8fd2", "#4aa564", "#b25fc4", "#d2504b", "#8a8d93"];
const DARK_AND_LIGHT = ["#000000", "#ffffff"];
const COLOUR = /^#[0-9a-f]{6}$/i; // all else that a workflow's file calls one stays out of style sheets

/**
 * @param {number} number  of a box, from 0
 * @returns {string}
 */
export function colourOf(number) {
  return COLOURS[number % COLOURS.length];
}

/**
 * The first colour of a box's own, or else that of its number.
 *
 * @param {string[]} palette
 * @param {number} number  from 0
 * @returns {string}
 */
export function colourIn(palette, number) {
  return palette.find((colour) => COLOUR.test(colour)) ?? colourOf(number);
}

/**
 * Of a dark and a light ink the one with more contrast (WCAG 2.1, 1.4.3); it has 4.5 : 1 on any ground.
 *
 * @param {string} ground  as #rrggbb
 * @returns {string}
 */
export function inkOn(ground) {
  const [dark, light] = DARK_AND_LIGHT.map(luminance);
  const at = luminance(ground);
  return (at + 0.05) / (dark + 0.05) >= (light + 0.05) / (at + 0.05) ? DARK_AND_LIGHT[0] : DARK_AND_LIGHT[1];
}

/**
 * @param {string} colour  as #rrggbb
 * @returns {number} 0 to 1
 */
function luminance(colour) {
  const linear = [1, 3, 5].map((start) => {
    const part = parseInt(colour.slice(start, start + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}
