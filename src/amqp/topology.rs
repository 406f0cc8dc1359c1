//! Exchanges, queues, bindings and rungs, all derived from the list of workers and declared idempotently by every
//! process before it consumes or publishes. The common core of `RabbitMQ` 3.10 to 4.x, no third-party plugin.

use lapin::options::{
    BasicPublishOptions, ExchangeBindOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

use super::{Lost, ladder, patiently};
use crate::facts::heard::{Hearable, SAID_TO_THE_HUB, SmsReceived};

/// The front exchange: programs publish and bind there.
pub const FRONT: &str = "texthub";
/// The inner exchange: workers' queues, rungs, timers.
pub const WORK: &str = "texthub.work";
/// What spreads carriers' texts over the partitions of `receive_sms`; there only where there are several.
pub const INBOUND: &str = "receive_sms.by_key";
/// Deliveries after which the broker itself sets a message aside: the last net.
pub const DELIVERY_LIMIT: i64 = 100;
/// Most messages in a dead queue.
const DEAD_LIMIT: i64 = 1_000_000;

/// What the topology must know of a worker.
#[derive(Clone, Copy, Debug)]
pub struct Listener {
    /// Its name.
    pub name: &'static str,
    /// The facts it hears.
    pub facts: &'static [&'static str],
    /// Keyed by conversation.
    pub is_partitioned: bool,
}

/// The queues of a worker: one, or P.
#[must_use]
pub fn queues(listener: &Listener, partitions: u32) -> Vec<String> {
    if listener.is_partitioned {
        (0..partitions).map(|p| format!("{}.{p}", listener.name)).collect()
    } else {
        vec![listener.name.to_owned()]
    }
}

/// What a worker's queues are bound by.
#[must_use]
pub fn keys(listener: &Listener) -> Vec<String> {
    listener.facts.iter().map(|fact| format!("{fact}.#")).chain([format!("retry.{}.#", listener.name)]).collect()
}

/// The queue where a worker's messages are set aside.
#[must_use]
pub fn dead_queue(worker: &str) -> String {
    format!("{worker}.dead")
}

fn word(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

fn table(entries: &[(&str, AMQPValue)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert((*name).into(), value.clone());
    }
    table
}

/// Declares everything.
///
/// # Errors
/// `Lost`; a mismatch with what exists names the object.
pub async fn declare(channel: &Channel, listeners: &[Listener], partitions: u32) -> Result<(), Lost> {
    exchange(channel, FRONT, ExchangeKind::Topic, FieldTable::default()).await?;
    exchange(channel, WORK, ExchangeKind::Topic, FieldTable::default()).await?;
    for fact in SAID_TO_THE_HUB {
        bind_exchange(channel, WORK, FRONT, &format!("{fact}.#"), FieldTable::default()).await?;
    }
    for (ms, name) in ladder::RUNGS {
        rung(channel, *ms, name).await?;
    }
    for listener in listeners {
        worker(channel, listener, partitions).await?;
    }
    Ok(())
}

async fn exchange(channel: &Channel, name: &str, kind: ExchangeKind, arguments: FieldTable) -> Result<(), Lost> {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    patiently(name, channel.exchange_declare(name.into(), kind, options, arguments)).await
}

async fn bind_exchange(channel: &Channel, to: &str, from: &str, key: &str, arguments: FieldTable) -> Result<(), Lost> {
    let options = ExchangeBindOptions::default();
    patiently(to, channel.exchange_bind(to.into(), from.into(), key.into(), options, arguments)).await
}

async fn queue(channel: &Channel, name: &str, arguments: FieldTable) -> Result<(), Lost> {
    patiently(name, channel.queue_declare(name.into(), QueueDeclareOptions::durable(), arguments)).await.map(|_| ())
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, key: &str) -> Result<(), Lost> {
    let options = QueueBindOptions::default();
    patiently(queue, channel.queue_bind(queue.into(), exchange.into(), key.into(), options, FieldTable::default()))
        .await
}

async fn rung(channel: &Channel, ms: i64, name: &str) -> Result<(), Lost> {
    exchange(channel, name, ExchangeKind::Fanout, FieldTable::default()).await?;
    let arguments = table(&[
        ("x-queue-type", word("quorum")),
        ("x-message-ttl", AMQPValue::LongLongInt(ms)),
        ("x-dead-letter-exchange", word(WORK)),
        ("x-dead-letter-strategy", word("at-least-once")),
        ("x-overflow", word("reject-publish")),
    ]);
    queue(channel, name, arguments).await?;
    bind(channel, name, name, "").await
}

async fn worker(channel: &Channel, listener: &Listener, partitions: u32) -> Result<(), Lost> {
    let dead = dead_queue(listener.name);
    let arguments = table(&[
        ("x-queue-type", word("quorum")),
        ("x-max-length", AMQPValue::LongLongInt(DEAD_LIMIT)),
        ("x-overflow", word("reject-publish")),
    ]);
    queue(channel, &dead, arguments).await?;
    let mut work = vec![
        ("x-queue-type", word("quorum")),
        ("x-delivery-limit", AMQPValue::LongLongInt(DELIVERY_LIMIT)),
        ("x-dead-letter-exchange", word("")),
        ("x-dead-letter-routing-key", word(&dead)),
        ("x-dead-letter-strategy", word("at-least-once")),
        ("x-overflow", word("reject-publish")),
    ];
    if listener.is_partitioned {
        work.push(("x-single-active-consumer", AMQPValue::Boolean(true)));
    }
    let queues = queues(listener, partitions);
    for name in &queues {
        queue(channel, name, table(&work)).await?;
    }
    let keys = keys(listener);
    if queues.len() == 1 {
        for key in &keys {
            bind(channel, &queues[0], WORK, key).await?;
        }
        return Ok(());
    }
    spread(channel, listener.name, &queues, &keys).await
}

/// The exchanges that spread a worker's messages over its partitions: by the conversation's header, by the key.
#[must_use]
pub fn spreaders(worker: &str) -> [String; 2] {
    [format!("{worker}.by_conversation"), format!("{worker}.by_key")]
}

/// By conversation. What the hub says names it in a header; a carrier's text, whose producer need not, has it in its key.
/// Other facts without the header share one partition: slower, and in order. (Looking at each message for the header by
/// a headers exchange halves the rate of publishing.)
async fn spread(channel: &Channel, name: &str, queues: &[String], keys: &[String]) -> Result<(), Lost> {
    let hash = || ExchangeKind::Custom("x-consistent-hash".into());
    let [by_conversation, by_key] = spreaders(name);
    exchange(channel, &by_conversation, hash(), table(&[("hash-header", word("conversation"))])).await?;
    exchange(channel, &by_key, hash(), FieldTable::default()).await?;
    for queue in queues {
        bind(channel, queue, &by_conversation, "1").await?;
        bind(channel, queue, &by_key, "1").await?;
    }
    for key in keys {
        let has_it_in_its_key = key.strip_suffix(".#") == Some(SmsReceived::NAME);
        let to = if has_it_in_its_key { &by_key } else { &by_conversation };
        bind_exchange(channel, to, WORK, key, FieldTable::default()).await?;
    }
    Ok(())
}

/// Where adapters of our own publish carriers' texts: straight to what spreads them. It takes the way through the topic
/// exchange (which programs use) out of the one fact that comes in bulk: a third more texts per second.
#[must_use]
pub fn inbound(partitions: u32) -> &'static str {
    if partitions > 1 { INBOUND } else { WORK }
}

/// Publishing options of what a queue must take.
#[must_use]
pub fn mandatory() -> BasicPublishOptions {
    BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() }
}
