// Small things kept in the browser. Storage may be full or forbidden: then they live as long as the page.

const here = new Map<string, string>();

export function kept(key: string): string | null {
  try {
    return localStorage.getItem(`texthub.${key}`) ?? here.get(key) ?? null;
  } catch {
    return here.get(key) ?? null;
  }
}

export function keep(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`texthub.${key}`);
    else localStorage.setItem(`texthub.${key}`, value);
    here.delete(key);
  } catch {
    if (value === null) here.delete(key);
    else here.set(key, value);
  }
}

export function keys(prefix: string): string[] {
  try {
    const all = Object.keys(localStorage).filter((key) => key.startsWith(`texthub.${prefix}`));
    return [...new Set([...all.map((key) => key.slice("texthub.".length)), ...[...here.keys()].filter((key) => key.startsWith(prefix))])];
  } catch {
    return [...here.keys()].filter((key) => key.startsWith(prefix));
  }
}
