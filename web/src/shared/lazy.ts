// Parts that are loaded when they are first needed. One that cannot be loaded means that the network is away, or that a
// newer version stands at the server: then a reload is offered.

import { t } from "../text/text.svelte";
import { toasts } from "./toasts.svelte";

export async function lazy<T>(load: () => Promise<T>): Promise<T | null> {
  try {
    return await load();
  } catch {
    if (navigator.onLine === false) toasts.say(t("app.unreachable"), "bad");
    else toasts.say(t("app.newVersion"), "bad", { label: t("app.reload"), run: () => location.reload() });
    return null;
  }
}
