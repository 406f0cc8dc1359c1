// What calls for attention outside of the words: sounds, the desktop's notices, the window's title and its icon. Quiet where
// the person is looking already; once over several tabs.

import type { Contact, Entry, Offer } from "../api/types";
import { clock } from "../shared/clock.svelte";
import { named } from "../shared/format";
import { printed } from "../shared/shortcuts";
import { isFirst, notice, sound } from "../shared/sound";
import { toasts } from "../shared/toasts.svelte";
import { t } from "../text/text.svelte";
import { type Desk, name } from "./desk.svelte";
import { sessionUrgency } from "./order";

/** An offer rings again after so long, in ms. */
export const RINGS_EVERY = 2_500;
/** Whoever typed so lately is not startled by a text's sound, in ms. */
const TYPING = 2_000;

const isLooking = (): boolean => document.visibilityState === "visible" && document.hasFocus();

export function offered(desk: Desk, offer: Offer): void {
  const words = { name: name(offer), skill: named(offer.skill), keys: printed("accept") };
  desk.say(t("offer.new", words));
  if (!desk.leader.leads || !isFirst(offer.offer_id)) return;
  sound("offer");
  if (!isLooking()) notice(offer.offer_id, t("offer.title", { channel: t(`channel.${offer.channel}`) }), t("offer.notice", words), () => {});
}

export function ring(desk: Desk): void {
  if (desk.leader.leads && desk.model.offers.some((offer) => !desk.answering.has(offer.offer_id))) sound("offer");
}

export function texted(desk: Desk, contact: Contact, entry: Entry): void {
  const is_open = desk.selected === contact.contact_id && isLooking();
  if (!is_open) desk.unread.set(contact.contact_id, (desk.unread.get(contact.contact_id) ?? 0) + 1);
  if (is_open || !desk.leader.leads || !isFirst(entry.entry_id)) return;
  if (Date.now() - desk.typed_at > TYPING) sound("text");
  if (!isLooking()) notice(contact.contact_id, name(contact), entry.text, () => desk.open(contact.contact_id));
}

/** The warnings at 15 and 5 minutes, once for each deadline; what stood there at the first look is only marked in the list. */
export function warnOfTime(desk: Desk, warned: Set<string>): void {
  const is_first = !desk.is_looked;
  desk.is_looked = desk.is_ready;
  for (const contact of desk.model.contacts) {
    if (!contact.session || contact.state !== "active") continue;
    const left = Date.parse(contact.session.deadline_at) - clock.now;
    const urgency = sessionUrgency(left, contact.session.timeout_s);
    const key = `${contact.session.session_id} ${contact.session.deadline_at} ${urgency}`;
    if (urgency === "calm" || left <= 0 || warned.has(key)) continue;
    warned.add(key);
    if (is_first) continue;
    const words = t("timer.warn", { name: name(contact), n: Math.max(1, Math.ceil(left / 60_000)) });
    desk.say(words);
    toasts.say(words, "plain", { label: name(contact), run: () => desk.open(contact.contact_id) });
    if (desk.leader.leads) sound("timer");
  }
}

/** A count in the title and a mark in the icon need nobody's permission. */
export function title(desk: Desk): void {
  let count = desk.model.offers.length;
  for (const unread of desk.unread.values()) count += unread;
  document.title = count > 0 ? `(${count}) texthub` : "texthub";
  const icon = document.querySelector<HTMLLinkElement>("link[rel=icon]");
  const href = count > 0 ? "/icon-new.svg" : "/icon.svg";
  if (icon && icon.getAttribute("href") !== href) icon.href = href;
}
