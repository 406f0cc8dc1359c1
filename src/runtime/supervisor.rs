//! Builds everything that hangs on the broker (connections, topology, publisher, a task per queue) and rebuilds all of
//! it, endlessly and with jitter, whenever a part is lost. Consumes only while Postgres answers and the broker is not
//! blocked. At a stop: no new messages, the batch under way to its end, acknowledge, close.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::Pool;
use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::batch::{Handler, InTransaction, Runner};
use super::caller::Calling;
use super::clock::Stopwatch;
use super::gate::{Feed, Gate};
use super::worker::{Caller, Pass, Worker};
use super::{db, pass, suspects};
use crate::amqp::connection::Link;
use crate::amqp::publisher::Publisher;
use crate::amqp::topology::{self, Listener};
use crate::amqp::{Lost, patiently};
use crate::facts::envelope::Decode;
use crate::retry::Waits;

/// After so long a build counts as one that held.
const STANDS: Duration = Duration::from_secs(30);
/// How often the connections are looked at.
const LOOKS: Duration = Duration::from_secs(1);

type Task = Pin<Box<dyn Future<Output = Result<(), Lost>> + Send>>;

/// What a task of a role works with.
#[derive(Clone)]
pub struct Host {
    /// Of this process.
    pub pool: Pool,
    /// Of this build of the link.
    pub publisher: Publisher,
    /// Of this build.
    pub link: Arc<Link>,
    /// P of the installation.
    pub partitions: u32,
    /// Said when all is to stop, perhaps to be built again.
    pub stop: CancellationToken,
    /// Said when the process ends.
    pub ends: CancellationToken,
}

type Start = Arc<dyn Fn(Host, String) -> Task + Send + Sync>;
type End = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Something that a process runs.
#[derive(Clone)]
pub struct Role {
    /// What it is called.
    pub name: &'static str,
    /// What it hears, for those that consume.
    pub listener: Option<Listener>,
    /// What it serves beside health and metrics.
    pub routes: Option<axum::Router>,
    start: Start,
    end: Option<End>,
}

impl Role {
    /// A worker.
    pub fn worker<W: Worker>(worker: W) -> Self {
        Self::handler(InTransaction(worker), W::PARTITIONED, Some(Gate::default()))
    }

    /// A worker that calls the outside world.
    pub fn caller<C: Caller>(caller: C) -> Self {
        // a carrier that is slow to answer one partition must not keep the others waiting
        Self::handler(Calling(caller), C::PARTITIONED, None)
    }

    fn handler<H: Handler>(handler: H, is_partitioned: bool, gate: Option<Gate<Delivery>>) -> Self {
        let handler = Arc::new(handler);
        let start: Start =
            Arc::new(move |host, queue| Box::pin(consume(host, Arc::clone(&handler), gate.clone(), queue)));
        let listener = Listener { name: H::NAME, facts: H::Fact::FACTS, is_partitioned };
        Self { name: H::NAME, listener: Some(listener), routes: None, start, end: None }
    }

    /// A pass, under the name of the role that runs it.
    pub fn pass<P: Pass>(name: &'static str, pass: P) -> Self {
        let pass = Arc::new(pass);
        let start: Start = Arc::new(move |host: Host, _| {
            let pass = Arc::clone(&pass);
            Box::pin(async move { pass::run(&*pass, &host.pool, &host.publisher, &host.stop).await })
        });
        Self { name, listener: None, routes: None, start, end: None }
    }

    /// Anything else that hangs on the broker; it ends when told to stop.
    pub fn task(name: &'static str, run: impl Fn(Host) -> Task + Send + Sync + 'static) -> Self {
        Self { name, listener: None, routes: None, start: Arc::new(move |host, _| run(host)), end: None }
    }

    /// The same, with what it serves beside health and metrics: by the process, whether the broker is there or not.
    #[must_use]
    pub fn serving(mut self, routes: axum::Router) -> Self {
        self.routes = Some(routes);
        self
    }

    /// The same, with what is to be parted with in order once the process has handled its last message.
    #[must_use]
    pub fn parting(
        mut self,
        end: impl Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync + 'static,
    ) -> Self {
        self.end = Some(Arc::new(end));
        self
    }

    /// Parts.
    pub async fn part(&self) {
        if let Some(end) = &self.end {
            end().await;
        }
    }
}

/// Whether this process consumes: for /readyz.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Everything is built.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Relaxed);
    }
}

/// What a process needs to run roles.
pub struct Process {
    /// The broker.
    pub amqp_url: String,
    /// Of the connections.
    pub name: String,
    /// P of the installation.
    pub partitions: u32,
    /// To Postgres.
    pub pool: Pool,
    /// All workers there are: every process declares the whole topology.
    pub listeners: Vec<Listener>,
    /// What this process runs.
    pub roles: Vec<Role>,
    /// For /readyz.
    pub readiness: Readiness,
}

impl Process {
    /// Runs until stopped, however often something is lost.
    pub async fn run(&self, stop: &CancellationToken) {
        let mut waits = Waits::new(Duration::from_millis(200), Duration::from_secs(10));
        while !stop.is_cancelled() {
            let stood = Stopwatch::start();
            match self.build_and_run(stop).await {
                Ok(()) => return,
                Err(lost) => {
                    // what does not hold is not rebuilt ever faster: each rebuild costs every message a delivery
                    if stood.elapsed() > STANDS {
                        waits.reset();
                    }
                    self.readiness.set(false);
                    metrics::counter!("texthub_rebuilds_total").increment(1);
                    tracing::warn!(reason = %lost, "lost; everything is rebuilt");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = waits.next() => {}
            }
        }
    }

    async fn build_and_run(&self, stop: &CancellationToken) -> Result<(), Lost> {
        db::answers(&self.pool).await.map_err(|error| Lost(format!("Postgres does not answer: {error}")))?;
        let link = Arc::new(Link::connect(&self.amqp_url, &self.name).await?);
        let declaring = link.consuming().await?;
        topology::declare(&declaring, &self.listeners, self.partitions).await?;
        let publisher = Publisher::open(&link).await?;
        // a broker short of memory or disk says so only to who publishes: nothing is taken before it confirms
        publisher.probe().await?;
        let inner = stop.child_token();
        let (pool, partitions) = (self.pool.clone(), self.partitions);
        let ends = stop.clone();
        let host = Host { pool, publisher, link: Arc::clone(&link), partitions, stop: inner.clone(), ends };
        let mut tasks: JoinSet<Result<(), Lost>> = JoinSet::new();
        for role in &self.roles {
            let queues =
                role.listener.as_ref().map_or_else(|| vec![String::new()], |l| topology::queues(l, self.partitions));
            for queue in queues {
                tasks.spawn((role.start)(host.clone(), queue));
            }
        }
        tasks.spawn(watch(link.clone(), inner.clone()));
        self.readiness.set(true);
        tracing::info!(roles = self.roles.len(), partitions = self.partitions, "ready");
        let mut result = Ok(());
        while let Some(ended) = tasks.join_next().await {
            let ended = ended.unwrap_or_else(|error| Err(Lost(format!("a task ended: {error}"))));
            if ended.is_err() && result.is_ok() {
                result = ended;
                inner.cancel();
            }
        }
        self.readiness.set(false);
        link.close().await;
        result
    }
}

/// Notices that a connection is gone, as roles do not that only publish.
async fn watch(link: Arc<Link>, stop: CancellationToken) -> Result<(), Lost> {
    let mut looks = tokio::time::interval(LOOKS);
    while link.is_up() {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = looks.tick() => {}
        }
    }
    Err(Lost("a connection to the broker is gone".into()))
}

/// The consumer of one queue. What a process that ended gave back comes first and in its order, as long as the next one
/// takes no fewer than it did: every consumer asks for the same number, and hands back by closing its AMQP channel
/// (cancelled first, it would let the next consumer begin before its own messages are back).
async fn consume<H: Handler>(
    host: Host,
    handler: Arc<H>,
    gate: Option<Gate<Delivery>>,
    queue: String,
) -> Result<(), Lost> {
    let runner = Runner::new(host.pool.clone(), host.publisher.clone(), handler);
    let channel = host.link.consuming().await?;
    // under way per queue: two batches
    let prefetch = u16::try_from(H::MOST * 2).unwrap_or(u16::MAX);
    patiently("qos", channel.basic_qos(prefetch, BasicQosOptions::default())).await?;
    let consumer = patiently(
        "consume",
        channel.basic_consume(
            queue.as_str().into(),
            queue.as_str().into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        ),
    )
    .await?;
    drain(&host, &runner, gate.as_ref(), &channel, consumer).await?;
    patiently("close", channel.close(200, "bye".into())).await
}

/// Handles deliveries until stopped. A message that comes for the third time is suspected of ending its process: it is
/// handled and acknowledged alone.
async fn drain<H: Handler>(
    host: &Host,
    runner: &Runner<H>,
    gate: Option<&Gate<Delivery>>,
    channel: &Channel,
    consumer: Consumer,
) -> Result<(), Lost> {
    let mut blocked = host.link.blocked();
    let mut feed = Deliveries { consumer, kept: VecDeque::new(), is_full: false, last: 0, before: 0 };
    loop {
        let batch = tokio::select! {
            biased;
            () = host.stop.cancelled() => return Ok(()),
            batch = feed.take(H::MOST) => batch?,
        };
        // while the broker is blocked nothing can be published, so nothing is begun
        while *blocked.borrow_and_update() {
            tokio::select! {
                () = host.stop.cancelled() => return Ok(()),
                changed = blocked.changed() => changed.map_err(|_| Lost("the connection ended".into()))?,
            }
        }
        let runs = runs(batch);
        // what comes while a batch waits may go with it where it is the only one
        feed.is_full = runs.len() > 1;
        for run in runs {
            feed.last = run.last().map_or(0, |d| d.delivery_tag);
            match gate {
                Some(gate) if !run.iter().any(suspects::is_one) => {
                    gate.handle(run, &mut feed, |batch| runner.handle(batch)).await?;
                }
                _ => runner.handle(run).await?,
            }
            patiently("ack", channel.basic_ack(feed.last, BasicAckOptions { multiple: true })).await?;
        }
    }
}

/// The batch in its order, each suspect by itself.
fn runs(batch: Vec<Delivery>) -> Vec<Vec<Delivery>> {
    let mut runs: Vec<Vec<Delivery>> = Vec::new();
    let mut is_open = false;
    for delivery in batch {
        let alone = suspects::is_one(&delivery);
        match runs.last_mut() {
            Some(run) if is_open && !alone => run.push(delivery),
            _ => runs.push(vec![delivery]),
        }
        is_open = !alone;
    }
    runs
}

/// The deliveries of one queue, in their order.
struct Deliveries {
    consumer: Consumer,
    /// Taken, and not handled yet.
    kept: VecDeque<Delivery>,
    /// Nothing more goes with the batch under way.
    is_full: bool,
    /// The tag of the last that does, and of the one before it.
    last: u64,
    before: u64,
}

impl Deliveries {
    /// What is there, at least one message and at most so many: no lingering.
    async fn take(&mut self, most: usize) -> Result<Vec<Delivery>, Lost> {
        let ended = || Lost("the stream of deliveries ended".into());
        let mut batch: Vec<Delivery> = self.kept.drain(..).collect();
        if batch.is_empty() {
            batch.push(self.consumer.next().await.ok_or_else(ended)??);
        }
        while batch.len() < most {
            match self.consumer.next().now_or_never() {
                Some(Some(delivery)) => batch.push(delivery?),
                Some(None) => return Err(ended()),
                None => break,
            }
        }
        Ok(batch)
    }
}

impl Feed<Delivery> for Deliveries {
    /// None any more after a suspect, or the end of the stream (which the next `take` will find).
    async fn more(&mut self) -> Option<Delivery> {
        if self.is_full {
            return None;
        }
        match self.consumer.next().await {
            Some(Ok(delivery)) if !suspects::is_one(&delivery) => {
                self.before = self.last;
                self.last = delivery.delivery_tag;
                Some(delivery)
            }
            Some(Ok(suspect)) => {
                self.kept.push_back(suspect);
                self.is_full = true;
                None
            }
            _ => {
                self.is_full = true;
                None
            }
        }
    }

    fn keep(&mut self, delivery: Delivery) {
        self.last = self.before;
        self.kept.push_back(delivery);
        self.is_full = true;
    }
}
