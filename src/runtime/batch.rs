//! The loop of a queue: take what is there, decode, begin, handle, commit, publish, acknowledge. The one place that
//! commits and the one that acknowledges. Every message of a batch ends done, set aside or on the ladder, each by a
//! confirmed publication before the acknowledgement; a failed batch is redone one by one.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use futures_util::FutureExt;
use lapin::message::Delivery;
use tracing::Instrument;

use super::clock::{self, Stopwatch};
use super::trace::Span;
use super::worker::{Context, Outcome, Worker};
use super::{faults, suspects};
use crate::amqp::publisher::Publisher;
use crate::amqp::wire::{self, Wire};
use crate::amqp::{Lost, delivery};
use crate::facts::envelope::{Decode, Message, Reason};
use crate::facts::ids::FactId;
use crate::failure::Failure;
use crate::hub::sql;
use crate::retry::Waits;

/// Most messages of one transaction.
pub const BATCH: usize = 128;
/// Later tries after which a message is set aside.
const MOST_TRIES: u32 = 20;
/// How long a batch is held while the database is away.
const HOLD: Duration = Duration::from_mins(1);

/// What handles batches of a queue: a worker, or a caller.
pub trait Handler: Send + Sync + 'static {
    /// The worker's name.
    const NAME: &'static str;
    /// Most messages at once.
    const MOST: usize = BATCH;
    /// What it hears.
    type Fact: Decode;
    /// Outcomes, after commit.
    fn run(
        &self,
        pool: &Pool,
        batch: &[Message<Self::Fact>],
    ) -> impl Future<Output = Result<Vec<Outcome>, Failure>> + Send;
}

/// A `Worker` as a handler: one transaction for the batch.
pub struct InTransaction<W>(pub W);

impl<W: Worker> Handler for InTransaction<W> {
    const NAME: &'static str = W::NAME;
    type Fact = W::Fact;

    async fn run(&self, pool: &Pool, batch: &[Message<W::Fact>]) -> Result<Vec<Outcome>, Failure> {
        let mut client = pool.get().await?;
        let tx = client.transaction().await?;
        let now = begin(&tx).await?;
        let outcomes = self.0.handle(&tx, &Context { now }, batch).await?;
        if outcomes.len() != batch.len() {
            return Err(Reason::new("broken_invariant", "a worker must answer every message").into());
        }
        faults::here(W::NAME, "before_commit");
        tx.commit().await?;
        faults::here(W::NAME, "after_commit");
        Ok(outcomes)
    }
}

/// The database's clock at the begin of a transaction: asked for once a second, and carried on in between.
pub(super) async fn begin(tx: &deadpool_postgres::Transaction<'_>) -> Result<jiff::Timestamp, Failure> {
    if let Some(now) = clock::carried_on() {
        return Ok(now);
    }
    let row = sql::row(tx, "select now()", &[]).await?;
    let now = row.map_or_else(clock::near, |row| row.get(0));
    clock::note_database(now);
    Ok(now)
}

/// One delivery on its way through the loop.
struct Taken<F> {
    delivery: Delivery,
    fate: Fate<F>,
}

enum Fate<F> {
    Message(Message<F>),
    /// The same id and content stands earlier in the batch.
    Twin,
    Early(Wire),
    Reject(Reason),
}

/// Handles deliveries of one queue.
pub struct Runner<H> {
    pool: Pool,
    publisher: Publisher,
    handler: Arc<H>,
}

impl<H: Handler> Runner<H> {
    /// For one process's pool and publisher.
    pub fn new(pool: Pool, publisher: Publisher, handler: Arc<H>) -> Self {
        Self { pool, publisher, handler }
    }

    /// Handles a batch to its end (a suspect comes alone); after this everything up to its last delivery may be acknowledged.
    ///
    /// # Errors
    /// `Lost`: nothing may be acknowledged, everything is to be rebuilt.
    pub async fn handle(&self, deliveries: Vec<Delivery>) -> Result<(), Lost> {
        let stopwatch = Stopwatch::start();
        let count = deliveries.len();
        let mut suspected = false;
        let mut is_over = false;
        if let [alone] = deliveries.as_slice() {
            suspected = suspects::is_one(alone);
            is_over = suspected && suspects::is_over(&self.pool, H::NAME, alone).await;
        }
        let mut taken = Self::take(deliveries, is_over);
        let mut outcomes: Vec<Option<Outcome>> = taken.iter().map(|_| None).collect();
        let places: Vec<usize> =
            (0..taken.len()).filter(|index| matches!(taken[*index].fate, Fate::Message(_))).collect();
        self.settle(&mut taken, &places, &mut outcomes).await?;
        let wires = Self::wires(&mut taken, outcomes, stopwatch.elapsed());
        faults::here(H::NAME, "before_publish");
        self.publisher.send(wires).await?;
        faults::here(H::NAME, "after_publish");
        if let [Taken { delivery, .. }] = taken.as_slice()
            && suspected
        {
            suspects::clear(&self.pool, H::NAME, delivery).await;
        }
        metrics::histogram!("texthub_batch_size", "worker" => H::NAME)
            .record(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
        metrics::histogram!("texthub_batch_seconds", "worker" => H::NAME).record(stopwatch.elapsed().as_secs_f64());
        Ok(())
    }

    fn take(deliveries: Vec<Delivery>, is_over: bool) -> Vec<Taken<H::Fact>> {
        let now = clock::near();
        let mut first: HashMap<FactId, Vec<u8>> = HashMap::with_capacity(deliveries.len());
        deliveries
            .into_iter()
            .map(|delivery| {
                let due = wire::header_number(&delivery.properties, "due_at");
                let early = due.filter(|due| *due > now.as_millisecond() + 2);
                if let Some(due) = due.filter(|_| early.is_none()) {
                    let late =
                        Duration::from_millis(u64::try_from(now.as_millisecond().saturating_sub(due)).unwrap_or(0));
                    metrics::histogram!("texthub_timer_late_seconds", "worker" => H::NAME).record(late.as_secs_f64());
                }
                let fate = if let Some(wire) = early.and_then(|due| wire::next_rung(now, due, &delivery)) {
                    Fate::Early(wire)
                } else if is_over {
                    Fate::Reject(Reason::new(
                        "delivered_too_often",
                        "its worker ended eight times while it was being handled",
                    ))
                } else {
                    match delivery::decode(&delivery) {
                        Err(reason) => Fate::Reject(reason),
                        Ok(message) => match first.get(&message.id) {
                            Some(digest) if *digest == message.digest => Fate::Twin,
                            Some(_) => Fate::Reject(crate::hub::memory::reused()),
                            None => {
                                first.insert(message.id, message.digest.clone());
                                Fate::Message(message)
                            }
                        },
                    }
                };
                Taken { delivery, fate }
            })
            .collect()
    }

    /// Handles the messages at these places, together if possible, else one by one.
    async fn settle(
        &self,
        taken: &mut [Taken<H::Fact>],
        places: &[usize],
        outcomes: &mut [Option<Outcome>],
    ) -> Result<(), Lost> {
        if places.is_empty() {
            return Ok(());
        }
        let batch: Vec<Message<H::Fact>> = places
            .iter()
            .filter_map(|place| match std::mem::replace(&mut taken[*place].fate, Fate::Twin) {
                Fate::Message(message) => Some(message),
                _ => None,
            })
            .collect();
        match self.try_batch(&batch).await? {
            Ok(done) => {
                for (place, outcome) in places.iter().zip(done) {
                    outcomes[*place] = Some(outcome);
                }
            }
            Err(failure) if batch.len() > 1 => {
                tracing::warn!(worker = H::NAME, count = batch.len(), reason = %failure, "batch redone one by one");
                for (place, message) in places.iter().zip(&batch) {
                    outcomes[*place] = Some(self.alone(message).await?);
                }
            }
            Err(failure) => outcomes[places[0]] = Some(given_up(failure)),
        }
        for (place, message) in places.iter().zip(batch) {
            taken[*place].fate = Fate::Message(message);
        }
        Ok(())
    }

    async fn alone(&self, message: &Message<H::Fact>) -> Result<Outcome, Lost> {
        Ok(match self.try_batch(std::slice::from_ref(message)).await? {
            Ok(mut done) => done.pop().unwrap_or_else(Outcome::silent),
            Err(failure) => given_up(failure),
        })
    }

    /// Contention is tried three times; a database that is away is waited for up to a minute, then all is rebuilt.
    async fn try_batch(&self, batch: &[Message<H::Fact>]) -> Result<Result<Vec<Outcome>, Failure>, Lost> {
        let mut waits = Waits::new(Duration::from_millis(20), Duration::from_secs(5));
        let held = Stopwatch::start();
        let mut tries = 0;
        loop {
            let span = tracing::info_span!("batch", worker = H::NAME, messages = batch.len(), tries);
            let ran = AssertUnwindSafe(self.handler.run(&self.pool, batch)).catch_unwind().instrument(span).await;
            let failure = match ran {
                Ok(Ok(outcomes)) => return Ok(Ok(outcomes)),
                Ok(Err(failure)) => failure,
                Err(_) => {
                    tracing::error!(worker = H::NAME, "a handler panicked");
                    metrics::counter!("texthub_panics_total", "worker" => H::NAME).increment(1);
                    return Ok(Err(Failure::Retry("panicked".into())));
                }
            };
            match failure {
                Failure::Retry(_) if tries < 3 => tries += 1,
                Failure::Away(ref why) if held.elapsed() > HOLD => return Err(Lost(format!("database away: {why}"))),
                Failure::Away(_) => {}
                other => return Ok(Err(other)),
            }
            metrics::counter!("texthub_batches_retried_total", "worker" => H::NAME).increment(1);
            waits.next().await;
        }
    }

    fn wires(taken: &mut [Taken<H::Fact>], outcomes: Vec<Option<Outcome>>, elapsed: Duration) -> Vec<Wire> {
        let now = clock::near();
        let mut wires = Vec::with_capacity(taken.len() * 2);
        for (taken, outcome) in taken.iter_mut().zip(outcomes) {
            let outcome = match std::mem::replace(&mut taken.fate, Fate::Twin) {
                Fate::Early(wire) => {
                    wires.push(wire);
                    continue;
                }
                Fate::Twin => continue,
                Fate::Reject(reason) => {
                    let fact = delivery::fact_name(&taken.delivery).ok();
                    wires.push(set_aside(H::NAME, fact.as_deref(), &reason, &taken.delivery));
                    continue;
                }
                Fate::Message(message) => {
                    let mut outcome = outcome.unwrap_or_else(Outcome::silent);
                    let span = Span::of(H::NAME, message.id, message.traceparent.as_deref().unwrap_or_default());
                    if let Outcome::Done(said) = &mut outcome {
                        for publication in said {
                            publication.traceparent = Some(span.carried(publication.traceparent.as_deref()));
                        }
                    }
                    report(H::NAME, &message, &span, &outcome, elapsed);
                    (outcome, message)
                }
            };
            match outcome {
                (Outcome::Done(said), _) => wires.extend(said.iter().flat_map(|p| wire::of_publication(now, p))),
                (Outcome::Later(_, reason), message) if message.attempt >= MOST_TRIES => {
                    let reason = Reason::new("gave_up", format!("after {MOST_TRIES} later tries: {reason}"));
                    wires.push(set_aside(H::NAME, Some(message.fact), &reason, &taken.delivery));
                }
                (Outcome::Later(wait, _), message) => {
                    let (scope, fact, attempt) = (&message.scope, message.fact, message.attempt);
                    wires.push(wire::later(now, wait, H::NAME, scope, fact, attempt, &taken.delivery));
                }
                (Outcome::Reject(reason), message) => {
                    wires.push(set_aside(H::NAME, Some(message.fact), &reason, &taken.delivery));
                }
            }
        }
        wires
    }
}

fn set_aside(worker: &'static str, fact: Option<&str>, reason: &Reason, delivery: &Delivery) -> Wire {
    tracing::warn!(worker, fact, reason = reason.word, detail = reason.detail, "set aside");
    metrics::counter!("texthub_set_aside_total", "worker" => worker, "reason" => reason.word).increment(1);
    wire::dead(clock::near(), worker, fact, reason, delivery)
}

/// What becomes of a message that failed alone.
fn given_up(failure: Failure) -> Outcome {
    match failure {
        Failure::Reject(reason) => Outcome::Reject(reason),
        Failure::Retry(why) | Failure::Away(why) => {
            Outcome::Later(Duration::from_secs(1), Reason::new("contention", why))
        }
    }
}

/// One line (the span, as data) and one count per handled message; no text, no number.
fn report<F>(worker: &'static str, message: &Message<F>, span: &Span, outcome: &Outcome, elapsed: Duration) {
    let (word, said) = match outcome {
        Outcome::Done(said) => ("done", said.len()),
        Outcome::Later(..) => ("later", 0),
        Outcome::Reject(_) => ("set_aside", 0),
    };
    metrics::counter!("texthub_messages_total", "worker" => worker, "outcome" => word).increment(1);
    if message.is_redelivered {
        metrics::counter!("texthub_redelivered_total", "worker" => worker).increment(1);
    }
    tracing::info!(
        worker,
        fact = message.fact,
        id = %message.id,
        attempt = message.attempt,
        redelivered = message.is_redelivered,
        trace_id = span.trace_id,
        span_id = span.id,
        parent_span_id = span.parent_id,
        outcome = word,
        said,
        elapsed_ms = elapsed.as_millis(),
        "handled"
    );
}
