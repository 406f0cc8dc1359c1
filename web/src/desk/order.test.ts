import { describe, expect, it } from "vitest";
import type { Contact } from "../api/types";
import { neighbour, ordered, sessionUrgency, waitUrgency } from "./order";

const at = (minute: number): string => new Date(Date.UTC(2026, 10, 25, 12, minute)).toISOString();
const one = (contact_id: string, more: Partial<Contact>): Contact =>
  ({ contact_id, state: "active", waiting_since: null, wrap_up_until: null, queued_at: at(0), accepted_at: at(1), entries: [], ...more }) as Contact;

describe("the list", () => {
  it("has the longest wait first, then wrap-up, then the newest word, parked last", () => {
    const list = [
      one("parked", { state: "parked", waiting_since: at(1) }),
      one("quiet", { accepted_at: at(3) }),
      one("newer", { accepted_at: at(9) }),
      one("wrap", { state: "wrap_up", wrap_up_until: at(20) }),
      one("waits", { waiting_since: at(8) }),
      one("waits-longest", { waiting_since: at(2) }),
    ];
    const names = ["waits-longest", "waits", "wrap", "newer", "quiet", "parked"];
    expect(ordered(list).map((contact) => contact.contact_id)).toEqual(names);
    expect(ordered([...list].reverse()).map((contact) => contact.contact_id)).toEqual(names);
  });

  it("is walked round", () => {
    const list = [one("a", {}), one("b", {})];
    expect(neighbour(list, "b", 1)).toBe("a");
    expect(neighbour(list, "a", -1)).toBe("b");
    expect(neighbour(list, null, 1)).toBe("a");
    expect(neighbour([], "a", 1)).toBe(null);
  });
});

describe("clocks", () => {
  const now = Date.parse(at(10));
  const skill = { response_s: 120 } as never;

  it("a wait is soon past half of the skill's time and late past all of it", () => {
    const waits = (seconds: number) => waitUrgency(one("a", { waiting_since: new Date(now - seconds * 1000).toISOString() }), skill, now);
    expect([59, 60, 119, 120].map(waits)).toEqual(["calm", "soon", "soon", "late"]);
    expect(waitUrgency(one("a", { state: "wrap_up", waiting_since: at(0) }), skill, now)).toBe("calm");
  });

  it("two hours warn at 15 and 5 minutes; half an hour, as chats have, sooner in proportion", () => {
    const minutes = (left: number, timeout: number) => sessionUrgency(left * 60_000, timeout);
    expect([15.1, 15, 5.1, 5, 0].map((left) => minutes(left, 7200))).toEqual(["calm", "soon", "soon", "late", "late"]);
    expect([4, 3.5, 1.2].map((left) => minutes(left, 1800))).toEqual(["calm", "soon", "late"]);
  });
});
