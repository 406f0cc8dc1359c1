// Texts on their way outlive a reload of their tab: under the same ids, so that sending again sends nothing twice.

import type { Pending } from "./model";

const key = (owner: string) => `texthub.pending.${owner}`;
const HOUR = 3_600_000;

export function keepPending(owner: string, pending: Pending[]): void {
  try {
    if (pending.length === 0) sessionStorage.removeItem(key(owner));
    else sessionStorage.setItem(key(owner), JSON.stringify(pending));
  } catch {
    // without storage they live as long as the page
  }
}

export function keptPending(owner: string): Pending[] {
  try {
    const found = JSON.parse(sessionStorage.getItem(key(owner)) ?? "[]") as Pending[];
    return found
      .filter((pending) => Date.now() - Date.parse(pending.at) < HOUR)
      .map((pending) => (pending.state === "failed" ? pending : { ...pending, state: "sending", reason: "no_network" }));
  } catch {
    return [];
  }
}
