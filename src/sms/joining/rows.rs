//! The parts' rows: each as it came, when, and whether its octets have gone on. What the collector holds is not kept: it
//! follows from the rows, taken again in their order at their times.

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use serde_json::Value;

use super::{Bounds, Collector, Joined, Key, Piece, Taken};
use crate::facts::ids::{FactId, Slug};
use crate::facts::words::Alphabet;
use crate::failure::Failure;
use crate::hub::sql;

/// A part that has just come.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// Of its fact.
    pub id: FactId,
    /// Whose number it was sent to.
    pub tenant: Slug,
    /// Which part, in which alphabet, with its octets.
    pub piece: Piece<()>,
    /// What its text has beside what was written.
    pub fields: Value,
}

/// What is known of a part's row.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Of its fact.
    pub id: FactId,
    /// What its text has beside what was written.
    pub fields: Value,
    is_given: bool,
}

/// What follows from a look at the parts under one key.
#[derive(Debug)]
pub struct Looked {
    /// Texts to give out, in their order.
    pub given: Vec<Joined<Mark>>,
    /// When those that still wait are to be looked at, where this part began them.
    pub due: Option<Timestamp>,
    /// The part came before.
    pub is_repeat: bool,
}

/// Locks a key, takes the part that came, if one did, and marks what is given out.
pub async fn look(
    tx: &Transaction<'_>,
    now: Timestamp,
    bounds: Bounds,
    key: &Key,
    arrived: Option<Arrived>,
) -> Result<Looked, Failure> {
    let (mut collector, mut given, waiting) = replayed(tx, now, bounds, key).await?;
    let (mut is_repeat, mut due) = (false, None);
    if let Some(arrived) = arrived {
        let Piece { part, encoding, octets, mark: () } = arrived.piece.clone();
        let mark = Mark { id: arrived.id, fields: arrived.fields.clone(), is_given: false };
        let (taken, more) = collector.take(now, key.clone(), Piece { part, encoding, octets, mark });
        is_repeat = taken == Taken::Repeat;
        given.extend(more);
        if !is_repeat {
            insert(tx, now, key, &arrived).await?;
            let is_kept = !given.iter().any(|joined| joined.marks.iter().any(|mark| mark.id == arrived.id));
            // those that waited have their timer, unless they have just gone on
            let begins = is_kept && (waiting == 0 || !given.is_empty());
            due = begins.then(|| now.checked_add(bounds.wait).unwrap_or(Timestamp::MAX));
        }
    } else {
        given.extend(collector.due(now));
    }
    // what the rows gave out then, they give out again now
    given.retain(|joined| joined.marks.iter().any(|mark| !mark.is_given));
    let ids: Vec<FactId> = given.iter().flat_map(|joined| joined.marks.iter().map(|mark| mark.id)).collect();
    if !ids.is_empty() {
        sql::touch(tx, "update inbound_parts set given_at = $2 where id = any($1)", &[&ids, &now]).await?;
    }
    Ok(Looked { given, due, is_repeat })
}

type Replayed = (Collector<Mark>, Vec<Joined<Mark>>, usize);

/// The collector as the rows of a locked key make it, what it gave out on the way, and how many parts wait. Rows that are
/// older than a text's wait and its repeats' count only where they still wait.
async fn replayed(tx: &Transaction<'_>, now: Timestamp, bounds: Bounds, key: &Key) -> Result<Replayed, Failure> {
    let columns: [&(dyn tokio_postgres::types::ToSql + Sync); 6] = [
        &key.connector,
        &key.source,
        &key.destination,
        &i32::from(key.reference),
        &i32::from(key.total),
        &now.checked_sub(bounds.wait.saturating_mul(2)).unwrap_or(Timestamp::MIN),
    ];
    let locks = "select pg_advisory_xact_lock(hashtextextended(concat_ws(' ', 'parts', $1::text, $2::text, $3::text, $4::int, $5::int), 0))";
    let known = "select id, part, alphabet, octets, fields, at, given_at is not null from inbound_parts
         where carrier = $1 and source = $2 and destination = $3 and reference = $4 and total = $5
           and (at > $6 or given_at is null) order by nr";
    sql::touch(tx, locks, &columns[..5]).await?;
    let (mut collector, mut given, mut waiting) = (Collector::new(bounds), Vec::new(), 0);
    for row in sql::rows(tx, known, &columns).await? {
        let mark = Mark { id: row.get(0), fields: row.get(4), is_given: row.get(6) };
        waiting += usize::from(!mark.is_given);
        let (part, alphabet): (i32, &str) = (row.get(1), row.get(2));
        let alphabet = if alphabet == "gsm7" { Alphabet::Gsm7 } else { Alphabet::Ucs2 };
        let part = u8::try_from(part).unwrap_or_default();
        let piece = Piece { part, encoding: alphabet.into(), octets: row.get(3), mark };
        given.extend(collector.take(row.get(5), key.clone(), piece).1);
    }
    Ok((collector, given, waiting))
}

async fn insert(tx: &Transaction<'_>, now: Timestamp, key: &Key, arrived: &Arrived) -> Result<(), Failure> {
    let piece = &arrived.piece;
    let alphabet = match Alphabet::from(piece.encoding) {
        Alphabet::Gsm7 => "gsm7",
        Alphabet::Ucs2 => "ucs2",
    };
    sql::touch(
        tx,
        "insert into inbound_parts (id, tenant, carrier, source, destination, reference, total, part, alphabet, octets,
                                    fields, at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) on conflict (id) do nothing",
        &[
            &arrived.id,
            &arrived.tenant,
            &key.connector,
            &key.source,
            &key.destination,
            &i32::from(key.reference),
            &i32::from(key.total),
            &i32::from(piece.part),
            &alphabet,
            &piece.octets,
            &arrived.fields,
            &now,
        ],
    )
    .await?;
    Ok(())
}

/// A text whose time limit passed unheard.
#[derive(Clone, Debug)]
pub struct Overdue {
    /// Whose.
    pub tenant: Slug,
    /// Of its oldest part.
    pub id: FactId,
    /// Which.
    pub key: Key,
    /// Since when it was due.
    pub due_at: Timestamp,
}

/// Texts in the making that should have been given out `grace` seconds ago; at most so many, by `inbound_parts_waiting`.
pub async fn overdue(
    tx: &Transaction<'_>,
    now: Timestamp,
    bounds: Bounds,
    grace: i64,
    most: i64,
) -> Result<Vec<Overdue>, Failure> {
    let wait = bounds.wait.saturating_add(jiff::SignedDuration::from_secs(grace));
    let before = now.checked_sub(wait).unwrap_or(Timestamp::MIN);
    let rows = sql::rows(
        tx,
        "select distinct on (carrier, source, destination, reference, total)
                tenant, id, carrier, source, destination, reference, total, at
         from (select * from inbound_parts where given_at is null and at < $1 order by at limit $2) p
         order by carrier, source, destination, reference, total, at",
        &[&before, &most],
    )
    .await?;
    let overdue = rows.iter().map(|row| {
        let at: Timestamp = row.get(7);
        Overdue {
            tenant: row.get(0),
            id: row.get(1),
            key: Key {
                connector: row.get(2),
                source: row.get(3),
                destination: row.get(4),
                reference: u16::try_from(row.get::<_, i32>(5)).unwrap_or_default(),
                total: u8::try_from(row.get::<_, i32>(6)).unwrap_or_default(),
            },
            due_at: at.checked_add(bounds.wait).unwrap_or(at),
        }
    });
    Ok(overdue.collect())
}

/// Forgets parts given out so long ago that their repeats are not known any more.
pub async fn forget(tx: &Transaction<'_>, now: Timestamp, bounds: Bounds, most: i64) -> Result<u64, Failure> {
    let before = now.checked_sub(bounds.wait.saturating_mul(3)).unwrap_or(Timestamp::MIN);
    sql::touch(
        tx,
        "delete from inbound_parts where id in
         (select id from inbound_parts where given_at is not null and at < $1 order by at limit $2)",
        &[&before, &most],
    )
    .await
}
