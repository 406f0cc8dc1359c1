//! The audit: every invariant of the hub recounted from rows, never from counters, in one snapshot; and what became of
//! each id that somebody published. What a line names is ids and slugs, never texts or numbers.

mod invariants;
mod slots;

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

pub use invariants::{INVARIANTS, Invariant};

use crate::failure::Failure;
use crate::hub::sql;

/// Most breaches that are named one by one.
const NAMED: i64 = 100;

/// How one invariant stands.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Its number in the design.
    pub number: u8,
    /// A stable word.
    pub invariant: &'static str,
    /// What must hold.
    pub says: &'static str,
    /// Breaches: what is wrong and where; the first hundred.
    pub broken: Vec<String>,
}

/// Checks all of them by the database's clock; to be asked in a repeatable-read transaction.
///
/// # Errors
/// A database that is away.
pub async fn audit(tx: &Transaction<'_>) -> Result<Vec<Finding>, Failure> {
    // whole tables are counted: no limit of time, and plans for the tables as they are
    tx.batch_execute(
        "set local statement_timeout = 0; set local plan_cache_mode = auto; set local enable_seqscan = on;
         set local enable_hashjoin = on; set local enable_mergejoin = on",
    )
    .await?;
    let now: Option<Timestamp> = sql::row(tx, "select now()", &[]).await?.map(|row| row.get(0));
    let mut findings = Vec::with_capacity(INVARIANTS.len());
    for invariant in INVARIANTS {
        let rows = sql::rows(tx, &invariant.statement(), &[&now, &NAMED]).await?;
        findings.push(Finding {
            number: invariant.number,
            invariant: invariant.name,
            says: invariant.says,
            broken: rows.iter().map(|row| row.get(0)).collect(),
        });
    }
    Ok(findings)
}

/// What became of each id, in the order asked: `recorded`, `repeat`, `refused`, `stale`; where no worker has handled it
/// `dead`, `dropped`, or `unknown`: not here, or still in a queue (a replayed letter, too, until its worker has it).
///
/// # Errors
/// A database that is away.
pub async fn fates(tx: &Transaction<'_>, ids: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let asked: Vec<String> = ids.iter().map(|id| id.parse::<Uuid>().map_or(id.clone(), |id| id.to_string())).collect();
    let uuids: Vec<Uuid> = ids.iter().filter_map(|id| id.parse().ok()).collect();
    let mut fates: HashMap<String, String> = HashMap::new();
    let dead = sql::rows(
        tx,
        "select i.asked, case when bool_or(d.dropped_at is null) then 'dead' else 'dropped' end
         from unnest($1::text[], $2::text[]) as i (asked, given)
         join dead_letters d on d.message_id in (i.asked, i.given)
         where d.replayed_at is null or d.dropped_at is not null group by i.asked",
        &[&asked, &ids],
    )
    .await?;
    fates.extend(dead.iter().map(|row| (row.get(0), row.get(1))));
    // several workers may have heard it: what one of them did outweighs that another had nothing to do
    let heard = sql::rows(
        tx,
        "select distinct on (id) id::text, outcome from heard where id = any($1)
         order by id, array_position(array['refused', 'recorded', 'repeat', 'stale'], outcome)",
        &[&uuids],
    )
    .await?;
    fates.extend(heard.iter().map(|row| (row.get(0), row.get(1))));
    let refused = sql::rows(tx, "select refused_id::text from refusals where refused_id = any($1)", &[&uuids]).await?;
    fates.extend(refused.iter().map(|row| (row.get(0), "refused".to_owned())));
    let fate = |id: &String| fates.get(id).cloned().unwrap_or_else(|| "unknown".into());
    Ok(ids.iter().zip(&asked).map(|(given, id)| (given.clone(), fate(id))).collect())
}
