//! Flows as rows: versions that never change, the run of each contact, calls to programs, the brake. Every statement names the tenant.

use std::collections::BTreeSet;

use deadpool_postgres::Transaction;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::check::Known;
use super::step::{Call, Phase, Run};
use crate::facts::envelope::Reason;
use crate::facts::ids::{CallId, ContactId, RoomId, Slug};
use crate::failure::Failure;
use crate::hub::contact::Contact;
use crate::hub::sql;
use crate::tenant::reader::{At, Mistake};

/// An hour without an automatic text releases the brake.
const BRAKE_S: i64 = 3_600;

/// A version as it was published.
#[derive(Clone, Debug)]
pub struct Version {
    /// Id of the flow.
    pub id: String,
    /// From 1.
    pub version: i32,
    /// The document.
    pub document: Value,
    /// When.
    pub published_at: Timestamp,
    /// By whom.
    pub published_by: Option<String>,
    /// Contacts that are in it.
    pub living: i64,
}

/// What a tenant has that a flow may name; `None`: there is no such tenant.
pub async fn known(tx: &Transaction<'_>, tenant: &Slug) -> Result<Option<Known>, Failure> {
    let row = sql::row(
        tx,
        "select array(select k.id from skills k where k.tenant = t.id and k.ended_at is null),
                array(select a.id from agents a where a.tenant = t.id and a.ended_at is null),
                array(select f.id from flows f where f.tenant = t.id)
         from tenants t where t.id = $1",
        &[tenant],
    )
    .await?;
    let set =
        |row: &tokio_postgres::Row, at: usize| Some(row.get::<_, Vec<String>>(at).into_iter().collect::<BTreeSet<_>>());
    Ok(row.map(|row| Known { skills: set(&row, 0), agents: set(&row, 1), flows: set(&row, 2) }))
}

/// Writes the next version of a flow; the same document as the newest one is that version.
pub async fn publish(
    tx: &Transaction<'_>,
    now: Timestamp,
    tenant: &Slug,
    id: &Slug,
    document: &Value,
    by: Option<&str>,
) -> Result<i32, Failure> {
    sql::touch(tx, "select pg_advisory_xact_lock(hashtextextended('flow ' || $1 || ' ' || $2, 0))", &[tenant, id])
        .await?;
    let newest = sql::row(
        tx,
        "select v.version, v.document = $3 from flows f
         join flow_versions v on v.tenant = f.tenant and v.id = f.id and v.version = f.newest
         where f.tenant = $1 and f.id = $2",
        &[tenant, id, document],
    )
    .await?;
    let newest = newest.map(|row| (row.get::<_, i32>(0), row.get::<_, bool>(1)));
    let version = match newest {
        Some((version, true)) => return Ok(version),
        Some((version, false)) => version + 1,
        None => 1,
    };
    sql::touch(
        tx,
        "insert into flows (tenant, id, newest) values ($1, $2, $3)
         on conflict (tenant, id) do update set newest = excluded.newest",
        &[tenant, id, &version],
    )
    .await?;
    sql::touch(
        tx,
        "insert into flow_versions (tenant, id, version, document, published_at, published_by)
         values ($1, $2, $3, $4, $5, $6)",
        &[tenant, id, &version, document, &now, &by],
    )
    .await?;
    Ok(version)
}

/// The versions of a tenant's flows, newest first: of one flow, or of all.
pub async fn history(tx: &Transaction<'_>, tenant: &Slug, id: Option<&Slug>) -> Result<Vec<Version>, Failure> {
    let rows = sql::rows(
        tx,
        "select v.id, v.version, v.document, v.published_at, v.published_by,
                (select count(*) from flow_runs r where r.tenant = v.tenant and r.flow = v.id and r.version = v.version
                   and r.ended_at is null)
         from flow_versions v where v.tenant = $1 and ($2::text is null or v.id = $2)
         order by v.id, v.version desc",
        &[tenant, &id],
    )
    .await?;
    Ok(rows
        .iter()
        .map(|row| Version {
            id: row.get(0),
            version: row.get(1),
            document: row.get(2),
            published_at: row.get(3),
            published_by: row.get(4),
            living: row.get(5),
        })
        .collect())
}

/// A version of a flow, or its newest one: the number and the document.
pub async fn version(
    tx: &Transaction<'_>,
    tenant: &Slug,
    id: &str,
    version: Option<i32>,
) -> Result<Option<(i32, Value)>, Failure> {
    let row = sql::row(
        tx,
        "select v.version, v.document from flows f
         join flow_versions v on v.tenant = f.tenant and v.id = f.id and v.version = coalesce($3, f.newest)
         where f.tenant = $1 and f.id = $2",
        &[tenant, &id, &version],
    )
    .await?;
    Ok(row.map(|row| (row.get(0), row.get(1))))
}

/// The number of a flow's newest version.
pub async fn newest(tx: &Transaction<'_>, tenant: &Slug, id: &str) -> Result<Option<i32>, Failure> {
    let row = sql::row(tx, "select newest from flows where tenant = $1 and id = $2", &[tenant, &id]).await?;
    Ok(row.map(|row| row.get(0)))
}

/// Flows that a tenant file names and nobody published.
pub async fn unpublished(
    tx: &Transaction<'_>,
    tenant: &Slug,
    named: impl Iterator<Item = &At<Slug>> + Send,
) -> Result<Vec<Mistake>, Failure> {
    let named: Vec<&At<Slug>> = named.collect();
    let ids: Vec<&Slug> = named.iter().map(|at| &at.value).collect();
    let rows = sql::rows(tx, "select id from flows where tenant = $1 and id = any($2)", &[tenant, &ids]).await?;
    let published: Vec<Slug> = rows.iter().map(|row| row.get(0)).collect();
    Ok(named
        .into_iter()
        .filter(|at| !published.contains(&at.value))
        .map(|at| Mistake {
            line: at.line,
            what: format!("no flow {} is published", at.value),
            instead: format!("texthub flow publish FILE --tenant {tenant} --id {}, or take the line out", at.value),
        })
        .collect())
}

/// A run as its row.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The engine's state.
    pub run: Run,
    /// The armed timer's number; 0: none yet.
    pub generation: i32,
    /// The customer's last text that it heard.
    pub heard_seq: i32,
    /// It goes on.
    pub is_living: bool,
}

/// The run of a locked contact. One that cannot be read is of no flow, and so leads to an agent.
pub async fn run_of(tx: &Transaction<'_>, contact: &Contact) -> Result<Option<Kept>, Failure> {
    let row = sql::row(
        tx,
        "select state, generation, heard_seq, ended_at is null from flow_runs
         where contact_id = $1 and tenant = $2 for update",
        &[&contact.id, &contact.tenant],
    )
    .await?;
    let Some(row) = row else { return Ok(None) };
    let run = serde_json::from_value(row.get(0)).unwrap_or_else(|error| {
        tracing::error!(contact = %contact.id, reason = %error, "the state of a flow cannot be read; its contact is queued");
        Run::default()
    });
    Ok(Some(Kept { run, generation: row.get(1), heard_seq: row.get(2), is_living: row.get(3) }))
}

/// Writes a run; one that is over ends.
pub async fn keep(tx: &Transaction<'_>, now: Timestamp, contact: &Contact, kept: &Kept) -> Result<(), Failure> {
    let run = &kept.run;
    let state = serde_json::to_value(run).map_err(|error| Reason::new("broken_invariant", error.to_string()))?;
    let ended_at = (!kept.is_living).then_some(now);
    let phase = word(run.phase);
    sql::touch(
        tx,
        "insert into flow_runs (contact_id, tenant, room_id, flow, version, node, phase, state, due_at, generation,
                                heard_seq, started_at, ended_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         on conflict (contact_id) do update set flow = excluded.flow, version = excluded.version, node = excluded.node,
           phase = excluded.phase, state = excluded.state, due_at = excluded.due_at, generation = excluded.generation,
           heard_seq = excluded.heard_seq, ended_at = excluded.ended_at",
        &[
            &contact.id,
            &contact.tenant,
            &contact.room_id,
            &run.flow,
            &run.version,
            &run.node,
            &phase,
            &state,
            &run.due_at,
            &kept.generation,
            &kept.heard_seq,
            &now,
            &ended_at,
        ],
    )
    .await?;
    Ok(())
}

fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Going => "going",
        Phase::Asking => "asking",
        Phase::Waiting => "waiting",
        Phase::Calling => "calling",
        Phase::Queued => "queued",
        Phase::Over => "over",
    }
}

/// The customer's texts of a room after one entry, up to another: number and words.
pub async fn texts(tx: &Transaction<'_>, room: RoomId, after: i32, upto: i32) -> Result<Vec<(i32, String)>, Failure> {
    let rows = sql::rows(
        tx,
        "select seq, text from entries where room_id = $1 and seq > $2 and seq <= $3 and author = 'customer' order by seq",
        &[&room, &after, &upto],
    )
    .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Automatic texts in a row to a customer.
pub async fn in_a_row(tx: &Transaction<'_>, now: Timestamp, party: (&Slug, &str, &str)) -> Result<u32, Failure> {
    let since = now.checked_sub(SignedDuration::from_secs(BRAKE_S)).unwrap_or(now);
    let row = sql::row(
        tx,
        "select b.in_a_row from flow_brakes b
         where b.tenant = $1 and b.our_number = $2 and b.customer_number = $3 and b.at > $4
           -- whoever had an agent since is no machine
           and not exists (select 1 from rooms r where r.tenant = b.tenant and r.customer_number = b.customer_number
             and r.our_number = b.our_number and r.closed_at > b.at and r.agent is not null)",
        &[party.0, &party.1, &party.2, &since],
    )
    .await?;
    Ok(row.and_then(|row| u32::try_from(row.get::<_, i32>(0)).ok()).unwrap_or(0))
}

/// Keeps the brake.
pub async fn brake(
    tx: &Transaction<'_>,
    now: Timestamp,
    party: (&Slug, &str, &str),
    in_a_row: u32,
) -> Result<(), Failure> {
    let in_a_row = i32::try_from(in_a_row).unwrap_or(i32::MAX);
    sql::touch(
        tx,
        "insert into flow_brakes (tenant, our_number, customer_number, in_a_row, at) values ($1, $2, $3, $4, $5)
         on conflict (tenant, our_number, customer_number) do update set in_a_row = excluded.in_a_row, at = excluded.at",
        &[party.0, &party.1, &party.2, &in_a_row, &now],
    )
    .await?;
    Ok(())
}

/// Writes an asked call.
pub async fn ask(
    tx: &Transaction<'_>,
    now: Timestamp,
    contact: &Contact,
    id: CallId,
    call: &Call,
) -> Result<(), Failure> {
    let request = serde_json::to_value(call).map_err(|error| Reason::new("broken_invariant", error.to_string()))?;
    let number = i32::try_from(call.number).unwrap_or(i32::MAX);
    sql::touch(
        tx,
        "insert into flow_calls (id, tenant, contact_id, number, request, state, asked_at)
         values ($1, $2, $3, $4, $5, 'asked', $6)",
        &[&id, &contact.tenant, &contact.id, &number, &request, &now],
    )
    .await?;
    Ok(())
}

/// Which settled call of a contact.
#[derive(Clone, Copy, Debug)]
pub enum Settled {
    /// By its id.
    Id(CallId),
    /// By its number in the run.
    Number(u32),
}

/// What a settled call came to: its number, and JSON or a word.
pub async fn answer(
    tx: &Transaction<'_>,
    tenant: &Slug,
    contact: ContactId,
    which: Settled,
) -> Result<Option<(u32, Result<Value, String>)>, Failure> {
    let (id, number) = match which {
        Settled::Id(id) => (Some(id), None),
        Settled::Number(number) => (None, Some(i32::try_from(number).unwrap_or(i32::MAX))),
    };
    let row = sql::row(
        tx,
        "select number, answer, reason from flow_calls
         where tenant = $1 and contact_id = $2 and (id = $3 or number = $4) and state in ('answered', 'failed')",
        &[tenant, &contact, &id, &number],
    )
    .await?;
    Ok(row.map(|row| {
        let number = u32::try_from(row.get::<_, i32>(0)).unwrap_or(0);
        (
            number,
            match row.get::<_, Option<String>>(2) {
                Some(reason) => Err(reason),
                None => Ok(row.get::<_, Option<Value>>(1).unwrap_or_default()),
            },
        )
    }))
}
