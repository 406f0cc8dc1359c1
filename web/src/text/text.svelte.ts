// The words on the screen: one catalogue per language, loaded when it is spoken. `t` fills {names} in; where a text has
// two forms ("one|other"), {n} decides by the language's own rule.

import en from "./en";

export type Key = keyof typeof en;
export type Catalogue = Record<Key, string>;
export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;

let catalogue = $state.raw<Catalogue>(en);
let spoken = $state<Language>("en");

export const language = (): Language => spoken;

export function fill(text: string, language: string, args: Record<string, string | number> = {}): string {
  const forms = text.split("|");
  const n = typeof args.n === "number" ? args.n : 0;
  const form = forms.length === 2 && new Intl.PluralRules(language).select(n) !== "one" ? forms[1] : forms[0];
  return (form ?? "").replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = args[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? new Intl.NumberFormat(language).format(value) : value;
  });
}

export function t(key: Key, args?: Record<string, string | number>): string {
  return fill(catalogue[key], spoken, args);
}

/** The text of a word that the hub says, where the catalogue has one: `word("state", "delivered")`. */
export function word(group: string, name: string | null, otherwise?: string): string {
  const key = `${group}.${name}` as Key;
  return key in catalogue ? t(key) : (otherwise ?? (name ?? "").replaceAll("_", " "));
}

export async function speak(wanted: Language): Promise<void> {
  catalogue = wanted === "de" ? (await import("./de")).default : en;
  spoken = wanted;
  document.documentElement.lang = wanted;
}

export function preferred(): Language {
  return navigator.languages.some((tag) => tag.startsWith("en"))
    ? navigator.languages.findIndex((tag) => tag.startsWith("de")) === 0
      ? "de"
      : "en"
    : navigator.languages.some((tag) => tag.startsWith("de"))
      ? "de"
      : "en";
}
