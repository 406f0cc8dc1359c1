// Script that the desk loads before it can be worked with, compressed: the entry, and the chunk behind the sign-in with
// whatever that imports. Fails over the budget.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const BUDGET = 60_000;
const dist = join(import.meta.dirname, "../dist");
const read = (name) => readFileSync(join(dist, name), "utf8");
const size = (name) => gzipSync(read(name), { level: 9 }).length;

/** A file and what it imports at once. */
function closure(name, found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  for (const [, path] of read(name).matchAll(/(?:from|import)\s*"([^"]+\.js)"/g)) closure(join(name, "..", path), found);
  return found;
}

const room = readdirSync(join(dist, "chunks")).find((name) => name.startsWith("Room-"));
const signIn = [...closure("desk.js")].reduce((sum, name) => sum + size(name), 0);
const desk = [...closure(`chunks/${room}`, closure("desk.js"))].reduce((sum, name) => sum + size(name), 0);
const all = ["desk.js", ...readdirSync(join(dist, "chunks")).map((name) => `chunks/${name}`)].reduce((sum, name) => sum + size(name), 0);
const kB = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
console.log(`script, gzip: sign-in ${kB(signIn)}, desk ${kB(desk)}, everything ${kB(all)}; style ${kB(size("desk.css"))}`);
if (desk > BUDGET) {
  console.error(`the desk's first page is over ${kB(BUDGET)}`);
  process.exit(1);
}
