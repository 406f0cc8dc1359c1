"""A stranger's application that hears of texts and judges each request by Twilio's own SDK. Its address is said first.

Commands, a line of JSON each: {"do": "answer", "status", "body"?, "kind"?} from now on; {"do": "heard"}: all requests so far
as [{"path", "form", "token", "valid", "status"}]; {"do": "close"} and {"do": "open"}: it is away, and back at its address.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

from twilio.request_validator import RequestValidator

validator = RequestValidator(sys.argv[1])
answer = {"status": 200, "body": "", "kind": "text/xml"}
heard = []


class Application(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = dict(parse_qsl(body, keep_blank_values=True))
        url = f"http://{self.headers['Host']}{self.path}"
        valid = validator.validate(url, form, self.headers.get("X-Twilio-Signature", ""))
        token = self.headers.get("I-Twilio-Idempotency-Token")
        now = dict(answer)
        heard.append({"path": self.path, "form": form, "token": token, "valid": valid, "status": now["status"]})
        self.send_response(now["status"])
        self.send_header("Content-Type", now["kind"])
        self.send_header("Content-Length", str(len(now["body"].encode())))
        self.end_headers()
        self.wfile.write(now["body"].encode())

    def log_message(self, *_):
        pass


def opened(port):
    server = ThreadingHTTPServer(("127.0.0.1", port), Application)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


server = opened(0)
port = server.server_port
print(json.dumps({"url": f"http://127.0.0.1:{port}"}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    if asked["do"] == "answer":
        answer = {"body": "", "kind": "text/xml", **asked}
    elif asked["do"] == "close":
        server.shutdown()
        server.server_close()
    elif asked["do"] == "open":
        server = opened(port)
    print(json.dumps({"ok": list(heard)}), flush=True)
