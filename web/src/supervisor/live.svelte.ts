// All live contacts of the tenant: asked for once, then kept by a socket that watches the tenant, and asked for again from
// time to time and after every new snapshot.

import { get } from "../api/call";
import { Line } from "../api/socket";
import type { Contact } from "../api/types";
import { sentence } from "../desk/desk.svelte";

const ASKS_AGAIN = 30_000;

export class Live {
  contacts = $state.raw<Contact[]>([]);
  is_ready = $state(false);
  problem = $state("");
  private line: Line | null = null;
  private timer: ReturnType<typeof setInterval> | undefined;

  start(): void {
    void this.ask();
    this.timer = setInterval(() => void this.ask(), ASKS_AGAIN);
    this.line = new Line(
      {
        message: (message) => {
          if (message.type === "snapshot") void this.ask();
          else if (message.type === "contact") this.put(message.contact);
          else if (message.type === "contact_gone" && message.summary) this.drop(message.contact_id);
        },
        link: () => {},
        doubt: () => {},
      },
      true,
    );
    this.line.open();
  }

  stop(): void {
    clearInterval(this.timer);
    this.line?.close();
  }

  async ask(): Promise<void> {
    try {
      const answer = await get<Contact[] | { contacts: Contact[] }>("/contacts");
      this.contacts = Array.isArray(answer) ? answer : answer.contacts;
      this.problem = "";
    } catch (error) {
      this.problem = sentence(error);
    }
    this.is_ready = true;
  }

  private put(contact: Contact): void {
    const others = this.contacts.filter((one) => one.contact_id !== contact.contact_id);
    this.contacts = [...others, contact];
  }

  drop(contact_id: string): void {
    this.contacts = this.contacts.filter((contact) => contact.contact_id !== contact_id);
  }
}
