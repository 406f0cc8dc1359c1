// What the desk knows, and how each message of the socket changes it. Pure: no network, no clock, no browser. Applying a
// message twice is applying it once.

import type { Agent, Contact, Entry, Event, FromServer, Offer, Setup } from "../api/types";

/** A text on its way: shown at once under the command's id, until its entry comes or it is refused. */
export interface Pending {
  id: string;
  /** The id that its entry will have, where it is known before. */
  entry_id: string | null;
  room_id: string;
  kind: "text" | "note";
  text: string;
  at: string;
  state: "sending" | "accepted" | "failed";
  reason: string | null;
  sentence: string | null;
}

export interface Model {
  agent: Agent | null;
  offers: Offer[];
  contacts: Contact[];
  setup: Setup;
  pending: Pending[];
}

/** What a message means for people, beyond the change itself. */
export type Notice =
  | { kind: "offered"; offer: Offer }
  | { kind: "offer_gone"; offer: Offer; outcome: string; reason: string | null }
  | { kind: "texted"; contact: Contact; entry: Entry }
  | { kind: "gone"; contact: Contact; outcome: string | null; reason: string | null }
  | { kind: "refused"; id: string; refused: string; reason: string; sentence: string; pending: Pending | null }
  | { kind: "agent"; before: Agent | null; agent: Agent };

export const empty = (): Model => ({
  agent: null,
  offers: [],
  contacts: [],
  setup: { codes: [], skills: [], points_of_contact: [], quick_replies: [] },
  pending: [],
});

export function apply(model: Model, message: FromServer): Notice[] {
  if (message.type === "move" || message.type === "resumed") return [];
  if (message.type !== "snapshot") return applyEvent(model, message);
  const { snapshot } = message;
  const known = new Map(model.contacts.map((contact) => [contact.contact_id, contact]));
  const rung = new Set(model.offers.map((offer) => offer.offer_id));
  model.agent = snapshot.agent;
  model.setup = snapshot.setup;
  model.offers = snapshot.offers;
  // whoever watches the tenant gets the others' as summaries: they are not this desk's
  model.contacts = snapshot.contacts.filter((contact) => !contact.summary).map((contact) => joined(known.get(contact.contact_id), contact));
  for (const contact of model.contacts) {
    const had = new Set((known.get(contact.contact_id)?.entries ?? []).map((entry) => entry.entry_id));
    for (const entry of contact.entries) if (!had.has(entry.entry_id)) settle(model, contact.room_id, entry);
  }
  return snapshot.offers.filter((offer) => !rung.has(offer.offer_id)).map((offer) => ({ kind: "offered", offer }));
}

function applyEvent(model: Model, event: Event): Notice[] {
  switch (event.type) {
    case "offer": {
      const is_new = !model.offers.some((offer) => offer.offer_id === event.offer.offer_id);
      model.offers = [...model.offers.filter((offer) => offer.offer_id !== event.offer.offer_id), event.offer];
      return is_new ? [{ kind: "offered", offer: event.offer }] : [];
    }
    case "offer_gone": {
      const offer = model.offers.find((offer) => offer.offer_id === event.offer_id);
      model.offers = model.offers.filter((offer) => offer.offer_id !== event.offer_id);
      return offer ? [{ kind: "offer_gone", offer, outcome: event.outcome, reason: event.reason }] : [];
    }
    case "contact":
      return event.summary && !find(model, event.contact.contact_id) ? [] : upsert(model, event.contact);
    case "contact_gone": {
      if (event.summary) return [];
      const contact = find(model, event.contact_id);
      model.contacts = model.contacts.filter((contact) => contact.contact_id !== event.contact_id);
      return contact ? [{ kind: "gone", contact, outcome: event.outcome, reason: event.reason }] : [];
    }
    case "entry":
      return append(model, event);
    case "entry_state": {
      const entry = room(model, event.room_id)?.entries.find((entry) => entry.entry_id === event.entry_id);
      if (entry) Object.assign(entry, { state: event.state, reason: event.reason });
      return [];
    }
    case "session": {
      const contact = find(model, event.contact_id);
      if (contact?.session && event.deadline_at) contact.session.deadline_at = event.deadline_at;
      return [];
    }
    case "agent": {
      const before = model.agent;
      model.agent = event.agent;
      return [{ kind: "agent", before, agent: event.agent }];
    }
    case "refused":
      return [refuse(model, event)];
    default:
      return [];
  }
}

export const find = (model: Model, contact_id: string | null): Contact | undefined =>
  model.contacts.find((contact) => contact.contact_id === contact_id);
export const room = (model: Model, room_id: string): Contact | undefined =>
  model.contacts.find((contact) => contact.room_id === room_id);

function upsert(model: Model, contact: Contact): Notice[] {
  const at = model.contacts.findIndex((known) => known.contact_id === contact.contact_id);
  const before = model.contacts[at];
  const whole = joined(before, contact);
  if (at < 0) model.contacts.push(whole);
  else model.contacts[at] = whole;
  const had = new Set((before?.entries ?? []).map((entry) => entry.entry_id));
  const fresh = whole.entries.filter((entry) => !had.has(entry.entry_id));
  for (const entry of fresh) settle(model, contact.room_id, entry);
  if (!before) return [];
  return fresh.filter(isCustomers).map((entry) => ({ kind: "texted", contact: whole, entry }));
}

/** A newer form of a contact, with the older entries that were loaded before. */
function joined(before: Contact | undefined, contact: Contact): Contact {
  const old = before?.entries ?? [];
  if (contact.summary) return { ...contact, entries: old, more: before?.more ?? true };
  const first = contact.entries[0]?.seq ?? Number.POSITIVE_INFINITY;
  const last = contact.entries.at(-1)?.seq ?? -1;
  const kept = old.filter((entry) => entry.seq < first);
  const newer = old.filter((entry) => entry.seq > last);
  const more = kept.length > 0 ? (before?.more ?? false) : contact.more;
  return { ...contact, entries: [...kept, ...contact.entries, ...newer], more };
}

/** Older entries, as they were asked for. */
export function prepend(contact: Contact, older: Entry[], more: boolean): void {
  const known = new Set(contact.entries.map((entry) => entry.seq));
  const fresh = older.filter((entry) => !known.has(entry.seq));
  contact.entries = [...fresh, ...contact.entries].sort((a, b) => a.seq - b.seq);
  contact.more = more;
}

const isCustomers = (entry: Entry): boolean => entry.author === "customer" && entry.kind === "text";

function append(model: Model, { contact_id, room_id, entry, ...now }: Extract<Event, { type: "entry" }>): Notice[] {
  settle(model, room_id, entry);
  const contact = find(model, contact_id) ?? room(model, room_id);
  if (!contact) return [];
  if (now.deadline_at && contact.session) contact.session.deadline_at = now.deadline_at;
  contact.waiting_since = now.waiting_since;
  const known = contact.entries.findIndex((old) => old.entry_id === entry.entry_id);
  if (known >= 0) {
    contact.entries[known] = entry;
    return [];
  }
  contact.entries = [...contact.entries, entry].sort((a, b) => a.seq - b.seq);
  return isCustomers(entry) ? [{ kind: "texted", contact, entry }] : [];
}

/** The entry of a text of ours is there: its bubble goes. By the entry's id or, where that is not known, the same words. */
function settle(model: Model, room_id: string, entry: Entry): void {
  if (entry.author !== "agent") return;
  const at = model.pending.findIndex((pending) =>
    pending.entry_id
      ? pending.entry_id === entry.entry_id
      : pending.room_id === room_id && pending.state !== "failed" && pending.kind === entry.kind && pending.text === entry.text && pending.at <= later(entry.at),
  );
  if (at >= 0) model.pending.splice(at, 1);
}

/** Clocks of two machines differ by less than this. */
const later = (at: string): string => new Date(Date.parse(at) + 120_000).toISOString();

function refuse(model: Model, event: Extract<Event, { type: "refused" }>): Notice {
  const pending = model.pending.find((pending) => pending.id === event.refused_id) ?? null;
  if (pending) Object.assign(pending, { state: "failed", reason: event.reason, sentence: event.sentence });
  const { refused_id: id, refused, reason, sentence } = event;
  return { kind: "refused", id, refused, reason, sentence, pending };
}
