//! The pass of media: those whose next try should have come and did not are asked for anew. `fetch_media` decides.

use std::time::Duration;

use deadpool_postgres::Transaction;
use jiff::SignedDuration;
use texthub::facts::envelope::Publication;
use texthub::facts::ids::{FactId, MediaId};
use texthub::failure::Failure;
use texthub::media;
use texthub::runtime::clock;
use texthub::runtime::worker::{Context, Pass};

/// How late a try may be before it counts as lost; longer than one takes, and than a broker that was killed needs.
const GRACE: SignedDuration = SignedDuration::from_mins(5);
/// Media a round.
const PAGE: i64 = 100;

/// The pass.
pub struct Media;

impl Pass for Media {
    const NAME: &'static str = "media";
    const EVERY: Duration = Duration::from_secs(30);

    async fn round(&self, tx: &Transaction<'_>, ctx: &Context) -> Result<Vec<Publication>, Failure> {
        let late = media::overdue(tx, ctx.now.checked_sub(GRACE).unwrap_or(ctx.now), PAGE).await?;
        let ids: Vec<MediaId> = late.iter().map(|(id, _)| *id).collect();
        media::put_off(tx, ctx.now, &ids).await?;
        if !late.is_empty() {
            tracing::warn!(fact = "media.asked", count = late.len(), "said again by the sweep");
            metrics::counter!("texthub_sweep_repairs_total", "fact" => "media.asked").increment(late.len() as u64);
        }
        let ask = |(media_id, tenant)| {
            let id = FactId(clock::new_id());
            media::ask(ctx.now, id, id, media_id, &tenant)
        };
        Ok(late.into_iter().map(ask).collect())
    }
}
