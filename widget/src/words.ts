// What the widget says, by language. English is the measure: a language without a sentence does not compile.

const en = {
  title: "Chat",
  open: "Open the chat",
  close: "Close the chat",
  greeting: "Hello! How can we help you?",
  write: "Your message",
  writeHint: "Write a message…",
  send: "Send",
  end: "End this chat",
  endAsk: "End this chat?",
  goOn: "Go on",
  log: "Messages",
  you: "You",
  company: "Automatic message",
  waiting: "Waiting for an agent…",
  joined: "{name} has joined.",
  active: "You are talking to {name}",
  timed_out: "The chat has ended because nobody wrote for a while. Write again to begin a new one.",
  left: "You have ended the chat. Write again to begin a new one.",
  nobody_came: "Sorry, nobody was free. Write again to begin a new chat.",
  ended: "The chat is over. Write again to begin a new one.",
  connecting: "Connecting…",
  offline: "You are offline. Your messages are sent when you are back.",
  notSent: "Not sent yet",
  notTaken: "Could not be sent",
  sending: "Sending…",
  slower: "Too many messages at once; yours is sent in a moment.",
  unavailable: "The chat is not available on this page.",
  tooLong: "{n} characters too many",
  unread1: "1 unread message",
  unread: "{n} unread messages",
};

export type Words = typeof en;

const de: Words = {
  title: "Chat",
  open: "Chat öffnen",
  close: "Chat schließen",
  greeting: "Hallo! Wie können wir Ihnen helfen?",
  write: "Ihre Nachricht",
  writeHint: "Nachricht schreiben…",
  send: "Senden",
  end: "Diesen Chat beenden",
  endAsk: "Diesen Chat beenden?",
  goOn: "Weiter",
  log: "Nachrichten",
  you: "Sie",
  company: "Automatische Nachricht",
  waiting: "Gleich ist jemand für Sie da…",
  joined: "{name} ist jetzt da.",
  active: "Sie sprechen mit {name}",
  timed_out: "Der Chat ist beendet, weil eine Weile niemand geschrieben hat. Schreiben Sie, um einen neuen zu beginnen.",
  left: "Sie haben den Chat beendet. Schreiben Sie, um einen neuen zu beginnen.",
  nobody_came: "Leider war niemand frei. Schreiben Sie, um einen neuen Chat zu beginnen.",
  ended: "Der Chat ist beendet. Schreiben Sie, um einen neuen zu beginnen.",
  connecting: "Verbindung wird aufgebaut…",
  offline: "Sie sind offline. Ihre Nachrichten werden gesendet, sobald Sie wieder online sind.",
  notSent: "Noch nicht gesendet",
  notTaken: "Konnte nicht gesendet werden",
  sending: "Wird gesendet…",
  slower: "Zu viele Nachrichten auf einmal; Ihre wird gleich gesendet.",
  unavailable: "Der Chat ist auf dieser Seite nicht verfügbar.",
  tooLong: "{n} Zeichen zu viel",
  unread1: "1 ungelesene Nachricht",
  unread: "{n} ungelesene Nachrichten",
};

/** The first language of these that there is, and its words. */
export function wordsFor(wanted: (string | undefined | null)[]): [string, Words] {
  for (const language of wanted) {
    const base = language?.toLowerCase().split("-")[0];
    if (base === "de") return ["de", de];
    if (base === "en") return ["en", en];
  }
  return ["en", en];
}

export function fill(sentence: string, values: Record<string, string | number>): string {
  return sentence.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}
