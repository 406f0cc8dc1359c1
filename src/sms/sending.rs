//! Outbound texts as rows on their way to a carrier: read under a lock, and moved along the states by one guarded
//! statement, so that a late or repeated hand never moves one backwards. Calls nobody; receipts are elsewhere.

use std::collections::{HashMap, HashSet};

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use tokio_postgres::Row;

use crate::facts::envelope::{Reason, conversation};
use crate::facts::ids::{EntryId, FactId, RoomId, Slug, SmsId};
use crate::facts::said::{SmsStatus, SubmittedPart};
use crate::failure::Failure;
use crate::hub::sql;
use crate::sms::carrier;
use crate::sms::leaving::Leaving;

/// An outbound text as its row.
#[derive(Clone, Debug)]
pub struct Sms {
    /// Which.
    pub id: SmsId,
    /// Whose.
    pub tenant: Slug,
    /// Where.
    pub room_id: RoomId,
    /// Its line in the transcript.
    pub entry_id: EntryId,
    /// That line's number.
    pub seq: i32,
    /// From which of our numbers.
    pub our_number: String,
    /// Of a short code: its country, else empty.
    pub our_country: String,
    /// To whom.
    pub customer_number: String,
    /// By which connection.
    pub carrier: Slug,
    /// Where it is.
    pub state: SmsStatus,
    /// Why, where it failed, waits or is unknown.
    pub reason: Option<String>,
    /// The one confirmation, which passes the block it just made.
    pub is_confirmation: bool,
    /// When it was claimed last.
    pub claimed_at: Option<Timestamp>,
    /// Since when it is tried; none before the first try and after being held.
    pub tries_since: Option<Timestamp>,
    /// The `sms.requested` under which it was held.
    pub held_by: Option<FactId>,
    /// Not a conversation's: informational or promotional.
    pub is_bulk: bool,
    /// Until when it is held, for quiet hours or its pace.
    pub not_before: Option<Timestamp>,
    /// When the carrier took it.
    pub submitted_at: Option<Timestamp>,
    /// When it reached a final state.
    pub final_at: Option<Timestamp>,
}

impl Sms {
    /// The conversation, as a routing key's scope.
    #[must_use]
    pub fn scope(&self) -> String {
        conversation(&self.our_number, &self.our_country, &self.customer_number)
    }

    fn from_row(row: &Row) -> Result<Self, Failure> {
        let state: &str = row.get("state");
        Ok(Self {
            id: row.get("id"),
            tenant: row.get("tenant"),
            room_id: row.get("room_id"),
            entry_id: row.get("entry_id"),
            seq: row.get("seq"),
            our_number: row.get("our_number"),
            our_country: row.get("our_country"),
            customer_number: row.get("customer_number"),
            carrier: row.get("carrier"),
            state: state.parse().map_err(|error: String| Reason::new("broken_invariant", error))?,
            reason: row.get("reason"),
            is_confirmation: row.get("is_confirmation"),
            claimed_at: row.get("claimed_at"),
            tries_since: row.get("tries_since"),
            held_by: row.get("held_by"),
            is_bulk: row.get("is_bulk"),
            not_before: row.get("not_before"),
            submitted_at: row.get("submitted_at"),
            final_at: row.get("final_at"),
        })
    }
}

/// Texts by id, locked in the order of their ids; what is not there is missing.
///
/// # Errors
/// Contention or a database that is away.
pub async fn lock(tx: &Transaction<'_>, ids: &[SmsId]) -> Result<HashMap<SmsId, Sms>, Failure> {
    let rows = sql::rows(
        tx,
        "select id, tenant, room_id, entry_id, seq, our_number, our_country, customer_number, carrier, state, reason,
                is_confirmation, claimed_at, tries_since, held_by, not_before, submitted_at, final_at,
                purpose <> 'conversational' and not is_confirmation as is_bulk
         from sms where id = any($1) order by id for update",
        &[&ids],
    )
    .await?;
    rows.iter().map(|row| Sms::from_row(row).map(|sms| (sms.id, sms))).collect()
}

/// The texts of these rooms that have not left yet, by room and line; what is held for quiet hours until later is in
/// nobody's way.
///
/// # Errors
/// Contention or a database that is away.
pub async fn unsent(
    tx: &Transaction<'_>,
    now: Timestamp,
    rooms: &[RoomId],
) -> Result<Vec<(RoomId, i32, SmsId)>, Failure> {
    let rows = sql::rows(
        tx,
        "select room_id, seq, id from sms
         where room_id = any($1) and state in ('requested', 'sending', 'held')
           and (not_before is null or not_before <= $2) order by room_id, seq",
        &[&rooms, &now],
    )
    .await?;
    Ok(rows.iter().map(|row| (row.get("room_id"), row.get("seq"), row.get("id"))).collect())
}

/// The parts under their carrier's ids.
///
/// # Errors
/// Contention or a database that is away.
pub async fn parts(tx: &Transaction<'_>, ids: &[SmsId]) -> Result<HashMap<SmsId, Vec<SubmittedPart>>, Failure> {
    let rows = sql::rows(
        tx,
        "select sms_id, part, carrier_sms_id from sms_parts where sms_id = any($1) order by sms_id, part",
        &[&ids],
    )
    .await?;
    let mut parts: HashMap<SmsId, Vec<SubmittedPart>> = HashMap::new();
    for row in rows {
        let part = SubmittedPart { part: row.get("part"), carrier_sms_id: row.get("carrier_sms_id") };
        parts.entry(row.get("sms_id")).or_default().push(part);
    }
    Ok(parts)
}

/// Keeps the parts that a carrier took; those that are there already stay.
///
/// # Errors
/// Contention or a database that is away.
pub async fn add_parts(tx: &Transaction<'_>, taken: &[(SmsId, &Slug, &SubmittedPart)]) -> Result<(), Failure> {
    if taken.is_empty() {
        return Ok(());
    }
    let ids: Vec<SmsId> = taken.iter().map(|(id, ..)| *id).collect();
    let carriers: Vec<&Slug> = taken.iter().map(|(_, carrier, _)| *carrier).collect();
    let parts: Vec<i32> = taken.iter().map(|(.., part)| part.part).collect();
    let carrier_ids: Vec<&str> = taken.iter().map(|(.., part)| part.carrier_sms_id.as_str()).collect();
    sql::touch(
        tx,
        "insert into sms_parts (sms_id, part, carrier, carrier_sms_id, status)
         select sms_id, part, carrier, carrier_sms_id, 'submitted'
         from unnest($1::uuid[], $2::int[], $3::text[], $4::text[]) as p (sms_id, part, carrier, carrier_sms_id)
         on conflict (sms_id, part) do nothing",
        &[&ids, &parts, &carriers, &carrier_ids],
    )
    .await?;
    Ok(())
}

/// A step along the states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which text.
    pub id: SmsId,
    /// To where.
    pub to: SmsStatus,
    /// Why, where it failed, waits or is unknown.
    pub reason: Option<String>,
    /// The `sms.requested` that is being handled.
    pub cause: FactId,
    /// How it leaves, where it is claimed.
    pub leaving: Option<Leaving>,
}

/// Takes the steps that are allowed from where each text is now, and names those that were taken: requested and held
/// lead to sending, failed or held; sending to any answer, or back to requested; unknown gives way to the carrier's word.
///
/// # Errors
/// Contention or a database that is away.
pub async fn advance(tx: &Transaction<'_>, now: Timestamp, steps: &[Step]) -> Result<Vec<SmsId>, Failure> {
    if steps.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<SmsId> = steps.iter().map(|step| step.id).collect();
    let states: Vec<&str> = steps.iter().map(|step| step.to.as_str()).collect();
    let reasons: Vec<Option<&str>> = steps.iter().map(|step| step.reason.as_deref()).collect();
    let causes: Vec<FactId> = steps.iter().map(|step| step.cause).collect();
    let leaving = |step: &Step| step.leaving.clone();
    let sent: Vec<Option<String>> = steps.iter().map(|step| leaving(step)?.sent).collect();
    let encodings: Vec<Option<&str>> = steps.iter().map(|step| Some(leaving(step)?.encoding.as_str())).collect();
    let parts: Vec<Option<i32>> = steps.iter().map(|step| i32::try_from(leaving(step)?.parts).ok()).collect();
    let micros: Vec<Option<i64>> = steps.iter().map(|step| Some(leaving(step)?.price?.micros)).collect();
    let currencies: Vec<Option<String>> = steps.iter().map(|step| Some(leaving(step)?.price?.currency)).collect();
    let rows = sql::rows(
        tx,
        ADVANCE,
        &[&ids, &states, &reasons, &causes, &now, &sent, &encodings, &parts, &micros, &currencies],
    )
    .await?;
    Ok(rows.iter().map(|row| row.get("id")).collect())
}

const ADVANCE: &str = "
    update sms s set
        state        = n.state,
        reason       = n.reason,
        claimed_at   = case when n.state = 'sending' then $5 else s.claimed_at end,
        tries_since  = case when n.state = 'held' then null else coalesce(s.tries_since, $5) end,
        not_before   = null,
        held_by      = case when n.state = 'held' then n.cause else s.held_by end,
        submitted_at = case when n.state = 'submitted' then $5 else s.submitted_at end,
        final_at     = case when n.state = 'failed' then $5 else s.final_at end,
        sent_text    = case when n.state = 'sending' then n.sent else s.sent_text end,
        encoding     = case when n.state = 'sending' then n.encoding else s.encoding end,
        parts        = case when n.state = 'sending' then n.parts else s.parts end,
        price        = case when n.state = 'sending' then n.micros / 1000000::numeric else s.price end,
        currency     = case when n.state = 'sending' then n.currency else s.currency end
    from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $6::text[], $7::text[], $8::int[], $9::bigint[],
                $10::text[]) as n (id, state, reason, cause, sent, encoding, parts, micros, currency)
    where s.id = n.id
      and case s.state
            when 'requested' then n.state in ('sending', 'failed', 'held')
            when 'held' then n.state in ('sending', 'failed', 'held')
            when 'sending' then n.state in ('requested', 'submitted', 'failed', 'held', 'unknown')
            when 'unknown' then n.state in ('submitted', 'failed')
            else false
          end
    returning s.id";

/// Those of these that are tried for longer than their tenant lets texts be tried.
///
/// # Errors
/// Contention or a database that is away.
pub async fn expired(tx: &Transaction<'_>, now: Timestamp, ids: &[SmsId]) -> Result<HashSet<SmsId>, Failure> {
    let rows = sql::rows(
        tx,
        "select s.id from sms s join entries e on e.room_id = s.room_id and e.seq = s.seq join tenants t on t.id = s.tenant
         where s.id = any($1) and s.state in ('requested', 'held') and not s.is_confirmation
           and e.at < $2::timestamptz - make_interval(secs => t.text_validity_s)",
        &[&ids, &now],
    )
    .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// A text to be held until its time: with the `sms.requested` that is being handled, and why.
pub type Hold = (SmsId, FactId, Timestamp, &'static str);

/// Holds texts until their time.
///
/// # Errors
/// Contention or a database that is away.
pub async fn hold(tx: &Transaction<'_>, held: &[Hold]) -> Result<(), Failure> {
    if held.is_empty() {
        return Ok(());
    }
    let ids: Vec<SmsId> = held.iter().map(|(id, ..)| *id).collect();
    let causes: Vec<FactId> = held.iter().map(|(_, cause, ..)| *cause).collect();
    let until: Vec<Timestamp> = held.iter().map(|(_, _, until, _)| *until).collect();
    let why: Vec<&str> = held.iter().map(|(.., why)| *why).collect();
    sql::touch(
        tx,
        "update sms s set state = 'held', reason = h.why, held_by = h.cause, tries_since = null, not_before = h.until
         from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[]) as h (id, cause, until, why)
         where s.id = h.id and s.state in ('requested', 'held')",
        &[&ids, &causes, &until, &why],
    )
    .await?;
    Ok(())
}

/// Texts whose time has come, at most so many of each tenant and one of each in turn; put off by a minute, so that they are
/// asked for once a minute until they were claimed.
///
/// # Errors
/// Contention or a database that is away.
pub async fn release(tx: &Transaction<'_>, now: Timestamp, most: i64) -> Result<Vec<SmsId>, Failure> {
    let rows = sql::rows(
        tx,
        "with due as (
           select d.id, row_number() over (partition by t.id order by d.not_before, d.room_id, d.seq) as rank
           from tenants t cross join lateral (
             select id, not_before, room_id, seq from sms
             where tenant = t.id and state = 'held' and not_before <= $1
               and (requested_at < not_before or requested_at < $1::timestamptz - interval '1 minute')
             order by not_before, room_id, seq limit $2 for update skip locked) d),
         released as (update sms s set requested_at = $1 from due where s.id = due.id returning s.id)
         select id from due order by rank, id",
        &[&now, &most],
    )
    .await?;
    Ok(rows.iter().map(|row| row.get("id")).collect())
}

/// Marks texts that wait for their turn as tried, so that the wait has an end.
///
/// # Errors
/// Contention or a database that is away.
pub async fn begin_tries(tx: &Transaction<'_>, now: Timestamp, ids: &[SmsId]) -> Result<(), Failure> {
    if !ids.is_empty() {
        let text = "update sms set tries_since = $2 where id = any($1) and tries_since is null";
        sql::touch(tx, text, &[&ids, &now]).await?;
    }
    Ok(())
}

/// A carrier's connection as it stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// As its row says.
    pub row: carrier::Row,
    /// Its account was refused, and nobody has resumed it.
    pub is_paused: bool,
}

/// Carriers' connections.
///
/// # Errors
/// Contention or a database that is away.
pub async fn carriers(tx: &Transaction<'_>, ids: &[Slug]) -> Result<HashMap<Slug, Standing>, Failure> {
    let text = "select id, kind, url, settings, paused_at is not null as is_paused from carriers where id = any($1)";
    let rows = sql::rows(tx, text, &[&ids]).await?;
    Ok(rows
        .iter()
        .map(|row| {
            let id: Slug = row.get("id");
            let settings = row.get::<_, serde_json::Value>("settings").as_object().cloned().unwrap_or_default();
            let is_paused = row.get("is_paused");
            let row = carrier::Row { id: id.clone(), kind: row.get("kind"), url: row.get("url"), settings };
            (id, Standing { row, is_paused })
        })
        .collect())
}

/// All connections of a kind.
///
/// # Errors
/// Contention or a database that is away.
pub async fn carriers_of_kind(tx: &Transaction<'_>, kind: &str) -> Result<Vec<carrier::Row>, Failure> {
    let rows =
        sql::rows(tx, "select id, kind, url, settings from carriers where kind = $1 order by id", &[&kind]).await?;
    let of = |row: &Row| carrier::Row {
        id: row.get("id"),
        kind: row.get("kind"),
        url: row.get("url"),
        settings: row.get::<_, serde_json::Value>("settings").as_object().cloned().unwrap_or_default(),
    };
    Ok(rows.iter().map(of).collect())
}

/// Pauses connections whose account was refused, with the carrier's code; one that is paused already stays as it is.
///
/// # Errors
/// Contention or a database that is away.
pub async fn pause(tx: &Transaction<'_>, now: Timestamp, refused: &HashMap<&Slug, &str>) -> Result<(), Failure> {
    if refused.is_empty() {
        return Ok(());
    }
    let (ids, codes): (Vec<&Slug>, Vec<&str>) = refused.iter().map(|(id, code)| (*id, *code)).unzip();
    sql::touch(
        tx,
        "update carriers c set paused_at = $3, paused_why = p.code
         from unnest($1::text[], $2::text[]) as p (id, code) where c.id = p.id and c.paused_at is null",
        &[&ids, &codes, &now],
    )
    .await?;
    Ok(())
}
