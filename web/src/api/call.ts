// Calls to /api/v1. Whatever goes wrong comes back as one Failure with a stable reason; a network that is away is one too.

import type { Outcome, Problem } from "./types";

export const BASE = "/api/v1";
/** Told when the gateway no longer knows who we are. */
let signedOut: () => void = () => {};

export class Failure extends Error implements Problem {
  constructor(
    readonly status: number,
    readonly reason: string,
    readonly sentence: string,
    readonly retry_after_s?: number,
  ) {
    super(sentence);
  }
  /** True where the same command may be sent again, with the same id, without doing it twice. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 503 || this.status === 504;
  }
}

export function onSignedOut(told: () => void): void {
  signedOut = told;
}

async function failure(response: Response): Promise<Failure> {
  const problem = (await response.json().catch(() => ({}))) as Partial<Problem> & { title?: string };
  const after = Number(response.headers.get("retry-after"));
  const reason = problem.reason ?? (response.status >= 500 ? "not_now" : "bad_request");
  const found = new Failure(response.status, reason, problem.sentence ?? problem.title ?? "", after || undefined);
  if (response.status === 401 && reason === "not_signed_in") signedOut();
  return found;
}

export async function call<T>(method: string, path: string, body?: unknown, patience = 15_000): Promise<T> {
  let response: Response;
  try {
    response = await fetch(BASE + path, {
      method,
      credentials: "same-origin",
      headers: body === undefined ? { accept: "application/json" } : { accept: "application/json", "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(patience),
    });
  } catch {
    throw new Failure(0, "no_network", "");
  }
  if (!response.ok) throw await failure(response);
  if (response.status === 204) return undefined as T;
  return (await response.json().catch(() => undefined)) as T;
}

export const get = <T>(path: string) => call<T>("GET", path);

/** A command; `id` makes a repeat a repeat, so a passing failure is tried again with the same id. */
export async function command(path: string, body: { id: string; [field: string]: unknown }, tries = 3): Promise<Outcome> {
  for (let tried = 1; ; tried++) {
    try {
      return await call<Outcome>("POST", path, body);
    } catch (error) {
      if (!(error instanceof Failure) || !error.isPassing || tried >= tries) throw error;
      await new Promise((resolve) => setTimeout(resolve, 400 * 2 ** tried * (0.5 + Math.random())));
    }
  }
}

export const encode = encodeURIComponent;
/** An id for a command. Pages that came by plain HTTP have no `randomUUID`. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return written(bytes, 4);
}

/** The id that the hub gives to the entry of a text: UUIDv5 of the command's id. Null where the browser cannot tell. */
export async function entryId(command: string): Promise<string | null> {
  if (!crypto.subtle) return null;
  const space = (command.replaceAll("-", "").match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16));
  const named = new Uint8Array([...space, ...new TextEncoder().encode("row entry/0")]);
  return written(new Uint8Array(await crypto.subtle.digest("SHA-1", named)).slice(0, 16), 5);
}

function written(bytes: Uint8Array, version: number): string {
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | (version << 4);
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
