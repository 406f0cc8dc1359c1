#!/usr/bin/env python3
"""Stands for AWS SNS: publishes notifications to a webhook, signed by a certificate of its own, which it serves; see
calling.py. The first line on standard output is its port. There is no SDK that signs for SNS, and moto's SNS puts an
example's signature; what checks are the `cryptography` package here, and the npm package sns-validator (judge_sns.mjs).

    {"do": "post", "url": …, "topic": …, "kind"?: "Notification" | "SubscriptionConfirmation", "message": "…", "version": "1" | "2",
     "key"?: "stranger", "certificate"?: URL}

A confirmation's answer counts how often it was confirmed before: `200 yes 1`.
"""

import base64
import datetime
import json
import subprocess
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from calling import post, serve, spoiled
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID


def certificate(name):
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
        .sign(key, hashes.SHA256())
    )
    return key, made.public_bytes(serialization.Encoding.PEM)


KEYS = {"ours": certificate("sns.amazonaws.com"), "stranger": certificate("sns.example.com")}
FILES = {f"/SimpleNotificationService-{name}.pem": pem for name, (_, pem) in KEYS.items()}
confirmed = []


class Home(BaseHTTPRequestHandler):
    """Where certificates lie, and subscriptions are confirmed."""

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if "Action=ConfirmSubscription" in query:
            confirmed.append(query)
        body = FILES.get(path, b"<ConfirmSubscriptionResponse/>")
        self.send_response(200 if path in FILES or path == "/" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def text(said):
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    return "".join(f"{name}\n{said[name]}\n" for name in names if name in said)


def judged(said, pem):
    """What the npm package says of it."""
    judge = Path(__file__).with_name("judge_sns.mjs")
    asked = json.dumps({"said": said, "pem": pem.decode()})
    return subprocess.run(["node", judge], input=asked, capture_output=True, text=True, check=True).stdout.strip()


def call(asked):
    kind, signer = asked.get("kind", "Notification"), asked.get("key", "ours")
    now = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=asked.get("age", 0))
    home = f"http://127.0.0.1:{server.server_port}"
    said = {
        "Type": kind,
        "MessageId": str(uuid.uuid4()),
        "TopicArn": asked["topic"],
        "Message": asked["message"],
        "Timestamp": now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03}Z",
        "SignatureVersion": asked["version"],
        "SigningCertURL": asked.get("certificate", f"{home}/SimpleNotificationService-{signer}.pem"),
    }
    if kind == "SubscriptionConfirmation":
        said["Token"] = "t" * 64
        said["SubscribeURL"] = f"{home}/?Action=ConfirmSubscription&TopicArn={asked['topic']}&Token={said['Token']}"
    else:
        said["UnsubscribeURL"] = f"{home}/?Action=Unsubscribe"
    key, pem = KEYS[signer]
    hashed = hashes.SHA1() if asked["version"] == "1" else hashes.SHA256()
    said["Signature"] = base64.b64encode(key.sign(text(said).encode(), padding.PKCS1v15(), hashed)).decode()
    if asked.get("forged"):
        said["Signature"] = spoiled(said["Signature"])
    is_theirs = judged(said, pem)
    headers = {"Content-Type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": kind}
    status = post(asked["url"], json.dumps(said).encode(), headers)
    return f"{status} {is_theirs} {len(confirmed)}"


server = ThreadingHTTPServer(("127.0.0.1", 0), Home)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
serve({"post": call})
