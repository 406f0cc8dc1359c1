//! The public contract as an [AsyncAPI 3.0](https://www.asyncapi.com/docs/reference/specification/v3.0.0) document, made
//! from the Rust types of the facts, the topology and the list of workers. `docs/asyncapi.json` is this document; a test
//! compares them.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::amqp::topology::{self, Listener};
use crate::facts::envelope::{Described, To};
use crate::facts::{due, heard, media, said};

/// One body of every fact.
const EXAMPLES: &str = include_str!("../../examples/facts.json");

/// Every fact there is: those said to the hub, those it says, its timers and asks.
pub fn facts() -> impl Iterator<Item = &'static Described> {
    heard::DESCRIBED.iter().chain(said::DESCRIBED).chain(due::DESCRIBED).chain(media::DESCRIBED)
}

/// Whether programs say it to the hub.
#[must_use]
pub fn is_said_to_the_hub(fact: &str) -> bool {
    heard::SAID_TO_THE_HUB.contains(&fact)
}

/// The workers that hear a fact.
#[must_use]
pub fn heard_by(fact: &str, listeners: &[Listener]) -> Vec<&'static str> {
    listeners.iter().filter(|listener| listener.facts.contains(&fact)).map(|listener| listener.name).collect()
}

/// The document.
#[must_use]
pub fn document(listeners: &[Listener]) -> Value {
    let mut generator = SchemaSettings::draft07()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let examples: Map<String, Value> =
        serde_json::from_str(EXAMPLES).unwrap_or_else(|error| unreachable!("examples/facts.json: {error}"));
    let (mut channels, mut operations, mut messages) = (Map::new(), Map::new(), Map::new());
    for fact in facts() {
        let body = (fact.schema)(&mut generator).to_value();
        messages.insert(fact.name.into(), message(fact, &body, examples.get(fact.name)));
        channels.insert(fact.name.into(), channel(fact));
        for (name, operation) in operations_of(fact, listeners) {
            operations.insert(name, operation);
        }
    }
    let schemas = generator.take_definitions(true);
    for message in messages.values_mut() {
        // the type's own words describe the fact, too
        let name = message["payload"]["$ref"].as_str().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
        message["summary"] = schemas.get(name).map_or(Value::Null, |schema| schema["description"].clone());
    }
    json!({
        "asyncapi": "3.0.0",
        "info": info(),
        "defaultContentType": "application/json",
        "servers": { "rabbitmq": {
            "host": "localhost:5672",
            "protocol": "amqp",
            "protocolVersion": "0.9.1",
            "description": "The RabbitMQ of the installation; `./dev env` prints the URL of the one that `./dev up` started.",
        } },
        "channels": channels,
        "operations": operations,
        "components": { "messages": messages, "schemas": schemas, "parameters": { "scope": {
            "description": "The tenant; of facts keyed by conversation our number and the customer's in digits, as \
                15550100001-15550100100 (a short code with its country, us.12345-15550100100; chat: \
                point of contact-visitor). Programs may leave it out, with the dot before it.",
        } } },
    })
}

fn info() -> Value {
    json!({
        "title": "texthub",
        "version": env!("CARGO_PKG_VERSION"),
        "license": { "name": env!("CARGO_PKG_LICENSE") },
        "description": "Facts on RabbitMQ. Publish to the topic exchange `texthub`, persistent and with publisher confirms: \
            message_id = the body's id (a UUID, best v7; the same id again is a repeat), type = `<fact>.v1`, content_type = \
            application/json, and, where there is one, a W3C traceparent header. Bind queues of your own to `texthub` by \
            `<fact>.#`. Bodies are at most 64 KiB; times are RFC 3339 in UTC, years 2000 to 2100; numbers are E.164 with +, \
            short codes digits beside their country. Unknown fields are ignored and kept. What cannot be taken is set aside \
            where `texthub dead list` shows it; what an agent or a program may not do is answered by command.refused.",
    })
}

/// What no program needs to hear or say.
fn is_internal(fact: &Described) -> bool {
    fact.to == To::Work
}

fn exchange(fact: &Described) -> &'static str {
    if is_internal(fact) { topology::WORK } else { topology::FRONT }
}

fn message(fact: &Described, body: &Value, example: Option<&Value>) -> Value {
    json!({
        "name": fact.name,
        "title": fact.name,
        "summary": null,
        "contentType": "application/json",
        "headers": { "type": "object", "properties": {
            "traceparent": { "type": "string", "description": "W3C trace context of what caused it." },
            "conversation": { "type": "string", "description": "The scope, where the fact is keyed by conversation." },
        } },
        "payload": body,
        "bindings": { "amqp": { "contentEncoding": "utf-8", "messageType": format!("{}.v1", fact.name), "bindingVersion": "0.3.0" } },
        "examples": example.map(|body| json!({ "name": "example", "payload": body })).into_iter().collect::<Vec<_>>(),
    })
}

fn channel(fact: &Described) -> Value {
    let exchange =
        json!({ "name": exchange(fact), "type": "topic", "durable": true, "autoDelete": false, "vhost": "/" });
    json!({
        "address": format!("{}.{{scope}}", fact.name),
        "messages": { fact.name: { "$ref": format!("#/components/messages/{}", fact.name) } },
        "parameters": { "scope": { "$ref": "#/components/parameters/scope" } },
        "bindings": { "amqp": { "is": "routingKey", "exchange": exchange, "bindingVersion": "0.3.0" } },
    })
}

fn operations_of(fact: &Described, listeners: &[Listener]) -> Vec<(String, Value)> {
    let workers = heard_by(fact.name, listeners);
    let operation = |action: &str, summary: String| {
        let mut operation = json!({
            "action": action,
            "channel": { "$ref": format!("#/channels/{}", fact.name) },
            "messages": [{ "$ref": format!("#/channels/{}/messages/{}", fact.name, fact.name) }],
            "summary": summary,
        });
        if is_internal(fact) {
            operation["tags"] = json!([{ "name": "internal" }]);
        }
        operation
    };
    let mut operations = Vec::new();
    if !is_said_to_the_hub(fact.name) {
        operations.push((format!("say.{}", fact.name), operation("send", "The hub says it.".into())));
    }
    if !workers.is_empty() {
        operations
            .push((format!("hear.{}", fact.name), operation("receive", format!("Heard by {}.", workers.join(", ")))));
    }
    operations
}

#[cfg(test)]
mod tests;
