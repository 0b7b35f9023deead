/**
 * What the viewer says. English stands here; `locales/` of the pack has the other languages, under the same names.
 *
 * `{name}` in a text is a place for a value.
 *
 * @typedef {Record<keyof typeof ENGLISH, string>} Texts
 */

export const ENGLISH = {
  panel: "Attention maps",
  never_run: "Run the workflow, and its attention shows here.",
  not_kept: "The maps of the last run are not saved with a workflow. Run it again to see them here.",
  gone: "The maps of the last run are no longer there. Change a setting of this node and run the workflow to see them.",
  words: "Words of the prompt",
  word: "Where “{word}” is looked at. Click: keep it. Shift-click: add it.",
  picture: "The picture. Arrow keys move the crosshair, Enter keeps it, Escape lets go.",
  resting: "Hover a word or the picture.",
  components: "three main components as colours",
  looked_at: "where “{words}” is looked at (up to {share})",
  looks: "where this patch looks",
  matches: "what this patch matches",
  no_cross: "The recorder kept no cross-attention.",
  no_self: "The recorder kept no self-attention.",
  shown: "shown: {what}",
  time: "time",
  layer: "layer",
  play: "Play over time",
  pause: "Pause",
  mean: "mean",
  all_layers: "all {count}",
  at_time: "t {time}",
  at_layer: "layer {layer}",
  mean_over_time: "mean over time",
  mean_over_layers: "mean of all layers",
  mean_of_layers: "mean of the layers",
  mean_of_one: "mean of 1 layer",
  mean_of_several: "mean of {count} layers",
  view: "View",
  single: "Over the picture",
  side: "Side by side",
  match: "Other picture",
  other: "Which other picture",
  colormap: "Colour map",
  opacity: "Opacity of the map",
  previous: "Previous picture of the batch",
  next: "Next picture of the batch",
  save: "Save PNG",
  save_hint: "Save what is shown as a PNG file",
  use: "Use for outputs",
  use_hint: "Write the kept words or place, the layer and the time into the node's inputs",
  place: "the place",
  written: "In the node's inputs: {where}. Run, and the outputs give it.",
  written_in_part: "In the node's inputs: {where}. Connected, so not written: {names}. Run, and the outputs give it.",
};

/**
 * Texts in another language; English where one is missing.
 *
 * @template {Record<string, string>} English
 * @param {English} english
 * @param {Record<string, unknown>} [known]  translations, by the same names
 * @returns {English}
 */
export function translated(english, known = {}) {
  const texts = Object.entries(english).map(([name, text]) => [name, typeof known[name] === "string" ? known[name] : text]);
  return Object.fromEntries(texts);
}

/**
 * A text with values in its places.
 *
 * @param {string} text
 * @param {Record<string, string | number>} values
 * @returns {string}
 */
export function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (place, name) => String(values[name] ?? place));
}
