//! Outbound texts as rows: written `requested` in the transaction that read the consent, then said to `send_sms`.

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use serde_json::Value;

use super::room::Ends;
use super::sql;
use crate::facts::envelope::{Fact, Publication};
use crate::facts::ids::{EntryId, FactId, RoomId, Slug, SmsId};
use crate::facts::said::{SmsHeld, SmsRequested};
use crate::failure::Failure;
use crate::sms::quiet;

/// A text that is to leave.
#[derive(Clone, Debug)]
pub struct Outbound {
    /// Its id.
    pub id: SmsId,
    /// Its room.
    pub room_id: RoomId,
    /// Its line in the transcript.
    pub entry_id: EntryId,
    /// That line's number.
    pub seq: i32,
    /// Both ends.
    pub ends: Ends,
    /// By which connection.
    pub carrier: Slug,
    /// What was written.
    pub text: String,
    /// Links to send along.
    pub media: Option<Value>,
    /// The one confirmation of an opt-out, which passes the block it just made.
    pub is_confirmation: bool,
    /// By which fact.
    pub caused_by: FactId,
}

/// Writes texts as requested.
pub async fn request(tx: &Transaction<'_>, now: Timestamp, texts: &[&Outbound]) -> Result<(), Failure> {
    if texts.is_empty() {
        return Ok(());
    }
    let ids: Vec<SmsId> = texts.iter().map(|t| t.id).collect();
    let tenants: Vec<&Slug> = texts.iter().map(|t| &t.ends.tenant).collect();
    let rooms: Vec<RoomId> = texts.iter().map(|t| t.room_id).collect();
    let entries: Vec<EntryId> = texts.iter().map(|t| t.entry_id).collect();
    let seqs: Vec<i32> = texts.iter().map(|t| t.seq).collect();
    let ours: Vec<&str> = texts.iter().map(|t| t.ends.our_number.as_str()).collect();
    let countries: Vec<&str> = texts.iter().map(|t| t.ends.our_country.as_str()).collect();
    let customers: Vec<&str> = texts.iter().map(|t| t.ends.customer_number.as_str()).collect();
    let carriers: Vec<&Slug> = texts.iter().map(|t| &t.carrier).collect();
    let confirmations: Vec<bool> = texts.iter().map(|t| t.is_confirmation).collect();
    let causes: Vec<FactId> = texts.iter().map(|t| t.caused_by).collect();
    sql::touch(
        tx,
        "insert into sms (id, tenant, room_id, entry_id, seq, our_number, our_country, customer_number, carrier, state,
                          is_confirmation, requested_at, caused_by)
         select id, tenant, room, entry, seq, ours, country, customer, carrier, 'requested', confirmation, $12, cause
         from unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::int[], $6::text[], $7::text[], $8::text[],
                     $9::text[], $10::bool[], $11::uuid[])
           as t (id, tenant, room, entry, seq, ours, country, customer, carrier, confirmation, cause)",
        &[
            &ids,
            &tenants,
            &rooms,
            &entries,
            &seqs,
            &ours,
            &countries,
            &customers,
            &carriers,
            &confirmations,
            &causes,
            &now,
        ],
    )
    .await?;
    Ok(())
}

const JOINED: &str = "select s.id, s.room_id, s.entry_id, s.seq, s.carrier, e.text, s.is_confirmation, s.caused_by,
       s.requested_at, r.tenant, r.channel, r.our_number, r.our_country, r.customer_number, e.media
     from sms s join entries e on e.room_id = s.room_id and e.seq = s.seq join rooms r on r.id = s.room_id";

fn from_row(row: &tokio_postgres::Row) -> Outbound {
    Outbound {
        id: row.get(0),
        room_id: row.get(1),
        entry_id: row.get(2),
        seq: row.get(3),
        carrier: row.get(4),
        text: row.get(5),
        is_confirmation: row.get(6),
        caused_by: row.get(7),
        ends: Ends::of_row(row, 9),
        media: row.get("media"),
    }
}

/// The texts that these facts requested, and when: for repeats.
pub async fn of_causes(tx: &Transaction<'_>, causes: &[FactId]) -> Result<Vec<(Outbound, Timestamp)>, Failure> {
    let rows = sql::rows(tx, &format!("{JOINED} where s.caused_by = any($1)"), &[&causes]).await?;
    Ok(rows.iter().map(|row| (from_row(row), row.get(8))).collect())
}

/// Texts by id.
pub async fn of_ids(tx: &Transaction<'_>, ids: &[SmsId]) -> Result<Vec<Outbound>, Failure> {
    let rows = sql::rows(tx, &format!("{JOINED} where s.id = any($1) order by s.room_id, s.seq"), &[&ids]).await?;
    Ok(rows.iter().map(from_row).collect())
}

/// The fact that asks for its sending; the same for every repeat.
#[must_use]
pub fn say(now: Timestamp, text: &Outbound) -> Publication {
    say_again(now, text, text.caused_by)
}

/// The same under another cause: what was held or forgotten is requested anew.
#[must_use]
pub fn say_again(now: Timestamp, text: &Outbound, cause: FactId) -> Publication {
    let said = SmsRequested {
        id: cause.derive(SmsRequested::NAME, 0),
        cause_id: cause,
        at: now,
        tenant: text.ends.tenant.clone(),
        sms_id: text.id,
        room_id: text.room_id,
        entry_id: text.entry_id,
        from: text.ends.our_number.clone(),
        from_country: Some(text.ends.our_country.clone()).filter(|c| !c.is_empty()),
        to: text.ends.customer_number.clone(),
        text: text.text.clone(),
        media: text.media.clone().and_then(|links| serde_json::from_value(links).ok()),
        carrier: text.carrier.clone(),
    };
    Publication::of(&said, text.ends.scope())
}

/// The fact that tells that it is held for quiet hours; the same for every repeat.
#[must_use]
pub fn say_held(now: Timestamp, text: &Outbound, until: Timestamp) -> Publication {
    let said = SmsHeld {
        id: text.caused_by.derive(SmsHeld::NAME, 0),
        cause_id: text.caused_by,
        at: now,
        tenant: text.ends.tenant.clone(),
        sms_id: text.id,
        parts: Vec::new(),
        reason: Some(quiet::HELD.to_owned()),
        until: Some(until),
    };
    Publication::of(&said, text.ends.scope())
}
