// The hub's chat over HTTP: problems by RFC 9457, and a stream of server-sent events read by fetch, which can send the
// token in a header.

export class Problem extends Error {
  constructor(
    /** 0: no answer at all. */
    readonly status: number,
    readonly retryAfterMs = 0,
  ) {
    super(`status ${status}`);
  }
}

export interface Line {
  id: string;
  author: "visitor" | "agent" | "company";
  name?: string;
  text: string;
  at: string;
}

export interface Standing {
  state: "idle" | "automatic" | "waiting" | "active" | "over";
  name?: string;
  reason?: "timed_out" | "left" | "nobody_came" | "ended";
}

export interface Heard {
  text(line: Line, event: string): void;
  state(standing: Standing): void;
}

/** A new UUID; pages without HTTPS lack the browser's own. */
export function newId(): string {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Longer than the stream's heartbeat of 20 seconds, twice. */
const SILENCE_MS = 45_000;

export class Api {
  constructor(private readonly base: string) {}

  visit(language: string): Promise<{ token: string; name: string }> {
    return this.post("/visits", { language });
  }

  write(token: string, id: string, text: string): Promise<unknown> {
    return this.post("/texts", { id, text }, token);
  }

  leave(token: string): Promise<unknown> {
    return this.post("/leave", { id: newId() }, token);
  }

  private async post<T>(path: string, body: unknown, token?: string): Promise<T> {
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (token) headers["authorization"] = `Bearer ${token}`;
    return (await this.ask(path, { method: "POST", headers, body: JSON.stringify(body) })).json() as Promise<T>;
  }

  private async ask(path: string, init: RequestInit): Promise<Response> {
    let answer: Response;
    try {
      answer = await fetch(this.base + path, { ...init, credentials: "omit", referrerPolicy: "origin" });
    } catch {
      throw new Problem(0);
    }
    if (!answer.ok) throw new Problem(answer.status, Number(answer.headers.get("retry-after") ?? 0) * 1000);
    return answer;
  }

  /** Hears until the stream ends or is stopped; says after how long it may be begun again. */
  async hear(token: string, since: string, heard: Heard, stop: AbortSignal, begun: () => void): Promise<number> {
    const silent = new AbortController();
    const give = (): void => silent.abort();
    let watch = setTimeout(give, SILENCE_MS);
    stop.addEventListener("abort", give);
    let retry = 2000;
    try {
      const path = `/events?since=${encodeURIComponent(since)}`;
      const headers = { authorization: `Bearer ${token}`, accept: "text/event-stream" };
      const answer = await this.ask(path, { headers, cache: "no-store", signal: silent.signal });
      begun();
      const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ""; ; ) {
        const { value, done } = await reader.read();
        if (done) return retry;
        clearTimeout(watch);
        watch = setTimeout(give, SILENCE_MS);
        const blocks = (rest + value).split("\n\n");
        rest = blocks.pop() ?? "";
        for (const block of blocks) retry = event(block, heard) ?? retry;
      }
    } catch (error) {
      if (error instanceof Problem) throw error;
      return retry;
    } finally {
      clearTimeout(watch);
      stop.removeEventListener("abort", give);
      silent.abort();
    }
  }
}

/** Tells of one event; its word about trying again. */
function event(block: string, heard: Heard): number | undefined {
  const fields: Record<string, string> = {};
  for (const line of block.split("\n")) {
    const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (name) fields[name] = value ?? "";
  }
  const data = fields["data"] ?? "null";
  if (fields["event"] === "text") heard.text(JSON.parse(data) as Line, fields["id"] ?? "");
  if (fields["event"] === "state") heard.state(JSON.parse(data) as Standing);
  return fields["retry"] ? Number(fields["retry"]) : undefined;
}
