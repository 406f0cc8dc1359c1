//! From publish to recorded and from publish to offer, at a steady rate; each so-manieth text opens a conversation, the
//! others go on with one of those that are open.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use serde_json::Value;
use texthub::amqp::connection::Link;
use texthub::amqp::publisher::Publisher;
use texthub::amqp::topology;
use texthub::runtime::clock::Stopwatch;

use super::ground::Ground;
use super::throughput::inbound;

/// Milliseconds: (p50, p99).
pub struct Found {
    pub recorded: (f64, f64),
    pub offer: (f64, f64),
}

/// Conversations among which texts go on.
const OPEN: usize = 500;

/// A queue of our own, read without acknowledging.
pub async fn listen(link: &Link, exchange: &str, keys: &[String]) -> anyhow::Result<lapin::Consumer> {
    let channel = link.consuming().await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(1_000_000));
    let queue = channel.queue_declare("".into(), QueueDeclareOptions::exclusive(), arguments).await?;
    for key in keys {
        let (name, options) = (queue.name().clone(), QueueBindOptions::default());
        channel.queue_bind(name, exchange.into(), key.as_str().into(), options, FieldTable::default()).await?;
    }
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    Ok(channel.basic_consume(queue.name().clone(), "".into(), options, FieldTable::default()).await?)
}

/// Paces `per_second` calls for a span.
pub async fn paced(per_second: f64, span: Duration, mut each: impl FnMut(usize)) {
    let stopwatch = Stopwatch::start();
    let mut tick = tokio::time::interval(Duration::from_millis(2));
    let mut sent = 0_usize;
    while stopwatch.elapsed() < span {
        tick.tick().await;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let due = (stopwatch.elapsed().as_secs_f64() * per_second) as usize;
        while sent < due {
            each(sent);
            sent += 1;
        }
    }
}

/// Measures.
pub async fn measure(
    link: &Link,
    ground: &Ground,
    texts: &[String],
    per_second: f64,
    span: Duration,
    texts_each: usize,
) -> anyhow::Result<Found> {
    let keys = [format!("offer.made.{}", ground.tenant), "entry.appended.#".to_owned()];
    let mut heard = listen(link, topology::FRONT, &keys).await?;
    let publisher = Publisher::open(link).await?;
    let stopwatch = Stopwatch::start();
    let (say, mut said) = tokio::sync::mpsc::unbounded_channel::<(String, Option<String>, f64)>();
    let publishing = paced(per_second, span, |n| {
        let open = n / texts_each;
        let is_new = n % texts_each == 0;
        let customer = if is_new { open } else { open - fastrand::usize(0..=open.min(OPEN)) };
        let wire = inbound(ground, customer, &texts[n % texts.len()]);
        let id = wire.properties.message_id().as_ref().map(ToString::to_string).unwrap_or_default();
        let opens = is_new.then(|| format!("+888{customer:011}"));
        let _ = say.send((id, opens, stopwatch.elapsed().as_secs_f64()));
        let publisher = publisher.clone();
        tokio::spawn(async move { publisher.send(vec![wire]).await });
    });
    let listening = async {
        let mut arrived: HashMap<String, f64> = HashMap::new();
        let (mut recorded, mut offered) = (Vec::new(), Vec::new());
        let until = span + Duration::from_secs(10);
        while stopwatch.elapsed() < until {
            let Ok(Some(delivery)) = tokio::time::timeout(Duration::from_secs(2), heard.next()).await else { break };
            let delivery = delivery?;
            let at = stopwatch.elapsed().as_secs_f64();
            while let Ok((id, opens, published)) = said.try_recv() {
                arrived.insert(id, published);
                arrived.extend(opens.map(|customer| (customer, published)));
            }
            let body: Value = serde_json::from_slice(&delivery.data)?;
            if body["tenant"] != ground.tenant.as_str() {
                continue;
            }
            if delivery.routing_key.as_str().starts_with("offer.made") {
                let customer = body["customer_number"].as_str().unwrap_or_default();
                offered.extend(arrived.get(customer).map(|published| (at - published) * 1000.0));
            } else {
                let cause = body["cause_id"].as_str().unwrap_or_default();
                recorded.extend(arrived.get(cause).map(|published| (at - published) * 1000.0));
            }
        }
        anyhow::Ok((recorded, offered))
    };
    let ((), heard) = tokio::join!(publishing, listening);
    let (recorded, offered) = heard?;
    anyhow::ensure!(!offered.is_empty(), "no offer was made: does anybody run route_contact?");
    Ok(Found { recorded: super::percentiles(recorded), offer: super::percentiles(offered) })
}
