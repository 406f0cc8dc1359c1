// Times, spans and phone numbers as people read them. Pure; words come from the catalogue, numbers from Intl.

/** h:mm:ss or m:ss; a negative span is 0:00. */
export function clock(ms: number): string {
  const all = Math.max(0, Math.floor(ms / 1000));
  const [hours, minutes, seconds] = [Math.floor(all / 3600), Math.floor((all % 3600) / 60), all % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
}

/** A span in ISO 8601, for `<time datetime>`. */
export const duration = (ms: number): string => `PT${Math.max(0, Math.floor(ms / 1000))}S`;

export function time(at: string, language: string): string {
  return new Intl.DateTimeFormat(language, { hour: "numeric", minute: "2-digit" }).format(new Date(at));
}

export function dateTime(at: string, language: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(new Date(at));
}

/** The day in the reader's zone, as a key. */
export function dayKey(at: string): string {
  const day = new Date(at);
  return `${day.getFullYear()}-${day.getMonth() + 1}-${day.getDate()}`;
}

/** Today, yesterday, else the date. */
export function dayName(at: string, now: number, language: string): string {
  const start = (when: number) => new Date(when).setHours(0, 0, 0, 0);
  const days = Math.round((start(Date.parse(at)) - start(now)) / 86_400_000);
  if (days === 0 || days === -1) return sentence(new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(days, "day"));
  const year = new Date(at).getFullYear() === new Date(now).getFullYear() ? undefined : ("numeric" as const);
  return new Intl.DateTimeFormat(language, { weekday: "long", day: "numeric", month: "long", year }).format(new Date(at));
}

const sentence = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1);

/** A span in words, coarse: "2 hr 5 min". */
export function span(ms: number, language: string): string {
  const minutes = Math.round(ms / 60_000);
  const unit = (n: number, unit: string) =>
    new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short" }).format(n);
  if (minutes < 1) return unit(Math.max(0, Math.round(ms / 1000)), "second");
  if (minutes < 60) return unit(minutes, "minute");
  const rest = minutes % 60;
  return rest ? `${unit(Math.floor(minutes / 60), "hour")} ${unit(rest, "minute")}` : unit(minutes / 60, "hour");
}

const TWO_DIGITS = /^(2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58])/;

/** An E.164 number in groups; short codes and visitors' names as they are. */
export function number(raw: string | null): string {
  if (!raw) return "";
  if (!/^\+\d{7,15}$/.test(raw)) return raw;
  const digits = raw.slice(1);
  if (digits.startsWith("1") && digits.length === 11)
    return `+1 (${digits.slice(1, 4)}) ${digits.slice(4, 7)}-${digits.slice(7)}`;
  const code = /^[17]/.test(digits) ? 1 : TWO_DIGITS.test(digits) ? 2 : 3;
  const rest = digits.slice(code);
  const groups: string[] = [];
  for (let at = 0; at < rest.length; at += 3) {
    if (rest.length - at === 4) {
      groups.push(rest.slice(at));
      break;
    }
    groups.push(rest.slice(at, at + 3));
  }
  return `+${digits.slice(0, code)} ${groups.join(" ")}`;
}

/** What a person typed, as E.164 if it can be one; "+" is needed, spaces and punctuation are not. */
export function dialled(typed: string): string | null {
  const plain = typed.replace(/[\s().\-/]/g, "").replace(/^00/, "+");
  return /^\+[1-9]\d{6,14}$/.test(plain) ? plain : null;
}

/** Slugs as names: "plain-porridge" → "Plain porridge". */
export const named = (slug: string | null): string => sentence((slug ?? "").replace(/[-_]/g, " "));

/** Agents' slugs as people's names: "mama-bear" → "Mama Bear". */
export const person = (slug: string | null): string =>
  (slug ?? "").replace(/[-_.]/g, " ").replace(/(^|\s)\p{L}/gu, (letter) => letter.toUpperCase());

/** Day and time, the year only where it is another. */
export function shortDateTime(at: string, language: string, now = Date.now()): string {
  const year = new Date(at).getFullYear() === new Date(now).getFullYear() ? undefined : ("numeric" as const);
  return new Intl.DateTimeFormat(language, { year, month: "short", day: "numeric", hour: "numeric", minute: "2-digit" }).format(new Date(at));
}

export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter((word) => /\p{L}/u.test(word));
  return words.length === 0 ? "#" : words.slice(0, 2).map((word) => [...word][0]?.toUpperCase() ?? "").join("");
}
