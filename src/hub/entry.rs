//! Entries: the lines of a transcript, written in the transaction that receives the text. The transcript is the
//! record, so nothing has to be saved at the close. `seq` comes from the locked room and is gap-free.

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::Row;

use super::room::Ends;
use super::sql;
use crate::facts::envelope::{Fact, Publication};
use crate::facts::ids::{ContactId, EntryId, FactId, RoomId, Slug, SmsId};
use crate::facts::said::{Author, Direction, EntryAppended};
use crate::failure::Failure;
use crate::media;

/// A line.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where.
    pub room_id: RoomId,
    /// Its number, from 1.
    pub seq: i32,
    /// Its id.
    pub id: EntryId,
    /// The contact that lived in the room then.
    pub contact_id: Option<ContactId>,
    /// Towards us or towards the customer.
    pub direction: Direction,
    /// Who wrote it.
    pub author: Author,
    /// Which agent.
    pub agent: Option<Slug>,
    /// `text`, or `note` (never sent).
    pub kind: &'static str,
    /// What was written.
    pub text: String,
    /// What was mended on the way in, and what the hub noticed: a list of words.
    pub flags: Option<Value>,
    /// Links.
    pub media: Option<Value>,
    /// How many parts it has on the network.
    pub parts: i32,
    /// When the hub recorded it.
    pub at: Timestamp,
    /// When its author says it was written.
    pub written_at: Timestamp,
    /// Outbound sms: its id.
    pub sms_id: Option<SmsId>,
    /// The session's deadline after it.
    pub deadline_at: Option<Timestamp>,
    /// By which fact.
    pub caused_by: FactId,
    /// 0, or more where one fact brought several.
    pub ordinal: i16,
}

/// Writes entries of locked rooms and moves the rooms' numbers behind them, in one statement.
pub async fn append(tx: &Transaction<'_>, entries: &[&Entry]) -> Result<(), Failure> {
    if entries.is_empty() {
        return Ok(());
    }
    let rooms: Vec<RoomId> = entries.iter().map(|e| e.room_id).collect();
    let seqs: Vec<i32> = entries.iter().map(|e| e.seq).collect();
    let ids: Vec<EntryId> = entries.iter().map(|e| e.id).collect();
    let contacts: Vec<Option<ContactId>> = entries.iter().map(|e| e.contact_id).collect();
    let directions: Vec<&str> = entries.iter().map(|e| e.direction.as_str()).collect();
    let authors: Vec<&str> = entries.iter().map(|e| e.author.as_str()).collect();
    let agents: Vec<Option<&Slug>> = entries.iter().map(|e| e.agent.as_ref()).collect();
    let kinds: Vec<&str> = entries.iter().map(|e| e.kind).collect();
    let texts: Vec<&str> = entries.iter().map(|e| e.text.as_str()).collect();
    let flags: Vec<Option<&Value>> = entries.iter().map(|e| e.flags.as_ref()).collect();
    let media: Vec<Option<&Value>> = entries.iter().map(|e| e.media.as_ref()).collect();
    let parts: Vec<i32> = entries.iter().map(|e| e.parts).collect();
    let ats: Vec<Timestamp> = entries.iter().map(|e| e.at).collect();
    let written: Vec<Timestamp> = entries.iter().map(|e| e.written_at).collect();
    let sms: Vec<Option<SmsId>> = entries.iter().map(|e| e.sms_id).collect();
    let deadlines: Vec<Option<Timestamp>> = entries.iter().map(|e| e.deadline_at).collect();
    let causes: Vec<FactId> = entries.iter().map(|e| e.caused_by).collect();
    let ordinals: Vec<i16> = entries.iter().map(|e| e.ordinal).collect();
    sql::touch(
        tx,
        "with lines as (
           insert into entries (room_id, seq, id, contact_id, direction, author, agent, kind, text, flags, media, parts,
                                at, written_at, sms_id, deadline_at, caused_by, ordinal)
           select * from unnest($1::uuid[], $2::int[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[],
             $8::text[], $9::text[], $10::jsonb[], $11::jsonb[], $12::int[], $13::timestamptz[], $14::timestamptz[],
             $15::uuid[], $16::timestamptz[], $17::uuid[], $18::smallint[])
           returning room_id, seq)
         update rooms r set next_seq = n.seq + 1
         from (select room_id, max(seq) as seq from lines group by room_id) n
         where r.id = n.room_id and r.next_seq <= n.seq",
        &[
            &rooms,
            &seqs,
            &ids,
            &contacts,
            &directions,
            &authors,
            &agents,
            &kinds,
            &texts,
            &flags,
            &media,
            &parts,
            &ats,
            &written,
            &sms,
            &deadlines,
            &causes,
            &ordinals,
        ],
    )
    .await?;
    media::keep(tx, entries).await
}

/// The entries that these facts brought, with their rooms' ends: for repeats.
pub async fn of_causes(tx: &Transaction<'_>, causes: &[FactId]) -> Result<Vec<(Entry, Ends)>, Failure> {
    let rows = sql::rows(
        tx,
        "select e.room_id, e.seq, e.id, e.contact_id, e.direction, e.author, e.agent, e.kind, e.text, e.flags, e.media,
                e.parts, e.at, e.written_at, e.sms_id, e.deadline_at, e.caused_by, e.ordinal,
                r.tenant, r.channel, r.our_number, r.our_country, r.customer_number
         from entries e join rooms r on r.id = e.room_id
         where e.caused_by = any($1) order by e.caused_by, e.ordinal",
        &[&causes],
    )
    .await?;
    Ok(rows.iter().map(|row| (from_row(row), Ends::of_row(row, 18))).collect())
}

fn from_row(row: &Row) -> Entry {
    let is_inbound = row.get::<_, &str>(4) == "inbound";
    Entry {
        room_id: row.get(0),
        seq: row.get(1),
        id: row.get(2),
        contact_id: row.get(3),
        direction: if is_inbound { Direction::Inbound } else { Direction::Outbound },
        author: row.get::<_, &str>(5).parse().unwrap_or(Author::Hub),
        agent: row.get(6),
        kind: if row.get::<_, &str>(7) == "note" { "note" } else { "text" },
        text: row.get(8),
        flags: row.get(9),
        media: row.get(10),
        parts: row.get(11),
        at: row.get(12),
        written_at: row.get(13),
        sms_id: row.get(14),
        deadline_at: row.get(15),
        caused_by: row.get(16),
        ordinal: row.get(17),
    }
}

/// The fact that tells of an entry; the same for every repeat.
#[must_use]
pub fn say(entry: &Entry, ends: &Ends) -> Publication {
    let state = match (entry.direction, entry.sms_id) {
        (Direction::Inbound, _) => "received",
        (Direction::Outbound, Some(_)) => "requested",
        (Direction::Outbound, None) => "posted",
    };
    let said = EntryAppended {
        id: entry.caused_by.derive(EntryAppended::NAME, u32::from(entry.ordinal.unsigned_abs())),
        cause_id: entry.caused_by,
        at: entry.at,
        tenant: ends.tenant.clone(),
        room_id: entry.room_id,
        contact_id: entry.contact_id,
        seq: entry.seq,
        entry_id: entry.id,
        sms_id: entry.sms_id,
        direction: entry.direction,
        author: entry.author,
        agent: entry.agent.clone(),
        kind: entry.kind.to_owned(),
        text: entry.text.clone(),
        state: state.to_owned(),
        flags: entry.flags.as_ref().and_then(|flags| serde_json::from_value(flags.clone()).ok()),
        deadline_at: entry.deadline_at,
    };
    Publication::of(&said, ends.scope())
}

/// NUL cannot be stored by Postgres: it becomes U+FFFD, and the entry says so.
#[must_use]
pub fn storable(text: &str) -> (String, Option<Value>) {
    if text.contains('\0') {
        (text.replace('\0', "\u{FFFD}"), Some(serde_json::json!(["nul_replaced"])))
    } else {
        (text.to_owned(), None)
    }
}

/// The flags with one more.
#[must_use]
pub fn flagged(flags: Option<Value>, flag: &str) -> Value {
    let mut all = match flags {
        Some(Value::Array(all)) => all,
        _ => Vec::new(),
    };
    all.push(flag.into());
    Value::Array(all)
}

/// Words that somebody chose, as Postgres can hold them.
#[must_use]
pub fn words(text: &str) -> String {
    storable(text).0
}

/// JSON that somebody chose, as Postgres can hold it: NUL in keys and texts becomes U+FFFD.
#[must_use]
pub fn storable_json(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(words(&text)),
        Value::Array(items) => items.into_iter().map(storable_json).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (words(&name), storable_json(value))).collect(),
        other => other,
    }
}

/// How many parts a text has on the network.
#[must_use]
pub fn parts_of(text: &str) -> i32 {
    i32::try_from(crate::sms::encoding::parts(text).parts.len()).unwrap_or(i32::MAX)
}
