// What was written and not yet sent, per conversation: survives reload, reconnect and a new sign-in of the same user;
// gone when it is sent, or after a week.

import { keep, kept, keys } from "../shared/kept";

export type Mode = "text" | "note";
export interface Draft {
  mode: Mode;
  text: string;
  note: string;
  at: number;
}

const WEEK = 7 * 86_400_000;
const blank = (): Draft => ({ mode: "text", text: "", note: "", at: 0 });

export class Drafts {
  /** `owner` is tenant and user: a shared computer shows nobody the words of another. */
  constructor(
    private readonly owner: string,
    private readonly now: () => number = Date.now,
  ) {
    for (const key of keys(this.key(""))) if (this.now() - this.read(key).at > WEEK) keep(key, null);
  }

  of(room_id: string): Draft {
    return this.read(this.key(room_id));
  }

  set(room_id: string, draft: Omit<Draft, "at">): void {
    const is_blank = draft.text === "" && draft.note === "" && draft.mode === "text";
    keep(this.key(room_id), is_blank ? null : JSON.stringify({ ...draft, at: this.now() }));
  }

  private key(room_id: string): string {
    return `draft.${this.owner}.${room_id}`;
  }

  private read(key: string): Draft {
    try {
      return { ...blank(), ...(JSON.parse(kept(key) ?? "{}") as Partial<Draft>) };
    } catch {
      return blank();
    }
  }
}
