// Serves the page of this folder at http://127.0.0.1:8090, with the address of the hub that `./dev env` names:
//   eval "$(./dev env)"; node examples/chat/serve.mjs

import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const hub = process.env.TEXTHUB_HTTP_URL ?? "http://127.0.0.1:8080";
const file = (name) => readFileSync(new URL(name, import.meta.url), "utf8");

createServer((request, response) => {
  if (request.url === "/shop.css") return response.writeHead(200, { "content-type": "text/css" }).end(file("shop.css"));
  if (request.url !== "/") return response.writeHead(404).end();
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
  response.end(file("index.html").replace("http://127.0.0.1:8080", hub));
}).listen(8090, "127.0.0.1", () => console.log("http://127.0.0.1:8090/"));
