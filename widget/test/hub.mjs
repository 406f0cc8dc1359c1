// A hub for the browser to talk to, on the servers that TEXTHUB_DATABASE_URL and TEXTHUB_AMQP_URL name, a stranger's page,
// and an agent by the broker's management API: nothing of ours but the binary.

import { spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createPlain } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = new URL("../..", import.meta.url).pathname;
const program = process.env.TEXTHUB_BIN ?? join(root, "target/debug/texthub");

export function setting(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; ./dev test sets it`);
  return value;
}

/** Asks again and again until something holds. */
export async function until(what, holds, patience = 30_000) {
  const end = Date.now() + patience;
  for (;;) {
    const found = await holds();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${patience} ms: ${what}`);
    await new Promise((then) => setTimeout(then, 50));
  }
}

function freePort() {
  return new Promise((then) => {
    const server = createPlain().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => then(port));
    });
  });
}

/** A stranger's page under a strict policy, with the widget of this hub in it. */
export function strangersPage(port, hub, tag) {
  const shop = readFileSync(join(root, "examples/chat/index.html"), "utf8");
  const page = shop.replace(/<script src="[^"]*widget\.js"[^>]*><\/script>/, `<script src="${hub}/widget.js" ${tag} async></script>`);
  if (page === shop) throw new Error("examples/chat/index.html has no tag of the widget");
  const policy = `default-src 'none'; script-src ${hub}; connect-src ${hub}; style-src 'self'; img-src data:; base-uri 'none'; require-trusted-types-for 'script'`;
  const style = readFileSync(join(root, "examples/chat/shop.css"));
  const server = createServer((request, response) => {
    if (request.url === "/shop.css") return response.writeHead(200, { "content-type": "text/css" }).end(style);
    const language = { "/": "en", "/de": "de-AT" }[request.url];
    if (!language) return response.writeHead(204).end();
    response.writeHead(200, { "content-type": "text/html; charset=utf-8", "content-security-policy": policy });
    response.end(page.replace('lang="en"', `lang="${language}"`));
  });
  return new Promise((then) => server.listen(port, "127.0.0.1", () => then(server)));
}

export class Hub {
  static async start() {
    const hub = new Hub();
    hub.folder = mkdtempSync(join(tmpdir(), "texthub-widget-"));
    hub.tenant = `shop-${randomUUID().slice(0, 8)}`;
    hub.pagePort = await freePort();
    hub.port = await freePort();
    hub.page = `http://127.0.0.1:${hub.pagePort}/`;
    hub.url = `http://127.0.0.1:${hub.port}`;
    const file = join(hub.folder, "tenant.toml");
    writeFileSync(
      file,
      `tenant = "${hub.tenant}"\nname = "Porridge & Sons"\nsms_messaging = true\ntime_zone = "UTC"\n` +
        `[[skills]]\nid = "chat"\nchannel = "chat"\n[[teams]]\nid = "team"\n` +
        `[[agents]]\nid = "mama-bear"\nteam = "team"\nskills = { chat = 1 }\n` +
        `[[points_of_contact]]\nid = "website"\nchannel = "chat"\nskill = "chat"\norigins = ["http://127.0.0.1:${hub.pagePort}"]\n`,
    );
    for (const command of [["migrate"], ["apply", file]]) {
      const done = spawnSync(program, command, { encoding: "utf8" });
      if (done.status !== 0) throw new Error(`${command[0]}: ${done.stderr}`);
    }
    await hub.run();
    await hub.listen();
    return hub;
  }

  /** Starts the process, again where it was stopped. */
  async run() {
    const env = { ...process.env, TEXTHUB_HTTP_LISTEN: `127.0.0.1:${this.port}`, TEXTHUB_SIMULATOR_LISTEN: "127.0.0.1:0" };
    this.process = spawn(program, ["run", "all"], { env, stdio: "ignore", cwd: this.folder });
    await until("the hub is ready", async () => (await fetch(`${this.url}/readyz`).catch(() => null))?.ok);
  }

  /** As a machine that loses its power. */
  async kill() {
    const gone = new Promise((then) => this.process.once("exit", then));
    this.process.kill("SIGKILL");
    await gone;
  }

  async stop() {
    await this.kill();
    await this.amqp("DELETE", `queues/${this.vhost}/${this.queue}`);
    rmSync(this.folder, { recursive: true });
  }

  // --- an agent, by facts alone

  amqp(method, path, body) {
    const api = new URL(setting("TEXTHUB_AMQP_API_URL"));
    const authorization = `Basic ${Buffer.from(`${api.username}:${api.password}`).toString("base64")}`;
    const url = `${api.protocol}//${api.host}/api/${path}`;
    return fetch(url, { method, headers: { authorization, "content-type": "application/json" }, body: body && JSON.stringify(body) });
  }

  async listen() {
    const path = decodeURIComponent(new URL(setting("TEXTHUB_AMQP_URL")).pathname.slice(1)) || "/";
    this.vhost = encodeURIComponent(path);
    this.queue = `widget-test-${randomUUID()}`;
    this.heard = [];
    await this.amqp("PUT", `queues/${this.vhost}/${this.queue}`, { durable: false, arguments: {} });
    for (const routing_key of ["offer.made.#", "session.started.#", "entry.appended.#", "agent.changed.#"]) {
      await this.amqp("POST", `bindings/${this.vhost}/e/texthub/q/${this.queue}`, { routing_key });
    }
  }

  /** Awaits a fact of this tenant. */
  fact(what, isIt) {
    return until(what, async () => {
      const body = { count: 100, ackmode: "ack_requeue_false", encoding: "auto" };
      const answer = await this.amqp("POST", `queues/${this.vhost}/${this.queue}/get`, body);
      for (const message of await answer.json()) this.heard.push({ key: message.routing_key, ...JSON.parse(message.payload) });
      return this.heard.find((fact) => fact.tenant === this.tenant && isIt(fact));
    });
  }

  async say(fact, body) {
    const id = randomUUID();
    const payload = JSON.stringify({ id, tenant: this.tenant, agent: "mama-bear", ...body });
    const properties = { message_id: id, type: `${fact}.v1`, content_type: "application/json", delivery_mode: 2 };
    const message = { properties, routing_key: `${fact}.${this.tenant}`, payload, payload_encoding: "string" };
    await this.amqp("POST", `exchanges/${this.vhost}/texthub/publish`, message);
  }

  async logIn() {
    await this.say("agent.moved", { state: "available", moved_at: new Date().toISOString() });
  }

  /** Accepts the next offer: room and contact. */
  async accept() {
    const taken = (this.taken ??= new Set());
    const offer = await this.fact("an offer", (fact) => fact.key.startsWith("offer.made") && !taken.has(fact.offer_id));
    taken.add(offer.offer_id);
    await this.say("offer.answered", { offer_id: offer.offer_id, answer: "accept" });
    await this.fact("a session", (fact) => fact.session_id && fact.contact_id === offer.contact_id);
    return offer;
  }

  reply(offer, text) {
    return this.say("reply.written", { room_id: offer.room_id, text, written_at: new Date().toISOString() });
  }

  end(offer) {
    return this.say("contact.ended", { contact_id: offer.contact_id, by: { kind: "agent", name: "mama-bear" }, reason: "done" });
  }
}
