//! What was heard before, for workers that handle batches: tells a fresh fact from a repeat and from an id used twice.
//! A row of `heard` is written in the transaction that handles the fact, so it is there exactly when its effects are.

use std::collections::{HashMap, HashSet};

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use serde_json::Value;

use super::entry::storable_json;
use super::sql;
use crate::facts::envelope::{Message, Publication, Reason};
use crate::facts::ids::{FactId, Slug};
use crate::failure::Failure;

/// What a message is.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// Not handled before; its row is written now.
    Fresh,
    /// Handled before, with this outcome; what was said then, where it was kept.
    Repeat {
        /// recorded, refused, repeat.
        outcome: String,
        /// Of a carrier's own repeat: the first one's id.
        first_id: Option<FactId>,
        /// Kept publications.
        said: Option<Vec<Publication>>,
    },
    /// The id came before with other content: to be set aside.
    Reused,
}

/// Why a message with a used id is set aside.
#[must_use]
pub fn reused() -> Reason {
    Reason::new("id_reused", "this id came before with other content; send every fact under an id of its own")
}

/// Writes a row for every message not seen before. `tenants` stand beside the messages, where known. Ids are locked in
/// their order, so a racing copy of the same fact waits here until the first one's transaction is over.
pub async fn remember<F: Sync>(
    tx: &Transaction<'_>,
    now: Timestamp,
    worker: &str,
    messages: &[&Message<F>],
    tenants: &[Option<&Slug>],
) -> Result<Vec<Seen>, Failure> {
    let ids: Vec<FactId> = messages.iter().map(|m| m.id).collect();
    let facts: Vec<&str> = messages.iter().map(|m| m.fact).collect();
    let digests: Vec<&[u8]> = messages.iter().map(|m| m.digest.as_slice()).collect();
    let extras: Vec<Option<Value>> = messages.iter().map(|m| m.extra.clone().map(storable_json)).collect();
    let inserted = sql::rows(
        tx,
        "insert into heard (id, worker, fact, tenant, digest, at, outcome, extra)
         select id, $2, fact, tenant, digest, $7, 'recorded', extra
         from unnest($1::uuid[], $3::text[], $4::text[], $5::bytea[], $6::jsonb[]) as h (id, fact, tenant, digest, extra)
         order by id
         on conflict (id, worker) do nothing
         returning id",
        &[&ids, &worker, &facts, &tenants, &digests, &extras, &now],
    )
    .await?;
    if inserted.len() == messages.len() {
        return Ok(vec![Seen::Fresh; messages.len()]);
    }
    let fresh: HashSet<FactId> = inserted.iter().map(|row| row.get(0)).collect();
    let known = known(tx, worker, &ids).await?;
    Ok(messages
        .iter()
        .map(|message| match known.get(&message.id) {
            _ if fresh.contains(&message.id) => Seen::Fresh,
            Some((digest, seen)) if *digest == message.digest => {
                metrics::counter!("texthub_repeats_total", "fact" => message.fact).increment(1);
                seen.clone()
            }
            _ => Seen::Reused,
        })
        .collect())
}

async fn known(
    tx: &Transaction<'_>,
    worker: &str,
    ids: &[FactId],
) -> Result<HashMap<FactId, (Vec<u8>, Seen)>, Failure> {
    let rows = sql::rows(
        tx,
        "select id, digest, outcome, first_id, said from heard where id = any($1) and worker = $2",
        &[&ids, &worker],
    )
    .await?;
    Ok(rows
        .iter()
        .map(|row| {
            let said = row.get::<_, Option<Value>>(4).and_then(|said| serde_json::from_value(said).ok());
            (row.get(0), (row.get(1), Seen::Repeat { outcome: row.get(2), first_id: row.get(3), said }))
        })
        .collect())
}

/// Keeps what was said for an id, with its outcome: for rare messages whose publications are not derived from rows.
pub async fn keep_said(
    tx: &Transaction<'_>,
    worker: &str,
    id: FactId,
    outcome: &str,
    said: &[Publication],
) -> Result<(), Failure> {
    let said = serde_json::to_value(said).map_err(|error| Reason::new("broken_invariant", error.to_string()))?;
    sql::touch(
        tx,
        "update heard set outcome = $3, said = $4 where id = $1 and worker = $2",
        &[&id, &worker, &outcome, &said],
    )
    .await?;
    Ok(())
}

/// Keeps what was said for each of a batch's ids, with this outcome; none: with the one that it has.
pub async fn keep_all_said(
    tx: &Transaction<'_>,
    worker: &str,
    outcome: Option<&str>,
    kept: &[(FactId, Vec<Publication>)],
) -> Result<(), Failure> {
    if kept.is_empty() {
        return Ok(());
    }
    let ids: Vec<FactId> = kept.iter().map(|(id, _)| *id).collect();
    let said = kept.iter().map(|(_, said)| serde_json::to_value(said)).collect::<Result<Vec<Value>, _>>();
    let said = said.map_err(|error| Reason::new("broken_invariant", error.to_string()))?;
    sql::touch(
        tx,
        "update heard h set said = k.said, outcome = coalesce($4, h.outcome)
         from unnest($1::uuid[], $3::jsonb[]) as k (id, said) where h.id = k.id and h.worker = $2",
        &[&ids, &worker, &said, &outcome],
    )
    .await?;
    Ok(())
}

/// Marks facts as a carrier's own repeats of earlier ones: (repeat, first).
pub async fn mark_repeats(tx: &Transaction<'_>, worker: &str, repeats: &[(FactId, FactId)]) -> Result<(), Failure> {
    let (ids, firsts): (Vec<FactId>, Vec<FactId>) = repeats.iter().copied().unzip();
    sql::touch(
        tx,
        "update heard h set outcome = 'repeat', first_id = r.first_id
         from unnest($1::uuid[], $3::uuid[]) as r (id, first_id) where h.id = r.id and h.worker = $2",
        &[&ids, &worker, &firsts],
    )
    .await?;
    Ok(())
}

/// Forgets facts that are to be set aside after all, so that their replay is no repeat.
pub async fn forget(tx: &Transaction<'_>, worker: &str, ids: &[FactId]) -> Result<(), Failure> {
    sql::touch(tx, "delete from heard where id = any($1) and worker = $2", &[&ids, &worker]).await?;
    Ok(())
}

/// What was kept for these ids.
pub async fn said_of(
    tx: &Transaction<'_>,
    worker: &str,
    ids: &[FactId],
) -> Result<HashMap<FactId, Vec<Publication>>, Failure> {
    let known = known(tx, worker, ids).await?;
    Ok(known
        .into_iter()
        .filter_map(|(id, (_, seen))| match seen {
            Seen::Repeat { said: Some(said), .. } => Some((id, said)),
            _ => None,
        })
        .collect())
}

/// A message whose publications are kept without having been remembered before (timers that did something).
#[derive(Clone, Debug)]
pub struct Kept<'a> {
    /// Of the message.
    pub id: FactId,
    /// Its fact.
    pub fact: &'a str,
    /// Whose.
    pub tenant: &'a Slug,
    /// Of its body.
    pub digest: &'a [u8],
    /// What was said.
    pub said: &'a [Publication],
}

/// Remembers messages together with what they said.
pub async fn keep(tx: &Transaction<'_>, now: Timestamp, worker: &str, kept: &[Kept<'_>]) -> Result<(), Failure> {
    if kept.is_empty() {
        return Ok(());
    }
    let ids: Vec<FactId> = kept.iter().map(|k| k.id).collect();
    let facts: Vec<&str> = kept.iter().map(|k| k.fact).collect();
    let tenants: Vec<&Slug> = kept.iter().map(|k| k.tenant).collect();
    let digests: Vec<&[u8]> = kept.iter().map(|k| k.digest).collect();
    let said: Vec<Value> = kept
        .iter()
        .map(|k| serde_json::to_value(k.said))
        .collect::<Result<_, _>>()
        .map_err(|error| Reason::new("broken_invariant", error.to_string()))?;
    sql::touch(
        tx,
        "insert into heard (id, worker, fact, tenant, digest, at, outcome, said)
         select id, $2, fact, tenant, digest, $7, 'recorded', said
         from unnest($1::uuid[], $3::text[], $4::text[], $5::bytea[], $6::jsonb[]) as h (id, fact, tenant, digest, said)
         order by id
         on conflict (id, worker) do nothing",
        &[&ids, &worker, &facts, &tenants, &digests, &said, &now],
    )
    .await?;
    Ok(())
}
