// What sms-segments-calculator makes of texts: a JSON string on each line in, a line of JSON out. Where a text has clusters
// of more than one character, it also says them, in characters: `own` as the calculator sees them, `clusters` as this
// program's Unicode does.
import { createInterface } from 'node:readline';
import calculator from 'sms-segments-calculator';

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
// only these can make a cluster with a neighbour; the rest is asked of nobody
const simple = /^[\u0020-\u007e\u00a1-\u00ac\u00ae-\u02ff]*$/;
const characters = (text) => [...text].length;

for await (const line of createInterface({ input: process.stdin })) {
  const text = JSON.parse(line);
  const said = new calculator.SegmentedMessage(text);
  const units = (part) => Array.from(part).reduce((sum, { codeUnits = [] }) => sum + codeUnits.length, 0);
  const parts = said.segments.map(units);
  const answer = { encoding: said.encodingName === 'GSM-7' ? 'gsm7' : 'ucs2', parts };
  if (!simple.test(text)) {
    const own = said.graphemes.map(characters);
    const clusters = Array.from(segmenter.segment(text), ({ segment }) => characters(segment));
    if (own.some((n) => n > 1) || clusters.some((n) => n > 1)) Object.assign(answer, { own, clusters });
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
}
