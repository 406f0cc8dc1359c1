//! The pass of what was held until now, for quiet hours or its pace: requested anew, tenant by tenant. `send_sms` reads
//! consent, hours and paces again when it claims them; this decides nothing.

use std::time::Duration;

use deadpool_postgres::Transaction;
use texthub::facts::envelope::Publication;
use texthub::facts::ids::FactId;
use texthub::failure::Failure;
use texthub::hub::outbound;
use texthub::runtime::clock;
use texthub::runtime::worker::{Context, Pass};
use texthub::sms::quiet::rows;
use texthub::sms::sending;

/// Texts a round of each tenant: at eight o'clock a queue of them leaves at this pace a second, and live conversation
/// beside it.
const PAGE: i64 = 200;

/// The pass.
pub struct Release;

impl Pass for Release {
    const NAME: &'static str = "release";
    const EVERY: Duration = Duration::from_secs(1);

    async fn round(&self, tx: &Transaction<'_>, ctx: &Context) -> Result<Vec<Publication>, Failure> {
        let due = sending::release(tx, ctx.now, PAGE).await?;
        let held = i32::try_from(rows::held(tx).await?).unwrap_or(i32::MAX);
        metrics::gauge!("texthub_quiet_held_texts").set(f64::from(held));
        let texts = outbound::of_ids(tx, &due).await?;
        Ok(texts.iter().map(|text| outbound::say_again(ctx.now, text, FactId(clock::new_id()))).collect())
    }
}
