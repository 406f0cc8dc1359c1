// A text's parts as SMS, by Twilio's calculator, which is loaded with the first text: encoding, units used, and the
// characters that cost the cheap alphabet.

import type { SegmentedMessage } from "sms-segments-calculator";

type Calculator = typeof SegmentedMessage;

export interface Parts {
  encoding: "GSM-7" | "UCS-2";
  parts: number;
  /** Units (septets, or UTF-16 units) used, and those that these parts have room for. */
  used: number;
  room: number;
  /** Where the characters stand that are not in GSM-7, as offsets into the text; empty for GSM-7. */
  culprits: { from: number; to: number }[];
  /** The same text in GSM-7, where look-alikes make it so. */
  plain: string | null;
}

/** The hub refuses a longer text. */
export const LONGEST = 1_600;

let loaded: Promise<Calculator> | null = null;

export function calculator(): Promise<Calculator> {
  loaded ??= import("sms-segments-calculator").then((module) => module.SegmentedMessage);
  loaded.catch(() => (loaded = null));
  return loaded;
}

interface Char {
  raw?: string;
  isGSM7: boolean;
  sizeInBits(): number;
}

export function count(Message: Calculator, text: string): Parts {
  const message = new Message(text);
  const is_gsm = message.encodingName === "GSM-7";
  const chars = message.encodedChars as unknown as Char[];
  const bits = chars.reduce((sum, char) => sum + char.sizeInBits(), 0);
  const parts = message.segments.length;
  const [alone, joined] = is_gsm ? [160, 153] : [70, 67];
  const culprits = is_gsm ? [] : strangers(chars);
  return {
    encoding: message.encodingName,
    parts,
    used: bits / (is_gsm ? 7 : 16),
    room: parts <= 1 ? alone : parts * joined,
    culprits,
    plain: is_gsm ? null : likeness(Message, text),
  };
}

function strangers(chars: Char[]): Parts["culprits"] {
  const found: Parts["culprits"] = [];
  let at = 0;
  for (const char of chars) {
    const end = at + (char.raw?.length ?? 1);
    const last = found.at(-1);
    if (!char.isGSM7) {
      if (last?.to === at) last.to = end;
      else found.push({ from: at, to: end });
    }
    at = end;
  }
  return found;
}

function likeness(Message: Calculator, text: string): string | null {
  const smart = new Message(text, "auto", true);
  if (smart.encodingName !== "GSM-7") return null;
  const plain = smart.graphemes.join("");
  return plain === text ? null : plain;
}
