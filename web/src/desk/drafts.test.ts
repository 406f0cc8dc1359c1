import { beforeEach, describe, expect, it, vi } from "vitest";
import { Drafts } from "./drafts";

class Store {
  [name: string]: unknown;
  getItem = (name: string) => (this[name] as string) ?? null;
  setItem = (name: string, value: string) => void (this[name] = value);
  removeItem = (name: string) => void delete this[name];
}

beforeEach(() => vi.stubGlobal("localStorage", new Store()));

describe("drafts", () => {
  it("outlive the page, each room's its own, text and note apart", () => {
    new Drafts("bears.mama").set("r1", { mode: "note", text: "half a rep", note: "a note" });
    const later = new Drafts("bears.mama");
    expect(later.of("r1")).toMatchObject({ mode: "note", text: "half a rep", note: "a note" });
    expect(later.of("r2")).toMatchObject({ mode: "text", text: "", note: "" });
  });

  it("are nobody else's", () => {
    new Drafts("bears.mama").set("r1", { mode: "text", text: "secret", note: "" });
    expect(new Drafts("bears.papa").of("r1").text).toBe("");
  });

  it("go when they are empty, and after a week", () => {
    let now = 0;
    const drafts = new Drafts("bears.mama", () => now);
    drafts.set("r1", { mode: "text", text: "x", note: "" });
    drafts.set("r2", { mode: "text", text: "y", note: "" });
    drafts.set("r1", { mode: "text", text: "", note: "" });
    expect(localStorage.getItem("texthub.draft.bears.mama.r1")).toBe(null);
    now = 8 * 86_400_000;
    expect(new Drafts("bears.mama", () => now).of("r2").text).toBe("");
  });

  it("stay for the page where storage is forbidden", () => {
    vi.stubGlobal("localStorage", {
      getItem: () => null,
      setItem: () => {
        throw new Error("forbidden");
      },
      removeItem: () => {},
    });
    const drafts = new Drafts("bears.mama");
    drafts.set("r9", { mode: "text", text: "kept", note: "" });
    expect(drafts.of("r9").text).toBe("kept");
  });

  it("a spoilt one is an empty one", () => {
    localStorage.setItem("texthub.draft.bears.mama.r1", "{");
    expect(new Drafts("bears.mama").of("r1").text).toBe("");
  });
});
