//! What the gateway hears of the hub while the link to the broker stands: facts come by an exclusive queue of its own, wake
//! who awaits a command's outcome, and touch rows for the tenants' streams. A gap (the queue overflowed, the link was
//! rebuilt) ends all streams, and every connection begins a new one.

mod leases;
mod tenant;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Consumer};
use texthub::access::api::Api;
use texthub::amqp::{Lost, patiently, topology};
use texthub::desk::hint::{FACTS, Hint, Refusal};
use texthub::facts::ids::{FactId, Slug};
use texthub::runtime::clock;
use texthub::runtime::supervisor::Host;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use tenant::{Asks, Tenant};

/// Most facts in the gateway's queue; older ones are dropped, and that is a gap.
const MOST: i64 = 50_000;
/// Facts under way to this process.
const PREFETCH: u16 = 2_000;
/// Most facts taken in one go.
const GO: usize = 512;

/// How long clients have to leave a gateway that ends.
const LEAVES: Duration = Duration::from_secs(5);

/// What was heard of a command's fate.
pub enum Word {
    /// Something came of it: the tables tell what.
    Handled,
    /// The hub said no.
    Refused(Refusal),
}

/// One life of the streams: between two gaps.
pub struct Live {
    /// Tells this life from others, in this gateway and in all.
    pub stream: Uuid,
    /// Over: a new one follows.
    pub ended: CancellationToken,
    api: Api,
    tenants: Mutex<HashMap<Slug, Arc<Tenant>>>,
    awaited: Mutex<HashMap<FactId, oneshot::Sender<Word>>>,
    connections: AtomicU64,
}

/// Where connections find the life of now.
#[derive(Clone)]
pub struct Stand {
    now: watch::Sender<Option<Arc<Live>>>,
    /// The process ends: clients go elsewhere.
    pub moving: CancellationToken,
    /// Sockets that are open.
    pub sockets: TaskTracker,
}

impl Default for Stand {
    fn default() -> Self {
        Self { now: watch::Sender::new(None), moving: CancellationToken::new(), sockets: TaskTracker::default() }
    }
}

impl Stand {
    /// The life of now, where there is one.
    pub fn now(&self) -> Option<Arc<Live>> {
        self.now.borrow().clone()
    }

    /// The process ends: clients are told to go elsewhere, and awaited for a moment.
    pub async fn move_away(&self) {
        self.moving.cancel();
        self.sockets.close();
        let _ = tokio::time::timeout(LEAVES, self.sockets.wait()).await;
    }

    /// The life of now, or the next one.
    pub async fn begun(&self) -> Option<Arc<Live>> {
        let mut now = self.now.subscribe();
        now.wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl Live {
    fn new(api: Api) -> Arc<Self> {
        Arc::new(Self {
            stream: clock::new_id(),
            ended: CancellationToken::new(),
            api,
            tenants: Mutex::default(),
            awaited: Mutex::default(),
            connections: AtomicU64::new(0),
        })
    }

    /// A tenant's stream; it runs from the first connection on.
    pub fn tenant(self: &Arc<Self>, slug: &Slug) -> Arc<Tenant> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = || Tenant::begin(slug.clone(), self.api.clone(), self.ended.clone());
        Arc::clone(tenants.entry(slug.clone()).or_insert_with(begin))
    }

    fn all(&self) -> Vec<Arc<Tenant>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// A number for a connection.
    pub fn number(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    /// Hears of a command's fate, from now on.
    pub fn hear_of(self: &Arc<Self>, id: FactId) -> Hearing {
        let (say, heard) = oneshot::channel();
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner).insert(id, say);
        Hearing { id, heard, live: Arc::clone(self) }
    }

    fn note(&self, delivery: &Delivery) {
        let Some(hint) = Hint::read(&delivery.data) else { return };
        let fact = delivery.routing_key.as_str().splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
        let refusal = hint.refusal().filter(|_| fact == "command.refused");
        let about = refusal.as_ref().map_or(hint.cause_id, |refusal| refusal.id);
        let waits = self.awaited.lock().unwrap_or_else(PoisonError::into_inner).remove(&about);
        if let Some(waits) = waits {
            let _ = waits.send(refusal.map_or(Word::Handled, Word::Refused));
        }
        let tenant = self.tenants.lock().unwrap_or_else(PoisonError::into_inner).get(&hint.tenant).cloned();
        if let Some(tenant) = tenant {
            tenant.touch(&fact, &hint);
        }
    }
}

/// Whoever awaits a command's fate; deaf once dropped.
pub struct Hearing {
    id: FactId,
    /// Comes once.
    pub heard: oneshot::Receiver<Word>,
    live: Arc<Live>,
}

impl Drop for Hearing {
    fn drop(&mut self) {
        self.live.awaited.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// Hears until told to stop, through as many lives as there are gaps.
pub async fn run(stand: &Stand, api: &Api, host: &Host) -> Result<(), Lost> {
    let channel = host.link.consuming().await?;
    patiently("qos", channel.basic_qos(PREFETCH, BasicQosOptions::default())).await?;
    let (mut facts, mut gaps) = queues(&channel).await?;
    loop {
        let live = Live::new(api.clone());
        let renewing = leases::renew(Arc::clone(&live), host.publisher.clone());
        let renewing = tokio::spawn(renewing);
        stand.now.send_replace(Some(Arc::clone(&live)));
        let heard = hear(&live, host, &channel, &mut facts, &mut gaps).await;
        stand.now.send_replace(None);
        live.ended.cancel();
        renewing.abort();
        match heard? {
            Ended::Stopped => return Ok(()),
            Ended::Gap => {
                metrics::counter!("texthub_gateway_gaps_total").increment(1);
                tracing::warn!("facts were dropped before the gateway took them; every desk begins anew");
            }
        }
    }
}

enum Ended {
    Stopped,
    Gap,
}

async fn hear(
    live: &Live,
    host: &Host,
    channel: &Channel,
    facts: &mut Consumer,
    gaps: &mut Consumer,
) -> Result<Ended, Lost> {
    let over = || Lost("the stream of deliveries ended".into());
    loop {
        let first = tokio::select! {
            biased;
            () = host.stop.cancelled() => return Ok(Ended::Stopped),
            gap = gaps.next() => {
                gap.ok_or_else(over)??;
                return Ok(Ended::Gap);
            }
            first = facts.next() => first.ok_or_else(over)??,
        };
        let mut last = first.delivery_tag;
        live.note(&first);
        for _ in 1..GO {
            let Some(Some(next)) = facts.next().now_or_never() else { break };
            let next = next?;
            last = next.delivery_tag;
            live.note(&next);
        }
        patiently("ack", channel.basic_ack(last, BasicAckOptions { multiple: true })).await?;
    }
}

/// The gateway's own queue, and the one where the broker puts what that one had no room for.
async fn queues(channel: &Channel) -> Result<(Consumer, Consumer), Lost> {
    let text = |text: &str| AMQPValue::LongString(text.into());
    let declare = async |entries: &[(&str, AMQPValue)]| {
        let mut arguments = FieldTable::default();
        for (name, value) in entries {
            arguments.insert((*name).into(), value.clone());
        }
        let declared = channel.queue_declare("".into(), QueueDeclareOptions::exclusive(), arguments);
        patiently("queue", declared).await.map(|queue| queue.name().clone())
    };
    let newest = text("drop-head");
    let gaps = declare(&[("x-max-length", AMQPValue::LongLongInt(1)), ("x-overflow", newest.clone())]).await?;
    let facts = declare(&[
        ("x-max-length", AMQPValue::LongLongInt(MOST)),
        ("x-overflow", newest),
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(gaps.as_str())),
    ])
    .await?;
    for fact in FACTS {
        let (key, options) = (format!("{fact}.#"), QueueBindOptions::default());
        let bound =
            channel.queue_bind(facts.clone(), topology::FRONT.into(), key.into(), options, FieldTable::default());
        patiently("bind", bound).await?;
    }
    let consume = async |queue: ShortString, no_ack: bool| {
        let options = BasicConsumeOptions { no_ack, ..BasicConsumeOptions::default() };
        patiently("consume", channel.basic_consume(queue, "".into(), options, FieldTable::default())).await
    };
    Ok((consume(facts, false).await?, consume(gaps, true).await?))
}

#[cfg(test)]
mod tests;
