// Customers to look at: conversations of every kind, with times that lie in the past.

const ago = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString();

const PAST = [
  ["answered", "retailer-named", 1, ["Hi, where can I buy the plain one in Richmond?", "Hello! Forest Foods on Main Street has it.", "Great, thanks"]],
  ["expired", "no-answer", 6, ["Is the honey one gluten free?", "It is made of oats; the honey one is certified gluten free."]],
  ["answered", "replacement-sent", 20, ["My box was torn when I opened it", "I am sorry! A new one is on its way."]],
  ["abandoned", null, 40, ["Hello? Anybody there?"]],
];

function history(world, number) {
  PAST.forEach(([outcome, disposition, days, texts], at) => {
    const start = days * 1440;
    const room_id = `00000000-0000-4000-8000-0000000000${10 + at}`;
    world.rooms.set(room_id, {
      room_id, channel: "sms", our_number: at === 2 ? "+18005550111" : "+12025550100", customer_number: number, opened_at: ago(start), closed_at: ago(start - 12),
      outcome, disposition, agents: outcome === "abandoned" ? [] : [at % 2 ? "baby-bear" : "mama-bear"],
      entries: texts.map((text, seq) => ({
        seq: seq + 1, entry_id: `${room_id}-${seq}`, author: seq % 2 ? "agent" : "customer", agent: seq % 2 ? (at % 2 ? "baby-bear" : "mama-bear") : null, kind: "text",
        direction: seq % 2 ? "outbound" : "inbound", text, at: ago(start - seq * 4), state: seq % 2 ? "delivered" : "received", reason: null, parts: 1, encoding: "GSM-7", flags: [], media: [], sms_id: null,
      })),
    });
  });
}

function talk(world, contact, lines) {
  const room = world.rooms.get(contact.room_id);
  room.entries = [];
  lines.forEach(([author, minutes, text, more = {}]) => {
    room.entries.push({
      seq: room.entries.length + 1, entry_id: `${contact.room_id}-${room.entries.length}`, author, agent: author === "agent" ? "mama-bear" : null, kind: "text",
      direction: author === "customer" ? "inbound" : "outbound", text, at: ago(minutes), state: author === "customer" ? "received" : "delivered", reason: null, parts: text.length > 160 ? 2 : 1, encoding: "GSM-7", flags: [], media: [], sms_id: null, ...more,
    });
  });
}

/** Mama Bear with four conversations, one in wrap-up, one parked, one offer. */
export function busy(world) {
  world.cards.set("+12025550143", { customer_number: "+12025550143", name: "Ruth Alder", fields: { town: "Richmond, Virginia", order: "TB-20418", prefers: "Texts after 5 pm" }, notes: [{ id: "n1", text: "Bought the torn box at Forest Foods; has the receipt.", author: "baby-bear", at: ago(28_000) }] });
  world.cards.set("+12025550177", { customer_number: "+12025550177", name: "Oskar Lindqvist", fields: {}, notes: [] });
  history(world, "+12025550143");
  const mama = world.agents.get("mama-bear");
  Object.assign(mama, { state: "unavailable", since: ago(54) });
  const contact = (number, options, minutes, deadline, change) => {
    const one = world.texts(number, "…", options);
    one.queued_at = ago(minutes + 1);
    world.activate(one, "mama-bear");
    Object.assign(one, { accepted_at: ago(minutes), waiting_since: null }, change);
    if (one.session) one.session.deadline_at = new Date(Date.now() + deadline * 60_000).toISOString();
    return one;
  };
  const ruth = contact("+12025550143", {}, 22, 116.5, { waiting_since: ago(3.2) });
  talk(world, ruth, [
    ["customer", 1460, "Hello, one of the boxes I got on Tuesday was damp inside. Can I send it back?"],
    ["hub", 1459.9, "Thank you for your text. Somebody will answer soon."],
    ["agent", 21, "Hello Ruth, this is Mama Bear of Three Bears Porridge. I am sorry about that! You need not send it back."],
    ["agent", 20, "May I send you a new box to the same address?"],
    ["customer", 16, "Yes please, that would be lovely. Could it be the honey one this time? And is it true that there is a new kind with blueberries, the one from the poster at the station?"],
    ["agent", 15, "Customer had a torn box three weeks ago as well: second complaint about the same retailer.", { kind: "note", state: null, direction: null }],
    ["agent", 12, "Of course. The blueberry one comes to the shops in spring; I can add a sample of it to the parcel if you like. It is the same oats, with whole berries, and without added sugar.", { parts: 2 }],
    ["agent", 11, "The parcel goes out today.", { state: "failed", reason: "unreachable" }],
    ["customer", 3.2, "Oh wonderful, thank you! Yes, a sample please 🫐"],
  ]);
  const noNumber = contact("+13125550162", { our_number: "+18005550111", skill: "quality" }, 61, 12.4, { waiting_since: ago(1.1) });
  talk(world, noNumber, [
    ["customer", 62, "There was a spoon in my porridge. Is that normal?"],
    ["agent", 60, "It is not! Which size is the spoon?"],
    ["customer", 1.1, "Medium. Not too big, not too small."],
  ]);
  const chat = contact("visitor-7f3a", { our_number: "website", skill: "porridge-chat", channel: "chat" }, 6, 24);
  talk(world, chat, [
    ["customer", 6, "hi, do you ship to Canada?"],
    ["agent", 5, "Hello! Yes, to all provinces."],
  ]);
  const oskar = contact("+12025550177", {}, 95, 4.2);
  talk(world, oskar, [
    ["customer", 95, "Is the big bowl dishwasher safe?"],
    ["agent", 92, "It is, on the upper rack."],
  ]);
  const parked = contact("+14155550129", {}, 180, 70);
  talk(world, parked, [
    ["customer", 181, "Could you ask the kitchen about nuts?"],
    ["agent", 178, "I will, and text you this afternoon."],
  ]);
  parked.state = "parked";
  return { ruth, noNumber, chat, oskar, parked };
}
