//! What became of commands and offers, as the tables have it: for whoever did not hear it.

use deadpool_postgres::Transaction;
use uuid::Uuid;

use crate::facts::ids::{FactId, OfferId, Slug};
use crate::failure::Failure;
use crate::hub::sql;

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// The hub said no, finally for that id.
    Refused {
        /// The stable word.
        reason: String,
        /// For people.
        sentence: String,
    },
    /// It could not be taken as it is, and lies among the dead letters.
    SetAside(String),
}

/// What became of a command, where the hub has handled it.
///
/// # Errors
/// A database that is away.
pub async fn outcome(tx: &Transaction<'_>, tenant: &Slug, id: FactId) -> Result<Option<Outcome>, Failure> {
    let row = sql::row(
        tx,
        "select 1, reason, sentence from refusals where refused_id = $1 and tenant = $2
         union all select 2, reason, '' from dead_letters where message_id = $3
         union all select 3, '', '' from heard where id = $1 and tenant = $2
         order by 1 limit 1",
        &[&id, tenant, &id.to_string()],
    )
    .await?;
    Ok(row.map(|row| match row.get::<_, i32>(0) {
        1 => Outcome::Refused { reason: row.get(1), sentence: row.get(2) },
        2 => Outcome::SetAside(row.get(1)),
        _ => Outcome::Done,
    }))
}

/// A settled offer: which, how and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Which.
    pub offer_id: Uuid,
    /// accepted, refused, lapsed or rescinded.
    pub outcome: String,
    /// Why.
    pub reason: Option<String>,
}

/// How offers ended, those that did.
///
/// # Errors
/// A database that is away.
pub async fn settled(tx: &Transaction<'_>, tenant: &Slug, offers: &[OfferId]) -> Result<Vec<Settled>, Failure> {
    if offers.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sql::rows(
        tx,
        "select id, state, reason from offers where id = any($2) and tenant = $1 and state <> 'pending'",
        &[tenant, &offers],
    )
    .await?;
    Ok(rows.iter().map(|row| Settled { offer_id: row.get(0), outcome: row.get(1), reason: row.get(2) }).collect())
}

/// Which agents asked for these commands, where the gateway noted it with them.
///
/// # Errors
/// A database that is away.
pub async fn asked_by(tx: &Transaction<'_>, tenant: &Slug, ids: &[FactId]) -> Result<Vec<(FactId, Slug)>, Failure> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sql::rows(
        tx,
        "select id, extra ->> 'asked_by' from heard where id = any($2) and tenant = $1 and extra ? 'asked_by'",
        &[tenant, &ids],
    )
    .await?;
    Ok(rows.iter().filter_map(|row| Some((row.get(0), Slug::new(row.get(1)).ok()?))).collect())
}
