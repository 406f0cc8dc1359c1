import { describe, expect, it } from "vitest";
import { entryId, newId } from "../api/call";
import de from "../text/de";
import en from "../text/en";
import { fill } from "../text/text.svelte";
import { clock, dialled, initials, named, number, person } from "./format";
import { action, digit, KEYS, type Pressed } from "./shortcuts";

const press = (more: Partial<Pressed>): Pressed => ({
  altKey: false, ctrlKey: false, metaKey: false, shiftKey: false, code: "", key: "", isComposing: false, keyCode: 0, repeat: false, ...more,
});

describe("catalogues", () => {
  it("have the same keys, none empty", () => {
    expect(Object.keys(de).sort()).toEqual(Object.keys(en).sort());
    for (const text of [...Object.values(de), ...Object.values(en)]) expect(text.trim()).not.toBe("");
  });

  it("fill the same names in", () => {
    const names = (text: string) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();
    for (const key of Object.keys(en) as (keyof typeof en)[]) expect(names(de[key]), key).toEqual(names(en[key]));
  });

  it("choose the form by the language, and write numbers as it does", () => {
    expect(fill("{n} text|{n} texts", "en", { n: 1 })).toBe("1 text");
    expect(fill("{n} Text|{n} Texte", "de", { n: 1234 })).toBe("1.234 Texte");
    expect(fill("{who} waits", "en")).toBe("{who} waits");
  });
});

describe("shortcuts", () => {
  it("go by the key's place, with Alt alone", () => {
    expect(action(press({ altKey: true, shiftKey: true, code: "KeyN", key: "Ñ" }), true)).toBe("accept");
    expect(action(press({ altKey: true, code: "KeyJ", key: "∆" }), true)).toBe("next");
    expect(action(press({ altKey: true, ctrlKey: true, code: "KeyE", key: "€" }), true)).toBe(null);
  });

  it("rest while an input method composes, and on repeats", () => {
    expect(action(press({ altKey: true, code: "KeyJ", isComposing: true }), true)).toBe(null);
    expect(action(press({ altKey: true, code: "KeyJ", keyCode: 229 }), true)).toBe(null);
    expect(action(press({ altKey: true, code: "KeyE", repeat: true }), true)).toBe(null);
  });

  it("are never a bare letter, and a question mark only outside of fields", () => {
    for (const { code, shift } of KEYS) expect(action(press({ code, shiftKey: shift, key: code.slice(3) }), false)).toBe(null);
    expect(action(press({ key: "?", shiftKey: true, code: "Slash" }), false)).toBe("list");
    expect(action(press({ key: "?", shiftKey: true, code: "Slash" }), true)).toBe(null);
  });

  it("digits choose outside of fields, and within them with Alt", () => {
    expect(digit(press({ code: "Digit3" }), false)).toBe(3);
    expect(digit(press({ code: "Digit3" }), true)).toBe(null);
    expect(digit(press({ code: "Digit3", altKey: true }), true)).toBe(3);
    expect(digit(press({ code: "Numpad9" }), false)).toBe(9);
    expect(digit(press({ code: "Digit0" }), false)).toBe(null);
  });

  it("have a place each", () => {
    expect(new Set(KEYS.map((keys) => `${keys.code} ${keys.shift}`)).size).toBe(KEYS.length);
  });
});

describe("formats", () => {
  it("clocks count up and never below nothing", () => {
    expect([0, 59_999, 60_000, 3_600_000, 7_265_000, -5].map(clock)).toEqual(["0:00", "0:59", "1:00", "1:00:00", "2:01:05", "0:00"]);
  });

  it("numbers stand in groups, the rest as it is", () => {
    expect(["+12025550143", "+79161234567", "+4930901820", "+353861234567", "24365", "visitor-7", null].map(number)).toEqual(["+1 (202) 555-0143", "+7 916 123 4567", "+49 309 018 20", "+353 861 234 567", "24365", "visitor-7", ""]);
  });

  it("what is dialled is E.164 or nothing", () => {
    expect(["+1 (202) 555-0143", "0049 30 901820", "2025550143", "+1", "+0123456789"].map(dialled)).toEqual(["+12025550143", "+4930901820", null, null, null]);
  });

  it("slugs read as names", () => {
    expect([named("no-answer"), person("mama-bear"), initials("Ruth van Alder"), initials("+1 202")]).toEqual(["No answer", "Mama Bear", "RV", "#"]);
  });
});

describe("ids", () => {
  it("are UUIDs, and an entry's is the hub's own (UUIDv5 of the command's)", async () => {
    expect(newId()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    // python: uuid.uuid5(uuid.UUID("6ba7b810-9dad-41d1-80b4-00c04fd430c8"), "row entry/0")
    expect(await entryId("6ba7b810-9dad-41d1-80b4-00c04fd430c8")).toBe("83374515-504e-53b5-b35b-84bfe2115498");
  });
});
