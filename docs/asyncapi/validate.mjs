// Checks an AsyncAPI document with the official parser: it must parse, keep every rule that is an error, and say the same
// facts in its channels, messages and operations. Exits 1 and says what and where otherwise.
import { readFile } from 'node:fs/promises';
import { Parser } from '@asyncapi/parser';

const file = process.argv[2];
if (!file) {
  console.error('usage: node validate.mjs FILE');
  process.exit(2);
}
const { document, diagnostics } = await new Parser().parse(await readFile(file, 'utf8'));
const severities = ['error', 'warning', 'information', 'hint'];
for (const { severity, path, message } of diagnostics) {
  if (severity <= 1) console.error(`${severities[severity]}: ${path.join('.')}: ${message}`);
}
if (!document || diagnostics.some(({ severity }) => severity === 0)) {
  console.error(`${file} is not a valid AsyncAPI document`);
  process.exit(1);
}
const channels = document.channels().all().length;
const messages = document.messages().all().length;
const operations = document.operations().all().length;
if (!channels || channels !== messages || operations < channels) {
  console.error(`${file}: ${channels} channels, ${messages} messages, ${operations} operations: each fact needs one of each`);
  process.exit(1);
}
console.log(`${file}: AsyncAPI ${document.version()}, ${channels} channels, ${operations} operations, valid`);
