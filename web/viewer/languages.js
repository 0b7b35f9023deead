/** What all packs say in all languages, asked of the server once; without it we speak English. */

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { translated } from "./texts.js";

const KNOWN = await known(); // the front end waits for it, so nodes find their words there

/**
 * Texts in the user's language.
 *
 * @template {Record<string, string>} Texts
 * @param {string} place  of the translations, in `locales/LANGUAGE/main.json`
 * @param {Texts} english
 * @returns {Texts}
 */
export function spoken(place, english) {
  const language = String(app.extensionManager.setting.get("Comfy.Locale"));
  return translated(english, KNOWN?.[language]?.[place]);
}

/** @returns {Promise<any>} */
async function known() {
  try {
    const answer = await api.fetchApi("/i18n");
    return answer.ok ? await answer.json() : {};
  } catch {
    return {};
  }
}
