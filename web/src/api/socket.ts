// The one socket of a tab: a snapshot, then events with growing numbers. A reconnect says what it has and gets
// the rest, or a new snapshot; what it knows already is passed over. Waits grow with jitter, and end at once when the
// browser says it is online again. A line that was silent for long is tried by a small request.

import { BASE } from "./call";
import type { FromServer } from "./types";

export type Link = "connecting" | "open" | "waiting" | "offline" | "signed_out";

export interface Ears {
  message(message: FromServer): void;
  link(link: Link, retry_at: number | null): void;
  /** The line did not come up: are we still signed in? */
  doubt(): void;
}

/** Longest wait before the next try, in ms. */
const LONGEST = 15_000;
const OPENS_WITHIN = 10_000;
/** Silent for so long, it is tried: browsers answer pings themselves and tell nobody. */
const SILENT = 45_000;

export class Line {
  private socket: WebSocket | null = null;
  private stream: string | null = null;
  private seq = 0;
  private failures = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private ended = false;
  private heard_at = 0;
  private readonly looks: ReturnType<typeof setInterval>;

  constructor(
    private readonly ears: Ears,
    private readonly watch: boolean,
    private readonly make: (url: string) => WebSocket = (url) => new WebSocket(url),
  ) {
    this.looks = setInterval(() => void this.look(), 15_000);
    if (typeof window !== "undefined") {
      window.addEventListener("online", this.hurry);
      window.addEventListener("offline", this.drop);
    }
  }

  open(): void {
    if (this.ended) return;
    clearTimeout(this.timer);
    this.ears.link(this.failures === 0 ? "connecting" : "waiting", null);
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const query = new URLSearchParams(this.watch ? { watch: "tenant" } : {});
    if (this.stream !== null) {
      query.set("stream", this.stream);
      query.set("seq", String(this.seq));
    }
    const socket = this.make(`${scheme}//${location.host}${BASE}/socket?${query}`);
    this.socket = socket;
    const late = setTimeout(() => socket.close(), OPENS_WITHIN);
    socket.onopen = () => {
      clearTimeout(late);
      this.heard_at = Date.now();
    };
    socket.onmessage = (event) => this.hear(socket, JSON.parse(String(event.data)) as FromServer);
    socket.onclose = (event) => {
      clearTimeout(late);
      if (this.socket === socket) this.lost(event.code);
    };
  }

  close(): void {
    this.ended = true;
    clearTimeout(this.timer);
    clearInterval(this.looks);
    window.removeEventListener("online", this.hurry);
    window.removeEventListener("offline", this.drop);
    this.socket?.close();
    this.socket = null;
  }

  private hear(socket: WebSocket, message: FromServer): void {
    if (this.socket !== socket) return;
    this.heard_at = Date.now();
    if (message.type === "move") {
      this.again(Math.random() * 1500);
      return;
    }
    if (message.type === "resumed") {
      this.failures = 0;
      this.ears.link("open", null);
      return;
    }
    if (message.type === "snapshot") {
      this.stream = message.stream;
    } else if (message.seq <= this.seq) {
      return;
    }
    this.seq = message.seq;
    this.failures = 0;
    this.ears.message(message);
    this.ears.link("open", null);
  }

  /** Leaves this socket and opens another after a wait. */
  private again(wait: number): void {
    const old = this.socket;
    this.socket = null;
    if (old) {
      old.onclose = null;
      old.close();
    }
    this.later(wait);
  }

  private lost(code: number): void {
    const never_heard = this.heard_at === 0 || this.failures > 0;
    this.socket = null;
    if (code === 4401 || code === 1008) {
      this.ended = true;
      this.ears.link("signed_out", null);
      return;
    }
    this.failures += 1;
    if (never_heard) this.ears.doubt();
    const most = Math.min(LONGEST, 500 * 2 ** Math.min(this.failures, 6));
    this.later(code === 1001 ? Math.random() * 1500 : most * (0.5 + Math.random() / 2));
  }

  private async look(): Promise<void> {
    if (!this.socket || Date.now() - this.heard_at < SILENT) return;
    const socket = this.socket;
    const alive = await fetch(`${BASE}/me`, { signal: AbortSignal.timeout(5_000) }).then(
      () => true,
      () => false,
    );
    this.heard_at = Date.now();
    if (!alive && this.socket === socket) this.again(500);
  }

  private later(wait: number): void {
    if (this.ended) return;
    const offline = typeof navigator !== "undefined" && navigator.onLine === false;
    this.ears.link(offline ? "offline" : "waiting", Date.now() + wait);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), wait);
  }

  /** Tries at once. */
  hurry = (): void => {
    if (this.ended || this.socket) return;
    this.open();
  };

  private drop = (): void => {
    if (this.socket) this.again(500);
  };
}
