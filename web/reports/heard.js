/** What nodes have said: in this page, and, in the browser's own storage, for the next. */

const STORE = "AttentionControl.Reports";
const MANY = 200; // texts that are kept

/** @type {Map<string, Map<string, string>>} */
const heard = new Map(); // by workflow and node

/**
 * The latest text of each node of a workflow, as far as this page has heard it.
 *
 * @param {string | undefined} workflow
 * @returns {Map<string, string>}
 */
export function textsOf(workflow) {
  const texts = heard.get(String(workflow)) ?? new Map();
  heard.set(String(workflow), texts);
  return texts;
}

/**
 * Keep what these nodes have said for the workflow's next page.
 *
 * @param {string | undefined} workflow
 * @param {Set<string>} ids
 */
export function keep(workflow, ids) {
  const texts = textsOf(workflow);
  write(workflow, ids, [...ids].map((id) => [`${workflow}/${id}`, texts.get(id) ?? ""]));
}

/**
 * What these nodes have said last is no report, nor does what they said before hold.
 *
 * @param {string | undefined} workflow
 * @param {Set<string>} ids
 */
export function drop(workflow, ids) {
  for (const id of ids) textsOf(workflow).delete(id);
  write(workflow, ids, []);
}

/**
 * What comes from the server's cache is not said again: take what was kept, where this page has not heard it.
 *
 * @param {string | undefined} workflow
 * @param {string[]} ids
 */
export function remember(workflow, ids) {
  const texts = textsOf(workflow);
  for (const id of ids) {
    const text = kept()[`${workflow}/${id}`];
    if (text && !texts.has(id)) texts.set(id, text);
  }
}

/**
 * @param {string | undefined} workflow
 * @param {Set<string>} ids  of the nodes whose texts are replaced
 * @param {string[][]} texts
 */
function write(workflow, ids, texts) {
  const replaced = new Set([...ids].map((id) => `${workflow}/${id}`));
  const others = Object.entries(kept()).filter(([key]) => !replaced.has(key));
  localStorage.setItem(STORE, JSON.stringify(Object.fromEntries([...others, ...texts].slice(-MANY))));
}

/**
 * The texts by workflow and node, the oldest first.
 *
 * @returns {Record<string, string>}
 */
function kept() {
  return JSON.parse(localStorage.getItem(STORE) ?? "{}");
}
