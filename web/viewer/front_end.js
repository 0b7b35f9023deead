/** What extensions ask of the front end, whichever node they are for. */

/**
 * Let a method of the front end do something more.
 *
 * @template {string} Name
 * @param {{ [name in Name]?: (...parameters: any[]) => any }} object
 * @param {Name} name
 * @param {(...parameters: any[]) => void} then
 */
export function after(object, name, then) {
  const first = object[name];
  object[name] = function (/** @type {any[]} */ ...parameters) {
    const result = first?.apply(this, parameters);
    then(...parameters);
    return result;
  };
}

/**
 * Let a stylesheet hold in the whole page.
 *
 * @param {URL} url
 */
export function addSheet(url) {
  const sheet = document.createElement("link");
  sheet.rel = "stylesheet";
  sheet.href = url.href;
  document.head.append(sheet);
}

/**
 * Whether the classic renderer draws the nodes, not Nodes 2.0.
 *
 * @returns {boolean}
 */
export function isClassic() {
  return !(/** @type {any} */ (window).LiteGraph.vueNodesMode);
}

/**
 * How many pixels so many rem are: the letters' size is the user's.
 *
 * @param {number} rem
 * @returns {number}
 */
export function pixels(rem) {
  return rem * parseFloat(getComputedStyle(document.documentElement).fontSize);
}
