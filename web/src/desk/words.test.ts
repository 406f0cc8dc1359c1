// Parts, quick replies and filters: what people type, and what the desk makes of it.

import { SegmentedMessage } from "sms-segments-calculator";
import { describe, expect, it } from "vitest";
import type { Contact, QuickReply } from "../api/types";
import { none, passes, read, written } from "../supervisor/filters";
import { count } from "./parts";
import { asked, filled, matching } from "./quick";

describe("parts", () => {
  it("counts septets, and two for the extension table", () => {
    expect(count(SegmentedMessage, "a".repeat(160))).toMatchObject({ encoding: "GSM-7", parts: 1, used: 160, room: 160 });
    expect(count(SegmentedMessage, "a".repeat(161))).toMatchObject({ parts: 2, used: 161, room: 306 });
    expect(count(SegmentedMessage, "€")).toMatchObject({ encoding: "GSM-7", used: 2 });
  });

  it("marks whoever costs the cheap alphabet, where it stands", () => {
    const text = "It’s fine – ok 🫐";
    const { encoding, culprits, plain } = count(SegmentedMessage, text);
    expect(encoding).toBe("UCS-2");
    expect(culprits.map(({ from, to }) => text.slice(from, to))).toEqual(["’", "–", "🫐"]);
    expect(plain).toBe(null);
  });

  it("offers look-alikes where they are enough", () => {
    expect(count(SegmentedMessage, "It’s fine – ok").plain).toBe("It's fine - ok");
  });
});

describe("quick replies", () => {
  const replies = [
    { id: "hello", title: "Greeting", text: "Hello {{customer}}", skill: null, language: null },
    { id: "hallo", title: "Gruß", text: "Hallo", skill: null, language: "de" },
    { id: "shops", title: "Where to buy", text: "At Forest Foods", skill: "porridge", language: null },
  ] satisfies QuickReply[];
  const ids = (skill: string, query: string, language = "") => matching(replies, skill, query, language).map((reply) => reply.id);

  it("a slash asks at the beginning of a word alone", () => {
    expect(asked("/he", 3)).toEqual({ from: 0, query: "he" });
    expect(asked("Hi /gr", 6)).toEqual({ from: 3, query: "gr" });
    expect(asked("and/or", 6)).toBe(null);
    expect(asked("/a b", 4)).toBe(null);
    expect(asked("/grü", 4)).toEqual({ from: 0, query: "grü" });
  });

  it("are found by id, title and text, those of another skill never", () => {
    expect(ids("porridge", "")).toEqual(["hello", "hallo", "shops"]);
    expect(ids("quality", "")).toEqual(["hello", "hallo"]);
    expect(ids("porridge", "forest")).toEqual(["shops"]);
    expect(ids("porridge", "GRE")).toEqual(["hello"]);
    expect(ids("porridge", "h", "de")).toEqual(["hello", "hallo", "shops"]);
    expect(ids("porridge", "h", "en")).toEqual(["hello", "hallo", "shops"]);
  });

  it("fill in names, and leave unknown ones to be seen", () => {
    expect(filled("Hello {{ customer }}, {{agent}} {{oops}}", { customer: "Ruth", agent: "Mama" })).toBe("Hello Ruth, Mama {{oops}}");
  });
});

describe("filters", () => {
  const contact = { state: "active", channel: "sms", skill: "porridge", agent: "mama-bear", customer_name: "Ruth Alder", customer_number: "+12025550143" } as Contact;

  it("stand in the address and come back from it", () => {
    const filters = { ...none(), state: "active", search: "Ruth & co" };
    expect(written(filters)).toBe("?state=active&search=Ruth+%26+co");
    expect(read(written(filters))).toEqual(filters);
    expect(written(none())).toBe("");
  });

  it("find by name and by digits, however they are written", () => {
    for (const search of ["ruth", "555-0143", "+1202555", "(202) 555"]) expect(passes(contact, { ...none(), search })).toBe(true);
    expect(passes(contact, { ...none(), search: "oskar" })).toBe(false);
    expect(passes(contact, { ...none(), agent: "-" })).toBe(false);
    expect(passes({ ...contact, agent: null }, { ...none(), agent: "-" })).toBe(true);
  });
});
