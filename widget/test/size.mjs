// The widget's size as it is sent: under 20 kB.

import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const script = readFileSync(new URL("../dist/widget.js", import.meta.url));
const size = gzipSync(script, { level: 6 }).length;
console.log(`widget.js: ${script.length} bytes, ${size} gzip`);
if (size > 20_000) {
  console.error("more than 20,000 bytes");
  process.exit(1);
}
