// A hub in memory, small and obedient: one tenant, agents with slots, offers that lapse, sessions, wrap-up. It follows the
// rules that a desk can see, and no others.

import { randomUUID } from "node:crypto";

export const PASSWORD = "porridge-and-honey";
const iso = (at = Date.now()) => new Date(at).toISOString();

const SKILLS = [
  { id: "porridge", channel: "sms", wrap_up_s: 60, dispositions: ["retailer-named", "replacement-sent", "refunded", "no-answer", "wrong-number"], disposition_required: false, default_disposition: "no-answer", response_s: 120 },
  { id: "porridge-chat", channel: "chat", wrap_up_s: 60, dispositions: ["answered", "no-answer"], disposition_required: false, default_disposition: "answered", response_s: 60 },
  { id: "quality", channel: "sms", wrap_up_s: null, dispositions: [], disposition_required: false, default_disposition: null, response_s: 300 },
];

const SETUP = {
  codes: [
    { id: "lunch", name: "Lunch", max_minutes: 45 },
    { id: "training", name: "Training", max_minutes: 120 },
    { id: "missed", name: "Missed offers", max_minutes: null },
  ],
  skills: SKILLS,
  points_of_contact: [
    { id: "main", channel: "sms", number: "+12025550100", kind: "long", country: "US", skill: "porridge" },
    { id: "quality-line", channel: "sms", number: "+18005550111", kind: "toll_free", country: "US", skill: "quality" },
    { id: "website", channel: "chat", number: null, kind: null, country: null, skill: "porridge-chat" },
  ],
  quick_replies: [
    { id: "hello", title: "Greeting", text: "Hello {{customer}}, this is {{agent}} of {{company}}. How can I help?" },
    { id: "retailers", title: "Where to buy", text: "You find our porridge at Forest Foods, Cottage Corner and The Spoon. Which town are you in?", skill: "porridge" },
    { id: "replacement", title: "Replacement", text: "I am sorry about that. A new box is on its way to you and should arrive in two to three days." },
    { id: "hours", title: "Opening hours", text: "We are here Monday to Friday, 8 am to 6 pm." },
    { id: "bye", title: "Farewell", text: "You are welcome. Have a good day!" },
  ],
};

export class World {
  tenant = { id: "three-bears", name: "Three Bears Porridge", time_zone: "America/New_York" };
  agents = new Map();
  contacts = new Map();
  offers = new Map();
  rooms = new Map();
  cards = new Map();
  optedOut = new Set();
  timers = new Set();
  /** Told (audience, event): an agent's id, or null for everybody. */
  say = () => {};
  /** What was done, to be read by tests. */
  done = [];
  offer_s = 30;
  session_s = 7200;

  constructor() {
    for (const [id, name, limit, skills] of [
      ["mama-bear", "Mama Bear", 5, ["porridge", "porridge-chat", "quality"]],
      ["papa-bear", "Papa Bear", 5, ["porridge-chat"]],
      ["baby-bear", "Baby Bear", 5, ["porridge", "quality"]],
    ])
      this.agents.set(id, { id, name, limit, skills, state: "unavailable", code: null, since: iso(), cooled: new Set() });
    this.users = new Map(
      [
        ["mama-bear", "Mama Bear", ["agent"], "mama-bear"],
        ["papa-bear", "Papa Bear", ["agent"], "papa-bear"],
        ["baby-bear", "Baby Bear", ["agent"], "baby-bear"],
        ["tiffany", "Tiffany Goldilocks", ["supervisor"], null],
        ["new-bear", "New Bear", ["agent"], null],
      ].map(([id, name, roles, agent]) => [id, { id, name, roles, agent, language: "en", password: PASSWORD, must: id === "new-bear" }]),
    );
  }

  later(ms, run) {
    const timer = setTimeout(() => (this.timers.delete(timer), run()), ms);
    this.timers.add(timer);
    return timer;
  }
  close() {
    for (const timer of this.timers) clearTimeout(timer);
  }

  // reading ---------------------------------------------------------------------------------------------------------

  me(user) {
    return { tenant: this.tenant, user: { id: user.id, name: user.name, language: user.language, roles: user.roles }, agent: user.agent, rights: user.roles.includes("supervisor") ? ["live", "interfere", "transcripts", "customers"] : ["work", "customers"], password_due: user.must };
  }
  held(agent) {
    return [...this.contacts.values()].filter((c) => c.agent === agent && ["active", "wrap_up"].includes(c.state));
  }
  agent(id) {
    const agent = this.agents.get(id);
    if (!agent) return null;
    const held = this.held(id);
    const pending = [...this.offers.values()].filter((offer) => offer.agent === id);
    const used = held.length + pending.length;
    const of = (channel) => held.filter((c) => c.channel === channel).length + pending.filter((o) => o.channel === channel).length;
    const waiting = [...this.contacts.values()].filter((c) => c.state === "queued" && agent.skills.includes(c.skill)).length;
    const why = agent.state !== "available" ? agent.state : used >= agent.limit ? "full" : waiting === 0 ? "nobody_waits" : null;
    return {
      id, state: agent.state, code: agent.code, next_state: null, since: agent.since, slots_used: used, limit: agent.limit,
      sms_used: of("sms"), sms_limit: null, chat_used: of("chat"), chat_limit: null, waiting, why,
      skills: agent.skills.map((skill) => ({ id: skill, channel: SKILLS.find((one) => one.id === skill).channel, proficiency: 1 })),
    };
  }
  snapshot(user) {
    const mine = user.agent;
    return {
      now: iso(), agent: this.agent(mine),
      offers: [...this.offers.values()].filter((o) => o.agent === mine).map((o) => o.shown),
      contacts: [...this.contacts.values()].filter((c) => mine && c.agent === mine && ["active", "wrap_up", "parked"].includes(c.state)).map((c) => this.contact(c)),
      setup: SETUP,
    };
  }
  card(number) {
    return this.cards.get(number) ?? { customer_number: number, name: null, fields: {}, notes: [], updated_at: null, updated_by: null };
  }
  name(number) {
    return this.cards.get(number)?.name ?? null;
  }
  contact(c, summary = false) {
    const room = this.rooms.get(c.room_id);
    const { contact_id, room_id, state, skill, channel, our_number, customer_number, queued_at, accepted_at, agent, session, wrap_up_until, waiting_since } = c;
    const out = this.optedOut.has(customer_number);
    const why = out ? "opted_out" : state === "parked" ? "parked" : state === "wrap_up" ? "room_closed" : null;
    const shown = { contact_id, room_id, state, skill, channel, our_number, customer_number, customer_name: this.name(customer_number), queued_at, accepted_at, agent, session, wrap_up_until, waiting_since, composer: { can_write: why === null, why }, last_seq: room.entries.length, summary, entries: [], more: false };
    return summary ? shown : { ...shown, entries: room.entries.slice(-50), more: room.entries.length > 50 };
  }
  closedRooms(number) {
    return [...this.rooms.values()]
      .filter((room) => room.customer_number === number && room.closed_at)
      .sort((a, b) => b.opened_at.localeCompare(a.opened_at))
      .map(({ entries, ...room }) => ({ ...room, entries_count: entries.length, more: false }));
  }

  // telling ---------------------------------------------------------------------------------------------------------

  told(c) {
    if (c.agent) this.say(c.agent, { type: "contact", summary: false, contact: this.contact(c) });
    this.say(null, { type: "contact", summary: true, contact: this.contact(c, true) });
  }
  gone(c, agent, outcome, reason = null) {
    if (agent) this.say(agent, { type: "contact_gone", summary: false, contact_id: c.contact_id, outcome, reason });
  }
  tellAgent(id) {
    if (this.agents.has(id)) this.say(id, { type: "agent", agent: this.agent(id) });
  }
  tellAgents() {
    for (const id of this.agents.keys()) this.tellAgent(id);
  }

  // what customers do -----------------------------------------------------------------------------------------------

  room(number, our_number, channel) {
    const open = [...this.rooms.values()].find((room) => room.customer_number === number && room.our_number === our_number && !room.closed_at);
    if (open) return open;
    const room = { room_id: randomUUID(), channel, our_number, customer_number: number, opened_at: iso(), closed_at: null, outcome: null, agents: [], disposition: null, entries: [] };
    this.rooms.set(room.room_id, room);
    return room;
  }
  append(room, entry) {
    const whole = {
      seq: room.entries.length + 1, entry_id: randomUUID(), agent: null, kind: "text", direction: entry.author === "customer" ? "inbound" : "outbound",
      at: iso(), state: entry.author === "customer" ? "received" : "requested", reason: null, parts: 1, encoding: "GSM-7", flags: [], media: [], sms_id: null, ...entry,
    };
    room.entries.push(whole);
    const c = [...this.contacts.values()].find((one) => one.room_id === room.room_id);
    if (!c) return whole;
    if (whole.kind === "text" && c.session) c.session.deadline_at = iso(Date.now() + c.session.timeout_s * 1000);
    if (whole.author === "customer") c.waiting_since ??= whole.at;
    else if (whole.author === "agent" && whole.kind === "text") c.waiting_since = null;
    if (c.agent) this.say(c.agent, { type: "entry", room_id: room.room_id, contact_id: c.contact_id, entry: whole, deadline_at: c.session?.deadline_at ?? null, waiting_since: c.waiting_since });
    this.say(null, { type: "contact", summary: true, contact: this.contact(c, true) });
    return whole;
  }
  texts(number, text, { our_number = "+12025550100", skill = "porridge", channel = "sms", flags = [] } = {}) {
    const room = this.room(number, our_number, channel);
    let c = [...this.contacts.values()].find((one) => one.room_id === room.room_id);
    if (!c) {
      c = { contact_id: randomUUID(), room_id: room.room_id, state: "queued", skill, channel, our_number, customer_number: number, queued_at: iso(), accepted_at: null, agent: null, session: null, wrap_up_until: null, waiting_since: null };
      this.contacts.set(c.contact_id, c);
    }
    if (/^stop$/i.test(text.trim())) this.optedOut.add(number);
    this.append(room, { author: "customer", text, flags });
    if (/^stop$/i.test(text.trim())) {
      this.append(room, { author: "hub", text: "You are opted out and get no further texts.", state: "delivered" });
      this.told(c);
    }
    this.match();
    return c;
  }

  begun(agent, to, our_number) {
    const room = this.room(to, our_number, "sms");
    let c = [...this.contacts.values()].find((one) => one.room_id === room.room_id);
    if (!c) {
      const skill = SETUP.points_of_contact.find((one) => one.number === our_number).skill;
      const at = new Date().toISOString();
      c = { contact_id: randomUUID(), room_id: room.room_id, state: "queued", skill, channel: "sms", our_number, customer_number: to, queued_at: at, accepted_at: null, agent: null, session: null, wrap_up_until: null, waiting_since: null };
      this.contacts.set(c.contact_id, c);
      this.activate(c, agent);
    }
    return c;
  }

  // routing ---------------------------------------------------------------------------------------------------------

  match() {
    for (const c of this.contacts.values()) {
      if (c.state !== "queued") continue;
      const free = [...this.agents.values()].find((agent) => {
        const used = this.agent(agent.id).slots_used;
        return agent.state === "available" && agent.skills.includes(c.skill) && used < agent.limit && !agent.cooled.has(c.contact_id);
      });
      if (free) this.offer(c, free);
    }
    this.tellAgents();
  }
  offer(c, agent) {
    c.state = "offered";
    const last = this.rooms.get(c.room_id).entries.at(-1);
    const shown = {
      offer_id: randomUUID(), contact_id: c.contact_id, room_id: c.room_id, skill: c.skill, channel: c.channel, our_number: c.our_number, customer_number: c.customer_number,
      customer_name: this.name(c.customer_number), queued_at: c.queued_at, made_at: iso(), lapses_at: iso(Date.now() + this.offer_s * 1000), from_agent: null, last_text: last?.text ?? null,
    };
    this.offers.set(shown.offer_id, { agent: agent.id, channel: c.channel, shown });
    this.say(agent.id, { type: "offer", offer: shown });
    this.say(null, { type: "contact", summary: true, contact: this.contact(c, true) });
    this.later(this.offer_s * 1000, () => this.settle(shown.offer_id, "lapsed"));
  }
  settle(offer_id, outcome, reason = null) {
    const offer = this.offers.get(offer_id);
    if (!offer) return false;
    this.offers.delete(offer_id);
    const c = this.contacts.get(offer.shown.contact_id);
    this.say(offer.agent, { type: "offer_gone", offer_id, contact_id: c.contact_id, outcome, reason });
    if (outcome === "accepted") this.activate(c, offer.agent);
    else {
      c.state = "queued";
      const agent = this.agents.get(offer.agent);
      agent.cooled.add(c.contact_id);
      this.later(30_000, () => (agent.cooled.delete(c.contact_id), this.match()));
    }
    this.match();
    return true;
  }
  activate(c, agent) {
    Object.assign(c, { state: "active", agent, accepted_at: iso(), session: { session_id: randomUUID(), deadline_at: iso(Date.now() + this.session_s * 1000), timeout_s: this.session_s } });
    const room = this.rooms.get(c.room_id);
    if (!room.agents.includes(agent)) room.agents.push(agent);
    this.told(c);
    this.tellAgent(agent);
  }
  wrapUp(c, outcome = "answered") {
    const skill = SKILLS.find((one) => one.id === c.skill);
    const room = this.rooms.get(c.room_id);
    Object.assign(room, { closed_at: iso(), outcome });
    c.session = null;
    c.waiting_since = null;
    if (!skill.wrap_up_s || !c.agent) return this.finish(c, outcome, null);
    Object.assign(c, { state: "wrap_up", wrap_up_until: iso(Date.now() + skill.wrap_up_s * 1000) });
    this.told(c);
    this.later(skill.wrap_up_s * 1000, () => this.finish(c, outcome, skill.default_disposition));
  }
  finish(c, outcome, disposition) {
    if (!this.contacts.delete(c.contact_id)) return;
    this.rooms.get(c.room_id).disposition = disposition;
    this.say(null, { type: "contact_gone", summary: true, contact_id: c.contact_id, outcome, reason: null });
    this.gone(c, c.agent, outcome);
    this.match();
  }
}
