// Quick replies: which ones a "/" at the caret asks for, and the names they have filled in. Pure.

import type { QuickReply } from "../api/types";

/** The "/word" that ends at the caret, or null. */
export function asked(text: string, caret: number): { from: number; query: string } | null {
  const found = /(?:^|\s)\/([\p{L}\p{N}_-]*)$/u.exec(text.slice(0, caret));
  if (!found) return null;
  const query = found[1] ?? "";
  return { from: caret - query.length - 1, query };
}

/** Those of the skill or of none; a match at the beginning stands before one within. */
export function matching(replies: QuickReply[], skill: string, query: string, language = ""): QuickReply[] {
  const wanted = query.toLocaleLowerCase();
  // a reply of another language than the screen's comes last, not never: the customer may speak it
  const foreign = (reply: QuickReply): number => (reply.language && language && !reply.language.startsWith(language) ? 0.5 : 0);
  const rank = (reply: QuickReply): number => {
    const [id, title] = [reply.id.toLocaleLowerCase(), reply.title.toLocaleLowerCase()];
    if (id.startsWith(wanted) || title.startsWith(wanted)) return 0;
    if (id.includes(wanted) || title.includes(wanted)) return 1;
    return reply.text.toLocaleLowerCase().includes(wanted) ? 2 : 3;
  };
  return replies
    .filter((reply) => !reply.skill || reply.skill === skill)
    .map((reply) => ({ reply, rank: rank(reply) + foreign(reply) }))
    .filter(({ rank }) => rank < 3)
    .sort((a, b) => a.rank - b.rank)
    .map(({ reply }) => reply)
    .slice(0, 8);
}

/** {{customer}}, {{agent}}, {{company}}, {{our_number}} filled in; an unknown name stays to be seen. */
export function filled(text: string, names: Record<string, string>): string {
  return text.replace(/\{\{\s*(\w+)\s*\}\}/g, (whole, name: string) => names[name] ?? whole);
}
