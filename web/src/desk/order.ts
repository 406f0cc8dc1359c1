// The order of the list, and the clocks on its rows. Pure.

import type { Contact, Skill } from "../api/types";

/** Who waits longest stands first; then wrap-up, which holds a slot; then the others by their last word; parked last. */
export function ordered(contacts: Contact[]): Contact[] {
  const rank = (contact: Contact): number => {
    if (contact.state === "parked") return 3;
    if (contact.state === "wrap_up") return 1;
    return contact.waiting_since ? 0 : 2;
  };
  const time = (contact: Contact): number => {
    if (rank(contact) === 0) return Date.parse(contact.waiting_since ?? contact.queued_at);
    if (rank(contact) === 1) return Date.parse(contact.wrap_up_until ?? contact.queued_at);
    return -lastAt(contact);
  };
  return [...contacts].sort(
    (a, b) => rank(a) - rank(b) || time(a) - time(b) || a.contact_id.localeCompare(b.contact_id),
  );
}

export function lastAt(contact: Contact): number {
  const last = contact.entries.at(-1)?.at ?? contact.accepted_at ?? contact.queued_at;
  return Date.parse(last);
}

export type Urgency = "calm" | "soon" | "late";

/** How a customer's wait stands to the skill's response time: soon past half of it. */
export function waitUrgency(contact: Contact, skill: Skill | undefined, now: number): Urgency {
  if (!contact.waiting_since || contact.state !== "active") return "calm";
  const within = (skill?.response_s ?? 300) * 1000;
  const waited = now - Date.parse(contact.waiting_since);
  if (waited >= within) return "late";
  return waited >= within / 2 ? "soon" : "calm";
}

const QUARTER = 15 * 60_000;
const FIVE = 5 * 60_000;

/** The session's time left: soon under 15 minutes, late under 5; shorter sessions warn at an eighth and a twenty-fourth. */
export function sessionUrgency(left_ms: number, timeout_s: number): Urgency {
  const whole = timeout_s * 1000;
  if (left_ms <= Math.min(FIVE, whole / 24)) return "late";
  return left_ms <= Math.min(QUARTER, whole / 8) ? "soon" : "calm";
}

/** The next in the list, or the one before; round at the ends. */
export function neighbour(list: Contact[], selected: string | null, step: 1 | -1): string | null {
  if (list.length === 0) return null;
  const at = list.findIndex((contact) => contact.contact_id === selected);
  const next = at < 0 ? (step === 1 ? 0 : list.length - 1) : (at + step + list.length) % list.length;
  return list[next]?.contact_id ?? null;
}
