#!/usr/bin/env python3
"""Calls a webhook as Twilio does, signed by Twilio's own SDK. One JSON object a line on standard input:

    {"url": …, "signed_url"?: …, "token": …, "parameters": [[name, value], …], "forged"?: true}

and for each the answer's status a line on standard output. `url` is called; `signed_url` is what is signed, where a proxy
stands between.
"""

import http.client
import json
import sys
from urllib.parse import urlencode, urlsplit

from twilio.request_validator import RequestValidator


class Repeated(dict):
    """A form with repeated names, as the SDK takes it from web frameworks."""

    def getlist(self, name):
        return self[name]


def form(parameters):
    values = Repeated()
    for name, value in parameters:
        values.setdefault(name, []).append(value)
    return values


def call(asked):
    signature = RequestValidator(asked["token"]).compute_signature(
        asked.get("signed_url", asked["url"]), form(asked["parameters"])
    )
    if asked.get("forged"):
        signature = signature[:4] + ("A" if signature[4] != "A" else "B") + signature[5:]
    to = urlsplit(asked["url"])
    connection = http.client.HTTPConnection(to.hostname, to.port, timeout=30)
    headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
    path = to.path + (f"?{to.query}" if to.query else "")
    connection.request("POST", path, urlencode([tuple(pair) for pair in asked["parameters"]]), headers)
    return connection.getresponse().status


for line in sys.stdin:
    print(call(json.loads(line)), flush=True)
