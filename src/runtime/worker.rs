//! What a worker is: the verbs implement one of these traits, the runner does the rest (transaction, publishing with
//! confirms, acknowledging). Outcomes are values; nothing here touches the broker.

use std::future::Future;
use std::time::Duration;

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::batch::BATCH;
use crate::facts::envelope::{Decode, Message, Publication, Reason};
use crate::facts::ids::Slug;
use crate::failure::Failure;

/// What a handler may know besides its batch.
#[derive(Clone, Debug)]
pub struct Context {
    /// The database's clock, read with begin; fixed in tests.
    pub now: Timestamp,
}

/// What became of one message.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Done (a repeat, something stale or a refusal, too): say these, then acknowledge.
    Done(Vec<Publication>),
    /// Not now: a confirmed copy goes up the ladder under this worker's own key.
    Later(Duration, Reason),
    /// Never: a confirmed copy goes to the dead queue.
    Reject(Reason),
}

impl Outcome {
    /// Done, with nothing to say.
    #[must_use]
    pub fn silent() -> Self {
        Self::Done(Vec::new())
    }
}

/// Handles batches in one transaction.
pub trait Worker: Send + Sync + 'static {
    /// File, queue, span, metric, dead queue.
    const NAME: &'static str;
    /// Keyed by conversation: P queues, each with a single active consumer.
    const PARTITIONED: bool = false;
    /// What it hears; `Decode::FACTS` are its bindings.
    type Fact: Decode;
    /// One outcome per message, in the order of the batch. Set-based; row locks sorted by key.
    fn handle(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        batch: &[Message<Self::Fact>],
    ) -> impl Future<Output = Result<Vec<Outcome>, Failure>> + Send;
}

/// Handles one message at a time: for rare facts. Listed as `Each(SettleOffer)`, which remembers in `heard` what was
/// said for an id, so that a repeat says the same again and an id used twice is set aside.
pub trait Single: Send + Sync + 'static {
    /// File, queue, span, metric, dead queue.
    const NAME: &'static str;
    /// What it hears.
    type Fact: Decode;
    /// Whose a fact is, as it says itself: noted with its id, so that the tenant's people see what became of it.
    #[must_use]
    fn tenant(_: &Self::Fact) -> Option<&Slug> {
        None
    }
    /// The outcome of one message that was not handled before.
    fn handle(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        message: &Message<Self::Fact>,
    ) -> impl Future<Output = Result<Outcome, Failure>> + Send;
}

/// Handles a batch in two steps: claims with a transaction, then calls the outside world without one.
pub trait Caller: Send + Sync + 'static {
    /// File, queue, span, metric, dead queue.
    const NAME: &'static str;
    /// Keyed by conversation.
    const PARTITIONED: bool = false;
    /// Most messages at once.
    const MOST: usize = BATCH;
    /// What it hears.
    type Fact: Decode;
    /// What a claim hands to its call.
    type Job: Send + Sync;
    /// What a call found out.
    type Answer: Send + Sync;
    /// For each message: an outcome without a call, or a job.
    fn claim(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        batch: &[Message<Self::Fact>],
    ) -> impl Future<Output = Result<Vec<Claim<Self::Job>>, Failure>> + Send;
    /// One call under its time-out. Jobs with the same `lane` are called in order, others side by side.
    fn call(&self, job: &Self::Job) -> impl Future<Output = Self::Answer> + Send;
    /// Jobs of one lane keep their order.
    fn lane(job: &Self::Job) -> String;
    /// Where a lane must stop after this answer, to keep its order: the answer of its uncalled jobs.
    fn rest(_answer: &Self::Answer) -> Option<Self::Answer> {
        None
    }
    /// After the calls, in a transaction of its own: the outcome of each called job, by its index in the batch. It may
    /// run again with the same answers, where its transaction failed.
    fn settle(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        batch: &[Message<Self::Fact>],
        answers: &[(usize, Self::Job, Self::Answer)],
    ) -> impl Future<Output = Result<Vec<(usize, Outcome)>, Failure>> + Send;
}

/// See [`Caller::claim`].
#[derive(Debug)]
pub enum Claim<J> {
    /// Nothing to call.
    Settled(Outcome),
    /// To be called after commit.
    Call(J),
}

/// A periodic round without input: it reads and says facts, and decides nothing. One process at a time.
pub trait Pass: Send + Sync + 'static {
    /// Span and metric.
    const NAME: &'static str;
    /// How often.
    const EVERY: Duration;
    /// What to say. The transaction holds the pass's advisory lock.
    fn round(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
    ) -> impl Future<Output = Result<Vec<Publication>, Failure>> + Send;
}
