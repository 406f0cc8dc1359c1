#!/usr/bin/env python3
"""Calls a webhook as Telnyx does; see calling.py. Telnyx's SDK only checks signatures, so they are made with PyNaCl, which
the SDK checks with, and the SDK judges each request before it leaves.

    {"do": "post", "url": …, "seed": 64 hex digits, "event": {…}}
    {"do": "send", "base": …, "secret": …, "from": …, "to": …, "text": …, "callback": …, "id": …}
"""

import base64
import json
import time

from calling import post, serve, spoiled, told
from nacl.signing import SigningKey
from telnyx import Telnyx

# whoever signs, this is the key that the account has: of the seed of octets 0 to 31
ACCOUNT = SigningKey(bytes(range(32))).verify_key


def call(asked):
    payload = json.dumps(asked["event"], ensure_ascii=False)
    stamp = str(int(time.time()) - asked.get("age", 0))
    key = SigningKey(bytes.fromhex(asked["seed"]))
    signature = base64.b64encode(key.sign(f"{stamp}|{payload}".encode()).signature).decode()
    if asked.get("forged"):
        signature = spoiled(signature)
    headers = {"telnyx-signature-ed25519": signature, "telnyx-timestamp": stamp, "Content-Type": "application/json"}
    try:
        Telnyx(api_key="none").webhooks.unwrap(payload, headers=headers, key=bytes(ACCOUNT))
        is_theirs = True
    except ValueError:
        is_theirs = False
    return told(post(asked["url"], payload.encode(), headers), is_theirs)


def send(asked):
    client = Telnyx(api_key=asked["secret"], base_url=f"{asked['base']}/v2", max_retries=0)
    client.messages.send(
        from_=asked["from"],
        to=asked["to"],
        text=asked["text"],
        webhook_url=asked["callback"],
        idempotency_key=asked["id"],
    )
    return "sent"


serve({"post": call, "send": send})
