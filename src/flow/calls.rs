//! Calls to programs as rows: asked < calling < answered | failed. Claimed before they are made, so that none is made
//! twice; one that was claimed, and whose caller is gone, has failed, since nobody knows what became of it.

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use serde_json::Value;

use super::step::Call;
use crate::facts::ids::{CallId, Slug};
use crate::failure::Failure;
use crate::hub::sql;

/// A call as its row.
#[derive(Clone, Debug)]
pub struct Row {
    /// asked, calling, answered, failed.
    pub state: String,
    /// What is asked; none where the row cannot be read.
    pub request: Option<Call>,
    /// When the flow asked.
    pub asked_at: Timestamp,
    /// When it was claimed.
    pub claimed_at: Option<Timestamp>,
}

/// What a call came to: JSON, or a word why not.
pub type Settled = (CallId, Result<Value, String>);

/// Locks these tenants' calls, in the order of their ids.
pub async fn lock(tx: &Transaction<'_>, asked: &[(&Slug, CallId)]) -> Result<HashMap<CallId, Row>, Failure> {
    let (tenants, ids): (Vec<&Slug>, Vec<CallId>) = asked.iter().copied().unzip();
    let rows = sql::rows(
        tx,
        "select c.id, c.state, c.request, c.asked_at, c.claimed_at from flow_calls c
         where (c.tenant, c.id) in (select * from unnest($1::text[], $2::uuid[])) order by c.id for update of c",
        &[&tenants, &ids],
    )
    .await?;
    let row = |row: &tokio_postgres::Row| Row {
        state: row.get(1),
        request: serde_json::from_value(row.get(2)).ok(),
        asked_at: row.get(3),
        claimed_at: row.get(4),
    };
    Ok(rows.iter().map(|found| (found.get(0), row(found))).collect())
}

/// Claims locked calls that were asked for.
pub async fn claim(tx: &Transaction<'_>, now: Timestamp, ids: &[CallId]) -> Result<(), Failure> {
    if !ids.is_empty() {
        let claim = "update flow_calls set state = 'calling', claimed_at = $2 where id = any($1) and state = 'asked'";
        sql::touch(tx, claim, &[&ids, &now]).await?;
    }
    Ok(())
}

/// Settles locked or claimed calls; one that is settled already stays as it is.
pub async fn settle(tx: &Transaction<'_>, now: Timestamp, settled: &[Settled]) -> Result<(), Failure> {
    if settled.is_empty() {
        return Ok(());
    }
    let ids: Vec<CallId> = settled.iter().map(|(id, _)| *id).collect();
    let answers: Vec<Option<Value>> = settled.iter().map(|(_, answer)| answer.as_ref().ok().cloned()).collect();
    let reasons: Vec<Option<&str>> =
        settled.iter().map(|(_, answer)| answer.as_ref().err().map(String::as_str)).collect();
    sql::touch(
        tx,
        "update flow_calls c set state = case when s.reason is null then 'answered' else 'failed' end, settled_at = $4,
           answer = s.answer, reason = s.reason
         from unnest($1::uuid[], $2::jsonb[], $3::text[]) as s (id, answer, reason)
         where c.id = s.id and c.state in ('asked', 'calling')",
        &[&ids, &answers, &reasons, &now],
    )
    .await?;
    Ok(())
}
