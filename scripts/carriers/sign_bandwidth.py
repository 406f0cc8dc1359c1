#!/usr/bin/env python3
"""Calls a webhook as Bandwidth does, which signs nothing and signs in; see calling.py. The SDK's own models judge each event:
yes where they take all of them.

    {"do": "post", "url": …, "user": …, "password": …, "events": […]}
    {"do": "send", "base": …, "account": …, "user": …, "secret": …, "application": …, "from": …, "to": …, "text": …, "id": …}
"""

import base64
import json

import bandwidth
from bandwidth.models.inbound_callback import InboundCallback
from bandwidth.models.status_callback import StatusCallback
from calling import post, serve, told


def is_theirs(event):
    model = InboundCallback if event.get("type") == "message-received" else StatusCallback
    try:
        return model.from_dict(event) is not None
    except ValueError:
        return False


def call(asked):
    login = base64.b64encode(f"{asked['user']}:{asked['password']}".encode()).decode()
    headers = {"Content-Type": "application/json; charset=utf-8", "Authorization": f"Basic {login}"}
    body = json.dumps(asked["events"], ensure_ascii=False).encode()
    return told(post(asked["url"], body, headers), all(map(is_theirs, asked["events"])))


def send(asked):
    configuration = bandwidth.Configuration(
        host=f"{asked['base']}/api/v2",
        username=asked["user"],
        password=asked["secret"],
        ignore_operation_servers=True,
    )
    text = bandwidth.MessageRequest(
        application_id=asked["application"],
        to=[asked["to"]],
        var_from=asked["from"],
        text=asked["text"],
        tag=asked["id"],
    )
    # the server's short answer is no full message; what counts is what was sent
    bandwidth.MessagesApi(bandwidth.ApiClient(configuration)).create_message_without_preload_content(asked["account"], text)
    return "sent"


serve({"post": call, "send": send})
