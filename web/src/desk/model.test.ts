import { describe, expect, it } from "vitest";
import type { Contact, Entry, FromServer, Offer, Snapshot } from "../api/types";
import { apply, empty, type Pending, prepend } from "./model";

const AT = "2026-11-25T12:00:00Z";
const entry = (seq: number, more: Partial<Entry> = {}): Entry => ({
  seq, entry_id: `e${seq}`, author: "customer", agent: null, kind: "text", direction: "inbound", text: `text ${seq}`, at: AT, state: "received", reason: null, parts: 1, encoding: null, flags: [], media: [], sms_id: null, ...more,
});
const contact = (id: string, more: Partial<Contact> = {}): Contact => ({
  contact_id: id, room_id: `room-${id}`, state: "active", skill: "porridge", channel: "sms", our_number: "+12025550100", customer_number: "+12025550143", customer_name: null, queued_at: AT, accepted_at: AT, agent: "mama-bear",
  session: { session_id: "s", deadline_at: "2026-11-25T14:00:00Z", timeout_s: 7200 }, wrap_up_until: null, waiting_since: null, composer: { can_write: true, why: null }, last_seq: 0, summary: false, entries: [], more: false, ...more,
});
const offer = (id: string): Offer => ({
  offer_id: id, contact_id: "c", room_id: "r", skill: "porridge", channel: "sms", our_number: "+12025550100", customer_number: "+12025550143", customer_name: null, queued_at: AT, made_at: AT, lapses_at: AT, from_agent: null, last_text: null,
});
const snapshot = (more: Partial<Snapshot> = {}): FromServer => ({
  type: "snapshot", stream: "a", seq: 1, snapshot: { now: AT, agent: null, offers: [], contacts: [], setup: empty().setup, ...more },
});
const pending = (more: Partial<Pending> = {}): Pending => ({
  id: "p", entry_id: null, room_id: "room-c", kind: "text", text: "hello", at: AT, state: "sending", reason: null, sentence: null, ...more,
});
const said = (of: Entry, more: object = {}): FromServer => ({ type: "entry", seq: 2, room_id: "room-c", contact_id: "c", entry: of, deadline_at: null, waiting_since: null, ...more });

describe("the model", () => {
  it("applied twice is applied once", () => {
    const model = empty();
    const messages = [snapshot({ contacts: [contact("c", { entries: [entry(1)] })] }), said(entry(2)), { type: "offer", seq: 3, offer: offer("o") } as FromServer];
    const first = messages.flatMap((message) => apply(model, message));
    const after = structuredClone(model);
    const second = messages.slice(1).flatMap((message) => apply(model, message));
    expect(model).toEqual(after);
    expect(first.map((notice) => notice.kind)).toEqual(["texted", "offered"]);
    expect(second).toEqual([]);
  });

  it("keeps entries in order, whatever the order they come in", () => {
    const model = empty();
    apply(model, snapshot({ contacts: [contact("c", { entries: [entry(1)] })] }));
    apply(model, said(entry(3)));
    apply(model, said(entry(2)));
    expect(model.contacts[0]?.entries.map((one) => one.seq)).toEqual([1, 2, 3]);
  });

  it("keeps older entries that were loaded when the contact comes anew", () => {
    const model = empty();
    apply(model, snapshot({ contacts: [contact("c", { entries: [entry(51)], more: true })] }));
    const [first] = model.contacts;
    if (first) prepend(first, [entry(49), entry(50)], false);
    apply(model, { type: "contact", seq: 2, summary: false, contact: contact("c", { entries: [entry(51), entry(52)], more: true }) });
    expect(model.contacts[0]?.entries.map((one) => one.seq)).toEqual([49, 50, 51, 52]);
    expect(model.contacts[0]?.more).toBe(false);
  });

  it("others' contacts, as whoever watches the tenant hears of them, are not on this desk", () => {
    const model = empty();
    apply(model, snapshot({ contacts: [contact("theirs", { summary: true, agent: "papa-bear" })] }));
    apply(model, { type: "contact", seq: 2, summary: true, contact: contact("another", { summary: true }) });
    expect(model.contacts).toEqual([]);
    apply(model, { type: "contact", seq: 3, summary: false, contact: contact("mine") });
    apply(model, { type: "contact_gone", seq: 4, summary: true, contact_id: "mine", outcome: "answered", reason: null });
    expect(model.contacts).toHaveLength(1);
  });

  it("a summary takes no entries away", () => {
    const model = empty();
    apply(model, snapshot({ contacts: [contact("c", { entries: [entry(1)] })] }));
    apply(model, { type: "contact", seq: 2, summary: true, contact: contact("c", { summary: true, state: "parked" }) });
    expect(model.contacts[0]).toMatchObject({ state: "parked", entries: [{ seq: 1 }] });
  });

  it("the bubble of a text goes with its entry, by the id it will have, and only then", () => {
    const model = empty();
    apply(model, snapshot({ contacts: [contact("c")] }));
    model.pending = [pending({ id: "one", entry_id: "e7" }), pending({ id: "two", entry_id: "e8" })];
    apply(model, said(entry(1, { entry_id: "e8", author: "agent", text: "hello" })));
    expect(model.pending.map((one) => one.id)).toEqual(["one"]);
  });

  it("without that id by the same words, the oldest first, never one that failed", () => {
    const model = empty();
    apply(model, snapshot({ contacts: [contact("c")] }));
    model.pending = [pending({ id: "failed", state: "failed" }), pending({ id: "first" }), pending({ id: "second" })];
    apply(model, said(entry(1, { author: "agent", text: "hello" })));
    expect(model.pending.map((one) => one.id)).toEqual(["failed", "second"]);
  });

  it("a refusal marks its bubble and tells the reason", () => {
    const model = empty();
    model.pending = [pending()];
    const [notice] = apply(model, { type: "refused", seq: 2, refused_id: "p", refused: "reply.written", reason: "opted_out", sentence: "No." });
    expect(model.pending[0]).toMatchObject({ state: "failed", reason: "opted_out", sentence: "No." });
    expect(notice).toMatchObject({ kind: "refused", pending: { id: "p" } });
  });

  it("an entry moves the deadline and the wait; a state moves in place", () => {
    const model = empty();
    apply(model, snapshot({ contacts: [contact("c", { waiting_since: AT })] }));
    apply(model, said(entry(1, { author: "agent", state: "requested" }), { deadline_at: "2026-11-25T15:00:00Z" }));
    apply(model, { type: "entry_state", seq: 3, room_id: "room-c", entry_id: "e1", state: "failed", reason: "unreachable" });
    expect(model.contacts[0]).toMatchObject({ waiting_since: null, session: { deadline_at: "2026-11-25T15:00:00Z" }, entries: [{ state: "failed", reason: "unreachable" }] });
  });

  it("what is gone is gone, and told once", () => {
    const model = empty();
    apply(model, snapshot({ contacts: [contact("c")], offers: [offer("o")] }));
    const gone: FromServer[] = [
      { type: "contact_gone", seq: 2, summary: false, contact_id: "c", outcome: "expired", reason: null },
      { type: "offer_gone", seq: 3, offer_id: "o", contact_id: "c", outcome: "lapsed", reason: null },
    ];
    expect([...gone, ...gone].flatMap((message) => apply(model, message)).map((notice) => notice.kind)).toEqual(["gone", "offer_gone"]);
    expect(model.contacts).toEqual([]);
    expect(model.offers).toEqual([]);
  });
});
