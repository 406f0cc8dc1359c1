// The same as receive_as_application.py, judged by Twilio's SDK for Node.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import twilio from "twilio";

let answer = { status: 200, body: "", kind: "text/xml" };
const heard = [];

function told(request, response) {
  let body = "";
  request.on("data", (some) => (body += some));
  request.on("end", () => {
    const form = Object.fromEntries(new URLSearchParams(body));
    const url = `http://${request.headers.host}${request.url}`;
    const valid = twilio.validateRequest(process.argv[2], request.headers["x-twilio-signature"] ?? "", url, form);
    const token = request.headers["i-twilio-idempotency-token"];
    heard.push({ path: request.url, form, token, valid, status: answer.status });
    response.writeHead(answer.status, { "Content-Type": answer.kind }).end(answer.body);
  });
}

let server = createServer(told);
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const { port } = server.address();
console.log(JSON.stringify({ url: `http://127.0.0.1:${port}` }));
for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  if (asked.do === "answer") answer = { body: "", kind: "text/xml", ...asked };
  if (asked.do === "close") await new Promise((done) => (server.close(done), server.closeAllConnections()));
  if (asked.do === "open") {
    server = createServer(told);
    await new Promise((done) => server.listen(port, "127.0.0.1", done));
  }
  console.log(JSON.stringify({ ok: heard }));
}
