//! `texthub partitions N`: another number of partitions for the conversation-keyed workers, while nothing runs. New queues
//! are bound first and old ones emptied into them, so that nothing published meanwhile is lost.

use clap::Args;
use lapin::options::{
    BasicAckOptions, BasicGetOptions, ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use texthub::amqp::connection::Link;
use texthub::amqp::publisher::Publisher;
use texthub::amqp::topology::{self, Listener};
use texthub::amqp::wire::Wire;

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
    let channel = link.consuming().await?;
    let listeners: Vec<_> = crate::roles(&config).iter().filter_map(|role| role.listener).collect();
    let mut unused = Vec::new();
    for listener in listeners.iter().filter(|listener| listener.is_partitioned) {
        let (old, new) = (topology::queues(listener, before), topology::queues(listener, asked.count));
        for name in &old {
            let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            let queue = channel.queue_declare(name.as_str().into(), passive, FieldTable::default()).await?;
            anyhow::ensure!(
                queue.consumer_count() == 0,
                "{name} is being consumed: stop every process with {} first, then run this again",
                listener.name
            );
        }
        unused.extend(old.into_iter().filter(|name| !new.contains(name)).map(|name| (listener.name, name)));
    }
    topology::declare(&channel, &listeners, asked.count).await?;
    for listener in listeners.iter().filter(|listener| listener.is_partitioned && before != asked.count) {
        rewire(&channel, listener, before, asked.count).await?;
    }
    let publisher = Publisher::open(&link).await?;
    let mut moved = 0;
    for (worker, name) in &unused {
        let spreading = topology::spreaders(worker);
        // to one partition: they are gone already
        for exchange in spreading.iter().filter(|_| asked.count > 1) {
            let (queue, from) = (name.as_str().into(), exchange.as_str().into());
            channel.queue_unbind(queue, from, "1".into(), FieldTable::default()).await?;
        }
        while let Some(message) = channel.basic_get(name.as_str().into(), BasicGetOptions::default()).await? {
            let delivery = message.delivery;
            let wire = Wire {
                exchange: topology::WORK,
                key: delivery.routing_key.to_string(),
                body: delivery.data.clone(),
                properties: delivery.properties.clone(),
            };
            publisher.send(vec![wire]).await?;
            delivery.acker.ack(BasicAckOptions::default()).await?;
            moved += 1;
        }
        let options = QueueDeleteOptions { if_empty: false, ..QueueDeleteOptions::default() };
        channel.queue_delete(name.as_str().into(), options).await?;
    }
    let store = "update settings set value = $1 where name = 'partitions'";
    client.execute(store, &[&asked.count.to_string()]).await?;
    link.close().await;
    println!("{before} partitions became {}; {moved} messages moved; start with TEXTHUB_PARTITIONS={0}", asked.count);
    Ok(())
}
