//! The loop of a caller: claim in a transaction, call without one, settle in another. Calls of one lane keep their
//! order, lanes go side by side. Claimed and not settled is told from the row when the message comes again.

use std::collections::BTreeMap;

use deadpool_postgres::Pool;
use futures_util::future::join_all;

use super::batch::{Handler, begin};
use super::faults;
use super::worker::{Caller, Claim, Context, Outcome};
use crate::failure::Failure;
use crate::facts::envelope::Message;

/// A `Caller` as a handler.
pub struct Calling<C>(pub C);

impl<C: Caller> Handler for Calling<C> {
    const NAME: &'static str = C::NAME;
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
            for (index, outcome) in self.settle(pool, batch, answers).await? {
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
        for (index, job) in lane {
            let answer = self.0.call(&job).await;
            answers.push((index, job, answer));
        }
        answers
    }

    async fn settle(
        &self,
        pool: &Pool,
        batch: &[Message<C::Fact>],
        answers: Vec<(usize, C::Job, C::Answer)>,
    ) -> Result<Vec<(usize, Outcome)>, Failure> {
        let mut client = pool.get().await?;
        let tx = client.transaction().await?;
        let now = begin(&tx).await?;
        let settled = self.0.settle(&tx, &Context { now }, batch, answers).await?;
        tx.commit().await?;
        Ok(settled)
    }
}
