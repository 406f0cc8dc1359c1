//! The raw loops: what broker and database allow on this machine, with nothing of the product between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool_postgres::Pool;
use futures_util::{FutureExt, StreamExt};
use lapin::Consumer;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};
use serde_json::Value;
use texthub::amqp::connection::Link;
use texthub::amqp::publisher::Publisher;
use texthub::amqp::topology;
use texthub::amqp::wire::Wire;
use texthub::runtime::clock::{self, Stopwatch};
use tokio_util::sync::CancellationToken;

use super::ground::Ground;
use super::latency::{listen, paced};
use super::throughput::inbound;

const BATCH: usize = 64;
const WORKERS: usize = 4;

async fn quorum(link: &Link, name: &str) -> anyhow::Result<()> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    link.consuming().await?.queue_declare(name.into(), QueueDeclareOptions::durable(), arguments).await?;
    Ok(())
}

async fn delete(link: &Link, name: &str) -> anyhow::Result<()> {
    link.consuming().await?.queue_delete(name.into(), QueueDeleteOptions::default()).await?;
    Ok(())
}

fn somebody() -> Ground {
    Ground { tenant: "bench-raw".into(), number: "+999000000000000".into(), door: "" }
}

/// Texts per second: consume, one statement (insert the text under a unique id, touch its room), confirmed
/// publications, acknowledge; batches of 64, four workers.
pub async fn throughput(
    link: &Link,
    pool: &Pool,
    texts: &[String],
    count: usize,
    customers: usize,
    publications: f64,
) -> anyhow::Result<f64> {
    let queue = format!("bench.raw.{}", clock::new_id().simple());
    quorum(link, &queue).await?;
    let client = pool.get().await?;
    client
        .batch_execute(
            "drop table if exists bench_raw_texts, bench_raw_rooms;
             create table bench_raw_rooms (customer text primary key, texts integer not null) with (fillfactor = 80);
             create table bench_raw_texts (carrier_sms_id text primary key, customer text not null, text text not null)",
        )
        .await?;
    let (done, stop) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..WORKERS {
        let publisher = Publisher::open(link).await?;
        let channel = link.consuming().await?;
        channel.basic_qos(256, BasicQosOptions::default()).await?;
        let consumer = channel
            .basic_consume(queue.as_str().into(), "".into(), BasicConsumeOptions::default(), FieldTable::default())
            .await?;
        let worker = Worker { pool: pool.clone(), publisher, channel, done: Arc::clone(&done), publications };
        let stop = stop.clone();
        workers.spawn(async move {
            tokio::select! { () = stop.cancelled() => Ok(()), done = worker.run(consumer) => done }
        });
    }
    let publisher = Publisher::open(link).await?;
    let (stopwatch, ground) = (Stopwatch::start(), somebody());
    let mut under_way = Vec::new();
    for from in (0..count).step_by(250) {
        let wires = (from..count.min(from + 250)).map(|n| Wire {
            exchange: "",
            key: queue.clone(),
            ..inbound(&ground, n % customers, &texts[n % texts.len()])
        });
        let (publisher, wires) = (publisher.clone(), wires.collect());
        under_way.push(tokio::spawn(async move { publisher.send(wires).await }));
        if under_way.len() >= 4 {
            under_way.remove(0).await??;
        }
    }
    while done.load(Ordering::Relaxed) < count {
        anyhow::ensure!(stopwatch.elapsed() < Duration::from_mins(5), "the raw loop did not end in five minutes");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = stopwatch.elapsed();
    stop.cancel();
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    delete(link, &queue).await?;
    client.batch_execute("drop table bench_raw_texts, bench_raw_rooms").await?;
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    Ok(count as f64 / took.as_secs_f64())
}

struct Worker {
    pool: Pool,
    publisher: Publisher,
    channel: lapin::Channel,
    done: Arc<AtomicUsize>,
    publications: f64,
}

impl Worker {
    async fn run(&self, mut consumer: lapin::Consumer) -> anyhow::Result<()> {
        let mut owed = 0.0;
        loop {
            let Some(first) = consumer.next().await else { return Ok(()) };
            let mut batch: Vec<Delivery> = vec![first?];
            while batch.len() < BATCH {
                match consumer.next().now_or_never() {
                    Some(Some(delivery)) => batch.push(delivery?),
                    _ => break,
                }
            }
            self.write(&batch).await?;
            let mut wires = Vec::with_capacity(batch.len() * 2);
            for delivery in &batch {
                owed += self.publications;
                while owed >= 1.0 {
                    owed -= 1.0;
                    wires.push(Wire {
                        exchange: topology::FRONT,
                        key: "bench.raw".into(),
                        body: delivery.data.clone(),
                        properties: delivery.properties.clone(),
                    });
                }
            }
            self.publisher.send(wires).await?;
            let last = batch.last().map_or(0, |d| d.delivery_tag);
            self.channel.basic_ack(last, BasicAckOptions { multiple: true }).await?;
            self.done.fetch_add(batch.len(), Ordering::Relaxed);
        }
    }

    async fn write(&self, batch: &[Delivery]) -> anyhow::Result<()> {
        let (mut ids, mut customers, mut texts) = (vec![], vec![], vec![]);
        for delivery in batch {
            let body: Value = serde_json::from_slice(&delivery.data)?;
            let field = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
            ids.push(field("carrier_sms_id"));
            customers.push(field("from"));
            texts.push(field("text"));
        }
        let mut client = self.pool.get().await?;
        let tx = client.transaction().await?;
        let statement = tx
            .prepare_cached(
                "with arrived as (select * from unnest($1::text[], $2::text[], $3::text[]) as t (id, customer, text)),
                 written as (insert into bench_raw_texts select id, customer, text from arrived on conflict do nothing)
                 insert into bench_raw_rooms as r (customer, texts)
                 select customer, count(*) from arrived group by customer order by customer
                 on conflict (customer) do update set texts = r.texts + excluded.texts",
            )
            .await?;
        tx.execute(&statement, &[&ids, &customers, &texts]).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// From one queue to the next, as much at a time as is there, until stopped.
async fn pass_on(from: &mut Consumer, hop: &Publisher, key: &str, stop: &CancellationToken) {
    loop {
        let Some(Ok(delivery)) = (tokio::select! { () = stop.cancelled() => None, next = from.next() => next }) else {
            return;
        };
        let mut batch = vec![delivery];
        while let Some(Some(Ok(delivery))) = from.next().now_or_never() {
            batch.push(delivery);
        }
        let wires = batch.iter().map(|d| Wire {
            exchange: "",
            key: key.to_owned(),
            body: d.data.clone(),
            properties: d.properties.clone(),
        });
        if hop.send(wires.collect()).await.is_err() {
            return;
        }
        if let Some(last) = batch.last() {
            let _ = last.acker.ack(BasicAckOptions { multiple: true }).await;
        }
    }
}

/// Milliseconds (p50, p99) from publish over one queue and a confirmed publication to the next, at a steady rate.
pub async fn two_hops(link: &Link, texts: &[String], per_second: f64, span: Duration) -> anyhow::Result<(f64, f64)> {
    let queue = format!("bench.hop.{}", clock::new_id().simple());
    quorum(link, &queue).await?;
    let second = format!("bench.hop2.{}", clock::new_id().simple());
    quorum(link, &second).await?;
    let channel = link.consuming().await?;
    channel.basic_qos(256, BasicQosOptions::default()).await?;
    let consume = |name: &str| {
        channel.basic_consume(name.into(), name.into(), BasicConsumeOptions::default(), FieldTable::default())
    };
    let mut first = consume(&queue).await?;
    let out = link.consuming().await?;
    out.basic_qos(256, BasicQosOptions::default()).await?;
    let mut last = out
        .basic_consume(second.as_str().into(), "".into(), BasicConsumeOptions::default(), FieldTable::default())
        .await?;
    let stop = CancellationToken::new();
    let (hop, key, stopped) = (Publisher::open(link).await?, second.clone(), stop.clone());
    let hopping = tokio::spawn(async move { pass_on(&mut first, &hop, &key, &stopped).await });
    let _listening = listen(link, topology::FRONT, &[]).await?;
    let (publisher, stopwatch, ground) = (Publisher::open(link).await?, Stopwatch::start(), somebody());
    let starts: Arc<std::sync::Mutex<std::collections::HashMap<String, f64>>> = Arc::default();
    let noted = Arc::clone(&starts);
    let publishing = paced(per_second, span, |n| {
        let wire = Wire { exchange: "", key: queue.clone(), ..inbound(&ground, n, &texts[n % texts.len()]) };
        let id = wire.properties.message_id().as_ref().map(ToString::to_string).unwrap_or_default();
        if let Ok(mut starts) = noted.lock() {
            starts.insert(id, stopwatch.elapsed().as_secs_f64());
        }
        let publisher = publisher.clone();
        tokio::spawn(async move { publisher.send(vec![wire]).await });
    });
    let listening = async {
        let mut found = Vec::new();
        while let Ok(Some(Ok(delivery))) = tokio::time::timeout(Duration::from_secs(2), last.next()).await {
            let at = stopwatch.elapsed().as_secs_f64();
            let id = delivery.properties.message_id().as_ref().map(ToString::to_string).unwrap_or_default();
            if let Some(start) = starts.lock().ok().and_then(|mut starts| starts.remove(&id)) {
                found.push((at - start) * 1000.0);
            }
            let _ = delivery.acker.ack(BasicAckOptions::default()).await;
        }
        found
    };
    let ((), found) = tokio::join!(publishing, listening);
    stop.cancel();
    let _ = hopping.await;
    delete(link, &queue).await?;
    delete(link, &second).await?;
    Ok(super::percentiles(found))
}
