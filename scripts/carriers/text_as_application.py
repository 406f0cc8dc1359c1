"""A stranger's program that texts by Twilio's own SDK: a line of JSON in, one out. The address stands in the first argument.

In: {"do": "create", "account", "token", "ask": {the SDK's arguments}, "headers"?}, "fetch" (sid), "list" (ask, limit, page_size).
Out: {"ok": …} or {"error": {"status", "code"}}, as the SDK's exception has it.
"""

import json
import sys

from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client


class WithHeaders(TwilioHttpClient):
    """The SDK's own client, with headers of ours."""

    def __init__(self, headers):
        super().__init__()
        self.added = headers

    def request(self, method, url, params=None, data=None, headers=None, *rest, **more):
        return super().request(method, url, params, data, {**(headers or {}), **self.added}, *rest, **more)


def shown(message):
    fields = "sid account_sid api_version body direction from_ to status error_code num_segments num_media uri price_unit"
    found = {name: getattr(message, name) for name in fields.split()}
    found["date_created"] = message.date_created.isoformat()
    found["date_sent"] = message.date_sent and message.date_sent.isoformat()
    return found


def done(base, asked):
    client = Client(asked["account"], asked["token"], http_client=WithHeaders(asked.get("headers", {})))
    client.api.base_url = base
    if asked["do"] == "create":
        return shown(client.messages.create(**asked["ask"]))
    if asked["do"] == "fetch":
        return shown(client.messages(asked["sid"]).fetch())
    return [shown(message) for message in client.messages.list(**asked["ask"])]


for line in sys.stdin:
    try:
        said = {"ok": done(sys.argv[1], json.loads(line))}
    except TwilioRestException as refused:
        said = {"error": {"status": refused.status, "code": refused.code}}
    print(json.dumps(said), flush=True)
