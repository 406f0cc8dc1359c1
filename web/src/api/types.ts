// What the gateway says and hears, as the desk uses it: shapes of REST under /api/v1 and of the socket's messages.
// Times are RFC 3339 in UTC, ids UUIDs, numbers E.164.

export type Channel = "sms" | "chat";
export type AgentState = "available" | "unavailable" | "logged_out";
export type ContactState = "prequeue" | "queued" | "offered" | "active" | "wrap_up" | "parked";
export type Role = "agent" | "supervisor" | "administrator" | "integrator";
export type SmsState =
  | "requested" | "held" | "sending" | "submitted" | "delivered" | "undelivered" | "failed" | "unknown" | "received" | "posted";

export interface Me {
  tenant: { id: string; name: string; time_zone: string };
  user: { id: string; name: string; language: string | null; roles: Role[] };
  agent: string | null;
  /** Words of what may be done: work, live, interfere, transcripts, customers, users, tokens, audit. */
  rights: string[];
  /** Nothing but a new password is allowed before one was chosen. */
  password_due: boolean;
}

export interface Problem {
  status: number;
  reason: string;
  sentence: string;
  retry_after_s?: number;
}

export interface Agent {
  id: string;
  state: AgentState;
  code: string | null;
  next_state: string | null;
  since: string;
  slots_used: number;
  limit: number;
  sms_used: number;
  sms_limit: number | null;
  chat_used: number;
  chat_limit: number | null;
  skills: { id: string; channel: Channel; proficiency: number }[];
  waiting: number;
  why: string | null;
}

export interface Offer {
  offer_id: string;
  contact_id: string;
  room_id: string;
  skill: string;
  channel: Channel;
  our_number: string;
  customer_number: string;
  customer_name: string | null;
  queued_at: string;
  made_at: string;
  lapses_at: string;
  from_agent: string | null;
  last_text: string | null;
}

export interface Media {
  url: string;
  type: string;
}

export interface Entry {
  seq: number;
  entry_id: string;
  author: "customer" | "agent" | "hub";
  agent: string | null;
  kind: "text" | "note";
  direction: "inbound" | "outbound" | null;
  text: string;
  at: string;
  state: SmsState | null;
  reason: string | null;
  parts: number | null;
  encoding: string | null;
  flags: string[];
  media: Media[];
  sms_id: string | null;
}

export interface Session {
  session_id: string;
  deadline_at: string;
  timeout_s: number;
}

export interface Contact {
  contact_id: string;
  room_id: string;
  state: ContactState;
  skill: string;
  channel: Channel;
  our_number: string;
  customer_number: string;
  customer_name: string | null;
  queued_at: string;
  accepted_at: string | null;
  agent: string | null;
  session: Session | null;
  wrap_up_until: string | null;
  waiting_since: string | null;
  composer: { can_write: boolean; why: string | null };
  /** Without entries. */
  summary: boolean;
  entries: Entry[];
  more: boolean;
}

export interface Code {
  id: string;
  name: string;
  max_minutes: number | null;
}

export interface Skill {
  id: string;
  channel: Channel;
  wrap_up_s: number | null;
  dispositions: string[];
  disposition_required: boolean;
  default_disposition: string | null;
  response_s: number | null;
}

export interface PointOfContact {
  id: string;
  channel: Channel;
  number: string | null;
  kind: string | null;
  country: string | null;
  skill: string;
}

export interface QuickReply {
  id: string;
  title: string;
  text: string;
  skill: string | null;
  language: string | null;
}

export interface Setup {
  codes: Code[];
  skills: Skill[];
  points_of_contact: PointOfContact[];
  quick_replies: QuickReply[];
}

export interface Snapshot {
  now: string;
  agent: Agent | null;
  offers: Offer[];
  contacts: Contact[];
  setup: Setup;
}

/** A closed room of a customer, as the list of former sessions shows it; or one with its entries. */
export interface ClosedRoom {
  room_id: string;
  channel: Channel;
  our_number: string;
  opened_at: string;
  closed_at: string | null;
  outcome: string | null;
  agents: string[];
  disposition: string | null;
  entries_count: number;
}

export interface Room extends ClosedRoom {
  customer_number: string;
  entries: Entry[];
  more: boolean;
}

export interface Colleague {
  id: string;
  name?: string | null;
  state: AgentState;
  code: string | null;
  slots_used: number;
  limit: number;
}

export interface CustomerNote {
  id: string;
  text: string;
  author: string;
  at: string;
}

export interface Customer {
  customer_number: string;
  name: string | null;
  fields: Record<string, string>;
  notes: CustomerNote[];
}

export type Event =
  | { type: "offer"; offer: Offer }
  | { type: "offer_gone"; offer_id: string; contact_id: string; outcome: string; reason: string | null }
  | { type: "contact"; contact: Contact; summary: boolean }
  | { type: "contact_gone"; contact_id: string; summary: boolean; outcome: string | null; reason: string | null }
  | { type: "entry"; room_id: string; contact_id: string; entry: Entry; deadline_at: string | null; waiting_since: string | null }
  | { type: "entry_state"; room_id: string; entry_id: string; state: SmsState; reason: string | null }
  | { type: "session"; room_id: string; contact_id: string; deadline_at: string | null }
  | { type: "agent"; agent: Agent }
  | { type: "refused"; refused_id: string; refused: string; reason: string; sentence: string };

export type FromServer =
  | { type: "snapshot"; stream: string; seq: number; snapshot: Snapshot }
  | (Event & { seq: number })
  | { type: "resumed"; stream: string; seq: number }
  | { type: "move" };

/** What became of a command: done, or on its way (the socket tells the rest). */
export interface Outcome {
  id: string;
  outcome: "done" | "accepted";
}

export interface Provider {
  id: string;
  name: string;
}
