// Who is signed in, and which page is shown. The desk itself is loaded when somebody is in.

import { call, Failure, get, onSignedOut } from "./api/call";
import type { Me } from "./api/types";
import { keep, kept } from "./shared/kept";
import { speakTheirs } from "./shared/settings.svelte";

export type Page = "desk" | "contacts" | "password";
const PATHS: Record<Page, string> = { desk: "/", contacts: "/contacts", password: "/password" };

/** All live contacts may be seen. */
export const isSupervisor = (me: Me): boolean => me.rights.includes("live");

class Session {
  me = $state.raw<Me | null>(null);
  phase = $state<"asking" | "out" | "in" | "unreachable">("asking");
  /** True where a sign-in ended by itself. */
  ended = $state(false);
  page = $state<Page>("desk");

  start(): void {
    this.read();
    addEventListener("popstate", () => this.read());
    onSignedOut(() => {
      if (this.phase === "in") this.ended = true;
      this.me = null;
      this.phase = "out";
      keep("signed_in", null);
    });
    void this.begin();
  }

  /** Asks who is there only where somebody may be: browsers write every 401 into their console. */
  private async begin(): Promise<void> {
    if (kept("signed_in")) return this.ask();
    await speakTheirs(null);
    this.phase = "out";
  }

  async ask(): Promise<void> {
    this.phase = "asking";
    try {
      await this.enter(await get<Me>("/me"));
    } catch (error) {
      const out = error instanceof Failure && (error.status === 401 || error.status === 403);
      await speakTheirs(null);
      this.phase = out ? "out" : "unreachable";
    }
  }

  async signIn(tenant: string, user: string, password: string): Promise<void> {
    await this.enter(await call<Me>("POST", "/sign-in", { tenant, user, password }));
  }

  private async enter(me: Me): Promise<void> {
    await speakTheirs(me.user.language);
    keep("signed_in", "yes");
    this.me = me;
    this.ended = false;
    if (this.page === "desk") this.home();
    this.phase = "in";
  }

  async signOut(): Promise<void> {
    await call("POST", "/sign-out").catch(() => {});
    keep("signed_in", null);
    this.me = null;
    this.phase = "out";
    this.go("desk");
  }

  changed(): void {
    if (this.me) this.me = { ...this.me, password_due: false };
  }

  /** The first page: whoever has no desk of their own begins where they have something to see. */
  home(): void {
    this.go(this.me && !this.me.agent && isSupervisor(this.me) ? "contacts" : "desk");
  }

  go(page: Page): void {
    if (location.pathname !== PATHS[page]) history.pushState(null, "", PATHS[page]);
    this.page = page;
  }

  private read(): void {
    const found = (Object.keys(PATHS) as Page[]).find((page) => PATHS[page] === location.pathname);
    this.page = found ?? "desk";
  }
}

export const session = new Session();
