//! Entries of many rooms at once: those after a number, a page before one, and where outbound texts are.

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use serde_json::{Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::desk::shape::{ENTRIES, Entry};
use crate::facts::ids::{RoomId, Slug, SmsId};
use crate::facts::said::{Author, Direction};
use crate::failure::Failure;
use crate::hub::sql;

/// Which entries of a room: those after this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct After {
    /// Where.
    pub room_id: RoomId,
    /// 0: all of it.
    pub seq: i32,
}

/// What an entry is made of; `e` is it.
macro_rules! columns {
    () => {
        "e.room_id, e.seq, e.id, e.author, e.agent, e.kind, e.direction, e.text, e.at,
            coalesce(s.state, case when e.direction = 'inbound' then 'received' else 'posted' end), s.reason,
            coalesce(s.parts, e.parts), s.encoding, e.flags,
            case when e.media is not null then coalesce(
              (select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
                        'id', m.id, 'url', m.url, 'type', m.type, 'state', m.state, 'reason', m.reason,
                        'stored_type', m.stored_type, 'size', m.size)) order by m.nr)
               from media m where m.entry_id = e.id), e.media) end, e.sms_id"
    };
}

/// The statement of [`newest`]: $1 rooms, $2 after which number, $3 how many.
pub const NEWEST: &str = concat!(
    "select ",
    columns!(),
    " from unnest($1::uuid[], $2::int[]) as w (room_id, seq)
     cross join lateral (
       select e.* from entries e where e.room_id = w.room_id and e.seq > w.seq order by e.seq desc limit $3) e
     left join sms s on s.id = e.sms_id
     order by e.room_id, e.seq"
);

const PAGE: &str = concat!(
    "select ",
    columns!(),
    " from (select e.* from entries e where e.room_id = $1 and e.seq < $2 order by e.seq desc limit $3) e
     left join sms s on s.id = e.sms_id
     order by e.seq"
);

/// The newest entries of rooms, at most [`ENTRIES`] of each, in their order. The rooms are the caller's to know.
///
/// # Errors
/// A database that is away.
pub async fn newest(tx: &Transaction<'_>, wanted: &[After]) -> Result<HashMap<RoomId, Vec<Entry>>, Failure> {
    let mut found: HashMap<RoomId, Vec<Entry>> = HashMap::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    let (rooms, seqs): (Vec<RoomId>, Vec<i32>) = wanted.iter().map(|w| (w.room_id, w.seq)).unzip();
    for row in sql::rows(tx, NEWEST, &[&rooms, &seqs, &ENTRIES]).await? {
        found.entry(row.get(0)).or_default().push(from_row(&row));
    }
    Ok(found)
}

/// The entries of a room before a number, the nearest `limit` of them, in their order.
///
/// # Errors
/// A database that is away.
pub async fn page(tx: &Transaction<'_>, room: RoomId, before: i32, limit: i64) -> Result<Vec<Entry>, Failure> {
    Ok(sql::rows(tx, PAGE, &[&room, &before, &limit]).await?.iter().map(from_row).collect())
}

fn from_row(row: &Row) -> Entry {
    Entry {
        seq: row.get(1),
        entry_id: row.get(2),
        author: row.get::<_, &str>(3).parse().unwrap_or(Author::Hub),
        agent: row.get(4),
        kind: row.get(5),
        direction: if row.get::<_, &str>(6) == "inbound" { Direction::Inbound } else { Direction::Outbound },
        text: row.get(7),
        at: row.get(8),
        state: row.get(9),
        reason: row.get(10),
        parts: row.get(11),
        encoding: row.get(12),
        flags: row.get::<_, Option<Value>>(13).unwrap_or_else(|| json!([])),
        media: row.get::<_, Option<Value>>(14).unwrap_or_else(|| json!([])),
        sms_id: row.get(15),
    }
}

/// Where these texts are now: room, entry, state, reason.
///
/// # Errors
/// A database that is away.
pub async fn changed(
    tx: &Transaction<'_>,
    tenant: &Slug,
    texts: &[SmsId],
) -> Result<Vec<(RoomId, Uuid, String, Option<String>)>, Failure> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sql::rows(
        tx,
        "select room_id, entry_id, state, reason from sms where id = any($2) and tenant = $1 order by room_id, seq",
        &[tenant, &texts],
    )
    .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect())
}
