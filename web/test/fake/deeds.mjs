// What agents and supervisors ask of the hub in memory. Each answers null, or the word and sentence of a refusal.

import { createHash } from "node:crypto";

/** UUIDv5 of a command's id, as the hub makes the ids of entries. */
export function entryId(command) {
  const bytes = createHash("sha1").update(Buffer.from(command.replaceAll("-", ""), "hex")).update("row entry/0").digest().subarray(0, 16);
  bytes[6] = (bytes[6] & 0x0f) | 0x50;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

const no = (reason, sentence) => ({ reason, sentence });

export function setState(world, user, { state, code }) {
  const agent = world.agents.get(user.agent);
  if (!agent) return no("unknown_agent", "You are not an agent.");
  Object.assign(agent, { state, code: code ?? null, since: new Date().toISOString() });
  world.match();
  return null;
}

export function answer(world, user, offer_id, { answer, reason }) {
  const offer = world.offers.get(offer_id);
  if (!offer) return no("offer_gone", "The offer lapsed, or somebody answered it.");
  if (offer.agent !== user.agent) return no("not_your_offer", "The offer is another agent's.");
  world.done.push({ deed: answer, reason });
  world.settle(offer_id, answer === "accept" ? "accepted" : "refused", reason ?? null);
  return null;
}

export function reply(world, user, room_id, { text, id }, kind) {
  const room = world.rooms.get(room_id);
  const contact = [...world.contacts.values()].find((one) => one.room_id === room_id);
  if (!room || room.closed_at) return no("room_closed", "The conversation has ended.");
  if (contact?.agent !== user.agent) return no("not_a_member", "You are not in this conversation.");
  if (kind === "text" && world.optedOut.has(room.customer_number)) return no("opted_out", "The customer opted out.");
  if (/#refuse/.test(text)) return no("text_length", "The text is too long.");
  world.done.push({ deed: kind, id, text });
  const entry = world.append(room, { entry_id: entryId(id), author: "agent", agent: user.agent, kind, text, state: kind === "note" ? null : "requested", direction: kind === "note" ? null : "outbound" });
  if (kind === "note" || room.channel === "chat") return null;
  const fails = /#fail/.test(text);
  [
    ["sending", 120, null],
    ["submitted", 300, null],
    [fails ? "failed" : "delivered", 700, fails ? "unreachable" : null],
  ].forEach(([state, after, reason]) =>
    world.later(after, () => {
      Object.assign(entry, { state, reason });
      world.say(contact.agent, { type: "entry_state", room_id, entry_id: entry.entry_id, state, reason });
    }),
  );
  return null;
}

export function outreach(world, user, { to, text, our_number, id }) {
  const agent = world.agent(user.agent);
  if (!agent || agent.state === "logged_out") return no("logged_out", "You are logged out.");
  if (world.optedOut.has(to)) return no("opted_out", "The customer opted out.");
  if (agent.slots_used >= agent.limit) return no("no_free_slot", "There is no free slot.");
  const other = [...world.contacts.values()].find((one) => one.customer_number === to && one.agent && one.agent !== user.agent);
  if (other) return no("held_by_other", "Another agent holds this customer.");
  const contact = world.begun(user.agent, to, our_number ?? "+12025550100");
  return reply(world, user, contact.room_id, { text, id }, "text");
}

export function move(world, user, contact_id, what, body) {
  const contact = world.contacts.get(contact_id);
  if (!contact) return no("not_found", "There is no such contact.");
  const before = contact.agent;
  world.done.push({ deed: what, contact_id, ...body });
  const refused = MOVES[what]?.(world, user, contact, body) ?? null;
  if (!refused && before && contact.agent !== before) world.gone(contact, before, "transferred");
  world.match();
  return refused;
}

const MOVES = {
  transfer(world, user, contact, { agent, skill, note }) {
    const room = world.rooms.get(contact.room_id);
    if (agent) {
      const to = world.agent(agent);
      if (!to) return no("unknown_agent", "There is no such agent.");
      if (to.state === "logged_out") return no("logged_out", "That agent is logged out.");
      if (to.slots_used >= to.limit) return no("no_free_slot", "That agent has no free slot.");
    }
    if (note) world.append(room, { author: "agent", agent: user.agent, kind: "note", text: note, state: null, direction: null });
    if (agent) world.activate(contact, agent);
    else {
      Object.assign(contact, { state: "queued", agent: null, skill });
      world.told(contact);
    }
    return null;
  },
  park(world, _user, contact) {
    contact.state = "parked";
    world.told(contact);
    return null;
  },
  unpark(world, user, contact) {
    const agent = world.agent(user.agent);
    if (agent.slots_used >= agent.limit) return no("no_free_slot", "There is no free slot.");
    contact.state = "active";
    world.told(contact);
    return null;
  },
  end(world, user, contact) {
    world.wrapUp(contact, user.roles.includes("supervisor") ? "forced" : "answered");
    return null;
  },
  "wrap-up"(world, _user, contact, { disposition }) {
    world.finish(contact, "answered", disposition ?? null);
    return null;
  },
};
