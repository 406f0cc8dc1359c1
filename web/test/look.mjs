// Takes a picture of every screen at 360, 1280 and 1920 pixels, light and dark, into web/test/screens: `node test/look.mjs
// [FOLDER] [NAME]`.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { start } from "./fake/gateway.mjs";
import { busy } from "./fake/scenes.mjs";
import { PASSWORD } from "./fake/world.mjs";

const folder = process.argv[2] ?? join(import.meta.dirname, "screens");
const only = process.argv[3] ?? "";
mkdirSync(folder, { recursive: true });
const SIZES = [[360, 740], [1280, 800], [1920, 1080]];
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });

async function signIn(page, url, user, path = "/") {
  await page.goto(url + path);
  await page.getByLabel("Company").fill("three-bears");
  await page.getByLabel("User").fill(user);
  await page.locator("input[type=password]").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
}
const open = (page, name) => page.locator(".contact", { hasText: name }).click();
const narrow = (page) => page.viewportSize().width < 761;

const SCREENS = {
  "sign-in": async ({ page, url }) => {
    await page.goto(`${url}/?tenant=three-bears`);
    await page.getByText("Forest ID").waitFor();
  },
  password: ({ page, url }) => signIn(page, url, "new-bear").then(() => page.getByText("Choose a new password").waitFor()),
  empty: async ({ page, url }) => {
    await signIn(page, url, "papa-bear");
    await page.locator(".list .empty").waitFor();
  },
  desk: async ({ page, url, world }) => {
    await signIn(page, url, "mama-bear");
    await page.locator(".contact").first().waitFor();
    Object.assign(world.agents.get("mama-bear"), { state: "available" });
    world.texts("+12025550188", "Hello, do you have the plain porridge in the 2 lb bag?");
    await page.locator("article", { hasText: "2 lb bag" }).waitFor();
    if (!narrow(page)) await open(page, "Ruth Alder");
  },
  thread: async ({ page, url }) => {
    await signIn(page, url, "mama-bear");
    await open(page, "Ruth Alder");
    await page.getByRole("textbox", { name: /Reply/ }).fill("The sample is in the parcel – it’s the one with the blue lid");
    await page.getByText("UCS-2").first().waitFor();
  },
  details: async ({ page, url }) => {
    await signIn(page, url, "mama-bear");
    await open(page, "Ruth Alder");
    if (page.viewportSize().width < 1100) await page.getByRole("button", { name: "Customer and history" }).click();
    await page.getByRole("button", { name: /Show the session/ }).first().click();
    await page.getByText("Forest Foods on Main").waitFor();
  },
  quick: async ({ page, url }) => {
    await signIn(page, url, "mama-bear");
    await open(page, "(312) 555-0162");
    await page.getByRole("textbox", { name: /Reply/ }).pressSequentially("/");
    await page.getByRole("option").first().waitFor();
  },
  note: async ({ page, url }) => {
    await signIn(page, url, "mama-bear");
    await open(page, "Oskar");
    await page.getByRole("button", { name: "Private note" }).click();
    await page.getByRole("textbox", { name: /Private note/ }).fill("Asked twice about the bowl; might want the set.");
  },
  "wrap-up": async ({ page, url, world, scene }) => {
    world.wrapUp(scene.ruth);
    await signIn(page, url, "mama-bear");
    await open(page, "Ruth Alder");
    await page.getByText("How did it end").waitFor();
  },
  blocked: async ({ page, url, world }) => {
    world.texts("+12025550177", "STOP");
    await signIn(page, url, "mama-bear");
    await open(page, "Oskar");
    await page.getByText("opted out (STOP)").waitFor();
  },
  transfer: async ({ page, url, world }) => {
    Object.assign(world.agents.get("baby-bear"), { state: "available" });
    await signIn(page, url, "mama-bear");
    await open(page, "Ruth Alder");
    await page.keyboard.press("Alt+Shift+R");
    await page.getByPlaceholder("Search agents").click();
    await page.keyboard.press("ArrowDown");
  },
  new: async ({ page, url }) => {
    await signIn(page, url, "mama-bear");
    await page.locator(".contact").first().waitFor();
    await page.keyboard.press("Alt+Shift+T");
    await page.locator("#new-to").fill("555");
    await page.locator("#new-text").fill("Hello, your box is ready.");
    await page.getByRole("dialog").getByRole("button", { name: "Send" }).click();
  },
  shortcuts: async ({ page, url }) => {
    await signIn(page, url, "mama-bear");
    await page.locator(".contact").first().waitFor();
    await page.locator("header h1").first().click();
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
  },
  state: async ({ page, url }) => {
    await signIn(page, url, "mama-bear");
    await page.locator("[data-state-menu] button").click();
    await page.getByRole("menu").waitFor();
  },
  why: async ({ page, url }) => {
    await signIn(page, url, "mama-bear");
    await page.locator(".gauge button").first().click();
  },
  menu: async ({ page, url }) => {
    await signIn(page, url, "tiffany");
    await page.getByRole("button", { name: /Menu of/ }).click();
    await page.getByRole("menu").waitFor();
  },
  cut: async ({ page, url, gateway }) => {
    await signIn(page, url, "mama-bear");
    await open(page, "Ruth Alder");
    gateway.cut();
    await page.getByText("nothing is lost").waitFor();
    await page.getByRole("textbox", { name: /Reply/ }).fill("Written while the network was away");
    await page.keyboard.press("Enter");
    await page.locator("[data-command]").waitFor();
    await page.waitForTimeout(300);
  },
  contacts: async ({ page, url, world }) => {
    for (let at = 0; at < 9; at++) world.texts(`+1202555020${at}`, "Hello", at % 3 ? {} : { our_number: "+18005550111", skill: "quality" });
    await signIn(page, url, "tiffany", "/contacts");
    await page.getByRole("row").nth(4).waitFor();
  },
  "contact-end": async ({ page, url }) => {
    await signIn(page, url, "tiffany", "/contacts?search=Ruth");
    await page.getByRole("button", { name: /End the conversation/ }).click();
    await page.getByRole("dialog").waitFor();
  },
};

for (const [name, visit] of Object.entries(SCREENS)) {
  if (only && !only.split(",").includes(name)) continue;
  for (const [width, height] of SIZES)
    for (const colorScheme of ["light", "dark"]) {
      const gateway = await start();
      const scene = busy(gateway.world);
      const context = await browser.newContext({ viewport: { width, height }, colorScheme, locale: "en-US", timezoneId: "America/New_York" });
      const page = await context.newPage();
      page.on("console", (message) => message.type() === "error" && name !== "cut" && !/401/.test(message.text()) && console.error(name, message.text()));
      page.on("pageerror", (error) => console.error(name, error.message));
      try {
        await visit({ page, url: gateway.url, world: gateway.world, gateway, scene });
      } catch (error) {
        console.error(name, width, colorScheme, error.message.split("\n").slice(0, 3).join(" "));
      }
      await page.waitForTimeout(250);
      await page.screenshot({ path: join(folder, `${name}-${width}-${colorScheme}.png`) });
      await context.close();
      await gateway.close();
    }
}
await browser.close();
