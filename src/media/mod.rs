//! Media of customers' texts as rows: a link that came with a text is waiting until it is stored, refused or failed. Their
//! contents lie in Postgres, by their SHA-256: processes on many machines share them without a disk of their own, a row
//! and its contents are there together or not at all, and a backup holds both. Nothing here calls anybody.

pub mod kinds;

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::facts::envelope::{Fact, Publication};
use crate::facts::heard::Media;
use crate::facts::ids::{EntryId, FactId, MediaId, RoomId, Slug};
use crate::facts::media::{MediaAsked, MediaSettled, MediaState};
use crate::facts::said::Direction;
use crate::failure::Failure;
use crate::hub::entry::Entry;
use crate::hub::room::Ends;
use crate::hub::sql;

/// Most media of a text that are fetched.
pub const MOST: usize = 10;

/// A medium as its row.
#[derive(Clone, Debug)]
pub struct Medium {
    /// Which.
    pub id: MediaId,
    /// Whose.
    pub tenant: Slug,
    /// Where.
    pub room_id: RoomId,
    /// With which text.
    pub entry_id: EntryId,
    /// Of its links, from 1.
    pub nr: i32,
    /// It may hold a secret: never log it.
    pub url: String,
    /// As the carrier told it.
    pub told: String,
    /// Where it is.
    pub state: MediaState,
    /// Why not.
    pub reason: Option<String>,
    /// Of the contents.
    pub sha256: Option<Vec<u8>>,
    /// In bytes.
    pub size: Option<i64>,
    /// What it is.
    pub stored_type: Option<String>,
    /// When its text was recorded.
    pub at: Timestamp,
    /// Begun so far.
    pub tries: i32,
    /// Being fetched since.
    pub claimed_at: Option<Timestamp>,
    /// When it is tried next.
    pub due_at: Timestamp,
    /// When it was settled.
    pub settled_at: Option<Timestamp>,
    /// By the fact that brought the text.
    pub caused_by: FactId,
    /// The connection of the number that the text came to.
    pub carrier: Option<Slug>,
}

/// What became of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came<'a> {
    /// Contents, and what they are.
    Stored(&'a [u8], &'a str),
    /// Not taken, whatever is tried; why.
    Refused(String),
    /// Not there, or for too long; why.
    Failed(String),
    /// Not yet; why, and when it is tried again.
    Waits(String, Timestamp),
}

/// The links of an entry that are fetched: those of customers.
fn links(entry: &Entry) -> Vec<Media> {
    let is_customers = entry.direction == Direction::Inbound;
    let links = entry.media.as_ref().filter(|_| is_customers).map(|links| serde_json::from_value(links.clone()));
    links.and_then(Result::ok).unwrap_or_default()
}

fn id_of(entry: EntryId, nr: usize) -> MediaId {
    MediaId(Uuid::new_v5(&entry.0, format!("media/{nr}").as_bytes()))
}

/// Writes the media of these entries, whose rooms are there; more than [`MOST`] of one are refused.
pub async fn keep(tx: &Transaction<'_>, entries: &[&Entry]) -> Result<(), Failure> {
    let links: Vec<(&Entry, usize, Media)> = entries
        .iter()
        .flat_map(|entry| links(entry).into_iter().enumerate().map(|(at, media)| (*entry, at + 1, media)))
        .collect();
    if links.is_empty() {
        return Ok(());
    }
    let ids: Vec<MediaId> = links.iter().map(|(entry, nr, _)| id_of(entry.id, *nr)).collect();
    let rooms: Vec<RoomId> = links.iter().map(|(entry, ..)| entry.room_id).collect();
    let of: Vec<EntryId> = links.iter().map(|(entry, ..)| entry.id).collect();
    let nrs: Vec<i32> = links.iter().map(|(_, nr, _)| i32::try_from(*nr).unwrap_or(i32::MAX)).collect();
    let urls: Vec<&str> = links.iter().map(|(.., media)| media.url.as_str()).collect();
    let types: Vec<&str> = links.iter().map(|(.., media)| media.kind.as_str()).collect();
    let ats: Vec<Timestamp> = links.iter().map(|(entry, ..)| entry.at).collect();
    let causes: Vec<FactId> = links.iter().map(|(entry, ..)| entry.caused_by).collect();
    let most = i32::try_from(MOST).unwrap_or(i32::MAX);
    sql::touch(
        tx,
        "insert into media (id, tenant, room_id, entry_id, nr, url, type, state, reason, at, due_at, settled_at, caused_by)
         select m.id, r.tenant, m.room, m.entry, m.nr, m.url, m.type,
                case when m.nr > $9 then 'refused' else 'waiting' end, case when m.nr > $9 then 'too_many' end,
                m.at, m.at, case when m.nr > $9 then m.at end, m.cause
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int[], $5::text[], $6::text[], $7::timestamptz[], $8::uuid[])
           as m (id, room, entry, nr, url, type, at, cause)
         join rooms r on r.id = m.room",
        &[&ids, &rooms, &of, &nrs, &urls, &types, &ats, &causes, &most],
    )
    .await?;
    Ok(())
}

/// The facts that ask for the media of an entry; the same for every repeat.
pub fn asks<'a>(entry: &'a Entry, ends: &'a Ends) -> impl Iterator<Item = Publication> + 'a {
    (1..=links(entry).len().min(MOST)).map(|nr| {
        let id = id_of(entry.id, nr);
        ask(entry.at, entry.caused_by.derive_of(MediaAsked::NAME, id.0), entry.caused_by, id, &ends.tenant)
    })
}

/// The fact that asks for a medium under an id of its own.
#[must_use]
pub fn ask(now: Timestamp, id: FactId, cause_id: FactId, media_id: MediaId, tenant: &Slug) -> Publication {
    let asked = MediaAsked { id, cause_id, at: now, tenant: tenant.clone(), media_id };
    Publication::of(&asked, tenant.as_str())
}

/// The fact that tells what became of a settled medium; the same for every repeat.
#[must_use]
pub fn say(now: Timestamp, medium: &Medium) -> Publication {
    let said = MediaSettled {
        id: FactId(medium.id.0).derive(MediaSettled::NAME, 0),
        cause_id: medium.caused_by,
        at: medium.settled_at.unwrap_or(now),
        tenant: medium.tenant.clone(),
        media_id: medium.id,
        room_id: medium.room_id,
        entry_id: medium.entry_id,
        nr: medium.nr,
        state: medium.state,
        reason: medium.reason.clone(),
        media_type: medium.stored_type.clone(),
        size: medium.size,
        sha256: medium.sha256.as_deref().map(hex),
    };
    Publication::of(&said, medium.tenant.as_str())
}

/// Octets as small letters and digits.
#[must_use]
pub fn hex(octets: &[u8]) -> String {
    octets
        .iter()
        .flat_map(|o| [o >> 4, o & 15])
        .map(|half| char::from(b"0123456789abcdef"[usize::from(half)]))
        .collect()
}

const COLUMNS: &str = "m.id, m.tenant, m.room_id, m.entry_id, m.nr, m.url, m.type, m.state, m.reason, m.sha256, m.size,
    m.stored_type, m.at, m.tries, m.claimed_at, m.due_at, m.settled_at, m.caused_by, p.carrier
  from media m left join rooms r on r.id = m.room_id
  left join points_of_contact p on p.tenant = r.tenant and p.id = r.point_of_contact";

fn from_row(row: &Row) -> Medium {
    Medium {
        id: row.get("id"),
        tenant: row.get("tenant"),
        room_id: row.get("room_id"),
        entry_id: row.get("entry_id"),
        nr: row.get("nr"),
        url: row.get("url"),
        told: row.get("type"),
        state: row.get::<_, &str>("state").parse().unwrap_or(MediaState::Failed),
        reason: row.get("reason"),
        sha256: row.get("sha256"),
        size: row.get("size"),
        stored_type: row.get("stored_type"),
        at: row.get("at"),
        tries: row.get("tries"),
        claimed_at: row.get("claimed_at"),
        due_at: row.get("due_at"),
        settled_at: row.get("settled_at"),
        caused_by: row.get("caused_by"),
        carrier: row.get("carrier"),
    }
}

/// Locks these tenants' media, in the order of their ids.
pub async fn lock(tx: &Transaction<'_>, asked: &[(&Slug, MediaId)]) -> Result<HashMap<MediaId, Medium>, Failure> {
    let (tenants, ids): (Vec<&Slug>, Vec<MediaId>) = asked.iter().copied().unzip();
    let text = format!(
        "select {COLUMNS} where (m.tenant, m.id) in (select * from unnest($1::text[], $2::uuid[]))
         order by m.id for update of m"
    );
    let rows = sql::rows(tx, &text, &[&tenants, &ids]).await?;
    Ok(rows.iter().map(|row| (row.get("id"), from_row(row))).collect())
}

/// Claims locked media that wait.
pub async fn claim(tx: &Transaction<'_>, now: Timestamp, ids: &[MediaId]) -> Result<(), Failure> {
    if !ids.is_empty() {
        let text = "update media set claimed_at = $2, tries = tries + 1 where id = any($1) and state = 'waiting'";
        sql::touch(tx, text, &[&ids, &now]).await?;
    }
    Ok(())
}

/// Writes what became of tries, each once: a medium that is settled stays as it is.
pub async fn settle(tx: &Transaction<'_>, now: Timestamp, came: &[(MediaId, Came<'_>)]) -> Result<(), Failure> {
    for (id, came) in came {
        let (state, reason, due_at) = match came {
            Came::Stored(bytes, name) => {
                store(tx, now, *id, bytes, name).await?;
                continue;
            }
            Came::Refused(why) => (MediaState::Refused, why, None),
            Came::Failed(why) => (MediaState::Failed, why, None),
            Came::Waits(why, due_at) => (MediaState::Waiting, why, Some(*due_at)),
        };
        sql::touch(
            tx,
            "update media set state = $2, reason = $3, claimed_at = null, due_at = coalesce($5::timestamptz, due_at),
                              settled_at = case when $2 <> 'waiting' then $4::timestamptz end
             where id = $1 and state = 'waiting'",
            &[id, &state.as_str(), reason, &now, &due_at],
        )
        .await?;
    }
    Ok(())
}

async fn store(tx: &Transaction<'_>, now: Timestamp, id: MediaId, bytes: &[u8], name: &str) -> Result<(), Failure> {
    let sha256 = Sha256::digest(bytes).to_vec();
    let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    let text = "insert into media_contents (sha256, bytes, at) values ($1, $2, $3) on conflict (sha256) do nothing";
    sql::touch(tx, text, &[&sha256, &bytes, &now]).await?;
    sql::touch(
        tx,
        "update media set state = 'stored', reason = null, sha256 = $2, size = $3, stored_type = $4, claimed_at = null,
                          settled_at = $5
         where id = $1 and state = 'waiting'",
        &[&id, &sha256, &size, &name, &now],
    )
    .await?;
    Ok(())
}

/// Media whose next try should have come by then, the oldest first.
pub async fn overdue(tx: &Transaction<'_>, by: Timestamp, most: i64) -> Result<Vec<(MediaId, Slug)>, Failure> {
    let text = "select id, tenant from media where state = 'waiting' and due_at < $1 order by due_at limit $2";
    let rows = sql::rows(tx, text, &[&by, &most]).await?;
    Ok(rows.iter().map(|row| (row.get("id"), row.get("tenant"))).collect())
}

/// Puts off when these are looked for again.
pub async fn put_off(tx: &Transaction<'_>, now: Timestamp, ids: &[MediaId]) -> Result<(), Failure> {
    if !ids.is_empty() {
        let text = "update media set due_at = $2 where id = any($1) and state = 'waiting'";
        sql::touch(tx, text, &[&ids, &now]).await?;
    }
    Ok(())
}

/// A tenant's media, the newest first, as JSON; of one state, where it is named.
pub async fn newest(
    tx: &Transaction<'_>,
    tenant: &Slug,
    state: Option<MediaState>,
    most: i64,
) -> Result<Vec<Value>, Failure> {
    let text = format!(
        "select {COLUMNS} where m.tenant = $1 and ($2::text is null or m.state = $2) order by m.at desc, m.id limit $3"
    );
    let rows = sql::rows(tx, &text, &[tenant, &state.map(MediaState::as_str), &most]).await?;
    Ok(rows.iter().map(|row| document(&from_row(row))).collect())
}

fn document(medium: &Medium) -> Value {
    serde_json::json!({
        "id": medium.id, "room_id": medium.room_id, "entry_id": medium.entry_id, "nr": medium.nr, "url": medium.url,
        "type": medium.told, "state": medium.state, "reason": medium.reason, "stored_type": medium.stored_type,
        "size": medium.size, "sha256": medium.sha256.as_deref().map(hex), "at": medium.at, "tries": medium.tries,
    })
}

/// The contents of a stored medium, and what they are.
pub async fn contents(tx: &Transaction<'_>, id: MediaId) -> Result<Option<(Vec<u8>, String)>, Failure> {
    let text = "select c.bytes, m.stored_type from media m join media_contents c using (sha256) where m.id = $1";
    Ok(sql::row(tx, text, &[&id]).await?.map(|row| (row.get("bytes"), row.get("stored_type"))))
}
