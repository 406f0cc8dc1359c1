//! The loop of a caller: claim in a transaction, call without one, settle in another. Calls of one lane keep their
//! order, lanes go side by side. Claimed and not settled is told from the row when the message comes again.

use std::collections::BTreeMap;
use std::time::Duration;

use deadpool_postgres::Pool;
use futures_util::future::join_all;

use super::batch::{Handler, begin};
use super::clock::Stopwatch;
use super::faults;
use super::worker::{Caller, Claim, Context, Outcome};
use crate::facts::envelope::Message;
use crate::failure::Failure;
use crate::retry::Waits;

/// How long answers are kept for a database that does not take them.
const KEPT: Duration = Duration::from_mins(1);

/// A `Caller` as a handler.
pub struct Calling<C>(pub C);

impl<C: Caller> Handler for Calling<C> {
    const NAME: &'static str = C::NAME;
    const MOST: usize = C::MOST;
    type Fact = C::Fact;

    async fn run(&self, pool: &Pool, batch: &[Message<C::Fact>]) -> Result<Vec<Outcome>, Failure> {
        let claims = self.claim(pool, batch).await?;
        faults::here(C::NAME, "after_claim");
        let mut outcomes: Vec<Option<Outcome>> = Vec::with_capacity(batch.len());
        let mut lanes: BTreeMap<String, Vec<(usize, C::Job)>> = BTreeMap::new();
        for (index, claim) in claims.into_iter().enumerate() {
            match claim {
                Claim::Settled(outcome) => outcomes.push(Some(outcome)),
                Claim::Call(job) => {
                    lanes.entry(C::lane(&job)).or_default().push((index, job));
                    outcomes.push(None);
                }
            }
        }
        let answered = join_all(lanes.into_values().map(|lane| self.call_in_order(lane))).await;
        let answers: Vec<(usize, C::Job, C::Answer)> = answered.into_iter().flatten().collect();
        if !answers.is_empty() {
            faults::here(C::NAME, "after_call");
            for (index, outcome) in self.settle(pool, batch, &answers).await? {
                outcomes[index] = Some(outcome);
            }
        }
        faults::here(C::NAME, "after_commit");
        Ok(outcomes.into_iter().map(|o| o.unwrap_or_else(Outcome::silent)).collect())
    }
}

impl<C: Caller> Calling<C> {
    async fn claim(&self, pool: &Pool, batch: &[Message<C::Fact>]) -> Result<Vec<Claim<C::Job>>, Failure> {
        let mut client = pool.get().await?;
        let tx = client.transaction().await?;
        let now = begin(&tx).await?;
        let claims = self.0.claim(&tx, &Context { now }, batch).await?;
        tx.commit().await?;
        Ok(claims)
    }

    async fn call_in_order(&self, lane: Vec<(usize, C::Job)>) -> Vec<(usize, C::Job, C::Answer)> {
        let mut answers = Vec::with_capacity(lane.len());
        let mut rest = None;
        for (index, job) in lane {
            let answer = match rest.take() {
                Some(answer) => answer,
                None => self.0.call(&job).await,
            };
            rest = C::rest(&answer);
            answers.push((index, job, answer));
        }
        answers
    }

    /// What a call found out is not asked again, so it is kept until it is written: a minute at most, then the rows
    /// tell that nobody knows.
    async fn settle(
        &self,
        pool: &Pool,
        batch: &[Message<C::Fact>],
        answers: &[(usize, C::Job, C::Answer)],
    ) -> Result<Vec<(usize, Outcome)>, Failure> {
        let mut waits = Waits::new(Duration::from_millis(20), Duration::from_secs(2));
        let held = Stopwatch::start();
        loop {
            match self.try_settle(pool, batch, answers).await {
                Err(Failure::Retry(_) | Failure::Away(_)) if held.elapsed() < KEPT => waits.next().await,
                settled => return settled,
            }
        }
    }

    async fn try_settle(
        &self,
        pool: &Pool,
        batch: &[Message<C::Fact>],
        answers: &[(usize, C::Job, C::Answer)],
    ) -> Result<Vec<(usize, Outcome)>, Failure> {
        let mut client = pool.get().await?;
        let tx = client.transaction().await?;
        let now = begin(&tx).await?;
        let settled = self.0.settle(&tx, &Context { now }, batch, answers).await?;
        tx.commit().await?;
        Ok(settled)
    }
}
