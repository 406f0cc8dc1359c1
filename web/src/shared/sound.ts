// Three sounds, made and not loaded: an offer rings until it is gone, a text and a timer sound once. Browsers give sound
// only after a person's gesture. Only the leading tab is heard, and no id twice.

import { settings } from "./settings.svelte";

type Name = "offer" | "text" | "timer";

/** Tones of a sound: frequency in Hz, start and length in s. */
const TONES: Record<Name, [number, number, number][]> = {
  offer: [
    [784, 0, 0.16],
    [1047, 0.18, 0.3],
  ],
  text: [[660, 0, 0.12]],
  timer: [
    [392, 0, 0.14],
    [392, 0.22, 0.14],
  ],
};

let context: AudioContext | null = null;
const sounded = new Map<string, number>();

/** To be called from a gesture. */
export function wakeSound(): void {
  if (typeof AudioContext === "undefined") return;
  context ??= new AudioContext();
  if (context.state === "suspended") void context.resume();
}

export const isAwake = (): boolean => context?.state === "running";

export function sound(name: Name): void {
  if (settings.muted || settings.volume === 0 || context?.state !== "running") return;
  document.documentElement.dataset.sounded = `${name}:${Number(document.documentElement.dataset.sounded?.split(":")[1] ?? 0) + 1}`;
  const begin = context.currentTime + 0.02;
  for (const [frequency, start, length] of TONES[name]) {
    const tone = context.createOscillator();
    const gain = context.createGain();
    tone.type = "sine";
    tone.frequency.value = frequency;
    gain.gain.setValueAtTime(0, begin + start);
    gain.gain.linearRampToValueAtTime(settings.volume * 0.4, begin + start + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.001, begin + start + length);
    tone.connect(gain).connect(context.destination);
    tone.start(begin + start);
    tone.stop(begin + start + length + 0.05);
  }
}

/** True the first time within half a minute: a reconnect rings for nothing twice. */
export function isFirst(id: string, now = Date.now()): boolean {
  for (const [old, at] of sounded) if (now - at > 30_000) sounded.delete(old);
  if (sounded.has(id)) return false;
  sounded.set(id, now);
  return true;
}

/** A notice of the desktop, where it was allowed; a click brings the desk to the front. */
export function notice(id: string, title: string, body: string, clicked: () => void): void {
  if (typeof Notification === "undefined" || Notification.permission !== "granted") return;
  const shown = new Notification(title, { body, tag: id, icon: "/icon.svg" });
  shown.onclick = () => {
    window.focus();
    clicked();
    shown.close();
  };
}
