#!/usr/bin/env node
// What visitors cost who wait: N streams of events at a gateway of its own, beside the servers that `./dev env` names.
// Prints memory and processor time of the gateway without and with them, and how soon a line reaches one of them.
//   eval "$(./dev env)"; scripts/idle_visitors.mjs [N, 2000 by default] [SECONDS, 30]

import { execFileSync, spawn } from "node:child_process";
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [count, seconds] = [Number(process.argv[2] ?? 2000), Number(process.argv[3] ?? 30)];
const program = process.env.TEXTHUB_BIN ?? "target/debug/texthub";
const folder = mkdtempSync(join(tmpdir(), "idle-visitors-"));
const origin = "https://shop.example";
const tenant = `idle-${randomUUID().slice(0, 8)}`;
const pause = (ms) => new Promise((then) => setTimeout(then, ms));

const file = join(folder, "tenant.toml");
writeFileSync(
  file,
  `tenant = "${tenant}"\nname = "Idle"\nsms_messaging = true\ntime_zone = "UTC"\n[[skills]]\nid = "chat"\nchannel = "chat"\n` +
    `[[points_of_contact]]\nid = "website"\nchannel = "chat"\nskill = "chat"\norigins = ["${origin}"]\n`,
);
for (const command of [["migrate"], ["apply", file]]) execFileSync(program, command);

const visits = Array.from({ length: count }, () => ({ visitor: randomUUID(), token: `thv_${randomBytes(32).toString("base64url")}` }));
const rows = visits.map(({ visitor, token }) => {
  const hash = createHash("sha256").update(token).digest("hex");
  return `('${visitor}', '${tenant}', 'website', '\\x${hash}', '${origin}', now(), now() + interval '1 day')`;
});
const insert = "insert into chat_visits (visitor, tenant, point_of_contact, token_hash, origin, started_at, expires_at) values ";
const psql = readdirSync("/usr/lib/postgresql").map((version) => `/usr/lib/postgresql/${version}/bin/psql`)[0];
execFileSync(psql, [process.env.TEXTHUB_DATABASE_URL, "-q"], { input: insert + rows.join(",") });

const port = 20_000 + Math.floor(Math.random() * 20_000);
const env = { ...process.env, TEXTHUB_HTTP_LISTEN: `127.0.0.1:${port}`, TEXTHUB_SIMULATOR_LISTEN: "127.0.0.1:0" };
const gateway = spawn(program, ["run", "gateway", "receive_sms"], { env, stdio: "ignore" });
const agent = new Agent({ keepAlive: true, maxSockets: Infinity });

function ask(path, { token, method = "GET", body } = {}) {
  const headers = { origin, authorization: `Bearer ${token}`, "content-type": "application/json" };
  return new Promise((then, fail) => {
    const asked = request({ port, host: "127.0.0.1", path, method, headers, agent }, then).on("error", fail);
    asked.end(body && JSON.stringify(body));
  });
}

const status = () => readFileSync(`/proc/${gateway.pid}/status`, "utf8");
const memory = () => Number(/VmRSS:\s+(\d+)/.exec(status())[1]) / 1024;
const ticks = () => readFileSync(`/proc/${gateway.pid}/stat`, "utf8").split(" ").slice(13, 15).reduce((sum, n) => sum + Number(n), 0);
async function cost() {
  const before = ticks();
  await pause(seconds * 1000);
  return ((ticks() - before) / 100 / seconds) * 100;
}

try {
  for (let ready = false; !ready; await pause(100)) {
    ready = await new Promise((then) => request({ port, path: "/readyz" }, (a) => then(a.statusCode === 200)).on("error", () => then(false)).end());
  }
  await pause(3000);
  const [empty, idle] = [memory(), await cost()];
  console.log(`without: ${empty.toFixed(1)} MiB, ${idle.toFixed(2)} % of a core`);
  const heard = new Map();
  const began = Date.now();
  for (let nr = 0; nr < count; nr += 50) {
    await Promise.all(
      visits.slice(nr, nr + 50).map(async ({ visitor, token }) => {
        const answer = await ask(`/chat/v1/${tenant}/website/events`, { token });
        if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`);
        await new Promise((then) => {
          answer.on("data", (chunk) => {
            if (chunk.includes("event: state")) then();
            if (chunk.includes("event: text")) heard.get(visitor)?.();
          });
        });
      }),
    );
  }
  console.log(`${count} streams begun in ${((Date.now() - began) / 1000).toFixed(1)} s`);
  const full = memory();
  const busy = await cost();
  console.log(`with ${count}: ${full.toFixed(1)} MiB (${(((full - empty) * 1024) / count).toFixed(1)} KiB each), ${busy.toFixed(2)} % of a core`);
  const times = [];
  for (const { visitor, token } of visits.slice(0, 40)) {
    const start = performance.now();
    const shown = new Promise((then) => heard.set(visitor, then));
    const answer = await ask(`/chat/v1/${tenant}/website/texts`, { token, method: "POST", body: { id: randomUUID(), text: "Hello" } });
    answer.resume();
    if (answer.statusCode !== 202) throw new Error(`status ${answer.statusCode}`);
    await shown;
    times.push(performance.now() - start);
    await pause(550);
  }
  times.sort((a, b) => a - b);
  console.log(`a text, from the request to the visitor's own stream: p50 ${times[20].toFixed(0)} ms, most ${times[39].toFixed(0)} ms`);
} finally {
  gateway.kill();
  rmSync(folder, { recursive: true });
}
process.exit(0);
