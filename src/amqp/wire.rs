//! Messages as they go over the wire: exchange, key, properties, body. Publications, later tries and what is set aside
//! are all made here, so that the contract's properties stand in one place.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable};

use super::ladder;
use super::topology::{self, FRONT, WORK};
use crate::facts::envelope::{Publication, Reason, To};
use crate::facts::heard::{Hearable, SmsReceived};

/// A message to publish.
#[derive(Clone, Debug)]
pub struct Wire {
    /// Where to; empty: the default exchange.
    pub exchange: &'static str,
    /// The routing key. It may hold numbers: never log it.
    pub key: String,
    /// What it carries.
    pub body: Vec<u8>,
    /// Persistent, with the contract's properties.
    pub properties: BasicProperties,
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

/// The wires of a publication: one, or two where desks and workers hear it.
#[must_use]
pub fn of_publication(now: Timestamp, publication: &Publication) -> Vec<Wire> {
    let mut headers = FieldTable::default();
    headers.insert("conversation".into(), text(&publication.scope));
    if let Some(traceparent) = &publication.traceparent {
        headers.insert("traceparent".into(), text(traceparent));
    }
    if let Some(due) = publication.due {
        headers.insert("due_at".into(), AMQPValue::LongLongInt(due.as_millisecond()));
    }
    let properties = BasicProperties::default()
        .with_delivery_mode(2)
        .with_content_type("application/json".into())
        .with_message_id(publication.id.to_string().into())
        .with_type(format!("{}.v1", publication.fact).into())
        .with_correlation_id(publication.cause.to_string().into())
        .with_timestamp(u64::try_from(now.as_second()).unwrap_or(0))
        .with_headers(headers);
    let key = format!("{}.{}", publication.fact, publication.scope);
    let rung = publication.due.and_then(|due| ladder::rung(now, due));
    let exchanges: &[&'static str] = match (rung, publication.to) {
        (Some(rung), _) => &[rung],
        (None, To::Work) => &[WORK],
        (None, To::Announce) => &[FRONT],
        (None, To::Both) => &[WORK, FRONT],
    };
    exchanges
        .iter()
        .map(|exchange| Wire {
            exchange,
            key: key.clone(),
            body: publication.body.clone(),
            properties: properties.clone(),
        })
        .collect()
}

/// The wires of what a carrier's adapter of our own says: texts by the short way, the rest as any program would.
#[must_use]
pub fn of_adapter(now: Timestamp, publication: &Publication, partitions: u32) -> Vec<Wire> {
    let mut wires = of_publication(now, publication);
    if publication.fact == SmsReceived::NAME {
        for wire in &mut wires {
            wire.exchange = topology::inbound(partitions);
        }
    }
    wires
}

/// The header's text, where it is one.
#[must_use]
pub fn header_text(properties: &BasicProperties, name: &str) -> Option<String> {
    match properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongString(value) => std::str::from_utf8(value.as_bytes()).ok().map(str::to_owned),
        AMQPValue::ShortString(value) => Some(value.to_string()),
        _ => None,
    }
}

/// The header's number, where it is one.
#[must_use]
pub fn header_number(properties: &BasicProperties, name: &str) -> Option<i64> {
    match properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongLongInt(value) => Some(*value),
        AMQPValue::LongInt(value) => Some(i64::from(*value)),
        AMQPValue::LongUInt(value) => Some(i64::from(*value)),
        AMQPValue::ShortInt(value) => Some(i64::from(*value)),
        AMQPValue::ShortShortInt(value) => Some(i64::from(*value)),
        AMQPValue::Timestamp(value) => i64::try_from(*value).ok(),
        _ => None,
    }
}

/// The properties of a copy: what the contract has, none of the broker's own headers (`x-death` makes brokers drop).
fn copied(delivery: &Delivery) -> (BasicProperties, FieldTable) {
    let mut headers = FieldTable::default();
    for name in ["conversation", "traceparent"] {
        if let Some(value) = header_text(&delivery.properties, name) {
            headers.insert(name.into(), text(&value));
        }
    }
    let old = &delivery.properties;
    let mut properties = BasicProperties::default().with_delivery_mode(2).with_content_type("application/json".into());
    if let Some(id) = old.message_id() {
        properties = properties.with_message_id(id.clone());
    }
    if let Some(kind) = old.kind() {
        properties = properties.with_type(kind.clone());
    }
    if let Some(cause) = old.correlation_id() {
        properties = properties.with_correlation_id(cause.clone());
    }
    if let Some(at) = old.timestamp() {
        properties = properties.with_timestamp(*at);
    }
    (properties, headers)
}

/// The same message once more, under its own key: timers and later tries keep their headers, the broker's own go.
fn again(exchange: &'static str, delivery: &Delivery) -> Wire {
    let (properties, mut headers) = copied(delivery);
    for name in ["due_at", "attempt", "first_seen"] {
        if let Some(value) = header_number(&delivery.properties, name) {
            headers.insert(name.into(), AMQPValue::LongLongInt(value));
        }
    }
    Wire {
        exchange,
        key: delivery.routing_key.to_string(),
        body: delivery.data.clone(),
        properties: properties.with_headers(headers),
    }
}

/// A timer that came before it is due: the same message on its next rung.
#[must_use]
pub fn next_rung(now: Timestamp, due_ms: i64, delivery: &Delivery) -> Option<Wire> {
    let due = Timestamp::from_millisecond(due_ms).ok()?;
    Some(again(ladder::rung(now, due)?, delivery))
}

/// A message of a queue that goes out of use: to the workers once more.
#[must_use]
pub fn moved(delivery: &Delivery) -> Wire {
    again(WORK, delivery)
}

/// A later try: a copy up the ladder under the worker's own key, so that nobody else hears it.
#[must_use]
pub fn later(
    now: Timestamp,
    wait: Duration,
    worker: &str,
    scope: &str,
    fact: &str,
    attempt: u32,
    delivery: &Delivery,
) -> Wire {
    let due = now.checked_add(SignedDuration::try_from(wait).unwrap_or(SignedDuration::from_secs(1))).unwrap_or(now);
    let (mut properties, mut headers) = copied(delivery);
    if properties.kind().is_none() {
        properties = properties.with_type(format!("{fact}.v1").into());
    }
    let first = header_number(&delivery.properties, "first_seen").unwrap_or_else(|| now.as_millisecond());
    headers.insert("attempt".into(), AMQPValue::LongLongInt(i64::from(attempt) + 1));
    headers.insert("first_seen".into(), AMQPValue::LongLongInt(first));
    headers.insert("due_at".into(), AMQPValue::LongLongInt(due.as_millisecond()));
    let shortest = ladder::RUNGS[0].1;
    Wire {
        exchange: ladder::rung(now, due).unwrap_or(shortest),
        key: fitting(format!("retry.{worker}.{scope}")),
        body: delivery.data.clone(),
        properties: properties.with_headers(headers),
    }
}

/// A key that AMQP takes: at most 255 bytes. A scope of a producer's own may be as long as that, and the worker's name
/// comes before it; nobody binds to what is cut.
fn fitting(mut key: String) -> String {
    key.truncate(key.floor_char_boundary(255));
    key
}

/// A copy for `<worker>.dead`, with its reason; body and ids are kept as received.
#[must_use]
pub fn dead(now: Timestamp, worker: &str, fact: Option<&str>, reason: &Reason, delivery: &Delivery) -> Wire {
    let (properties, mut headers) = copied(delivery);
    headers.insert("worker".into(), text(worker));
    headers.insert("reason".into(), text(reason.word));
    headers.insert("detail".into(), text(&reason.detail));
    headers.insert("original_key".into(), text(delivery.routing_key.as_str()));
    headers.insert("set_aside_at".into(), AMQPValue::LongLongInt(now.as_millisecond()));
    if let Some(fact) = fact {
        headers.insert("fact".into(), text(fact));
    }
    Wire {
        exchange: "",
        key: format!("{worker}.dead"),
        body: delivery.data.clone(),
        properties: properties.with_headers(headers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Found by fuzzing: a longer key ended the publishing task, and with it the process' link, for each try.
    #[test]
    fn a_later_try_of_a_message_with_the_longest_key_has_a_key_that_amqp_takes() {
        let scope = "é".repeat(121);
        let key = format!("sms.received.{scope}");
        let delivery = Delivery::mock(1, "texthub.work".into(), key.as_str().into(), false, b"{}".to_vec());
        let wire = later(Timestamp::UNIX_EPOCH, Duration::ZERO, "receive_sms", &scope, "sms.received", 0, &delivery);
        assert_eq!(key.len(), 255);
        assert!(wire.key.starts_with("retry.receive_sms.é") && wire.key.len() <= 255, "{}", wire.key.len());
    }
}
