// What the gateway says and hears, as the desk uses it. The shapes are those of docs/openapi.json, made into types by
// `npm run types` (schema.ts, not kept: `npm run check` makes it anew); here stand the words that the document leaves open.
// Times are RFC 3339 in UTC, ids UUIDs, numbers E.164.

import type { components } from "./schema";

type Schemas = components["schemas"];
/** What is null is said as null, never left out. */
type Whole<T> = { [Name in keyof T]-?: Exclude<T[Name], undefined> };
type But<T, Other> = Omit<Whole<T>, keyof Other> & Other;

export type Channel = Schemas["Channel"];
export type AgentState = Schemas["AgentState"];
export type ContactState = "prequeue" | "queued" | "offered" | "active" | "wrap_up" | "parked";
export type SmsState = "requested" | "held" | "sending" | "submitted" | "delivered" | "undelivered" | "failed" | "unknown" | "received" | "posted";

export type Me = But<Schemas["Me"], { user: Whole<Schemas["MyUser"]> }>;
export type Problem = Pick<Schemas["Problem"], "status" | "reason" | "sentence"> & { retry_after_s?: number };

export type Agent = But<Schemas["Agent"], { skills: Schemas["AgentSkill"][] }>;
export type Offer = Whole<Schemas["Offer"]>;
export interface Media {
  url: string;
  type: string;
}
export type Entry = But<Schemas["Entry"], { kind: "text" | "note"; state: SmsState; flags: string[]; media: Media[] }>;
export type Session = Whole<Schemas["Session"]>;
export type Contact = But<Schemas["Contact"], { state: ContactState; session: Session | null; composer: Whole<Schemas["Composer"]>; entries: Entry[] }>;

export type Code = Whole<Schemas["Code"]>;
export type Skill = Whole<Schemas["Skill"]>;
export type PointOfContact = Whole<Schemas["PointOfContact"]>;
export type QuickReply = Whole<Schemas["QuickReply"]>;
export interface Setup {
  codes: Code[];
  skills: Skill[];
  points_of_contact: PointOfContact[];
  quick_replies: QuickReply[];
}
export interface Snapshot {
  now: Schemas["Desk"]["now"];
  agent: Agent | null;
  offers: Offer[];
  contacts: Contact[];
  setup: Setup;
}

/** A closed room of a customer, as the list of former sessions shows it; and one with its entries. */
export type ClosedRoom = Omit<Whole<Schemas["Room"]>, "entries">;
export type Room = ClosedRoom & { entries: Entry[] };
export type Colleague = Whole<Schemas["Colleague"]>;
export type CustomerNote = Schemas["Note"];
export type Customer = But<Schemas["Card"], { notes: CustomerNote[] }>;

type Told<Type extends Schemas["Event"]["type"]> = Extract<Schemas["Event"], { type: Type }>;
export type Event =
  | But<Told<"offer">, { offer: Offer }>
  | Whole<Told<"offer_gone">>
  | But<Told<"contact">, { contact: Contact }>
  | Whole<Told<"contact_gone">>
  | But<Told<"entry">, { entry: Entry }>
  | But<Told<"entry_state">, { state: SmsState }>
  | Whole<Told<"session">>
  | But<Told<"agent">, { agent: Agent }>
  | Whole<Told<"refused">>;

export type FromServer =
  | { type: "snapshot"; stream: string; seq: number; snapshot: Snapshot }
  | (Event & { seq: number })
  | { type: "resumed"; stream: string; seq: number }
  | { type: "move" };

/** What became of a command: done, or on its way (the socket tells the rest). */
export type Outcome = Schemas["Handed"];

export interface Provider {
  id: string;
  name: string;
}
