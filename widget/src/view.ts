// The screen: a launcher and a panel in a shadow root of their own. Elements are made one by one, so that a page's policy
// (CSP, Trusted Types) has nothing to object to.

import type { Line, Standing } from "./api";
import { LONGEST, type Chat, type Link, type Shown } from "./chat";
import { readableOn } from "./color";
import type { Pending, Store } from "./store";
import style from "./style.css?inline";
import { fill, type Words } from "./words";

export interface Look {
  language: string;
  words: Words;
  color?: string;
  title?: string;
  greeting?: string;
}

type Child = Node | string;

function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function icon(...paths: string[]): SVGSVGElement {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  for (const d of paths) {
    const path = document.createElementNS(space, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

export class View implements Shown {
  chat!: Chat;
  private readonly root: ShadowRoot;
  private readonly frame = make("div");
  private readonly launcher: HTMLButtonElement;
  private readonly badge = make("span", { class: "badge", "aria-hidden": "true", hidden: "" });
  private readonly panel: HTMLElement;
  private readonly heading = make("h2", { id: "title" });
  private readonly who = make("div", { class: "who" });
  private readonly leaving: HTMLButtonElement;
  private readonly banner = make("div", { class: "link", role: "status" });
  private readonly log: HTMLElement;
  private readonly ask: HTMLElement;
  private readonly box: HTMLTextAreaElement;
  private readonly sender: HTMLButtonElement;
  private readonly long = make("div", { class: "long", id: "long", role: "status" });
  private readonly waiting = new Map<string, HTMLElement>();
  private agent: string | undefined;
  private unreadCount = 0;

  constructor(
    private readonly look: Look,
    private readonly store: Store,
  ) {
    const { words } = look;
    const host = make("div", { lang: look.language, "data-texthub-widget": "" });
    this.root = host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(style);
    this.root.adoptedStyleSheets = [sheet];
    this.tint(host);

    this.launcher = make(
      "button",
      { class: "launcher", type: "button", "aria-haspopup": "dialog", "aria-controls": "panel" },
      icon("M21 12a8 8 0 0 1-8 8H4l2-3a8 8 0 1 1 15-5z"),
      this.badge,
    );
    this.leaving = this.button(words.end, "M9 4H5v16h4M14 8l4 4-4 4M18 12H9");
    const closing = this.button(words.close, "M6 6l12 12M18 6L6 18");
    this.log = make("div", { class: "log", role: "log", "aria-label": words.log, tabindex: "0" });
    const [yes, no] = [make("button", { type: "button" }, words.end), make("button", { type: "button" }, words.goOn)];
    this.ask = make("div", { class: "ask", role: "group", "aria-label": words.endAsk, hidden: "" });
    this.ask.append(make("span", {}, words.endAsk), yes, no);
    this.box = make("textarea", {
      rows: "1", "aria-label": words.write, placeholder: words.writeHint, "aria-describedby": "long", enterkeyhint: "send",
    });
    this.sender = make("button", { type: "submit", "aria-label": words.send }, icon("M4 12l16-8-6 16-3-7z"));
    const form = make("form", {}, this.box, this.sender);
    this.panel = make("section", { class: "panel", id: "panel", role: "dialog", "aria-labelledby": "title", hidden: "" });
    const header = make("header", {}, make("div", { class: "head" }, this.heading, this.who), this.leaving, closing);
    this.panel.append(header, this.banner, this.log, this.ask, form, this.long);
    // the launcher comes first: what it opens follows it
    this.frame.append(this.launcher, this.panel);
    this.root.append(this.frame);
    this.clear();
    this.link("off");
    this.unread(0);

    this.launcher.addEventListener("click", () => this.open(this.panel.hidden));
    closing.addEventListener("click", () => this.open(false));
    this.leaving.addEventListener("click", () => this.asking(true, yes));
    yes.addEventListener("click", () => void this.leave());
    no.addEventListener("click", () => this.asking(false));
    form.addEventListener("submit", (event) => this.submit(event));
    this.box.addEventListener("input", () => this.typed());
    this.root.addEventListener("keydown", (event) => this.key(event as KeyboardEvent));
    this.box.value = store.kept.draft ?? "";
    document.body.append(host);
    this.typed();
    this.open(store.kept.isOpen ?? false, false);
  }

  /** Once there is a conversation behind it. */
  begin(chat: Chat): void {
    this.chat = chat;
    this.lead(chat.standing);
    chat.start();
    if (!this.panel.hidden) chat.show(true);
  }

  // --- what the conversation shows

  line(line: Line): void {
    const { words } = this.look;
    this.waiting.get(line.id)?.remove();
    this.waiting.delete(line.id);
    const isOwn = line.author === "visitor";
    const name = isOwn ? words.you : (line.name ?? words.company);
    const when = new Date(line.at);
    const clock = when.toLocaleTimeString(this.look.language, { hour: "2-digit", minute: "2-digit" });
    const day = when.toDateString() === new Date().toDateString() ? "" : `${when.toLocaleDateString(this.look.language)} `;
    const time = make("time", { class: "when", datetime: line.at }, day + clock);
    const shown = make("div", { class: isOwn ? "line own" : "line" });
    const author = isOwn ? make("span", { class: "out" }, `${name}: `) : make("span", { class: "name" }, name);
    shown.append(author, bubble(line.text, !isOwn), time);
    this.put(shown);
  }

  standing(standing: Standing, before: Standing | undefined): void {
    const { words } = this.look;
    this.lead(standing);
    if (standing.state === "active" && standing.name && standing.name !== this.agent) {
      this.note(fill(words.joined, { name: standing.name }));
      this.agent = standing.name;
    }
    if (standing.state === "over" && before?.state !== "over") {
      this.note(words[standing.reason ?? "ended"]);
      this.agent = undefined;
    }
  }

  clear(): void {
    const greeting = make("p", { class: "greeting" }, this.look.greeting ?? this.look.words.greeting);
    this.log.replaceChildren(greeting);
    this.waiting.clear();
    this.agent = undefined;
    this.lead(undefined);
  }

  pending(pending: Pending[], isSlowed: boolean): void {
    const { words } = this.look;
    for (const [id, shown] of this.waiting) {
      if (pending.some((p) => p.id === id)) continue;
      shown.remove();
      this.waiting.delete(id);
    }
    for (const { id, text, isRefused } of pending) {
      let shown = this.waiting.get(id);
      if (!shown) {
        shown = make("div", { class: "line own waits" }, make("span", { class: "out" }, `${words.you}: `), bubble(text, false));
        shown.append(make("span", { class: "when" }));
        this.waiting.set(id, shown);
        this.put(shown);
      }
      shown.classList.toggle("bad", isRefused ?? false);
      const word = isRefused ? words.notTaken : isSlowed ? words.slower : navigator.onLine ? words.sending : words.notSent;
      const place = shown.querySelector(".when")!;
      if (place.textContent !== word) place.textContent = word;
    }
  }

  link(link: Link): void {
    const { words } = this.look;
    const said = { off: "", up: "", connecting: words.connecting, offline: words.offline, unavailable: words.unavailable };
    this.banner.textContent = said[link];
    this.banner.hidden = !said[link];
    this.pending(this.store.kept.outbox, false);
  }

  unread(count: number): void {
    const { words } = this.look;
    this.unreadCount = count;
    this.badge.textContent = String(Math.min(count, 99));
    this.badge.hidden = count === 0;
    const more = count === 0 ? "" : `, ${count === 1 ? words.unread1 : fill(words.unread, { n: count })}`;
    this.launcher.setAttribute("aria-label", (this.panel?.hidden === false ? words.close : words.open) + more);
  }

  // --- what the visitor does

  private open(isOpen: boolean, isAsked = true): void {
    this.panel.hidden = !isOpen;
    this.frame.classList.toggle("is-open", isOpen);
    this.launcher.setAttribute("aria-expanded", String(isOpen));
    this.unread(this.unreadCount);
    if (!isAsked) return;
    this.store.save({ isOpen });
    this.asking(false);
    this.chat.show(isOpen);
    if (isOpen) this.log.scrollTop = this.log.scrollHeight;
    (isOpen ? this.box : this.launcher).focus();
  }

  private key(event: KeyboardEvent): void {
    if (event.key === "Escape" && !this.panel.hidden) {
      event.stopPropagation();
      if (this.ask.hidden) this.open(false);
      else this.asking(false);
    }
    const isSending = event.key === "Enter" && !event.shiftKey && !event.isComposing;
    if (isSending && event.target === this.box) this.submit(event);
  }

  private submit(event: Event): void {
    event.preventDefault();
    const text = this.box.value.trim();
    this.box.focus();
    if (!text || [...text].length > LONGEST) return;
    this.box.value = "";
    this.typed();
    this.chat.write(text);
    this.log.scrollTop = this.log.scrollHeight;
  }

  private typed(): void {
    const text = this.box.value.trim();
    const over = [...text].length - LONGEST;
    this.long.textContent = over > 0 ? fill(this.look.words.tooLong, { n: over }) : "";
    this.long.hidden = over <= 0;
    this.box.setAttribute("aria-invalid", String(over > 0));
    this.sender.setAttribute("aria-disabled", String(!text || over > 0));
    this.box.style.height = "42px";
    if (this.box.scrollHeight > 42) this.box.style.height = `${Math.min(this.box.scrollHeight + 3, 132)}px`;
    if ((this.store.kept.draft ?? "") !== this.box.value) this.store.save({ draft: this.box.value });
  }

  private asking(isAsking: boolean, focused: HTMLElement = this.box): void {
    if (this.ask.hidden === !isAsking) return;
    this.ask.hidden = !isAsking;
    focused.focus();
  }

  private async leave(): Promise<void> {
    this.asking(false);
    try {
      await this.chat.leave();
    } catch {
      this.banner.textContent = this.look.words.offline;
      this.banner.hidden = false;
    }
  }

  // --- pieces

  private lead(standing: Standing | undefined): void {
    const { words, title } = this.look;
    const state = standing?.state;
    this.heading.textContent = title ?? this.store.kept.name ?? words.title;
    const name = standing?.name;
    const who = state === "waiting" ? words.waiting : state === "active" && name ? fill(words.active, { name }) : "";
    if (this.who.textContent !== who) this.who.textContent = who;
    this.leaving.hidden = !(state === "waiting" || state === "active" || state === "automatic");
    // what is over cannot be ended
    if (this.leaving.hidden) this.asking(false);
  }

  private button(label: string, path: string): HTMLButtonElement {
    return make("button", { type: "button", "aria-label": label, title: label }, icon(path));
  }

  private note(sentence: string): void {
    this.put(make("p", { class: "note" }, sentence));
  }

  /** Puts it at the end, but before what is not heard yet, and keeps the end in sight for who is there. */
  private put(shown: HTMLElement): void {
    const { log } = this;
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
    const isPending = [...this.waiting.values()].includes(shown);
    const first = isPending ? null : ([...this.waiting.values()].find((p) => p.parentNode === log) ?? null);
    log.insertBefore(shown, first);
    if (isAtEnd) log.scrollTop = log.scrollHeight;
  }

  private tint(host: HTMLElement): void {
    const { color } = this.look;
    const readable = color && readableOn(color);
    if (!color || !readable) return;
    host.style.setProperty("--accent", color);
    host.style.setProperty("--on-accent", readable);
  }
}

/** A text, with its web addresses as links where they come from the company. */
function bubble(text: string, hasLinks: boolean): HTMLElement {
  const shown = make("div", { class: "bubble" });
  const parts = hasLinks ? text.split(/(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]])/) : [text];
  parts.forEach((part, nr) => {
    const isLink = nr % 2 === 1;
    shown.append(isLink ? make("a", { href: part, target: "_blank", rel: "noopener noreferrer nofollow" }, part) : part);
  });
  return shown;
}
