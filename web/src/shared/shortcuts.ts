// The keys of the desk. By the key's place (`code`), so that Alt's own characters do no harm; never with Ctrl, which with
// Alt is AltGr; never while an input method composes; never a bare letter.

export type Action =
  | "accept" | "refuse" | "next" | "previous" | "longest" | "reply" | "note" | "end" | "park" | "transfer"
  | "newText" | "details" | "state" | "mute" | "list";

interface Keys {
  action: Action;
  code: string;
  shift: boolean;
}

export const KEYS: Keys[] = [
  { action: "accept", code: "KeyN", shift: true },
  { action: "refuse", code: "KeyX", shift: true },
  { action: "next", code: "KeyJ", shift: false },
  { action: "previous", code: "KeyK", shift: false },
  { action: "longest", code: "KeyM", shift: true },
  { action: "reply", code: "KeyL", shift: false },
  { action: "note", code: "KeyP", shift: false },
  { action: "end", code: "KeyE", shift: false },
  { action: "park", code: "KeyM", shift: false },
  { action: "transfer", code: "KeyR", shift: true },
  { action: "newText", code: "KeyT", shift: true },
  { action: "details", code: "KeyO", shift: false },
  { action: "state", code: "KeyS", shift: true },
  { action: "mute", code: "KeyU", shift: true },
];

export type Pressed = Pick<
  KeyboardEvent,
  "altKey" | "ctrlKey" | "metaKey" | "shiftKey" | "code" | "key" | "isComposing" | "keyCode" | "repeat"
>;

/** What a key press asks for. `writing` is true where the focus is in a field. */
export function action(event: Pressed, writing: boolean): Action | null {
  if (event.isComposing || event.keyCode === 229 || event.ctrlKey || event.metaKey || event.repeat) return null;
  if (event.key === "?" && !event.altKey) return writing ? null : "list";
  if (!event.altKey) return null;
  return KEYS.find((keys) => keys.code === event.code && keys.shift === event.shiftKey)?.action ?? null;
}

/** 1 to 9 for Alt with a digit, or for a bare digit outside fields. */
export function digit(event: Pressed, writing: boolean): number | null {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.shiftKey || (writing && !event.altKey)) return null;
  const found = /^(?:Digit|Numpad)([1-9])$/.exec(event.code);
  return found ? Number(found[1]) : null;
}

const isMac = typeof navigator !== "undefined" && /mac/i.test(navigator.platform);

/** As it is printed: "Alt+Shift+N", on Apple's "⌥⇧N". */
export function printed(action: Action): string {
  if (action === "list") return "?";
  const keys = KEYS.find((keys) => keys.action === action);
  if (!keys) return "";
  const letter = keys.code.replace("Key", "");
  return isMac ? `⌥${keys.shift ? "⇧" : ""}${letter}` : `Alt+${keys.shift ? "Shift+" : ""}${letter}`;
}

export function isWriting(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || target.matches("textarea, select, input:not([type=radio], [type=checkbox], [type=range])");
}
