// The gateway that the desk's tests speak with: REST and the socket of the contract over the hub in memory, and the built page
// under the policy that the real one says. `cut` is a network that is away, `mend` brings it back.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { randomUUID } from "node:crypto";
import { WebSocketServer } from "ws";
import * as deeds from "./deeds.mjs";
import { World } from "./world.mjs";

const DIST = join(import.meta.dirname, "../../dist");
const KINDS = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

class Refusal extends Error {
  constructor(status, reason, sentence = reason) {
    super(sentence);
    Object.assign(this, { status, reason });
  }
}

export async function start({ port = 0, world = new World() } = {}) {
  const logins = new Map();
  const asked = new Map();
  const streams = new Map();
  const sockets = new Set();
  const wire = new Set();
  const state = { is_cut: false, delay_ms: 0, lose_answers: false };
  const user = (request) => logins.get(/texthub_session=([\w-]+)/.exec(request.headers.cookie ?? "")?.[1]);

  // the socket: one numbered stream for each user and kind; an event goes to all of its lines
  const stream = (user, watch) => {
    const key = `${user.id}${watch ? " watch" : ""}`;
    if (!streams.has(key)) streams.set(key, { id: randomUUID(), user, watch, seq: 0, events: [], lines: new Set() });
    return streams.get(key);
  };
  world.say = (agent, event) => {
    for (const one of streams.values()) {
      if (agent === null ? !one.watch : one.watch || one.user.agent !== agent) continue;
      const message = { ...structuredClone(event), seq: ++one.seq };
      one.events.push(message);
      for (const line of one.lines) line.send(JSON.stringify(message));
    }
  };

  async function api(method, path, request, body) {
    const is = (pattern) => new RegExp(`^${pattern}$`).exec(path)?.slice(1).map(decodeURIComponent);
    if (path === "/sign-in") {
      const found = world.users.get(body.user);
      if (body.tenant !== world.tenant.id || found?.password !== body.password) throw new Refusal(401, "wrong_password");
      const login = randomUUID();
      logins.set(login, found);
      return { cookie: login, body: world.me(found) };
    }
    const providers = is("/oidc/([^/]+)/providers");
    if (providers) return { body: providers[0] === "three-bears" ? [{ id: "forest", name: "Forest ID" }] : [] };
    const me = user(request);
    if (!me) throw new Refusal(401, "not_signed_in", "Sign in first.");
    if (path === "/sign-out") return logins.delete(/texthub_session=([\w-]+)/.exec(request.headers.cookie)[1]), { body: {} };
    if (path === "/me") return { body: world.me(me) };
    if (path === "/me/password") {
      if (body.old !== me.password) throw new Refusal(403, "wrong_password", "The present password is not right.");
      Object.assign(me, { password: body.new, must: false });
      return { body: {} };
    }
    return { body: method === "POST" ? await ask(me, path, body) : read(me, method, path, body, is) };
  }

  function read(me, method, path, body, is) {
    const url = new URL(path, "http://desk");
    let found;
    if (path === "/desk") return world.snapshot(me);
    if (path === "/agents") return [...world.agents.values()].map(({ id, name }) => ({ ...world.agent(id), name }));
    if (url.pathname === "/contacts") {
      if (!me.roles.includes("supervisor")) throw new Refusal(403, "not_allowed", "For supervisors.");
      return [...world.contacts.values()].map((c) => world.contact(c, true));
    }
    if ((found = is("/rooms/([^/]+)/entries\\?before=(\\d+).*"))) {
      const all = world.rooms.get(found[0]).entries.filter((entry) => entry.seq < Number(found[1]));
      return { entries: all.slice(-50), more: all.length > 50 };
    }
    if ((found = is("/rooms/([^/?]+)"))) return world.rooms.get(found[0]) ?? refuse(404, "not_found");
    if ((found = is("/customers/([^/]+)/rooms.*"))) return world.closedRooms(found[0]).slice(0, 10);
    if ((found = is("/customers/([^/]+)"))) {
      const card = world.card(found[0]);
      if (body.name !== undefined) card.name = body.name || null;
      for (const [name, value] of Object.entries(body.fields ?? {})) value === null ? delete card.fields[name] : (card.fields[name] = value);
      if (method === "PATCH") world.cards.set(found[0], card);
      return card;
    }
    throw new Refusal(404, "not_found", "There is no such thing.");
  }
  const refuse = (status, reason) => {
    throw new Refusal(status, reason);
  };

  function noted(me, number, { id, text }) {
    const card = world.card(number);
    world.cards.set(number, card);
    const note = { id, text, author: me.id, at: new Date().toISOString() };
    if (!card.notes.some((one) => one.id === id)) card.notes.unshift(note);
    return note;
  }

  /** A command: the same id again gets the same answer. */
  async function ask(me, path, body) {
    if (state.delay_ms) await new Promise((resolve) => setTimeout(resolve, state.delay_ms));
    const customer = /^\/customers\/([^/]+)\/notes$/.exec(path);
    if (customer) return noted(me, decodeURIComponent(customer[1]), body);
    if (!asked.has(body.id)) asked.set(body.id, run(me, path, body));
    const refused = asked.get(body.id);
    if (state.lose_answers) throw new Refusal(0, "lost");
    if (/#later/.test(body.text ?? "")) {
      world.later(300, () => world.say(me.agent, { type: "refused", refused_id: body.id, refused: "reply.written", reason: "opted_out", sentence: "The customer opted out." }));
      return { id: body.id, outcome: "accepted" };
    }
    if (refused) throw new Refusal(409, refused.reason, refused.sentence);
    return { id: body.id, outcome: "done" };
  }
  function run(me, path, body) {
    const [, noun, id, verb] = path.split("/");
    if (/#later/.test(body.text ?? "")) return null;
    if (path === "/agent/state") return deeds.setState(world, me, body);
    if (noun === "offers") return deeds.answer(world, me, id, body);
    if (noun === "rooms") return deeds.reply(world, me, id, body, verb === "notes" ? "note" : "text");
    if (path === "/outreach") return deeds.outreach(world, me, body);
    if (noun === "contacts") return deeds.move(world, me, id, verb, body);
    return { reason: "not_found", sentence: "There is no such command." };
  }

  async function page(path, response) {
    const name = ["/", "/contacts", "/password"].includes(path) ? "/index.html" : normalize(path);
    try {
      const bytes = await readFile(join(DIST, name));
      response.writeHead(200, { "content-type": KINDS[extname(name)] ?? "application/octet-stream", "content-security-policy": POLICY, "cache-control": "no-cache" });
      response.end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  }

  const server = createServer(async (request, response) => {
    const path = request.url.replace(/^\/api\/v1/, "");
    if (path === request.url) return page(new URL(request.url, "http://desk").pathname, response);
    let text = "";
    for await (const piece of request) text += piece;
    try {
      const { body, cookie } = await api(request.method, path, request, text ? JSON.parse(text) : {});
      const headers = { "content-type": "application/json", ...(cookie ? { "set-cookie": `texthub_session=${cookie}; Path=/; HttpOnly; SameSite=Strict` } : {}) };
      response.writeHead(200, headers).end(JSON.stringify(body));
    } catch (error) {
      if (error.status === 0) return request.socket.destroy();
      if (!(error instanceof Refusal)) console.error(error);
      const status = error.status ?? 500;
      response.writeHead(status, { "content-type": "application/problem+json" });
      response.end(JSON.stringify({ type: "about:blank", title: error.reason, status, reason: error.reason ?? "not_now", sentence: error.message }));
    }
  });
  server.on("connection", (socket) => {
    if (state.is_cut) return socket.destroy();
    wire.add(socket);
    socket.on("close", () => wire.delete(socket));
  });

  const lines = new WebSocketServer({ noServer: true });
  server.on("upgrade", (request, socket, head) => {
    const me = user(request);
    if (!me || !request.url.startsWith("/api/v1/socket")) return socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
    lines.handleUpgrade(request, socket, head, (line) => {
      const one = stream(me, request.url.includes("watch=tenant"));
      const query = new URL(request.url, "http://desk").searchParams;
      const whole = () => {
        line.send(JSON.stringify({ type: "snapshot", stream: one.id, seq: one.seq, snapshot: world.snapshot(me) }));
        one.lines.add(line);
      };
      if (query.get("stream") === one.id) {
        line.send(JSON.stringify({ type: "resumed", stream: one.id, seq: Number(query.get("seq")) }));
        for (const event of one.events) if (event.seq > Number(query.get("seq"))) line.send(JSON.stringify(event));
        one.lines.add(line);
      } else whole();
      sockets.add(line);
      line.on("close", () => (one.lines.delete(line), sockets.delete(line)));
    });
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));

  return {
    url: `http://127.0.0.1:${server.address().port}`,
    world,
    state,
    move: () => [...sockets].forEach((line) => (line.send(JSON.stringify({ type: "move" })), setTimeout(() => line.close(1001), 50))),
    cut() {
      state.is_cut = true;
      for (const socket of wire) socket.destroy();
    },
    mend: () => (state.is_cut = false),
    async close() {
      world.close();
      for (const socket of wire) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
