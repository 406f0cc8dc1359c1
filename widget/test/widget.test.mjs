// The widget in a stranger's page, in a real browser, with a real hub behind it.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { Hub, strangersPage, until } from "./hub.mjs";

const axe = readFileSync(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const pictures = process.env.TEXTHUB_PICTURES;
const sizes = { phone: { width: 360, height: 740 }, desktop: { width: 1280, height: 800 } };

let hub, server, browser;

before(async () => {
  hub = await Hub.start();
  const tag = `data-tenant="${hub.tenant}" data-point-of-contact="website" data-color="#8a4b08"`;
  server = await strangersPage(hub.pagePort, hub.url, tag);
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
  await hub.logIn();
});

after(async () => {
  await browser?.close();
  server?.close();
  await hub?.stop();
});

/** A visitor's page, and what its console complains of. */
async function visitor(options = {}) {
  const context = await browser.newContext({ viewport: sizes.desktop, locale: "en-US", ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(hub.page);
  return { context, page, complaints };
}

const launcher = (page) => page.locator(".launcher");
const texts = (page) => page.locator(".line .bubble").allTextContents();

async function write(page, text) {
  await page.getByRole("textbox").fill(text);
  await page.keyboard.press("Enter");
}

const shows = (page, text) => page.locator(".line:not(.waits) .bubble", { hasText: text }).waitFor();

async function picture(page, name) {
  if (!pictures) return;
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: `${pictures}/${name}.png`, animations: "disabled" });
}

/** No serious violation of what axe knows. */
async function accessible(page, name) {
  // past the page's policy: a tester's right
  const session = await page.context().newCDPSession(page);
  await session.send("Runtime.evaluate", { expression: axe });
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const grave = found.violations.filter((violation) => ["serious", "critical"].includes(violation.impact));
  assert.deepEqual(grave.map((v) => `${v.id}: ${v.nodes[0].failureSummary}`), [], name);
}

test("a visitor writes by keyboard alone and is answered, and a reload shows all of it once", async () => {
  const { context, page, complaints } = await visitor();
  await launcher(page).waitFor();
  assert.equal(await launcher(page).getAttribute("aria-expanded"), "false");
  assert.deepEqual(await context.storageState().then((state) => state.cookies), [], "no cookies");
  // as far as the launcher by Tab alone
  await until("the launcher has focus", async () => {
    await page.keyboard.press("Tab");
    return page.evaluate(() => !!document.activeElement?.shadowRoot?.activeElement?.matches(".launcher"));
  });
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Chat" }).waitFor();
  assert.ok(await page.getByRole("textbox").evaluate((box) => box.matches(":focus")), "the dialog opens with its text box");
  await page.keyboard.type("Is there any left?");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("Two bowls, please. https://shop.example/bowls");
  await page.keyboard.press("Enter");
  await shows(page, "Is there any left?\nTwo bowls, please.");
  assert.equal(await page.getByRole("log").locator(".own a").count(), 0);
  await page.getByRole("dialog", { name: "Porridge & Sons" }).waitFor();
  const offer = await hub.accept();
  await page.getByText("Mama Bear has joined.").waitFor();
  await hub.reply(offer, "Plenty: https://shop.example/bowls. <b>Hot</b>, too!");
  await shows(page, "Plenty: https://shop.example/bowls. <b>Hot</b>, too!");
  const link = page.locator(".bubble a");
  assert.equal(await link.getAttribute("href"), "https://shop.example/bowls");
  assert.equal(await link.getAttribute("rel"), "noopener noreferrer nofollow");
  assert.equal(await page.locator(".who").textContent(), "You are talking to Mama Bear");
  const said = await texts(page);
  await page.reload();
  await page.getByText("You are talking to Mama Bear").waitFor();
  await until("the room is shown again", async () => (await texts(page)).length === said.length);
  assert.deepEqual(await texts(page), said);
  // Escape closes and gives the focus back
  await page.getByRole("textbox").focus();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  assert.ok(await launcher(page).evaluate((button) => button.matches(":focus")));
  // what comes meanwhile is counted, until it is read
  await hub.reply(offer, "Still there?");
  await page.locator(".badge:not([hidden])").waitFor();
  assert.equal(await launcher(page).getAttribute("aria-label"), "Open the chat, 1 unread message");
  await page.reload();
  await page.locator(".badge:not([hidden])").waitFor();
  assert.equal(await page.locator(".badge").textContent(), "1");
  await launcher(page).click();
  await page.locator(".badge").waitFor({ state: "hidden" });
  await page.getByRole("button", { name: "End this chat" }).click();
  await page.getByRole("group", { name: "End this chat?" }).getByRole("button", { name: "End this chat" }).click();
  await page.getByText("You have ended the chat.").waitFor();
  assert.equal(await page.getByRole("button", { name: "End this chat" }).count(), 0);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("what is written without a network is sent once it is back, in order and once", async () => {
  const { context, page } = await visitor();
  await launcher(page).click();
  await write(page, "one");
  await shows(page, "one");
  const offer = await hub.accept();
  await page.getByText("has joined").waitFor();
  await context.setOffline(true);
  await page.getByText("You are offline.").waitFor();
  await write(page, "two");
  await write(page, "three");
  assert.equal(await page.locator(".line.waits").count(), 2);
  await page.getByText("Not sent yet").first().waitFor();
  await hub.reply(offer, "meanwhile");
  await hub.fact("it is said", (fact) => fact.text === "meanwhile");
  await context.setOffline(false);
  await shows(page, "three");
  await shows(page, "meanwhile");
  assert.equal(await page.locator(".link:not([hidden])").count(), 0);
  assert.deepEqual(await texts(page), ["one", "meanwhile", "two", "three"]);
  await hub.fact("the hub has it", (fact) => fact.text === "three");
  assert.equal(hub.heard.filter((fact) => fact.key.startsWith("entry.appended") && fact.text === "two").length, 1);
  // the gateway dies and comes back
  await hub.kill();
  await page.getByText("Connecting…").waitFor();
  await write(page, "four");
  await hub.run();
  await shows(page, "four");
  await hub.reply(offer, "five");
  await shows(page, "five");
  assert.deepEqual(await texts(page), ["one", "meanwhile", "two", "three", "four", "five"]);
  await hub.end(offer);
  await page.getByText("The chat is over.").waitFor();
  await context.close();
});

test("two tabs of one visitor show the same", async () => {
  const { context, page } = await visitor();
  await launcher(page).click();
  await write(page, "from the first tab");
  await shows(page, "from the first tab");
  const second = await context.newPage();
  await second.goto(hub.page);
  await shows(second, "from the first tab");
  await write(second, "from the second tab");
  await shows(second, "from the second tab");
  await page.bringToFront();
  await shows(page, "from the second tab");
  assert.deepEqual(await texts(page), ["from the first tab", "from the second tab"]);
  assert.deepEqual(await texts(second), ["from the first tab", "from the second tab"]);
  await hub.end(await hub.accept());
  await context.close();
});

test("what is too long is told before it is sent, and no key sends it", async () => {
  const { context, page } = await visitor({ locale: "de-DE" });
  await page.evaluate(() => document.documentElement.removeAttribute("lang"));
  await launcher(page).click();
  await page.getByRole("textbox").fill("x".repeat(2_003));
  await page.getByText("3 characters too many").waitFor();
  await page.keyboard.press("Enter");
  assert.equal((await page.getByRole("textbox").inputValue()).length, 2_003);
  assert.equal(await page.getByRole("textbox").getAttribute("aria-invalid"), "true");
  // a draft outlives the page
  await page.getByRole("textbox").fill("a draft");
  await page.reload();
  assert.equal(await page.getByRole("textbox").inputValue(), "a draft");
  await context.close();
});

test("German where the page is German", async () => {
  const { context, page } = await visitor();
  await page.goto(`${hub.page}de`);
  await page.getByRole("button", { name: "Chat öffnen" }).click();
  await page.getByText("Hallo! Wie können wir Ihnen helfen?").waitFor();
  await context.close();
});

for (const [size, viewport] of Object.entries(sizes)) {
  for (const colorScheme of ["light", "dark"]) {
    test(`it looks right and is accessible: ${size}, ${colorScheme}`, async () => {
      const name = `${size}-${colorScheme}`;
      const { context, page, complaints } = await visitor({ viewport, colorScheme, reducedMotion: "reduce" });
      await launcher(page).waitFor();
      await picture(page, `${name}-closed`);
      await accessible(page, `${name} closed`);
      await launcher(page).click();
      await picture(page, `${name}-empty`);
      await write(page, "Hello! Is baby bear's bowl still there? I'd take it, and a spoon of honey with it, if you have some.");
      const offer = await hub.accept();
      await page.getByText("has joined").waitFor();
      await hub.reply(offer, "It is, and just right. See https://shop.example/bowls/baby-bear/a-very-long-address-that-must-not-make-the-bubble-wider");
      await shows(page, "It is, and just right.");
      await write(page, "Thank you! 🐻");
      await shows(page, "Thank you!");
      await picture(page, `${name}-talk`);
      await accessible(page, `${name} talk`);
      const isWide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
      assert.equal(isWide, false, "nothing to scroll sideways");
      const style = await page.getByRole("textbox").evaluate((box) => getComputedStyle(box).textTransform);
      assert.equal(style, "none", "the page's habits stay outside");
      await context.setOffline(true);
      await page.getByText("You are offline.").waitFor();
      await write(page, "One more thing");
      await page.getByText("Not sent yet").waitFor();
      await picture(page, `${name}-offline`);
      await accessible(page, `${name} offline`);
      await context.setOffline(false);
      await shows(page, "One more thing");
      await page.getByRole("button", { name: "End this chat" }).click();
      await picture(page, `${name}-end`);
      await accessible(page, `${name} end`);
      await hub.end(offer);
      await page.getByText("The chat is over.").waitFor();
      assert.equal(await page.getByRole("group", { name: "End this chat?" }).count(), 0, "what is over cannot be ended");
      await picture(page, `${name}-over`);
      const own = complaints.filter((complaint) => !complaint.includes("ERR_INTERNET_DISCONNECTED"));
      assert.deepEqual(own, []);
      await context.close();
    });
  }
}
