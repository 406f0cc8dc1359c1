// Every page: who may see it, what it says in two languages, that it fits a phone, and that axe finds nothing serious.

import assert from "node:assert/strict";
import { test } from "node:test";
import { busy } from "../fake/scenes.mjs";
import { accessible, contact, desk, fillIn, log, until } from "./kit.mjs";

test("sign in: wrong, right, out; and the other services of a company", () =>
  desk(
    async ({ url, page }) => {
      const made = await page();
      await made.goto(url);
      await accessible(made, "sign in");
      await fillIn(made, "mama-bear", "wrong");
      await made.getByText("Company, user and password do not match.").waitFor();
      assert.match(await made.getByRole("link", { name: "Continue with Forest ID" }).getAttribute("href"), /\/oidc\/three-bears\/forest\/start$/);
      await fillIn(made, "mama-bear");
      await made.getByRole("button", { name: /State:/ }).waitFor();
      await made.reload();
      await made.getByRole("button", { name: /Menu of Mama Bear/ }).click();
      await made.getByRole("menuitem", { name: "Sign out" }).click();
      await made.locator("#tenant").waitFor();
    },
    { expects: /401/ },
  ));

test("a password that was given must be changed first", () =>
  desk(async ({ world, signIn }) => {
    const page = await signIn("new-bear");
    await page.getByText("This password was given to you").waitFor();
    await accessible(page, "password");
    const [old, fresh, again] = await page.locator("input[type=password]").all();
    await old.fill("porridge-and-honey");
    await fresh.fill("short");
    await again.fill("short");
    await page.getByRole("button", { name: "Change password" }).click();
    await page.getByText("At least 12 characters, please.").waitFor();
    for (const field of [fresh, again]) await field.fill("three bowls and a spoon");
    await page.getByRole("button", { name: "Change password" }).click();
    await page.getByText("No conversations").first().waitFor();
    assert.equal(world.users.get("new-bear").password, "three bowls and a spoon");
  }));

test("a supervisor sees all live contacts, filters in the address, and ends exactly one", () =>
  desk(async ({ world, url, signIn }) => {
    const { ruth } = busy(world);
    world.texts("+12025550200", "waiting");
    const page = await signIn("tiffany");
    await page.waitForURL(`${url}/contacts`);
    await page.getByRole("row", { name: /Ruth Alder/ }).waitFor();
    assert.equal(await page.locator("tbody tr").count(), 6);
    await accessible(page, "contacts");
    await page.getByRole("searchbox").fill("555-01");
    await page.getByLabel("Skill").selectOption("porridge");
    await page.waitForURL(/search=555-01/);
    assert.equal(new URL(page.url()).search, "?skill=porridge&search=555-01");
    assert.equal(await page.locator("tbody tr").count(), 3);
    await page.reload();
    await page.getByText("3 of 6").waitFor();
    const before = world.contacts.size;
    await page.getByRole("button", { name: "End the conversation with Ruth Alder" }).click();
    const dialog = page.getByRole("dialog", { name: "End this one contact?" });
    await dialog.getByText("Ruth Alder · +1 (202) 555-0143").waitFor();
    await dialog.getByText("Mama Bear").waitFor();
    await accessible(page, "end one");
    await dialog.getByLabel("Reason").fill("duplicate");
    await dialog.getByRole("button", { name: "End this contact" }).click();
    await page.getByRole("row", { name: /Ruth Alder/ }).getByText("wrap-up").waitFor();
    assert.deepEqual(world.done, [{ deed: "end", contact_id: ruth.contact_id, id: world.done[0].id, reason: "duplicate" }]);
    assert.equal(world.contacts.size, before, "the others live on");
    world.texts("+12025550123", "new one");
    await page.getByText("4 of 7").waitFor();
    await page.getByRole("button", { name: "Read the conversation with Ruth Alder" }).click();
    await page.getByRole("dialog").getByText("Oh wonderful, thank you!").waitFor();
    await accessible(page, "read one");
  }));

test("agents do not see the supervisors' page", () =>
  desk(async ({ signIn }) => {
    const page = await signIn("mama-bear", { path: "/contacts" });
    await page.getByText("This page is for supervisors.").waitFor();
    assert.equal(await page.getByRole("table").count(), 0);
  }));

test("German, all of it, with the numbers' own form", () =>
  desk(async ({ world, signIn }) => {
    busy(world);
    const page = await signIn("mama-bear", { locale: "de-DE" });
    await page.getByRole("heading", { name: "Meine Gespräche" }).waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.lang), "de");
    await contact(page, "Ruth Alder").click();
    await log(page).getByText("Zugestellt").first().waitFor();
    await page.getByText("4 von 5").waitFor();
    await page.getByRole("button", { name: /Menü von/ }).click();
    await page.getByRole("menuitemcheckbox", { name: "English" }).click();
    await page.getByRole("heading", { name: "My conversations" }).waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "My conversations" }).waitFor();
  }));

for (const colorScheme of ["light", "dark"])
  test(`axe is content with the desk, its dialogs and menus: ${colorScheme}`, () =>
    desk(async ({ world, signIn }) => {
      busy(world);
      const page = await signIn("mama-bear", { colorScheme });
      await accessible(page, "nothing chosen");
      Object.assign(world.agents.get("mama-bear"), { state: "available" });
      world.texts("+12025550188", "an offer");
      await page.locator("article", { hasText: "an offer" }).waitFor();
      await contact(page, "Ruth Alder").click();
      await page.getByRole("button", { name: /Show the session/ }).first().click();
      await page.getByRole("textbox", { name: /^Reply to/ }).fill("It’s – 🫐");
      await page.getByText("UCS-2").first().waitFor();
      await accessible(page, "conversation");
      await page.getByRole("textbox", { name: /^Reply to/ }).fill("/");
      await page.getByRole("option").first().waitFor();
      await accessible(page, "quick replies");
      await page.keyboard.press("Alt+P");
      await page.getByRole("textbox", { name: /^Private note/ }).fill("note");
      await accessible(page, "note");
      for (const [keys, dialog] of [["Alt+Shift+R", "Transfer Ruth Alder"], ["Alt+Shift+T", "Text a number"], ["Alt+E", "End the conversation"], ["Alt+Shift+X", "Why do you refuse?"]]) {
        await page.keyboard.press(keys);
        await page.getByRole("dialog", { name: dialog }).waitFor();
        await accessible(page, dialog);
        await page.keyboard.press("Escape");
        await page.getByRole("dialog").waitFor({ state: "detached" });
      }
      await page.locator("h1").first().click();
      await page.keyboard.press("?");
      await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
      await accessible(page, "shortcuts");
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: /^State/ }).click();
      await page.getByRole("menu").waitFor();
      await accessible(page, "state menu");
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: /Why am I not/ }).click();
      await accessible(page, "why");
      world.wrapUp([...world.contacts.values()].find((one) => one.customer_number === "+12025550143"));
      await page.getByText("How did it end?").waitFor();
      await accessible(page, "wrap-up");
    }));

test("a phone: one thing at a time, nothing beyond the edge", () =>
  desk(async ({ world, signIn }) => {
    busy(world);
    const page = await signIn("mama-bear", { viewport: { width: 360, height: 740 }, hasTouch: true });
    const fits = async (where) => assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, where);
    await contact(page, "Ruth Alder").waitFor();
    await fits("list");
    await accessible(page, "phone: list");
    await contact(page, "Ruth Alder").click();
    await log(page).waitFor();
    await until(async () => !(await contact(page, "Ruth Alder").isVisible()), "the list makes room");
    await fits("thread");
    await accessible(page, "phone: thread");
    await page.getByRole("button", { name: "Customer and history" }).click();
    await page.getByRole("heading", { name: "Last sessions" }).waitFor();
    await fits("details");
    await page.getByRole("button", { name: "Back" }).click();
    await page.getByRole("button", { name: "More actions" }).click();
    await page.getByRole("menuitem", { name: /Transfer/ }).click();
    await page.getByRole("dialog").waitFor();
    await fits("transfer");
  }));

test("the focus stays in the composer when texts come, and a dialog gives it back", () =>
  desk(async ({ world, signIn }) => {
    busy(world);
    const page = await signIn("mama-bear");
    await contact(page, "Ruth Alder").click();
    const field = page.getByRole("textbox", { name: /^Reply to/ });
    await field.fill("writing");
    world.texts("+12025550143", "one more thing");
    await log(page).getByText("one more thing").waitFor();
    assert.equal(await field.evaluate((node) => node === document.activeElement), true);
    await page.keyboard.press("Alt+E");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await until(() => field.evaluate((node) => node === document.activeElement), "the focus came back");
  }));
