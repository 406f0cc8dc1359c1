// The conversation: what was said, what is on its way, whether it is heard. Knows no screen.

import { Api, newId, Problem, type Heard, type Line, type Standing } from "./api";
import type { Pending, Store } from "./store";

export const LONGEST = 2000;

export type Link = "off" | "connecting" | "up" | "offline" | "unavailable";

export interface Shown {
  line(line: Line): void;
  standing(standing: Standing, before: Standing | undefined): void;
  /** Lines of before are gone: they come again, or another chat begins. */
  clear(): void;
  pending(pending: Pending[], isSlowed: boolean): void;
  link(link: Link): void;
  unread(count: number): void;
}

export class Chat implements Heard {
  standing: Standing | undefined;
  private readonly lines = new Map<string, { line: Line; event: string }>();
  private link: Link = "off";
  private since = "";
  private hearing: AbortController | undefined;
  private isSending = false;
  private isSlowed = false;
  private isShown = false;
  private readonly waking = new Set<() => void>();

  constructor(
    private readonly api: Api,
    private readonly store: Store,
    private readonly shown: Shown,
    private readonly language: string,
  ) {
    this.standing = store.kept.state ? ({ state: store.kept.state } as Standing) : undefined;
    store.onOther(() => this.otherTab());
    addEventListener("online", () => {
      // a stream from before may be dead without a sign
      this.hearing?.abort();
      this.hearing = undefined;
      this.say("off");
      this.listen();
      this.wake();
    });
    addEventListener("offline", () => this.say("offline"));
    document.addEventListener("visibilitychange", () => this.visible());
  }

  start(): void {
    this.shown.pending(this.store.kept.outbox, false);
    this.visible();
    void this.send();
  }

  /** The visitor looks at it, or no longer does. */
  show(isShown: boolean): void {
    this.isShown = isShown;
    if (isShown) {
      this.read();
      this.listen();
    }
  }

  write(text: string): void {
    const pending = { id: newId(), text };
    this.store.save({ outbox: [...this.store.kept.outbox, pending] });
    this.shown.pending(this.store.kept.outbox, this.isSlowed);
    void this.send();
  }

  async leave(): Promise<void> {
    const { token } = this.store.kept;
    if (token) await this.api.leave(token);
  }

  // --- what is heard

  text(line: Line, event: string): void {
    this.since = event;
    if (this.lines.has(line.id)) return;
    this.lines.set(line.id, { line, event });
    this.sent(line.id);
    this.shown.line(line);
    this.read();
  }

  state(standing: Standing): void {
    const before = this.standing;
    this.standing = standing;
    this.store.save({ state: standing.state });
    this.shown.standing(standing, before);
    this.read();
  }

  /** What is on screen is read; of the rest, what is not the visitor's own is unread. */
  private read(): void {
    if (this.isShown && document.visibilityState === "visible") {
      if (this.since && this.since !== this.store.kept.seen) this.store.save({ seen: this.since });
      this.shown.unread(0);
      return;
    }
    let count = 0;
    for (const { line, event } of this.lines.values()) {
      if (event === this.store.kept.seen) count = 0;
      else if (line.author !== "visitor") count += 1;
    }
    this.shown.unread(count);
  }

  // --- the stream

  /** Of several tabs, those that are seen hear, and of those that are hidden the last one seen. */
  private visible(): void {
    if (document.visibilityState !== "visible") return;
    this.store.load();
    this.store.save({});
    this.read();
    this.listen();
    this.wake();
  }

  private otherTab(): void {
    this.shown.pending(this.store.kept.outbox, this.isSlowed);
    if (document.visibilityState !== "visible") this.hearing?.abort();
    else this.listen();
    this.read();
  }

  /** Hears while there is something to hear: a chat that is not over, or one that is looked at. */
  private listen(): void {
    const { token, state } = this.store.kept;
    const isLive = state !== undefined && state !== "over" && state !== "idle";
    if (!token || this.hearing || !(isLive || this.isShown || this.store.kept.outbox.length)) return;
    const stop = new AbortController();
    this.hearing = stop;
    void this.hear(token, stop).finally(() => {
      if (this.hearing === stop) this.hearing = undefined;
    });
  }

  private async hear(token: string, stop: AbortController): Promise<void> {
    for (let tries = 0; !stop.signal.aborted; ) {
      if (this.link !== "up") this.say(navigator.onLine ? "connecting" : "offline");
      let wait = 2000;
      try {
        const begun = (): void => {
          tries = 0;
          this.say("up");
          void this.send();
        };
        wait = await this.api.hear(token, this.since, this, stop.signal, begun);
        if (stop.signal.aborted) return;
        // a stream that ended in order is begun again before anybody notices
        if (tries > 0) this.say("connecting");
      } catch (error) {
        if (stop.signal.aborted) return;
        const problem = error instanceof Problem ? error : new Problem(0);
        if (problem.status === 401) return this.store.kept.token === token ? this.over() : undefined;
        if (problem.status === 403 || problem.status === 404) return this.say("unavailable");
        if (problem.status === 422) this.since = "";
        this.say(navigator.onLine ? "connecting" : "offline");
        wait = Math.max(problem.retryAfterMs, wait);
      }
      tries += 1;
      await this.pause(Math.min(30_000, wait * 2 ** (tries - 1)) * (0.75 + Math.random() / 2));
    }
  }

  /** The visit is over: the next text begins another. */
  private over(): void {
    this.store.save({ token: undefined, state: undefined, seen: undefined });
    this.hearing = undefined;
    this.say("off");
    this.reset();
    void this.send();
  }

  private reset(): void {
    this.lines.clear();
    this.since = "";
    this.standing = undefined;
    this.shown.clear();
    this.shown.pending(this.store.kept.outbox, this.isSlowed);
  }

  private say(link: Link): void {
    if (this.link === link) return;
    this.link = link;
    this.shown.link(link);
  }

  // --- the outbox

  private sent(id: string): void {
    const { outbox } = this.store.kept;
    if (!outbox.some((pending) => pending.id === id)) return;
    this.store.save({ outbox: outbox.filter((pending) => pending.id !== id) });
    this.shown.pending(this.store.kept.outbox, this.isSlowed);
  }

  /** One after the other, each until it is taken: that keeps their order. What is taken stays until it is heard. */
  private async send(): Promise<void> {
    if (this.isSending) return;
    this.isSending = true;
    const taken = new Set<string>();
    const next = (): Pending | undefined =>
      this.store.kept.outbox.find((pending) => !pending.isRefused && !taken.has(pending.id));
    for (let tries = 0, pending = next(); pending; pending = next()) {
      try {
        const token = this.store.kept.token ?? (await this.begin());
        this.listen();
        await this.api.write(token, pending.id, pending.text);
        taken.add(pending.id);
        tries = 0;
        this.slow(false);
      } catch (error) {
        const problem = error instanceof Problem ? error : new Problem(0);
        tries += 1;
        const wait = Math.max(problem.retryAfterMs, Math.min(30_000, 1000 * 2 ** (tries - 1)));
        if (problem.status === 401) {
          this.store.save({ token: undefined });
        } else if (problem.status === 403 || problem.status === 404) {
          this.say("unavailable");
          break;
        } else if (problem.status === 409 || problem.status === 413 || problem.status === 422) {
          this.refuse(pending.id);
        } else {
          this.slow(problem.status === 429);
          if (problem.status === 0 && !navigator.onLine) this.say("offline");
          await this.pause(wait * (0.75 + Math.random() / 2));
        }
      }
    }
    this.isSending = false;
  }

  private async begin(): Promise<string> {
    const { token, name } = await this.api.visit(this.language);
    this.hearing?.abort();
    this.hearing = undefined;
    this.store.save({ token, name, seen: undefined });
    if (this.lines.size) this.reset();
    return token;
  }

  private refuse(id: string): void {
    const outbox = this.store.kept.outbox.map((p) => (p.id === id ? { ...p, isRefused: true } : p));
    this.store.save({ outbox });
    this.shown.pending(outbox, this.isSlowed);
  }

  private slow(isSlowed: boolean): void {
    if (this.isSlowed === isSlowed) return;
    this.isSlowed = isSlowed;
    this.shown.pending(this.store.kept.outbox, isSlowed);
  }

  private pause(ms: number): Promise<void> {
    return new Promise((then) => {
      const over = (): void => {
        clearTimeout(timer);
        this.waking.delete(over);
        then();
      };
      const timer = setTimeout(over, ms);
      this.waking.add(over);
    });
  }

  /** Whoever waits to try again tries now. */
  private wake(): void {
    for (const over of [...this.waking]) over();
  }
}
