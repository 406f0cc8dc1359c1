#!/usr/bin/env python3
"""Calls a webhook as Plivo does, signed by Plivo's own SDK (V3), or as the SDK checks it (V2); see calling.py.

    {"do": "post", "url": …, "signed_url": …, "token": …, "version": 2 | 3, "parameters": {…}}
    {"do": "send", "base": …, "account": …, "secret": …, "from": …, "to": …, "text": …, "callback": …}
"""

import base64
import hashlib
import hmac
import secrets
from urllib.parse import urlencode

import plivo
from calling import post, serve, spoiled, told
from plivo.utils import validate_signature, validate_v3_signature
from plivo.utils.signature_v3 import construct_post_url, get_signature_v3

TOKEN = "a-token-of-ours"


def call(asked):
    nonce, parameters, uri = secrets.token_hex(10), asked["parameters"], asked["signed_url"]
    if asked["version"] == 3:
        base = construct_post_url(uri, dict(parameters)).decode()
        signature = get_signature_v3(asked["token"].encode(), base, nonce).decode()
    else:
        mac = hmac.new(asked["token"].encode(), (uri + nonce).encode(), hashlib.sha256)
        signature = base64.b64encode(mac.digest()).decode()
    if asked.get("forged"):
        signature = spoiled(signature)
    if asked["version"] == 3:
        is_theirs = validate_v3_signature("POST", uri, nonce, TOKEN, signature, dict(parameters))
    else:
        is_theirs = validate_signature(uri, nonce, signature, TOKEN)
    name = f"X-Plivo-Signature-V{asked['version']}"
    headers = {name: signature, f"{name}-Nonce": nonce, "Content-Type": "application/x-www-form-urlencoded"}
    return told(post(asked["url"], urlencode(parameters), headers), is_theirs)


def send(asked):
    plivo.rest.client.PLIVO_API_BASE_URI = f"{asked['base']}/v1/Account"
    client = plivo.RestClient(asked["account"], asked["secret"])
    client.messages.create(
        src=asked["from"], dst=asked["to"], text=asked["text"], url=asked["callback"], method="POST"
    )
    return "sent"


serve({"post": call, "send": send})
