// The whole way with a real hub: a customer texts in by the simulator, two agents and a supervisor in browsers. Needs a running
// stack (TEXTHUB_HTTP_URL, TEXTHUB_SIMULATOR_URL) with examples/three-bears.toml, its database for `texthub users`
// (TEXTHUB_BIN, TEXTHUB_DATABASE_URL), and Chromium. Without a stack it is passed over.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { accessible, contact, log, reply, until } from "../browser/kit.mjs";

const { TEXTHUB_HTTP_URL: url, TEXTHUB_SIMULATOR_URL: network, TEXTHUB_BIN: binary } = process.env;
const OURS = "+15550100001";
const CUSTOMER = `+1555${String(Date.now()).slice(-7)}`;
const PASSWORD = "one more spoon of blueberries";
let browser;
const errors = [];

before(async () => {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"] });
});
after(() => browser.close());

const skip = !url || !network || !binary ? "no stack: TEXTHUB_HTTP_URL, TEXTHUB_SIMULATOR_URL, TEXTHUB_BIN" : false;

/** A page of a user who has just got a one-time password, and chose one. */
async function member(user, role) {
  const run = (...args) => JSON.parse(execFileSync(binary, ["users", ...args, "--json"], { encoding: "utf8" }));
  const there = run("list", "three-bears").some(({ id }) => id === user);
  const { one_time_password: once } = there ? run("reset", "three-bears", user) : run("add", "three-bears", user, "--role", role);
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-US" });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on("console", (message) => message.type() === "error" && !/\/oidc\//.test(message.location().url) && errors.push(`${user}: ${message.text()} ${message.location().url}`));
  page.on("pageerror", (error) => errors.push(`${user}: ${error}`));
  await page.goto(url);
  await page.locator("#tenant").fill("three-bears");
  await page.locator("#user").fill(user);
  await page.locator("input[type=password]").fill(once);
  await page.locator("form button.primary").click();
  await page.getByText("This password was given to you").waitFor();
  const [old, fresh, again] = await page.locator("input[type=password]").all();
  await old.fill(once);
  for (const field of [fresh, again]) await field.fill(PASSWORD);
  await page.getByRole("button", { name: "Change password" }).click();
  await page.getByRole("button", { name: /Menu of/ }).waitFor();
  return page;
}

async function state(page, word) {
  await page.locator("[data-state-menu] button").click();
  await page.getByRole("menuitemcheckbox", { name: word, exact: true }).click();
  await page.getByRole("button", { name: new RegExp(`^State: ${word}`) }).waitFor();
}

async function texts(text, from = CUSTOMER, to = OURS) {
  const answer = await fetch(`${network}/inbound`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ from, to, text }) });
  assert.equal(answer.ok, true, `${answer.status} ${await answer.text()}`);
}

const left = async (page) => Number(/PT(\d+)S/.exec(await page.locator("[data-session-timer] time").getAttribute("datetime"))[1]);

test("customer, two agents, supervisor", { skip, timeout: 180_000 }, async () => {
  const mama = await member("mama-bear", "agent");
  const baby = await member("baby-bear", "agent");
  const used = async () => Number(/^(\d+) of/.exec(await mama.locator(".gauge strong").textContent())[1]);
  const before = await used();
  await state(baby, "Unavailable");
  await state(mama, "Available");

  await texts("Where can I buy the plain one?");
  await mama.locator(".offers article", { hasText: "Where can I buy" }).waitFor();
  await until(async () => (await mama.evaluate(() => document.documentElement.dataset.sounded ?? "")).startsWith("offer"), "the offer rings");
  await mama.locator("#work").focus();
  await mama.keyboard.press("Alt+Shift+N");
  await log(mama).getByText("Where can I buy the plain one?").waitFor();
  await until(async () => (await used()) === before + 1, "a slot is taken");
  await until(async () => (await left(mama)) <= 7_195, "some seconds pass", 20_000);

  await reply(mama).pressSequentially("/");
  await mama.getByRole("option").first().waitFor();
  await mama.keyboard.press("Enter");
  const words = await reply(mama).inputValue();
  await mama.keyboard.press("Enter");
  await log(mama).getByText("Delivered").waitFor();
  assert.equal(await log(mama).getByText(words.slice(0, 30)).count(), 1, "one bubble");
  await until(async () => (await left(mama)) > 7_195, "the text reset the two hours");
  await mama.locator("[data-command]").waitFor({ state: "detached" });
  await accessible(mama, "conversation");

  await state(baby, "Available");
  await mama.keyboard.press("Alt+Shift+R");
  await mama.getByPlaceholder("Search agents").fill("baby");
  await mama.getByRole("option", { name: /Baby Bear/i }).click();
  await mama.getByLabel("Note for the next").fill("wants the plain one");
  await mama.getByRole("dialog").getByRole("button", { name: "Transfer" }).click();
  await mama.getByRole("dialog").waitFor({ state: "detached" });
  await baby.locator(".offers article", { hasText: CUSTOMER.slice(-4) }).getByRole("button", { name: /^Accept/ }).click();
  await contact(baby, CUSTOMER.slice(-4)).click();
  await log(baby).getByText("wants the plain one").waitFor();
  await contact(mama, CUSTOMER.slice(-4)).waitFor({ state: "detached" });

  const tiffany = await member("tiffany", "supervisor");
  await tiffany.getByRole("row", { name: new RegExp(CUSTOMER.slice(-4)) }).waitFor();
  await accessible(tiffany, "live contacts");
  await tiffany.getByRole("button", { name: new RegExp(`End the conversation with .*${CUSTOMER.slice(-4)}`) }).click();
  await tiffany.getByRole("dialog").getByRole("button", { name: "End this contact" }).click();
  await until(async () => (await log(baby).count()) === 0 || (await baby.getByText("Wrap-up ·").count()) > 0, "it ended at the agent's");
  if (await baby.getByText("Wrap-up ·").count()) await baby.getByRole("button", { name: "Finish wrap-up" }).click();
  await contact(baby, CUSTOMER.slice(-4)).waitFor({ state: "detached" });

  await state(mama, "Unavailable");
  await texts("me again");
  await baby.locator(".offers article", { hasText: "me again" }).waitFor();
  await baby.keyboard.press("Alt+Shift+N");
  await log(baby).getByText("me again").waitFor();
  await baby.getByRole("button", { name: /Show the session/ }).first().click();
  await baby.getByText("Where can I buy the plain one?").waitFor();
  await baby.keyboard.press("Alt+E");
  await baby.getByRole("button", { name: "End conversation" }).click();
  await contact(baby, CUSTOMER.slice(-4)).or(baby.getByText("Wrap-up ·")).first().waitFor();
  assert.deepEqual(errors, []);
});
