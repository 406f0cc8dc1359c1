"""A whole conversation by a program of its own: a customer's text, an agent who accepts and answers, the end.

    ./dev up --no-demo --detach; eval "$(./dev env)"
    pip install -r examples/python/requirements.txt; python examples/python/conversation.py

Nothing here is texthub's: it publishes facts to the exchange `texthub` and hears what is said there, as docs/asyncapi.json
describes. The tenant is examples/three-bears.toml.
"""
import datetime
import json
import os
import sys
import uuid

import pika

TENANT, AGENT, OURS = "three-bears", "mama-bear", "+15550100001"
CUSTOMER = f"+1555{uuid.uuid4().int % 10_000_000:07}"
URL = os.environ.get("TEXTHUB_AMQP_URL") or sys.exit('set TEXTHUB_AMQP_URL: eval "$(./dev env)"')

channel = pika.BlockingConnection(pika.URLParameters(URL)).channel()
channel.confirm_delivery()
queue = channel.queue_declare("", exclusive=True).method.queue
for fact in ("offer.made", "session.started", "entry.appended", "sms.changed", "contact.closed", "command.refused"):
    channel.queue_bind(queue, "texthub", f"{fact}.#")


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z")


def say(fact, **body):
    """Publishes a fact; the broker confirms it, or this raises."""
    body = {"id": str(uuid.uuid4()), **body}
    properties = pika.BasicProperties(
        message_id=body["id"], type=f"{fact}.v1", content_type="application/json", delivery_mode=2)
    channel.basic_publish("texthub", fact, json.dumps(body).encode(), properties)
    return body["id"]


def hear(fact, **fields):
    """The next fact of this name with these fields; what else is said meanwhile is passed over."""
    for method, _, body in channel.consume(queue, auto_ack=True, inactivity_timeout=30):
        if method is None:
            sys.exit(f"no {fact} within 30 s; is texthub running? `./dev status` tells")
        heard = json.loads(body)
        if heard.get("refused_id") in ours:
            sys.exit(f"refused: {heard['reason']}")
        if method.routing_key.startswith(fact + ".") and fields.items() <= heard.items():
            return heard


ours = [say("agent.moved", tenant=TENANT, agent=AGENT, state="available", moved_at=now())]
ours.append(say("sms.received", carrier="sim", carrier_sms_id=str(uuid.uuid4()), **{"from": CUSTOMER}, to=OURS,
                text="Is there any porridge left?", received_at=now()))
print(f"customer  {CUSTOMER[:5]}…: Is there any porridge left?")

offer = hear("offer.made", agent=AGENT, customer_number=CUSTOMER)
print(f"offered   to {AGENT}, skill {offer['skill']}, until {offer['lapses_at']}")
ours.append(say("offer.answered", tenant=TENANT, agent=AGENT, offer_id=offer["offer_id"], answer="accept"))
session = hear("session.started", contact_id=offer["contact_id"])
print(f"accepted  the session ends at {session['deadline_at']} unless a text moves that")

ours.append(say("reply.written", tenant=TENANT, agent=AGENT, room_id=offer["room_id"], text="One bowl, just right.",
                written_at=now()))
hear("entry.appended", room_id=offer["room_id"], author="agent")
print(f"{AGENT} One bowl, just right.")
print(f"receipt   {hear('sms.changed', room_id=offer['room_id'], status='delivered')['status']}")

ours.append(say("contact.ended", tenant=TENANT, contact_id=offer["contact_id"], reason="done",
                by={"kind": "agent", "name": AGENT}))
print(f"closed    {hear('contact.closed', contact_id=offer['contact_id'])['outcome']}")
