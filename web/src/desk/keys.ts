// What the keys of the desk do.

import { session } from "../session.svelte";
import { settings } from "../shared/settings.svelte";
import { action, isWriting } from "../shared/shortcuts";
import { toasts } from "../shared/toasts.svelte";
import { t } from "../text/text.svelte";
import { answer, park, unpark } from "./commands";
import type { Desk } from "./desk.svelte";
import { neighbour } from "./order";

/** Asks the composer of the open conversation to take the focus, in a mode. */
export const focusComposer = (mode: "text" | "note"): boolean =>
  !dispatchEvent(new CustomEvent("texthub-compose", { detail: mode, cancelable: true }));

export function press(desk: Desk, event: KeyboardEvent): void {
  const wanted = action(event, isWriting(event.target));
  if (!wanted || desk.dialog) return;
  event.preventDefault();
  const contact = desk.contact;
  const offer = desk.model.offers[0];
  switch (wanted) {
    case "accept":
      if (offer) void answer(desk, offer, "accept");
      break;
    case "refuse":
      if (offer) desk.dialog = { kind: "refuse", offer_id: offer.offer_id };
      break;
    case "next":
    case "previous": {
      const next = neighbour(desk.list, desk.selected, wanted === "next" ? 1 : -1);
      if (next) show(desk, next);
      break;
    }
    case "longest":
      if (desk.list[0]) show(desk, desk.list[0].contact_id);
      break;
    case "reply":
    case "note":
      focusComposer(wanted === "reply" ? "text" : "note");
      break;
    case "end":
      if (contact && contact.state !== "wrap_up") desk.dialog = { kind: "end", contact_id: contact.contact_id };
      break;
    case "transfer":
      if (contact && contact.state !== "wrap_up") desk.dialog = { kind: "transfer", contact_id: contact.contact_id };
      break;
    case "park":
      if (contact?.state === "parked") void unpark(desk, contact);
      else if (contact?.state === "active") void park(desk, contact);
      break;
    case "newText":
      if (desk.model.agent) desk.dialog = { kind: "new" };
      break;
    case "details":
      if (innerWidth < 1100) desk.view = desk.view === "details" ? "thread" : "details";
      else settings.setDetails(!settings.details);
      break;
    case "state":
      document.querySelector<HTMLElement>("[data-state-menu]")?.querySelector("button")?.click();
      break;
    case "mute":
      settings.setMuted(!settings.muted);
      toasts.say(t(settings.muted ? "sound.muted" : "sound.unmute"));
      break;
    case "list":
      desk.dialog = { kind: "shortcuts" };
  }
}

function show(desk: Desk, contact_id: string): void {
  if (session.page !== "desk") session.go("desk");
  desk.open(contact_id);
}
