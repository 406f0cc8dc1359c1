//! The queue: waiting contacts of a skill by effective priority, then by their original time of queueing.

use deadpool_postgres::Transaction;
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Row;

use super::choose::Waiting;
use crate::facts::ids::{ContactId, RoomId, Slug};
use crate::failure::Failure;
use crate::hub::room::Ends;
use crate::hub::sql;

/// Seconds in which a contact is not offered again to an agent who refused or missed it.
pub const COOL_DOWN_S: i64 = 30;

/// The worst proficiency there is.
pub const WORST: i32 = 20;

/// A locked waiting contact with what an offer tells of it.
#[derive(Clone, Debug)]
pub struct Next {
    /// As the choice sees it.
    pub waiting: Waiting,
    /// Where.
    pub room_id: RoomId,
    /// Both ends of its room.
    pub ends: Ends,
    /// Since when it waits.
    pub queued_at: Timestamp,
    /// The trace of its room.
    pub traceparent: Option<String>,
    /// Agents who must not get it yet: they refused or missed it, gave it away or did not answer less than the cool-down ago.
    pub cooling: Vec<Slug>,
}

/// The queue of the skill $2 of the tenant $1 at the moment $4: the first $3 of each initial priority, with their effective
/// priority. A contact's priority grows with its wait at one pace for the whole skill, so within one initial priority the
/// order of queueing stands.
macro_rules! first {
    () => {
        "with recursive k as (
       select priority_per_min, priority_max from skills where tenant = $1 and id = $2),
     levels (priority) as (
       (select c.priority from contacts c where c.tenant = $1 and c.skill = $2 and c.state = 'queued'
        order by c.priority desc limit 1)
       union all
       select (select c.priority from contacts c
               where c.tenant = $1 and c.skill = $2 and c.state = 'queued' and c.priority < l.priority
               order by c.priority desc limit 1)
       from levels l where l.priority is not null),
     first as (
       select c.id, c.queued_at,
              least(greatest(k.priority_max, l.priority),
                    l.priority + k.priority_per_min * extract(epoch from $4 - c.queued_at) / 60) as priority
       from levels l cross join k
       cross join lateral (
         select c.id, c.queued_at from contacts c
         where c.tenant = $1 and c.skill = $2 and c.state = 'queued' and c.priority = l.priority
         order by c.queued_at, c.id limit $3) c
       order by 3 desc, 2, 1 limit $3) "
    };
}

/// What is read of a contact of it: $5 begins the cool-down, $6 is the worst proficiency there is.
macro_rules! columns {
    () => {
        "select c.id, c.preferred_agent, c.room_id, c.queued_at, r.tenant, r.channel, r.our_number, r.our_country,
            r.customer_number, r.traceparent,
            array(select o.agent from offers o where o.contact_id = c.id and o.state in ('refused', 'lapsed')
                    and o.settled_at > $5
                  union all
                  select s.agent from sessions s where s.contact_id = c.id
                    and s.end_reason in ('transferred', 'unanswered') and s.ended_at > $5),
            coalesce(c.flow_best, 1), coalesce(c.flow_worst, $6), coalesce(c.flow_hold_until > $4, false) "
    };
}

/// The first waiting contacts: tenant, skill, how many, now, since when cool-downs count, the worst proficiency.
/// The fences of `limit` keep it at the first of each priority, however many wait behind them.
pub const NEXT: &str = concat!(
    first!(),
    columns!(),
    "from first f
     cross join lateral (
       select c.* from contacts c where c.id = f.id limit 1 for update skip locked) c
     join rooms r on r.id = c.room_id
     where c.state = 'queued'
     order by f.priority desc, f.queued_at, f.id"
);

/// The same order without locks, and one contact's place in it.
const PLACE: &str = concat!(
    first!(),
    ", ranked as (
       select f.*, row_number() over (order by f.priority desc, f.queued_at, f.id) as place, count(*) over () as waiting
       from first f) ",
    columns!(),
    ", f.place, f.waiting, f.priority::float8, c.flow_hold_until
     from ranked f join contacts c on c.id = f.id and c.state = 'queued' join rooms r on r.id = c.room_id
     where f.id = $7"
);

/// Locks the first `limit` waiting contacts of a skill, in the order of the queue; those that somebody else is moving are
/// passed over. A contact's priority grows with its wait at one pace for the whole skill, so within one initial priority
/// the order of queueing stands: the first of each are looked at, whatever the length of the queue.
pub async fn next(
    tx: &Transaction<'_>,
    now: Timestamp,
    (tenant, skill): (&Slug, &Slug),
    limit: i64,
) -> Result<Vec<Next>, Failure> {
    let since = now.checked_sub(SignedDuration::from_secs(COOL_DOWN_S)).unwrap_or(now);
    let rows = sql::rows(tx, NEXT, &[tenant, skill, &limit, &now, &since, &WORST]).await?;
    Ok(rows.iter().map(from_row).collect())
}

fn from_row(row: &Row) -> Next {
    Next {
        waiting: Waiting {
            id: row.get(0),
            preferred_agent: row.get(1),
            best: row.get(11),
            worst: row.get(12),
            is_held: row.get(13),
        },
        room_id: row.get(2),
        queued_at: row.get(3),
        ends: Ends::of_row(row, 4),
        traceparent: row.get(9),
        cooling: row.get(10),
    }
}

/// Where a waiting contact stands.
#[derive(Clone, Debug)]
pub struct Place {
    /// As the matcher would read it.
    pub next: Next,
    /// 1: the first.
    pub place: i64,
    /// How many wait for the skill.
    pub waiting: i64,
    /// Its priority now, grown with the wait.
    pub priority: f64,
    /// Until when its flow keeps it for its preferred agent.
    pub hold_until: Option<Timestamp>,
}

/// The place of a waiting contact in the queue of its skill, in the order of [`next`]; locks nothing.
pub async fn place(
    tx: &Transaction<'_>,
    now: Timestamp,
    (tenant, skill): (&Slug, &Slug),
    id: ContactId,
) -> Result<Option<Place>, Failure> {
    let since = now.checked_sub(SignedDuration::from_secs(COOL_DOWN_S)).unwrap_or(now);
    let row = sql::row(tx, PLACE, &[tenant, skill, &i64::MAX, &now, &since, &WORST, &id]).await?;
    Ok(row.map(|row| Place {
        next: from_row(&row),
        place: row.get(14),
        waiting: row.get(15),
        priority: row.get(16),
        hold_until: row.get(17),
    }))
}

/// Of the skills of these agents, those where somebody waits: (tenant, agent, skill).
pub async fn skills_of_agents(
    tx: &Transaction<'_>,
    agents: &[(&Slug, &Slug)],
) -> Result<Vec<(Slug, Slug, Slug)>, Failure> {
    if agents.is_empty() {
        return Ok(Vec::new());
    }
    let (tenants, names): (Vec<&Slug>, Vec<&Slug>) = agents.iter().copied().unzip();
    let rows = sql::rows(
        tx,
        "select s.tenant, s.agent, s.skill
         from unnest($1::text[], $2::text[]) as a (tenant, agent)
         join agent_skills s on s.tenant = a.tenant and s.agent = a.agent
         where exists (select 1 from contacts c where c.tenant = s.tenant and c.skill = s.skill and c.state = 'queued')",
        &[&tenants, &names],
    )
    .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
}

/// The skills of these contacts, where they still wait.
pub async fn skills_of_contacts(
    tx: &Transaction<'_>,
    contacts: &[ContactId],
) -> Result<Vec<(ContactId, Slug, Slug)>, Failure> {
    if contacts.is_empty() {
        return Ok(Vec::new());
    }
    let rows =
        sql::rows(tx, "select id, tenant, skill from contacts where id = any($1) and state = 'queued'", &[&contacts])
            .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
}
