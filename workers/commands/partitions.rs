//! `texthub partitions N`: another number of partitions for the conversation-keyed workers, while nothing runs. New queues
//! are bound first and old ones emptied into them, so that nothing published meanwhile is lost.

use std::time::Duration;

use clap::Args;
use futures_util::StreamExt;
use lapin::ErrorKind;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicQosOptions, ExchangeDeleteOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::FieldTable;
use texthub::amqp::connection::Link;
use texthub::amqp::publisher::Publisher;
use texthub::amqp::topology::{self, Listener};
use texthub::amqp::wire;

/// AMQP's reply code for what is not there.
const NOT_FOUND: u16 = 404;
/// Nothing delivered for so long: look whether the queue is empty.
const QUIET: Duration = Duration::from_millis(300);

/// How many.
#[derive(Args, Clone, Debug)]
pub struct Asked {
    /// 1 to 64.
    #[arg(value_parser = clap::value_parser!(u32).range(1..=64))]
    count: u32,
}

/// One partition hangs on the work exchange itself, several behind exchanges that spread: takes away what is not asked.
async fn rewire(channel: &lapin::Channel, listener: &Listener, before: u32, count: u32) -> anyhow::Result<()> {
    if before == 1 {
        let queue = format!("{}.0", listener.name);
        for key in topology::keys(listener) {
            let (queue, key) = (queue.as_str().into(), key.as_str().into());
            channel.queue_unbind(queue, topology::WORK.into(), key, FieldTable::default()).await?;
        }
    }
    if count == 1 {
        for name in topology::spreaders(listener.name) {
            channel.exchange_delete(name.as_str().into(), ExchangeDeleteOptions::default()).await?;
        }
    }
    Ok(())
}

/// How many consume a queue; none: there is no such queue (a run that ended half-way deleted it).
async fn consumers(link: &Link, name: &str) -> anyhow::Result<Option<u32>> {
    // asking for a queue that is not there ends the AMQP channel
    let channel = link.consuming().await?;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    match channel.queue_declare(name.into(), passive, FieldTable::default()).await {
        Ok(queue) => Ok(Some(queue.consumer_count())),
        Err(error) if is_not_found(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn is_not_found(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error) if error.get_id() == NOT_FOUND)
}

/// Hands every message of a queue to the workers again, each confirmed before it is acknowledged, until none is left.
async fn drain(link: &Link, publisher: &Publisher, name: &str) -> anyhow::Result<usize> {
    let channel = link.consuming().await?;
    channel.basic_qos(1, BasicQosOptions::default()).await?;
    // a queue with a single active consumer can only be consumed
    let consuming =
        channel.basic_consume(name.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default());
    let mut consumer = consuming.await?;
    let passive = || QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let mut moved = 0;
    loop {
        match tokio::time::timeout(QUIET, consumer.next()).await {
            Ok(Some(delivery)) => {
                let delivery = delivery?;
                publisher.send(vec![wire::moved(&delivery)]).await?;
                delivery.acker.ack(BasicAckOptions::default()).await?;
                moved += 1;
            }
            Ok(None) => anyhow::bail!("{name}: the broker ended the consumer; run this again"),
            Err(_) => {
                let queue = channel.queue_declare(name.into(), passive(), FieldTable::default()).await?;
                if queue.message_count() == 0 {
                    break;
                }
            }
        }
    }
    channel.close(200, "bye".into()).await?;
    Ok(moved)
}

/// Changes it.
pub async fn run(asked: &Asked) -> anyhow::Result<()> {
    let config = super::config()?;
    let pool = super::pool(&config)?;
    let client = pool.get().await?;
    let row = client.query_opt("select value from settings where name = 'partitions'", &[]).await?;
    let Some(before) = row.and_then(|row| row.get::<_, &str>(0).parse::<u32>().ok()) else {
        anyhow::bail!("nothing was started yet: set TEXTHUB_PARTITIONS={} for the first start", asked.count);
    };
    let link = Link::connect(config.amqp(), "texthub partitions").await?;
    let listeners: Vec<_> = crate::roles(&config).iter().filter_map(|role| role.listener).collect();
    let mut unused = Vec::new();
    for listener in listeners.iter().filter(|listener| listener.is_partitioned) {
        let (old, new) = (topology::queues(listener, before), topology::queues(listener, asked.count));
        for name in old {
            let Some(consumers) = consumers(&link, &name).await? else { continue };
            anyhow::ensure!(
                consumers == 0,
                "{name} is being consumed: stop every process with {} first, then run this again",
                listener.name
            );
            if !new.contains(&name) {
                unused.push((listener.name, name));
            }
        }
    }
    let channel = link.consuming().await?;
    topology::declare(&channel, &listeners, asked.count).await?;
    for listener in listeners.iter().filter(|listener| listener.is_partitioned && before != asked.count) {
        rewire(&channel, listener, before, asked.count).await?;
    }
    let publisher = Publisher::open(&link).await?;
    let mut moved = 0;
    for (worker, name) in &unused {
        // to one partition: what spreads is gone already
        for exchange in topology::spreaders(worker).iter().filter(|_| asked.count > 1) {
            let (queue, from) = (name.as_str().into(), exchange.as_str().into());
            channel.queue_unbind(queue, from, "1".into(), FieldTable::default()).await?;
        }
        moved += drain(&link, &publisher, name).await?;
        // empty, and bound to nothing any more (quorum queues do not take `if-empty`)
        channel.queue_delete(name.as_str().into(), QueueDeleteOptions::default()).await?;
    }
    let store = "update settings set value = $1 where name = 'partitions'";
    client.execute(store, &[&asked.count.to_string()]).await?;
    link.close().await;
    println!("{before} partitions became {}; {moved} messages moved; start with TEXTHUB_PARTITIONS={0}", asked.count);
    Ok(())
}
