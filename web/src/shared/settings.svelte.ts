// What a person chose for this browser: language, appearance, sounds.

import { LANGUAGES, type Language, preferred, speak } from "../text/text.svelte";
import { keep, kept } from "./kept";

export type Theme = "system" | "light" | "dark";

class Settings {
  theme = $state<Theme>("system");
  volume = $state(0.6);
  muted = $state(false);
  details = $state(true);

  load(): void {
    const theme = kept("theme");
    if (theme === "light" || theme === "dark") this.theme = theme;
    this.volume = Math.min(1, Math.max(0, Number(kept("volume") ?? 0.6) || 0));
    this.muted = kept("muted") === "yes";
    this.details = kept("details") !== "no";
    this.show();
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    keep("theme", theme === "system" ? null : theme);
    this.show();
  }

  setVolume(volume: number): void {
    this.volume = volume;
    keep("volume", String(volume));
  }

  setMuted(muted: boolean): void {
    this.muted = muted;
    keep("muted", muted ? "yes" : null);
  }

  setDetails(details: boolean): void {
    this.details = details;
    keep("details", details ? null : "no");
  }

  private show(): void {
    if (this.theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.theme;
  }
}

export const settings = new Settings();

const isLanguage = (name: string | null): name is Language => name !== null && name in LANGUAGES;

/** The language chosen here, else the user's where it is not the default, else the browser's. */
export async function speakTheirs(users: string | null): Promise<void> {
  const chosen = kept("language");
  const theirs = users?.slice(0, 2) ?? null;
  await speak(isLanguage(chosen) ? chosen : isLanguage(theirs) && theirs !== "en" ? theirs : preferred()).catch(() => {});
}

export async function chooseLanguage(language: Language): Promise<void> {
  keep("language", language);
  await speak(language);
}
