// What outlives a reload, in the storage of the page's own origin: the visit, what was read, what is not sent yet.

export interface Pending {
  id: string;
  text: string;
  /** The hub will not take it. */
  isRefused?: boolean;
}

export interface Kept {
  token?: string;
  name?: string;
  /** How the chat stood last. */
  state?: string;
  /** The last event that was on screen. */
  seen?: string;
  draft?: string;
  isOpen?: boolean;
  outbox: Pending[];
}

export class Store {
  readonly kept: Kept = { outbox: [] };

  constructor(private readonly key: string) {
    this.load();
  }

  /** Reads again: another tab has written. */
  load(): void {
    try {
      const text = localStorage.getItem(this.key);
      const found = (text ? JSON.parse(text) : {}) as Partial<Kept>;
      Object.assign(this.kept, { token: undefined, ...found, outbox: Array.isArray(found.outbox) ? found.outbox : [] });
    } catch {
      // a browser without storage: the chat lasts as long as the page
    }
  }

  save(change: Partial<Kept>): void {
    Object.assign(this.kept, change);
    try {
      localStorage.setItem(this.key, JSON.stringify(this.kept));
    } catch {
      // as above
    }
  }

  /** Calls back when another tab has written. */
  onOther(then: () => void): void {
    addEventListener("storage", (event) => {
      if (event.key === this.key) {
        this.load();
        then();
      }
    });
  }
}
