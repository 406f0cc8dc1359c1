//! One message at a time, for rare facts: a loop over the batch in the same transaction, with the memory of what was
//! said for an id. A repeat says the same again, an id used twice is set aside.

use deadpool_postgres::Transaction;

use super::worker::{Context, Outcome, Single, Worker};
use crate::facts::envelope::{Fact, Message};
use crate::facts::ids::Slug;
use crate::facts::said::CommandRefused;
use crate::failure::Failure;
use crate::hub::memory::{self, Seen};

/// A `Single` as a `Worker`.
pub struct Each<S>(pub S);

impl<S: Single> Worker for Each<S> {
    const NAME: &'static str = S::NAME;
    type Fact = S::Fact;

    async fn handle(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        batch: &[Message<S::Fact>],
    ) -> Result<Vec<Outcome>, Failure> {
        let messages: Vec<&Message<S::Fact>> = batch.iter().collect();
        let tenants: Vec<Option<&Slug>> = batch.iter().map(|message| S::tenant(&message.body)).collect();
        let seen = memory::remember(tx, ctx.now, S::NAME, &messages, &tenants).await?;
        let mut outcomes = Vec::with_capacity(batch.len());
        for (message, seen) in batch.iter().zip(seen) {
            outcomes.push(match seen {
                Seen::Reused => Outcome::Reject(memory::reused()),
                Seen::Repeat { said, .. } => Outcome::Done(said.unwrap_or_default()),
                Seen::Fresh => {
                    let outcome = self.0.handle(tx, ctx, message).await?;
                    remember(tx, S::NAME, message, &outcome).await?;
                    outcome
                }
            });
        }
        Ok(outcomes)
    }
}

async fn remember<F: Sync>(
    tx: &Transaction<'_>,
    worker: &str,
    message: &Message<F>,
    outcome: &Outcome,
) -> Result<(), Failure> {
    match outcome {
        // not handled: a later try or a replay must find nothing
        Outcome::Later(..) | Outcome::Reject(_) => memory::forget(tx, worker, &[message.id]).await,
        Outcome::Done(said) => {
            let is_refused = said.iter().any(|p| p.fact == CommandRefused::NAME);
            memory::keep_said(tx, worker, message.id, if is_refused { "refused" } else { "recorded" }, said).await
        }
    }
}
