//! Texts whose parts did not all come, and whose timer did not either; and parts that nobody needs any more.

use deadpool_postgres::Transaction;
use texthub::facts::due::PartDue;
use texthub::facts::envelope::Publication;
use texthub::facts::ids::{FactId, Slug};
use texthub::failure::Failure;
use texthub::runtime::clock;
use texthub::runtime::worker::Context;
use texthub::sms::joining::Bounds;
use texthub::sms::joining::rows::{self, Overdue};

use super::{LATE_S, PAGE};

/// Asks for them, each under its oldest part's id.
pub(super) async fn late(tx: &Transaction<'_>, ctx: &Context) -> Result<Vec<(String, Publication)>, Failure> {
    rows::forget(tx, ctx.now, Bounds::default(), PAGE).await?;
    let overdue = rows::overdue(tx, ctx.now, Bounds::default(), LATE_S, PAGE).await?;
    Ok(overdue.into_iter().filter_map(|overdue| Some((overdue.id.to_string(), ask(ctx, overdue)?))).collect())
}

fn ask(ctx: &Context, Overdue { tenant, id, key, due_at }: Overdue) -> Option<Publication> {
    let due = PartDue {
        id: FactId(clock::new_id()),
        cause_id: id,
        at: ctx.now,
        carrier: Slug::new(&key.connector).ok()?,
        from: key.source,
        to: key.destination,
        reference: key.reference,
        total: key.total,
        due_at,
        tenant,
    };
    Some(Publication::of(&due, due.tenant.as_str()))
}
