// What an agent asks the hub for. Each has an id of its own, so that a repeat is a repeat; a no is shown with its reason.

import { command, encode, entryId, Failure, newId } from "../api/call";
import type { AgentState, Contact, Offer, Outcome } from "../api/types";
import { toasts } from "../shared/toasts.svelte";
import { t } from "../text/text.svelte";
import { type Desk, name, sentence } from "./desk.svelte";
import type { Pending } from "./model";
import { keepPending } from "./pending";

/** Asks; true when the hub did it or has it. `told` is said then. */
async function ask(desk: Desk, path: string, body: object, told?: string): Promise<boolean> {
  const id = newId();
  try {
    const outcome = await command(path, { id, ...body });
    if (outcome?.outcome === "accepted") toasts.say(t("act.onItsWay"));
    else if (told) toasts.say(told, "good");
    return true;
  } catch (error) {
    if (!desk.answered.has(id)) toasts.say(sentence(error), "bad");
    desk.answered.add(id);
    return false;
  }
}

/** One at a time for each contact: a second click while the first is asked does nothing. */
async function once(desk: Desk, key: string, run: () => Promise<boolean>): Promise<boolean> {
  if (desk.busy.has(key)) return false;
  desk.busy.add(key);
  try {
    return await run();
  } finally {
    desk.busy.delete(key);
  }
}

export const setState = (desk: Desk, state: AgentState, code?: string) =>
  ask(desk, "/agent/state", code ? { state, code } : { state });

export async function answer(desk: Desk, offer: Offer, answer: "accept" | "refuse", reason?: string): Promise<void> {
  if (desk.answering.has(offer.offer_id)) return;
  desk.answering.add(offer.offer_id);
  if (answer === "accept") desk.awaited = offer.contact_id;
  const done = await ask(desk, `/offers/${encode(offer.offer_id)}/answer`, reason ? { answer, reason } : { answer });
  if (!done) {
    desk.answering.delete(offer.offer_id);
    desk.awaited = null;
  }
}

const of = (contact: Contact, what: string) => `/contacts/${encode(contact.contact_id)}/${what}`;

export const park = (desk: Desk, contact: Contact) =>
  once(desk, contact.contact_id, () => ask(desk, of(contact, "park"), {}, t("act.parked")));
export const unpark = (desk: Desk, contact: Contact) =>
  once(desk, contact.contact_id, () => ask(desk, of(contact, "unpark"), {}, t("act.unparked")));

export const transfer = (desk: Desk, contact: Contact, to: { agent: string } | { skill: string }, label: string, note: string) =>
  once(desk, contact.contact_id, async () => {
    desk.answered.add(contact.contact_id);
    const done = await ask(desk, of(contact, "transfer"), note ? { ...to, note } : to, t("act.transferred", { name: label }));
    if (!done) desk.answered.delete(contact.contact_id);
    return done;
  });

export const end = (desk: Desk, contact: Contact) =>
  once(desk, contact.contact_id, () => ask(desk, of(contact, "end"), {}, t("act.ended", { name: name(contact) })));

export const wrapUp = (desk: Desk, contact: Contact, disposition: string | null, note: string) =>
  once(desk, contact.contact_id, async () => {
    desk.answered.add(contact.contact_id);
    const body = { ...(disposition ? { disposition } : {}), ...(note ? { note } : {}) };
    const done = await ask(desk, of(contact, "wrap-up"), body, t("wrap.done"));
    if (!done) desk.answered.delete(contact.contact_id);
    return done;
  });

export interface Outreach {
  to: string;
  text: string;
  our_number?: string;
  skill?: string;
  purpose?: string;
}

/** The refusal's words, or null when it went. */
export async function outreach(id: string, body: Outreach): Promise<string | null> {
  try {
    const outcome = await command("/outreach", { id, ...body });
    toasts.say(outcome?.outcome === "accepted" ? t("act.onItsWay") : t("act.started"), "good");
    return null;
  } catch (error) {
    return sentence(error);
  }
}

export function write(desk: Desk, contact: Contact, kind: Pending["kind"], text: string): void {
  const pending: Pending = {
    id: newId(),
    entry_id: null,
    room_id: contact.room_id,
    kind,
    text,
    at: new Date().toISOString(),
    state: "sending",
    reason: null,
    sentence: null,
  };
  desk.model.pending.push(pending);
  void send(desk, pending.id);
}

/** Sends what is under that id; a network that is away leaves it waiting, to be sent again under the same id. */
export async function send(desk: Desk, id: string): Promise<void> {
  const found = () => desk.model.pending.find((pending) => pending.id === id);
  const pending = found();
  if (!pending) return;
  keepPending(desk.owner, desk.model.pending);
  pending.entry_id = await entryId(id);
  const path = `/rooms/${encode(pending.room_id)}/${pending.kind === "note" ? "notes" : "replies"}`;
  try {
    sent(desk, id, await command(path, { id, text: pending.text }));
  } catch (error) {
    const still = found();
    if (!still) return;
    if (error instanceof Failure && error.isPassing) still.reason = "no_network";
    else Object.assign(still, { state: "failed", reason: error instanceof Failure ? error.reason : null, sentence: sentence(error) });
  }
  keepPending(desk.owner, desk.model.pending);
}

function sent(desk: Desk, id: string, outcome: Outcome): void {
  const pending = desk.model.pending.find((pending) => pending.id === id);
  if (!pending) return;
  pending.state = "accepted";
  pending.reason = null;
  // done means that its entry is there, however it was matched
  if (outcome?.outcome === "done") setTimeout(() => discard(desk, id), 5_000);
}

export function discard(desk: Desk, id: string): void {
  desk.model.pending = desk.model.pending.filter((pending) => pending.id !== id);
  keepPending(desk.owner, desk.model.pending);
}

/** A refused text again: that needs a new id. */
export function again(desk: Desk, id: string): void {
  const pending = desk.model.pending.find((pending) => pending.id === id);
  if (!pending) return;
  Object.assign(pending, { id: newId(), entry_id: null, state: "sending", reason: null, sentence: null, at: new Date().toISOString() });
  void send(desk, pending.id);
}

/** The line is back: whatever was waiting goes out, under its old ids. */
export function resend(desk: Desk): void {
  for (const pending of desk.model.pending) if (pending.state === "sending" && pending.reason === "no_network") void send(desk, pending.id);
}
