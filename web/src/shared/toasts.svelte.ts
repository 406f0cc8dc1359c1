// Short words at the edge of the screen. Good news goes by itself, bad news stays until it is closed.

export interface Toast {
  id: number;
  tone: "plain" | "good" | "bad";
  text: string;
  action?: { label: string; run: () => void } | undefined;
}

let last = 0;

class Toasts {
  all = $state<Toast[]>([]);

  say(text: string, tone: Toast["tone"] = "plain", action?: Toast["action"]): void {
    const id = ++last;
    this.all = [...this.all.filter((toast) => toast.text !== text), { id, tone, text, action }].slice(-4);
    setTimeout(() => this.close(id), tone === "bad" ? 12_000 : action ? 8_000 : 4_500);
  }

  close(id: number): void {
    this.all = this.all.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();
