//! Quiet hours and rows: what a text is for, and the decision about it, when it is requested and when it is claimed; both
//! are kept with it. A text held for them is a row with its time, and no predecessor of what may leave before.

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use serde_json::Value;

use super::policy::Policy;
use super::{Decision, HELD, Verdict, decide};
use crate::facts::ids::{FactId, RoomId, Slug, SmsId};
use crate::facts::purpose::Purpose;
use crate::failure::Failure;
use crate::hub::sql;

/// A text that somebody asks to send.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// Whose.
    pub tenant: &'a Slug,
    /// Where, if the room is there already.
    pub room_id: Option<RoomId>,
    /// To which number.
    pub to: &'a str,
    /// What its author says that it is for.
    pub named: Option<Purpose>,
}

/// What was decided of each, in their order; none where its purpose is exempt. A text is for what its author says; else,
/// in a room where the customer wrote, conversational; else for what the room began with, or the tenant's outreach is for.
///
/// # Errors
/// Contention or a database that is away.
pub async fn at_request(
    tx: &Transaction<'_>,
    now: Timestamp,
    asked: &[Asking<'_>],
) -> Result<Vec<Option<Decision>>, Failure> {
    let tenants: Vec<&Slug> = asked.iter().map(|asking| asking.tenant).collect();
    let rooms: Vec<Option<RoomId>> = asked.iter().map(|asking| asking.room_id).collect();
    let rows = sql::rows(
        tx,
        "select q.nr, t.time_zone, t.quiet_hours,
                exists (select 1 from entries e where e.room_id = q.room and e.direction = 'inbound') as is_answer,
                (select s.purpose from sms s where s.room_id = q.room and s.purpose <> 'conversational'
                 order by s.seq limit 1) as begun
         from unnest($1::text[], $2::uuid[]) with ordinality as q (tenant, room, nr) join tenants t on t.id = q.tenant",
        &[&tenants, &rooms],
    )
    .await?;
    let mut decided = vec![None; asked.len()];
    for row in &rows {
        let nth = usize::try_from(row.get::<_, i64>("nr") - 1).unwrap_or(usize::MAX);
        let (Some(asking), Some(place)) = (asked.get(nth), decided.get_mut(nth)) else { continue };
        let policy = Policy::of(row.get("quiet_hours"));
        let begun: Option<&str> = row.get("begun");
        let is_answer: bool = row.get("is_answer");
        let purpose = asking.named.unwrap_or_else(|| match begun.and_then(Purpose::of) {
            _ if is_answer => Purpose::Conversational,
            begun => begun.unwrap_or(policy.outreach),
        });
        let is_plain = purpose == Purpose::Conversational && policy.exempts(purpose);
        *place = (!is_plain).then(|| decide(now, asking.to, purpose, &policy, row.get("time_zone")));
    }
    Ok(decided)
}

/// Keeps decisions with texts just requested; those that may not leave yet are held.
///
/// # Errors
/// Contention or a database that is away.
pub async fn keep(tx: &Transaction<'_>, decided: &[(SmsId, &Decision)]) -> Result<(), Failure> {
    if decided.is_empty() {
        return Ok(());
    }
    let ids: Vec<SmsId> = decided.iter().map(|(id, _)| *id).collect();
    let purposes: Vec<&str> = decided.iter().map(|(_, decision)| decision.purpose.as_str()).collect();
    let until: Vec<Option<Timestamp>> = decided.iter().map(|(_, decision)| decision.until).collect();
    sql::touch(
        tx,
        "update sms s set purpose = d.purpose, quiet_asked = d.decision, not_before = d.until,
                state = case when d.until is null then s.state else 'held' end,
                reason = case when d.until is null then s.reason else $5 end
         from unnest($1::uuid[], $2::text[], $3::jsonb[], $4::timestamptz[]) as d (id, purpose, decision, until)
         where s.id = d.id and s.state = 'requested'",
        &[&ids, &purposes, &documents(decided.iter().map(|(_, decision)| *decision)), &until, &HELD],
    )
    .await?;
    count(until.iter().flatten().count());
    Ok(())
}

/// Until when the texts that these facts requested were held then.
///
/// # Errors
/// Contention or a database that is away.
pub async fn held_at_request(tx: &Transaction<'_>, causes: &[FactId]) -> Result<HashMap<SmsId, Timestamp>, Failure> {
    let rows = sql::rows(
        tx,
        "select id, quiet_asked from sms where caused_by = any($1) and quiet_asked ->> 'verdict' = 'quiet'",
        &[&causes],
    )
    .await?;
    let until = |row: &tokio_postgres::Row| {
        let decision: Decision = serde_json::from_value(row.get("quiet_asked")).ok()?;
        Some((row.get("id"), decision.until?))
    };
    Ok(rows.iter().filter_map(until).collect())
}

/// Decides again of texts about to leave, and keeps it. Those whose purpose is exempt, and confirmations of an opt-out,
/// are missing.
///
/// # Errors
/// Contention or a database that is away.
pub async fn at_claim(
    tx: &Transaction<'_>,
    now: Timestamp,
    ids: &[SmsId],
) -> Result<HashMap<SmsId, Decision>, Failure> {
    let rows = sql::rows(
        tx,
        "select s.id, s.customer_number, s.purpose, t.time_zone, t.quiet_hours
         from sms s join tenants t on t.id = s.tenant
         where s.id = any($1) and not s.is_confirmation and s.state in ('requested', 'held')
           and (s.purpose <> 'conversational'
                or not coalesce(t.quiet_hours -> 'exempt', '[\"conversational\"]') ? 'conversational')",
        &[&ids],
    )
    .await?;
    let mut decided = HashMap::new();
    for row in &rows {
        let purpose = Purpose::of(row.get("purpose")).unwrap_or(Purpose::Promotional);
        let policy = Policy::of(row.get("quiet_hours"));
        let decision = decide(now, row.get("customer_number"), purpose, &policy, row.get("time_zone"));
        decided.insert(row.get("id"), decision);
    }
    if !decided.is_empty() {
        let ids: Vec<SmsId> = decided.keys().copied().collect();
        sql::touch(
            tx,
            "update sms s set quiet_claimed = d.decision
             from unnest($1::uuid[], $2::jsonb[]) as d (id, decision) where s.id = d.id",
            &[&ids, &documents(decided.values())],
        )
        .await?;
    }
    Ok(decided)
}

/// How many texts are held for quiet hours.
///
/// # Errors
/// Contention or a database that is away.
pub async fn held(tx: &Transaction<'_>) -> Result<i64, Failure> {
    let text = "select count(*) from sms where state = 'held' and not_before is not null and reason = $1";
    Ok(sql::row(tx, text, &[&HELD]).await?.map_or(0, |row| row.get(0)))
}

/// Counts texts held for them.
pub fn count(held: usize) {
    metrics::counter!("texthub_quiet_holds_total").increment(held as u64);
}

fn documents<'a>(decisions: impl Iterator<Item = &'a Decision>) -> Vec<Value> {
    decisions.map(|decision| serde_json::to_value(decision).unwrap_or_default()).collect()
}

impl Decision {
    /// A text of this decision never leaves: the word why.
    #[must_use]
    pub fn never(&self) -> Option<&'static str> {
        (self.verdict == Verdict::Never).then_some(super::NEVER)
    }
}
