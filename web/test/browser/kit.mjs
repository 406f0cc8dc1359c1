// What the browser tests share: a gateway of their own for each test, signed-in pages, the console's errors, axe.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before } from "node:test";
import { chromium } from "playwright-core";
import { start } from "../fake/gateway.mjs";
import { PASSWORD } from "../fake/world.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let browser;

before(async () => {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"] });
});
after(() => browser.close());

/** A test with a gateway and pages; it fails on whatever the console calls an error, unless `expects` matches it. */
export async function desk(run, { expects = null } = {}) {
  const gateway = await start();
  const contexts = [];
  const errors = [];
  const heed = (page) => {
    page.setDefaultTimeout(10_000);
    const note = (text) => expects?.test(text) || errors.push(text);
    page.on("console", (message) => message.type() === "error" && note(message.text()));
    page.on("pageerror", (error) => note(String(error)));
    return page;
  };
  const context = async (options = {}) => {
    const made = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-US", timezoneId: "America/New_York", ...options });
    contexts.push(made);
    return made;
  };
  const page = async (options) => heed(await (await context(options)).newPage());
  const signIn = async (user, { path = "/", ...options } = {}) => {
    const made = await page(options);
    await made.goto(`${gateway.url}${path}`);
    await fillIn(made, user);
    return made;
  };
  try {
    await run({ gateway, world: gateway.world, url: gateway.url, context, page, signIn, heed });
    assert.deepEqual(errors, [], "the console stays quiet");
  } finally {
    for (const made of contexts) await made.close();
    await gateway.close();
  }
}

export async function fillIn(page, user, password = PASSWORD) {
  await page.locator("#tenant").fill("three-bears");
  await page.locator("#user").fill(user);
  await page.locator("input[type=password]").fill(password);
  await page.locator("form button.primary").click();
}

export const contact = (page, name) => page.locator(".contact", { hasText: name });
export const reply = (page) => page.getByRole("textbox", { name: /^(Reply to|Antwort an)/ });
export const log = (page) => page.getByRole("log");

/** Waits until it holds, by looking again. */
export async function until(holds, what, patience = 10_000) {
  const end = Date.now() + patience;
  while (!(await holds())) {
    if (Date.now() > end) assert.fail(`not within ${patience} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** No violation that axe calls serious or critical. */
export async function accessible(page, where) {
  // over the protocol, so that the page's own policy need not allow it
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const found = violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${where}: ${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join("; ")}`);
  assert.deepEqual(found, []);
}
