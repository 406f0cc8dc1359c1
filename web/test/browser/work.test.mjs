// An agent's work, from the offer to the end of wrap-up.

import assert from "node:assert/strict";
import { test } from "node:test";
import { contact, desk, log, reply, until } from "./kit.mjs";

const available = async (page, word = "Available") => {
  await page.locator("[data-state-menu] button").click();
  await page.getByRole("menuitemcheckbox", { name: word, exact: true }).click();
};
const left = async (page) => {
  const words = await page.locator("[data-session-timer] time").getAttribute("datetime");
  return Number(/PT(\d+)S/.exec(words)[1]);
};

test("a contact from the offer to the second agent's wrap-up, and the next one comes", () =>
  desk(async ({ world, signIn }) => {
    const mama = await signIn("mama-bear");
    await available(mama);
    await mama.locator(".gauge", { hasText: "0 of 5" }).waitFor();
    world.cards.set("+12025550143", { customer_number: "+12025550143", name: "Ruth Alder", fields: {}, notes: [] });
    const past = world.room("+12025550143", "+12025550100", "sms");
    world.append(past, { author: "customer", text: "an older question" });
    Object.assign(past, { closed_at: new Date().toISOString(), outcome: "answered", disposition: "refunded", agents: ["baby-bear"] });

    const live = world.texts("+12025550143", "Where can I buy the plain one?");
    const offer = mama.locator("article", { hasText: "Where can I buy" });
    await offer.waitFor();
    await until(async () => (await mama.evaluate(() => document.documentElement.dataset.sounded ?? "")).startsWith("offer"), "the offer rings");
    assert.match(await mama.title(), /^\(1\)/);
    await mama.locator("#work").focus();
    await mama.keyboard.press("Alt+Shift+N");
    await log(mama).getByText("Where can I buy the plain one?").waitFor();
    await mama.locator(".gauge", { hasText: "1 of 5" }).waitFor();

    live.session.deadline_at = new Date(Date.now() + 3_600_000).toISOString();
    world.told(live);
    await until(async () => (await left(mama)) < 3_700, "the moved deadline is shown");
    await reply(mama).pressSequentially("/ret");
    await mama.getByRole("option", { name: /retailers/ }).waitFor();
    await mama.keyboard.press("Enter");
    assert.match(await reply(mama).inputValue(), /^You find our porridge at Forest Foods/);
    await mama.keyboard.press("Enter");
    await log(mama).getByText("Delivered").waitFor();
    assert.equal(await log(mama).getByText("You find our porridge").count(), 1, "one bubble, no double");
    await until(async () => (await left(mama)) > 7_100, "the text reset the two hours");

    const baby = await signIn("baby-bear");
    await available(baby);
    await until(() => world.agents.get("baby-bear").state === "available", "Baby Bear is available");
    await mama.keyboard.press("Alt+Shift+R");
    await mama.getByPlaceholder("Search agents").fill("bab");
    await mama.getByRole("option", { name: /Baby Bear/ }).click();
    await mama.getByLabel("Note for the next").fill("wants the plain one");
    await mama.getByRole("dialog").getByRole("button", { name: "Transfer" }).click();
    await contact(mama, "Ruth Alder").waitFor({ state: "detached" });

    await contact(baby, "Ruth Alder").click();
    await log(baby).getByText("wants the plain one").waitFor();
    await baby.getByRole("button", { name: /Show the session/ }).click();
    await baby.getByText("an older question").waitFor();
    await baby.keyboard.press("Alt+E");
    await baby.getByRole("button", { name: "End conversation" }).click();
    await baby.getByText("How did it end?").waitFor();
    world.texts("+12025550199", "the next one");
    await baby.locator("#work").focus();
    await baby.keyboard.press("2");
    assert.equal(await baby.getByRole("radio", { name: "Replacement sent" }).isChecked(), true);
    await baby.getByRole("button", { name: "Finish wrap-up" }).click();
    await contact(baby, "Ruth Alder").waitFor({ state: "detached" });
    assert.equal(world.done.at(-1).disposition, "replacement-sent");
    await mama.locator("article", { hasText: "the next one" }).waitFor();
  }));

test("an offer is refused with a reason, and goes on", () =>
  desk(async ({ world, signIn }) => {
    const page = await signIn("mama-bear");
    await available(page);
    world.texts("+12025550143", "Guten Tag");
    await page.locator("article", { hasText: "Guten Tag" }).waitFor();
    await page.keyboard.press("Alt+Shift+X");
    await page.getByRole("button", { name: "Not my language" }).click();
    await page.locator("article", { hasText: "Guten Tag" }).waitFor({ state: "detached" });
    assert.deepEqual(world.done.at(-1), { deed: "refuse", reason: "language" });
  }));

test("an offer that lapses goes with a word, and a late click is told so", () =>
  desk(
    async ({ world, signIn }) => {
      const page = await signIn("mama-bear");
      await available(page);
      world.texts("+12025550143", "anybody?");
      await page.locator("article", { hasText: "anybody?" }).waitFor();
      const [[id]] = world.offers;
      const { say } = world;
      // the word that it is gone is late, as on a slow line
      world.say = () => {};
      world.settle(id, "lapsed");
      world.say = say;
      await page.getByRole("button", { name: /^Accept/ }).click();
      await page.getByText("The offer is gone").waitFor();
    },
    { expects: /409/ },
  ));

test("state, codes and the reason for no work", () =>
  desk(async ({ world, signIn }) => {
    const page = await signIn("mama-bear");
    await page.getByRole("button", { name: /Why am I not/ }).click();
    await page.getByText("You are unavailable. Set yourself available.").waitFor();
    await page.getByRole("button", { name: "Set me available" }).click();
    await page.getByRole("button", { name: /^State: Available/ }).waitFor();
    await page.getByRole("button", { name: /Why am I not/ }).click();
    await page.getByText("Nobody is waiting in your skills").waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("Alt+Shift+S");
    await page.getByRole("menuitemcheckbox", { name: /Lunch/ }).click();
    await page.getByRole("button", { name: /^State: Lunch/ }).waitFor();
    assert.equal(world.agents.get("mama-bear").code, "lunch");
  }));

test("park frees the slot and stops the pen; taken back, it writes again", () =>
  desk(async ({ world, signIn }) => {
    world.activate(world.texts("+12025550143", "hello"), "mama-bear");
    const page = await signIn("mama-bear");
    await contact(page, "(202) 555-0143").click();
    await reply(page).waitFor();
    await page.keyboard.press("Alt+M");
    await page.getByText("Take the conversation back to write").waitFor();
    await page.locator(".gauge", { hasText: "0 of 5" }).waitFor();
    await page.keyboard.press("Alt+M");
    await reply(page).waitFor();
    await page.locator(".gauge", { hasText: "1 of 5" }).waitFor();
  }));

test("a text to a number begins a conversation; a wrong number is told before it is sent", () =>
  desk(async ({ world, signIn }) => {
    const page = await signIn("mama-bear");
    await available(page);
    await page.getByRole("button", { name: "New text" }).click();
    await page.getByLabel("Customer’s number").fill("555 0143");
    await page.getByLabel("Text", { exact: true }).fill("Your box is ready");
    const send = page.getByRole("dialog").getByRole("button", { name: "Send" });
    await send.click();
    await page.getByText("Begin with + and the country code.").waitFor();
    assert.equal(world.contacts.size, 0);
    await page.getByLabel("Customer’s number").fill("+1 (202) 555-0143");
    await page.getByLabel("Send from").selectOption({ label: "+1 (800) 555-0111 · Quality" });
    await send.click();
    await contact(page, "(202) 555-0143").click();
    await log(page).getByText("Your box is ready").waitFor();
    assert.equal([...world.contacts.values()][0].our_number, "+18005550111");
  }));

test("the customer's card is kept: name, details, notes", () =>
  desk(async ({ world, signIn }) => {
    world.activate(world.texts("+12025550143", "hello"), "mama-bear");
    const page = await signIn("mama-bear");
    await contact(page, "(202) 555-0143").click();
    await page.getByRole("button", { name: "Edit: Name" }).click();
    await page.getByLabel("Name", { exact: true }).fill("Ruth Alder");
    await page.keyboard.press("Enter");
    await contact(page, "Ruth Alder").waitFor();
    await page.getByRole("button", { name: "Add a detail" }).click();
    await page.getByLabel("What", { exact: true }).fill("town");
    await page.getByLabel("Value").fill("Richmond");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Richmond").waitFor();
    await page.getByLabel("Add a note").first().fill("likes honey");
    await page.keyboard.press("Enter");
    await page.getByText("likes honey").waitFor();
    const card = world.cards.get("+12025550143");
    assert.deepEqual([card.name, card.fields, card.notes.length], ["Ruth Alder", { town: "Richmond" }, 1]);
  }));

test("the session's warnings come at five minutes, with the reason", () =>
  desk(async ({ world, signIn }) => {
    const live = world.texts("+12025550143", "hello");
    world.activate(live, "mama-bear");
    const page = await signIn("mama-bear");
    await contact(page, "(202) 555-0143").click();
    await page.locator("[data-session-timer]").waitFor();
    live.session.deadline_at = new Date(Date.now() + 290_000).toISOString();
    world.told(live);
    await page.getByText(/ends in 5 minutes unless a text/).first().waitFor();
    await page.locator("[data-session-timer]", { hasText: "about to end" }).hover();
    await page.getByRole("tooltip").getByText("Any text, sent or received").waitFor();
  }));

test("older texts are loaded page by page, and the reader stays where they were", () =>
  desk(async ({ world, signIn }) => {
    const live = world.texts("+12025550143", "text 1");
    for (let at = 2; at <= 130; at++) world.texts("+12025550143", `text ${at}`);
    world.activate(live, "mama-bear");
    const page = await signIn("mama-bear");
    await contact(page, "(202) 555-0143").click();
    await log(page).getByText("text 130", { exact: true }).waitFor();
    assert.equal(await log(page).getByText("text 80", { exact: true }).count(), 0);
    await page.getByRole("button", { name: "Load older texts" }).click();
    await log(page).getByText("text 80", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Load older texts" }).click();
    await log(page).getByText("text 1", { exact: true }).waitFor();
    await page.getByText("Beginning of this conversation").waitFor();
    assert.equal(await log(page).locator("article").count(), 130);
  }));
