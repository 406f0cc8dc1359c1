//! Rooms by id and by customer, and who of the agents may read one.

use deadpool_postgres::Transaction;
use tokio_postgres::Row;

use super::entries;
use crate::desk::shape::{ENTRIES, Room};
use crate::facts::ids::{RoomId, Slug};
use crate::facts::said::Channel;
use crate::failure::Failure;
use crate::hub::room::Ends;
use crate::hub::sql;

macro_rules! columns {
    () => {
        "r.id, c.id, r.channel, r.our_number, r.customer_number, r.opened_at, r.closed_at, r.outcome, r.agents,
            c.disposition, r.next_seq - 1"
    };
}

/// A room with its newest entries.
///
/// # Errors
/// A database that is away.
pub async fn room(tx: &Transaction<'_>, tenant: &Slug, id: RoomId) -> Result<Option<Room>, Failure> {
    let found = sql::row(
        tx,
        concat!(
            "select ",
            columns!(),
            " from rooms r
             left join lateral (select c.id, c.disposition from contacts c where c.room_id = r.id
                                order by c.opened_at desc limit 1) c on true
             where r.id = $2 and r.tenant = $1"
        ),
        &[tenant, &id],
    )
    .await?;
    let Some(row) = found else { return Ok(None) };
    let entries = entries::page(tx, id, i32::MAX, ENTRIES).await?;
    let more = entries.first().is_some_and(|entry| entry.seq > 1);
    Ok(Some(Room { entries: Some(entries), more, ..from_row(&row) }))
}

/// The customer's newest closed rooms, without entries.
///
/// # Errors
/// A database that is away.
pub async fn of_customer(tx: &Transaction<'_>, tenant: &Slug, number: &str, limit: i64) -> Result<Vec<Room>, Failure> {
    let rows = sql::rows(
        tx,
        concat!(
            "select ",
            columns!(),
            " from (select r.* from rooms r
                    where r.tenant = $1 and r.customer_number = $2 and r.closed_at is not null
                    order by r.opened_at desc, r.id limit $3) r
             left join lateral (select c.id, c.disposition from contacts c where c.room_id = r.id
                                order by c.opened_at desc limit 1) c on true
             order by r.opened_at desc, r.id"
        ),
        &[tenant, &number, &limit],
    )
    .await?;
    Ok(rows.iter().map(from_row).collect())
}

fn from_row(row: &Row) -> Room {
    Room {
        room_id: row.get(0),
        contact_id: row.get(1),
        channel: row.get::<_, &str>(2).parse().unwrap_or(Channel::Sms),
        our_number: row.get(3),
        customer_number: row.get(4),
        opened_at: row.get(5),
        closed_at: row.get(6),
        outcome: row.get(7),
        agents: row.get(8),
        disposition: row.get(9),
        entries_count: row.get(10),
        entries: None,
        more: row.get::<_, i32>(10) > 0,
    }
}

/// Whether an agent may read a room: one that the agent works or worked, or an earlier one of a customer whose contact the
/// agent has or is offered now.
///
/// # Errors
/// A database that is away.
pub async fn may_read(tx: &Transaction<'_>, tenant: &Slug, agent: &Slug, room: RoomId) -> Result<bool, Failure> {
    let row = sql::row(
        tx,
        "select r.agent = $3 or $3 = any(r.agents) or exists (
                select 1 from contacts c join rooms n on n.id = c.room_id
                where c.tenant = $1 and c.agent = $3 and c.state in ('offered', 'active', 'wrap_up')
                  and n.customer_number = r.customer_number)
              or exists (
                select 1 from offers o join rooms n on n.id = o.room_id
                where o.tenant = $1 and o.agent = $3 and o.state = 'pending' and n.customer_number = r.customer_number)
              or exists (
                select 1 from contacts c join rooms n on n.id = c.room_id
                where c.tenant = $1 and c.state = 'parked' and n.agent = $3 and n.customer_number = r.customer_number)
         from rooms r where r.id = $2 and r.tenant = $1",
        &[tenant, &room, agent],
    )
    .await?;
    Ok(row.is_some_and(|row| row.get::<_, Option<bool>>(0).unwrap_or(false)))
}

/// The scope of a room's facts; none where the tenant has no such room.
///
/// # Errors
/// A database that is away.
pub async fn conversation_of(tx: &Transaction<'_>, tenant: &Slug, room: RoomId) -> Result<Option<String>, Failure> {
    let row = sql::row(
        tx,
        "select tenant, channel, our_number, our_country, customer_number from rooms where id = $2 and tenant = $1",
        &[tenant, &room],
    )
    .await?;
    Ok(row.map(|row| Ends::of_row(&row, 0).scope()))
}
