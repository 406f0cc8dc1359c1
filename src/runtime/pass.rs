//! The loop of a pass: one process at a time, by a transaction-level advisory lock. It commits what postpones its own
//! next look, then says its facts with confirms; what is lost between the two comes with a later round.

use deadpool_postgres::Pool;
use tokio_util::sync::CancellationToken;

use super::batch::begin;
use super::worker::{Context, Pass};
use crate::amqp::Lost;
use crate::amqp::publisher::Publisher;
use crate::facts::envelope::Publication;
use crate::failure::Failure;
use crate::hub::sql;

/// Goes round until stopped.
///
/// # Errors
/// `Lost` where its facts could not be said.
pub async fn run<P: Pass>(pass: &P, pool: &Pool, publisher: &Publisher, stop: &CancellationToken) -> Result<(), Lost> {
    let mut ticks = tokio::time::interval(P::EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
        }
        match round(pass, pool).await {
            Ok(said) if said.is_empty() => {}
            Ok(said) => publisher.say(&said).await?,
            Err(failure) => tracing::warn!(pass = P::NAME, reason = %failure, "a round failed; the next one comes"),
        }
    }
}

async fn round<P: Pass>(pass: &P, pool: &Pool) -> Result<Vec<Publication>, Failure> {
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    let now = begin(&tx).await?;
    let row = sql::row(&tx, "select pg_try_advisory_xact_lock(hashtextextended($1, 7))", &[&P::NAME]).await?;
    if !row.is_some_and(|row| row.get(0)) {
        return Ok(Vec::new());
    }
    let said = pass.round(&tx, &Context { now }).await?;
    tx.commit().await?;
    Ok(said)
}
