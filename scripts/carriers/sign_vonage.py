#!/usr/bin/env python3
"""Calls a webhook as Vonage does, signed by Vonage's own SDK; see calling.py.

    {"do": "post", "url": …, "secret": …, "method": …, "parameters": {…}, "as": "form" | "json" | "query"}
    {"do": "send", "base": …, "account": …, "secret": …, "from": …, "to": …, "text": …, "callback": …, "id": …}
"""

import json
import time
from urllib.parse import urlencode

from calling import post, serve, spoiled, told
from requests.adapters import HTTPAdapter
from vonage import Auth, Vonage
from vonage_sms import SmsMessage


def call(asked):
    auth = Auth(api_key="key", signature_secret=asked["secret"], signature_method=asked["method"])
    parameters = dict(asked["parameters"], timestamp=str(int(time.time()) - asked.get("age", 0)), nonce="n-1")
    parameters["sig"] = auth.sign_params(dict(parameters))
    if asked.get("forged"):
        parameters["sig"] = spoiled(parameters["sig"])
    is_theirs = auth.check_signature(dict(parameters))
    form = urlencode(parameters)
    if asked["as"] == "query":
        return told(post(f"{asked['url']}?{form}", None, {}, "GET"), is_theirs)
    if asked["as"] == "json":
        body = json.dumps(parameters, ensure_ascii=False).encode()
        return told(post(asked["url"], body, {"Content-Type": "application/json"}), is_theirs)
    return told(post(asked["url"], form, {"Content-Type": "application/x-www-form-urlencoded"}), is_theirs)


class Here(HTTPAdapter):
    """Sends to a server on this machine what is for https://HOST."""

    def send(self, request, **more):
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, **more)


def send(asked):
    vonage = Vonage(Auth(api_key=asked["account"], api_secret=asked["secret"]))
    client = vonage.http_client
    client._rest_host = asked["base"].removeprefix("http://")
    client._session.mount("https://", Here())
    vonage.sms.send(
        SmsMessage(
            from_=asked["from"],
            to=asked["to"],
            text=asked["text"],
            type=asked["type"],
            callback=asked["callback"],
            client_ref=asked["id"],
        )
    )
    return "sent"


serve({"post": call, "send": send})
