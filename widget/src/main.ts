// texthub's chat for other people's pages, by one script tag:
// <script src="https://hub.example.com/widget.js" data-tenant="…" data-point-of-contact="…" async></script>

import { Api } from "./api";
import { Chat } from "./chat";
import { Store } from "./store";
import { View } from "./view";
import { wordsFor } from "./words";

// it is there only while the script runs for the first time
const current = document.currentScript;

function begin(): void {
  const tag = (current ?? document.querySelector("script[data-tenant][data-point-of-contact]")) as HTMLScriptElement | null;
  const { tenant, pointOfContact, language, color, title, greeting } = tag?.dataset ?? {};
  if (!tag?.src || !tenant || !pointOfContact) {
    console.error("texthub: the script tag of the widget needs src, data-tenant and data-point-of-contact");
    return;
  }
  // twice on a page is once
  if (document.querySelector("[data-texthub-widget]")) return;
  const base = new URL(`chat/v1/${encodeURIComponent(tenant)}/${encodeURIComponent(pointOfContact)}`, tag.src);
  const [code, words] = wordsFor([language, document.documentElement.lang, navigator.language]);
  const store = new Store(`texthub ${base.host}${base.pathname}`);
  const view = new View({ language: code, words, color, title, greeting }, store);
  view.begin(new Chat(new Api(base.href), store, view, code));
}

if (document.body) begin();
else addEventListener("DOMContentLoaded", begin, { once: true });
