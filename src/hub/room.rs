//! Rooms: where both sides meet. At most one is open for a pair of numbers and a channel; the unique index decides a
//! race. A room is locked before anything in it changes.

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use tokio_postgres::Row;

use super::sql;
use crate::facts::envelope::{Fact, Publication, conversation};
use crate::facts::ids::{FactId, RoomId, Slug};
use crate::facts::said::{Channel, ContactOutcome, RoomClosed, RoomOpened};
use crate::failure::Failure;

/// The two ends of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ends {
    /// Whose.
    pub tenant: Slug,
    /// `sms` or `chat`.
    pub channel: String,
    /// Our number (short code: digits); chat: the point of contact.
    pub our_number: String,
    /// Of a short code: its country, else empty.
    pub our_country: String,
    /// The customer's number; chat: the visitor.
    pub customer_number: String,
}

impl Ends {
    /// The routing key's scope.
    #[must_use]
    pub fn scope(&self) -> String {
        if self.channel == "chat" {
            format!("{}-{}", self.our_number, self.customer_number)
        } else {
            conversation(&self.our_number, &self.our_country, &self.customer_number)
        }
    }

    /// The channel as a word of the contract.
    #[must_use]
    pub fn channel(&self) -> Channel {
        if self.channel == "chat" { Channel::Chat } else { Channel::Sms }
    }

    /// From five columns beginning at `at`: tenant, channel, `our_number`, `our_country`, `customer_number`.
    #[must_use]
    pub fn of_row(row: &Row, at: usize) -> Self {
        Self {
            tenant: row.get(at),
            channel: row.get(at + 1),
            our_number: row.get(at + 2),
            our_country: row.get(at + 3),
            customer_number: row.get(at + 4),
        }
    }
}

/// A room as its row.
#[derive(Clone, Debug)]
pub struct Room {
    /// Its id.
    pub id: RoomId,
    /// Its two ends.
    pub ends: Ends,
    /// Slug of our point of contact.
    pub point_of_contact: Slug,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// How its contact ended.
    pub outcome: Option<String>,
    /// The next entry's number.
    pub next_seq: i32,
    /// Who works it.
    pub agent: Option<Slug>,
    /// The fact that opened it.
    pub caused_by: FactId,
}

const COLUMNS: &str = "r.id, r.tenant, r.channel, r.our_number, r.our_country, r.customer_number, r.point_of_contact,
    r.opened_at, r.closed_at, r.outcome, r.next_seq, r.agent, r.caused_by";

fn from_row(row: &Row) -> Room {
    Room {
        id: row.get(0),
        ends: Ends::of_row(row, 1),
        point_of_contact: row.get(6),
        opened_at: row.get(7),
        closed_at: row.get(8),
        outcome: row.get(9),
        next_seq: row.get(10),
        agent: row.get(11),
        caused_by: row.get(12),
    }
}

/// Locks the open rooms of these ends, in the order of their ids.
pub async fn lock_open(tx: &Transaction<'_>, ends: &[&Ends]) -> Result<Vec<Room>, Failure> {
    let tenants: Vec<&Slug> = ends.iter().map(|e| &e.tenant).collect();
    let channels: Vec<&str> = ends.iter().map(|e| e.channel.as_str()).collect();
    let ours: Vec<&str> = ends.iter().map(|e| e.our_number.as_str()).collect();
    let countries: Vec<&str> = ends.iter().map(|e| e.our_country.as_str()).collect();
    let customers: Vec<&str> = ends.iter().map(|e| e.customer_number.as_str()).collect();
    let sql = format!(
        // the fence of `limit` keeps the search by the unique index of open rooms, once for each pair of ends
        "select {COLUMNS} from rooms r where r.closed_at is null and r.id = any(array(
           select o.id from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
             as e (tenant, channel, our_number, our_country, customer_number)
           cross join lateral (
             select o.id from rooms o where o.tenant = e.tenant and o.channel = e.channel
               and o.our_number = e.our_number and o.our_country = e.our_country
               and o.customer_number = e.customer_number and o.closed_at is null limit 1) o))
         order by r.id for update of r"
    );
    let rows = sql::rows(tx, &sql, &[&tenants, &channels, &ours, &countries, &customers]).await?;
    Ok(rows.iter().map(from_row).collect())
}

/// Locks rooms by id, in the order of their ids.
pub async fn lock(tx: &Transaction<'_>, ids: &[RoomId]) -> Result<Vec<Room>, Failure> {
    let sql = format!("select {COLUMNS} from rooms r where r.id = any($1) order by r.id for update of r");
    Ok(sql::rows(tx, &sql, &[&ids]).await?.iter().map(from_row).collect())
}

/// Rooms without a lock, for publications of repeats.
pub async fn of_ids(tx: &Transaction<'_>, ids: &[RoomId]) -> Result<Vec<Room>, Failure> {
    let sql = format!("select {COLUMNS} from rooms r where r.id = any($1)");
    Ok(sql::rows(tx, &sql, &[&ids]).await?.iter().map(from_row).collect())
}

/// Opens rooms. Somebody who opened one of them meanwhile makes this a `Retry`, which then joins.
pub async fn open(tx: &Transaction<'_>, rooms: &[&Room], traceparents: &[Option<&str>]) -> Result<(), Failure> {
    if rooms.is_empty() {
        return Ok(());
    }
    let ids: Vec<RoomId> = rooms.iter().map(|r| r.id).collect();
    let tenants: Vec<&Slug> = rooms.iter().map(|r| &r.ends.tenant).collect();
    let channels: Vec<&str> = rooms.iter().map(|r| r.ends.channel.as_str()).collect();
    let ours: Vec<&str> = rooms.iter().map(|r| r.ends.our_number.as_str()).collect();
    let countries: Vec<&str> = rooms.iter().map(|r| r.ends.our_country.as_str()).collect();
    let customers: Vec<&str> = rooms.iter().map(|r| r.ends.customer_number.as_str()).collect();
    let points: Vec<&Slug> = rooms.iter().map(|r| &r.point_of_contact).collect();
    let opened: Vec<Timestamp> = rooms.iter().map(|r| r.opened_at).collect();
    let next: Vec<i32> = rooms.iter().map(|r| r.next_seq).collect();
    let agents: Vec<Option<&Slug>> = rooms.iter().map(|r| r.agent.as_ref()).collect();
    let causes: Vec<FactId> = rooms.iter().map(|r| r.caused_by).collect();
    let made = sql::touch(
        tx,
        "insert into rooms (id, tenant, channel, our_number, our_country, customer_number, point_of_contact, opened_at,
                            next_seq, agent, agents, caused_by, traceparent)
         select id, tenant, channel, ours, country, customer, point, opened_at, next_seq, agent,
                case when agent is null then '{}' else array[agent] end, caused_by, traceparent
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                     $8::timestamptz[], $9::int[], $10::text[], $11::uuid[], $12::text[])
           as r (id, tenant, channel, ours, country, customer, point, opened_at, next_seq, agent, caused_by, traceparent)
         order by tenant, ours, country, customer, channel
         on conflict do nothing",
        &[
            &ids, &tenants, &channels, &ours, &countries, &customers, &points, &opened, &next, &agents, &causes,
            &traceparents,
        ],
    )
    .await?;
    if made == rooms.len() as u64 { Ok(()) } else { Err(Failure::Retry("a room was opened meanwhile".into())) }
}

/// Gives locked rooms to agents.
pub async fn assign(tx: &Transaction<'_>, given: &[(RoomId, &Slug)]) -> Result<(), Failure> {
    let (ids, agents): (Vec<RoomId>, Vec<&Slug>) = given.iter().copied().unzip();
    sql::touch(
        tx,
        "update rooms r set agent = g.agent, agents = array_remove(r.agents, g.agent) || g.agent
         from unnest($1::uuid[], $2::text[]) as g (id, agent) where r.id = g.id",
        &[&ids, &agents],
    )
    .await?;
    Ok(())
}

/// Takes locked rooms from their agents: their contacts queue again.
pub async fn unassign(tx: &Transaction<'_>, ids: &[RoomId]) -> Result<(), Failure> {
    sql::touch(tx, "update rooms set agent = null where id = any($1) and closed_at is null", &[&ids]).await?;
    Ok(())
}

/// A room to close.
#[derive(Clone, Debug)]
pub struct Closing {
    /// Which.
    pub id: RoomId,
    /// By which fact.
    pub cause: FactId,
    /// Why.
    pub reason: String,
    /// How its contact ended, where it had one.
    pub outcome: Option<ContactOutcome>,
}

/// Closes locked rooms that are still open.
pub async fn close(tx: &Transaction<'_>, now: Timestamp, closings: &[Closing]) -> Result<(), Failure> {
    if closings.is_empty() {
        return Ok(());
    }
    let ids: Vec<RoomId> = closings.iter().map(|c| c.id).collect();
    let causes: Vec<FactId> = closings.iter().map(|c| c.cause).collect();
    let reasons: Vec<&str> = closings.iter().map(|c| c.reason.as_str()).collect();
    let outcomes: Vec<Option<&str>> = closings.iter().map(|c| c.outcome.map(ContactOutcome::as_str)).collect();
    sql::touch(
        tx,
        "update rooms r set closed_at = $5, closed_by = c.cause, close_reason = c.reason, outcome = c.outcome
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) as c (id, cause, reason, outcome)
         where r.id = c.id and r.closed_at is null",
        &[&ids, &causes, &reasons, &outcomes, &now],
    )
    .await?;
    Ok(())
}

/// The fact that tells of an opened room.
#[must_use]
pub fn say_opened(room: &Room, reason: &str) -> Publication {
    let said = RoomOpened {
        id: room.caused_by.derive(RoomOpened::NAME, 0),
        cause_id: room.caused_by,
        at: room.opened_at,
        tenant: room.ends.tenant.clone(),
        room_id: room.id,
        our_number: room.ends.our_number.clone(),
        customer_number: room.ends.customer_number.clone(),
        channel: room.ends.channel(),
        reason: reason.to_owned(),
    };
    Publication::of(&said, room.ends.scope())
}

/// The fact that tells of a closed room. A room closes once, so the fact's id follows from the room's: one text may close
/// two (a keyword after the deadline ends the old room, and the one it opens closes at once).
#[must_use]
pub fn say_closed(now: Timestamp, cause: FactId, id: RoomId, ends: &Ends, reason: &str) -> Publication {
    let said = RoomClosed {
        id: FactId(id.0).derive(RoomClosed::NAME, 0),
        cause_id: cause,
        at: now,
        tenant: ends.tenant.clone(),
        room_id: id,
        our_number: ends.our_number.clone(),
        customer_number: ends.customer_number.clone(),
        channel: ends.channel(),
        reason: reason.to_owned(),
    };
    Publication::of(&said, ends.scope())
}
