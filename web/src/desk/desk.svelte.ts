// The desk of one tab: the model fed by the socket, what is selected, and what people are told. Commands stand in
// commands.ts, sounds and titles in alerts.ts.

import { SvelteMap, SvelteSet } from "svelte/reactivity";
import { isSupervisor } from "../session.svelte";
import { Failure, get } from "../api/call";
import { type Link, Line } from "../api/socket";
import type { Contact, Customer, Entry, Me, Offer, Room, Skill } from "../api/types";
import { clock } from "../shared/clock.svelte";
import { number } from "../shared/format";
import { Leader } from "../shared/leader";
import { toasts } from "../shared/toasts.svelte";
import { t, word } from "../text/text.svelte";
import { offered, texted } from "./alerts";
import { Drafts } from "./drafts";
import { apply, empty, find, type Notice, type Pending, prepend } from "./model";
import { ordered } from "./order";
import { keepPending, keptPending } from "./pending";

export type Dialog =
  | { kind: "transfer" | "end"; contact_id: string }
  | { kind: "refuse"; offer_id: string }
  | { kind: "new" | "shortcuts" | "sound" };
export type View = "list" | "thread" | "details";

export class Desk {
  model = $state(empty());
  link = $state<Link>("connecting");
  is_ready = $state(false);
  selected = $state<string | null>(null);
  /** What a narrow screen shows of the three. */
  view = $state<View>("list");
  dialog = $state<Dialog | null>(null);
  unread = new SvelteMap<string, number>();
  answering = new SvelteSet<string>();
  busy = new SvelteSet<string>();
  /** Said to screen readers. */
  said = $state("");
  readonly leader = new Leader();
  readonly drafts: Drafts;
  readonly owner: string;
  /** Commands whose answer was shown already, by id. */
  readonly answered = new Set<string>();
  /** The contact that is to be opened when it comes. */
  awaited: string | null = null;
  /** When a text was last typed, in ms. */
  typed_at = 0;
  /** True when the sessions' times were looked at once. */
  is_looked = false;
  onBack: () => void = () => {};
  private line: Line | null = null;

  list = $derived(ordered(this.model.contacts));
  contact = $derived(find(this.model, this.selected));
  skills = $derived(new Map(this.model.setup.skills.map((skill) => [skill.id, skill])));

  constructor(readonly me: Me) {
    this.owner = `${me.tenant.id}.${me.user.id}`;
    this.drafts = new Drafts(this.owner);
    this.model.pending = keptPending(this.owner);
  }

  start(): void {
    this.leader.start(this.owner);
    if (!this.me.agent && !isSupervisor(this.me)) {
      // neither an agent nor a supervisor: there is nothing to be told
      this.is_ready = true;
      this.link = "open";
      return;
    }
    this.line = new Line(
      {
        message: (message) => {
          if (message.type === "snapshot") clock.set(message.snapshot.now);
          const notices = apply(this.model, message);
          if (message.type === "snapshot") this.settled();
          for (const notice of notices) this.tell(notice);
          if (this.awaited && find(this.model, this.awaited)) this.open(this.awaited);
          keepPending(this.owner, this.model.pending);
        },
        link: (link) => {
          const was = this.link;
          this.link = link;
          if (link === "open" && was !== "open") this.onBack();
        },
        doubt: () => void get("/me").catch(() => {}),
      },
      !this.me.agent,
    );
    this.line.open();
  }

  stop(): void {
    this.line?.close();
    this.leader.stop();
  }

  hurry(): void {
    this.line?.hurry();
  }

  private settled(): void {
    this.is_ready = true;
    if (this.selected && !find(this.model, this.selected)) this.leave();
    for (const id of this.unread.keys()) if (!find(this.model, id)) this.unread.delete(id);
  }

  skill(id: string): Skill | undefined {
    return this.skills.get(id);
  }

  pending(room_id: string): Pending[] {
    return this.model.pending.filter((pending) => pending.room_id === room_id);
  }

  open(contact_id: string): void {
    this.selected = contact_id;
    this.view = "thread";
    this.unread.delete(contact_id);
    if (this.awaited === contact_id) this.awaited = null;
  }

  /** The selected one is gone. */
  leave(): void {
    this.selected = null;
    if (this.view !== "list") this.view = "list";
  }

  say(words: string): void {
    // the same words twice are read twice only when the node changes
    this.said = this.said === words ? `${words} ` : words;
  }

  private tell(notice: Notice): void {
    switch (notice.kind) {
      case "offered":
        offered(this, notice.offer);
        break;
      case "texted":
        texted(this, notice.contact, notice.entry);
        break;
      case "offer_gone":
        this.answering.delete(notice.offer.offer_id);
        if (notice.outcome === "lapsed" || notice.outcome === "rescinded")
          toasts.say(t(`offer.${notice.outcome}`, { name: name(notice.offer) }));
        break;
      case "gone":
        if (this.selected === notice.contact.contact_id) this.leave();
        this.unread.delete(notice.contact.contact_id);
        this.tellGone(notice.contact, notice.outcome, notice.reason);
        break;
      case "refused":
        this.answering.clear();
        if (notice.pending || this.answered.has(notice.id)) break;
        this.answered.add(notice.id);
        toasts.say(word("refused", notice.reason, notice.sentence || t("app.failed")), "bad");
        break;
      case "agent":
        if (notice.before?.state === "available" && notice.agent.state === "unavailable" && notice.agent.code === "missed")
          toasts.say(t("state.missed"), "bad");
    }
  }

  private tellGone(contact: Contact, outcome: string | null, reason: string | null): void {
    if (this.answered.delete(contact.contact_id)) return;
    const words = word("gone", outcome, word("gone", reason, ""));
    if (words && words.includes("{name}")) toasts.say(words.replace("{name}", name(contact)));
  }

  /** Texts before those that are there. */
  async older(contact: Contact): Promise<void> {
    const before = contact.entries[0]?.seq ?? 0;
    try {
      const answer = await get<{ entries: Entry[]; more?: boolean } | Entry[]>(
        `/rooms/${contact.room_id}/entries?before=${before}&limit=50`,
      );
      const entries = Array.isArray(answer) ? answer : answer.entries;
      prepend(contact, entries, Array.isArray(answer) ? entries.length === 50 : (answer.more ?? entries.length === 50));
    } catch (error) {
      toasts.say(sentence(error), "bad");
    }
  }

  /** A card changed here: its name stands in the list at once. */
  renamed(customer: Customer): void {
    for (const contact of this.model.contacts)
      if (contact.customer_number === customer.customer_number) contact.customer_name = customer.name;
  }
}

/** Who it is: the customer's name, else the number. */
export const name = (of: Contact | Offer | Room | { customer_name?: string | null; customer_number: string }): string =>
  ("customer_name" in of && of.customer_name) || number(of.customer_number);

/** What went wrong, for people. */
export function sentence(error: unknown): string {
  if (!(error instanceof Failure)) return t("app.failed");
  return word("refused", error.reason, error.sentence || t("app.failed"));
}
