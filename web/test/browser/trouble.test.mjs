// What goes wrong: networks, reloads, refusals, other tabs, a gateway that moves. Nothing is lost, nothing doubled.

import assert from "node:assert/strict";
import { test } from "node:test";
import { contact, desk, fillIn, log, reply, until } from "./kit.mjs";

const NETWORK = /ERR_|WebSocket connection/;
const ruth = (world) => {
  const live = world.texts("+12025550143", "hello");
  world.activate(live, "mama-bear");
  return live;
};
const open = (page) => contact(page, "(202) 555-0143").click();
const rings = async (page) => Number((await page.evaluate(() => document.documentElement.dataset.sounded ?? ":0")).split(":")[1]);

test("a cut network loses nothing: what comes and goes meanwhile is there once", () =>
  desk(
    async ({ gateway, world, signIn }) => {
      const live = ruth(world);
      const page = await signIn("mama-bear");
      await open(page);
      await reply(page).waitFor();
      gateway.cut();
      await page.getByText("Reconnecting; nothing is lost").first().waitFor();
      await reply(page).fill("written while away");
      await page.keyboard.press("Enter");
      await reply(page).fill("a draft meanwhile");
      world.texts("+12025550143", "came while away 1");
      world.texts("+12025550143", "came while away 2");
      await page.locator("[data-command]").waitFor();
      gateway.mend();
      await log(page).getByText("came while away 2").waitFor();
      await until(() => world.done.some(({ text }) => text === "written while away"), "the text went out", 20_000);
      await page.locator("[data-command]").waitFor({ state: "detached" });
      for (const text of ["came while away 1", "came while away 2", "written while away"]) assert.equal(await log(page).getByText(text).count(), 1, text);
      assert.equal(world.done.filter(({ text }) => text === "written while away").length, 1);
      assert.equal(await reply(page).inputValue(), "a draft meanwhile");
      assert.deepEqual(world.rooms.get(live.room_id).entries.map(({ text }) => text).sort(), ["came while away 1", "came while away 2", "hello", "written while away"]);
    },
    { expects: NETWORK },
  ));

test("a lost answer is asked for again under the same id: the text goes once", () =>
  desk(
    async ({ gateway, world, signIn }) => {
      ruth(world);
      const page = await signIn("mama-bear");
      await open(page);
      gateway.state.lose_answers = true;
      await reply(page).fill("only once");
      await page.keyboard.press("Enter");
      await until(() => world.done.some(({ text }) => text === "only once"), "it arrived");
      gateway.state.lose_answers = false;
      await log(page).getByText("Delivered").waitFor();
      await page.locator("[data-command]").waitFor({ state: "detached" });
      assert.equal(await log(page).getByText("only once").count(), 1);
      assert.equal(world.done.filter(({ text }) => text === "only once").length, 1);
    },
    { expects: NETWORK },
  ));

test("drafts, the mode and the choice outlive a reload and a sign-in", () =>
  desk(async ({ world, signIn }) => {
    ruth(world);
    const page = await signIn("mama-bear");
    await open(page);
    await reply(page).fill("half an answ");
    await page.keyboard.press("Alt+P");
    await page.getByRole("textbox", { name: /^Private note/ }).fill("half a note");
    await page.reload();
    await open(page);
    assert.equal(await page.getByRole("textbox", { name: /^Private note/ }).inputValue(), "half a note");
    await page.keyboard.press("Alt+L");
    assert.equal(await reply(page).inputValue(), "half an answ");
    await page.getByRole("button", { name: /Menu of/ }).click();
    await page.getByRole("menuitem", { name: "Sign out" }).click();
    await fillIn(page, "mama-bear");
    await open(page);
    assert.equal(await reply(page).inputValue(), "half an answ");
  }));

test("a refused text stays to be seen and goes again under a new id", () =>
  desk(
    async ({ world, signIn }) => {
      ruth(world);
      const page = await signIn("mama-bear");
      await open(page);
      await reply(page).fill("too long #refuse");
      await page.keyboard.press("Enter");
      const bubble = page.locator("[data-command]");
      await bubble.getByText("Failed: The text is too long or empty.").waitFor();
      const first = await bubble.getAttribute("data-command");
      await bubble.getByRole("button", { name: "Send again" }).click();
      await until(async () => (await bubble.getAttribute("data-command")) !== first, "another id");
      await bubble.getByText("Failed").waitFor();
      await bubble.getByRole("button", { name: "Discard" }).click();
      await bubble.waitFor({ state: "detached" });
      await reply(page).fill("no answer at once #later");
      await page.keyboard.press("Enter");
      await bubble.getByText("Failed: The customer opted out.").waitFor();
    },
    { expects: /409/ },
  ));

test("a text that the network refuses says why, and can be sent again", () =>
  desk(async ({ world, signIn }) => {
    ruth(world);
    const page = await signIn("mama-bear");
    await open(page);
    await reply(page).fill("to nobody #fail");
    await page.keyboard.press("Enter");
    await log(page).getByText("Failed: the phone could not be reached").waitFor();
    await log(page).getByRole("button", { name: "Send again" }).click();
    await until(() => world.done.filter(({ text }) => text === "to nobody #fail").length === 2, "sent again");
  }));

test("two tabs of one agent show the same, and one of them rings", () =>
  desk(async ({ url, world, context, heed }) => {
    const both = await context();
    const [first, second] = [heed(await both.newPage()), heed(await both.newPage())];
    await first.goto(url);
    await fillIn(first, "mama-bear");
    await first.locator("[data-state-menu]").waitFor();
    await second.goto(url);
    await second.locator("#tenant").waitFor({ state: "detached" }).catch(() => {});
    await second.locator("[data-state-menu]").waitFor();
    for (const page of [first, second]) await page.locator("#work").click();
    world.agents.get("mama-bear").state = "available";
    world.texts("+12025550143", "ring once");
    for (const page of [first, second]) await page.locator("article", { hasText: "ring once" }).waitFor();
    await until(async () => (await rings(first)) + (await rings(second)) > 0, "one rings");
    assert.equal(Math.min(await rings(first), await rings(second)), 0, "the other does not");
    await second.keyboard.press("Alt+Shift+N");
    for (const page of [first, second]) await page.locator(".offers article").waitFor({ state: "detached" });
    await contact(first, "(202) 555-0143").waitFor();
  }));

test("a gateway that moves its clients is followed without a word lost", () =>
  desk(async ({ gateway, world, signIn }) => {
    ruth(world);
    const page = await signIn("mama-bear");
    await open(page);
    gateway.move();
    world.texts("+12025550143", "after the move");
    await log(page).getByText("after the move").waitFor();
    await page.getByText("Reconnecting").first().waitFor({ state: "detached" });
  }));

test("a sign-in that ended asks again, and the draft is kept", () =>
  desk(
    async ({ world, signIn, gateway }) => {
      ruth(world);
      const page = await signIn("mama-bear");
      await open(page);
      await reply(page).fill("kept");
      await page.context().clearCookies();
      gateway.cut();
      gateway.mend();
      await page.getByText("Your sign-in has ended").waitFor();
      await fillIn(page, "mama-bear");
      await open(page);
      assert.equal(await reply(page).inputValue(), "kept");
    },
    { expects: /401|ERR_|WebSocket/ },
  ));

test("who wrote STOP cannot be written to; notes remain", () =>
  desk(async ({ world, signIn }) => {
    ruth(world);
    const page = await signIn("mama-bear");
    await open(page);
    world.texts("+12025550143", "STOP");
    await page.getByText("This customer opted out (STOP)").waitFor();
    assert.equal(await reply(page).count(), 0);
    await page.keyboard.press("Alt+P");
    await page.getByRole("textbox", { name: /^Private note/ }).fill("call instead");
    await page.keyboard.press("Enter");
    await log(page).getByText("call instead").waitFor();
    assert.equal(world.done.at(-1).deed, "note");
  }));

test("the composer: lines, input methods, parts, the costly character", () =>
  desk(async ({ world, signIn }) => {
    ruth(world);
    const page = await signIn("mama-bear");
    await open(page);
    await reply(page).pressSequentially("one");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("two");
    assert.equal(await reply(page).inputValue(), "one\ntwo");
    await reply(page).dispatchEvent("keydown", { key: "Enter", isComposing: true, keyCode: 229 });
    assert.equal(await reply(page).inputValue(), "one\ntwo", "Enter of an input method sends nothing");
    await reply(page).fill("a".repeat(161));
    await page.getByText("161/306 · 2 parts · GSM-7").waitFor();
    await reply(page).fill("It’s here");
    await page.getByText("9/70 · 1 part · UCS-2").waitFor();
    await page.getByText("“’” needs UCS-2").waitFor();
    assert.equal(await page.locator(".mirror mark").textContent(), "’");
    await page.getByRole("button", { name: "Replace" }).click();
    assert.equal(await reply(page).inputValue(), "It's here");
    await page.getByText("9/160 · 1 part · GSM-7").waitFor();
    await reply(page).fill("a".repeat(1601));
    await page.getByText("Too long by 1 character").waitFor();
    await page.keyboard.press("Enter");
    assert.equal(world.done.length, 0);
  }));
