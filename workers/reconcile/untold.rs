//! The pass of applications: what somebody was to be told long ago, and nobody has tried, is said again. Its message is
//! lost; more than none is an incident.

use std::time::Duration;

use deadpool_postgres::Transaction;
use jiff::SignedDuration;
use texthub::application::calls;
use texthub::facts::envelope::Publication;
use texthub::failure::Failure;
use texthub::runtime::worker::{Context, Pass};

/// After its time, as for every timer.
const GRACE: SignedDuration = SignedDuration::from_mins(5);

/// The pass.
pub struct Untold;

impl Pass for Untold {
    const NAME: &'static str = "untold";
    const EVERY: Duration = Duration::from_secs(30);

    async fn round(&self, tx: &Transaction<'_>, ctx: &Context) -> Result<Vec<Publication>, Failure> {
        let before = ctx.now.checked_sub(GRACE).unwrap_or(ctx.now);
        let late = calls::overdue(tx, ctx.now, before).await?;
        if !late.is_empty() {
            tracing::warn!(fact = "application.due", count = late.len(), "said again by the sweep");
            let count = late.len() as u64;
            metrics::counter!("texthub_sweep_repairs_total", "fact" => "application.due").increment(count);
        }
        Ok(late)
    }
}
