// The filters of the page of live contacts, and their form in the address. Pure.

import type { Contact } from "../api/types";

export interface Filters {
  state: string;
  channel: string;
  skill: string;
  agent: string;
  search: string;
}

const NAMES = ["state", "channel", "skill", "agent", "search"] as const;
export const none = (): Filters => ({ state: "", channel: "", skill: "", agent: "", search: "" });

export function read(query: string): Filters {
  const found = new URLSearchParams(query);
  const filters = none();
  for (const name of NAMES) filters[name] = found.get(name) ?? "";
  return filters;
}

export function written(filters: Filters): string {
  const query = new URLSearchParams();
  for (const name of NAMES) if (filters[name]) query.set(name, filters[name]);
  const text = query.toString();
  return text ? `?${text}` : "";
}

export function passes(contact: Contact, filters: Filters): boolean {
  const wanted = filters.search.trim().toLowerCase();
  const digits = wanted.replace(/\D/g, "");
  const found =
    wanted === "" ||
    (contact.customer_name ?? "").toLowerCase().includes(wanted) ||
    contact.customer_number.toLowerCase().includes(wanted) ||
    (digits !== "" && contact.customer_number.replace(/\D/g, "").includes(digits));
  return (
    found &&
    (!filters.state || contact.state === filters.state) &&
    (!filters.channel || contact.channel === filters.channel) &&
    (!filters.skill || contact.skill === filters.skill) &&
    (!filters.agent || (filters.agent === "-" ? contact.agent === null : contact.agent === filters.agent))
  );
}

/** Whoever waits longest for an agent or an answer stands first. */
export function ordered(contacts: Contact[]): Contact[] {
  const waits = (contact: Contact): string | null =>
    contact.state === "queued" || contact.state === "offered" ? contact.queued_at : contact.waiting_since;
  return [...contacts].sort((a, b) => {
    const [first, second] = [waits(a), waits(b)];
    if ((first === null) !== (second === null)) return first === null ? 1 : -1;
    return (first ?? a.queued_at).localeCompare(second ?? b.queued_at) || a.contact_id.localeCompare(b.contact_id);
  });
}
