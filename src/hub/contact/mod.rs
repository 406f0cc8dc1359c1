//! Contacts: units of work to route. prequeue → queued → offered → active → `wrap_up` → closed; also parked. How they
//! end is in `end.rs`, how they come back to the queue in `requeue.rs` (from an offer: in `offer.rs` beside it), how long
//! a customer's text waits for an answer in `answer.rs`, and a contact for an agent in `longest.rs`.

mod answer;
mod end;
mod longest;
mod requeue;

pub use answer::{arm as arm_answers, due as answer_due};
pub use end::{Ending, end, say_freed, state_of};
pub use longest::{give_back, waited};
pub use requeue::{Handed, Requeue, hand_back, requeue, say_moved};

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::session::{self, Session};
use super::slot::Hold;
use super::sql;
use crate::facts::envelope::{Fact, Publication};
use crate::facts::ids::{ContactId, FactId, RoomId, SessionId, Slug};
use crate::facts::said::ContactQueued;
use crate::failure::Failure;

/// A contact that lives in a room (short of wrap-up).
#[derive(Clone, Debug)]
pub struct Contact {
    /// Its id.
    pub id: ContactId,
    /// Whose.
    pub tenant: Slug,
    /// Where.
    pub room_id: RoomId,
    /// `sms` or `chat`.
    pub channel: String,
    /// What is needed.
    pub skill: Slug,
    /// queued, offered, active, …
    pub state: String,
    /// Higher first.
    pub priority: i32,
    /// The original time of queueing.
    pub queued_at: Timestamp,
    /// Whose slot it holds.
    pub agent: Option<Slug>,
    /// Who should have it, if free.
    pub preferred_agent: Option<Slug>,
    /// By which fact.
    pub caused_by: FactId,
    /// Slots that were taken of its agent; of one without an agent it tells nothing.
    pub slots: i32,
}

impl Contact {
    /// What it holds of the agent who has it.
    #[must_use]
    pub fn hold(&self, agent: &Slug) -> Hold {
        let (tenant, agent, channel) = (self.tenant.clone(), agent.clone(), self.channel.clone());
        Hold { tenant, agent, channel, contacts: 1, slots: self.slots }
    }
}

const COLUMNS: &str = "c.id, c.tenant, c.room_id, c.channel, c.skill, c.state, c.priority, c.queued_at, c.agent,
    c.preferred_agent, c.caused_by, c.slots";

fn from_row(row: &tokio_postgres::Row) -> Contact {
    Contact {
        id: row.get(0),
        tenant: row.get(1),
        room_id: row.get(2),
        channel: row.get(3),
        skill: row.get(4),
        state: row.get(5),
        priority: row.get(6),
        queued_at: row.get(7),
        agent: row.get(8),
        preferred_agent: row.get(9),
        caused_by: row.get(10),
        slots: row.get(11),
    }
}

/// Locks the living contacts of locked rooms, and reads their live sessions, which nobody moves without the room's lock.
pub async fn lock_with_sessions(
    tx: &Transaction<'_>,
    rooms: &[RoomId],
) -> Result<Vec<(Contact, Option<Session>)>, Failure> {
    if rooms.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "select {COLUMNS}, {} from contacts c left join sessions s on s.room_id = c.room_id and s.ended_at is null
         where c.room_id = any($1) and c.state in ('prequeue', 'queued', 'offered', 'active', 'parked')
         order by c.id for update of c",
        session::COLUMNS
    );
    let rows = sql::rows(tx, &sql, &[&rooms]).await?;
    Ok(rows
        .iter()
        .map(|row| (from_row(row), row.get::<_, Option<SessionId>>(12).map(|_| session::from_row(row, 12))))
        .collect())
}

/// Locks the living contacts of locked rooms.
pub async fn lock_of_rooms(tx: &Transaction<'_>, rooms: &[RoomId]) -> Result<Vec<Contact>, Failure> {
    if rooms.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "select {COLUMNS} from contacts c
         where c.room_id = any($1) and c.state in ('prequeue', 'queued', 'offered', 'active', 'parked')
         order by c.id for update of c"
    );
    Ok(sql::rows(tx, &sql, &[&rooms]).await?.iter().map(from_row).collect())
}

/// Locks the rooms of contacts, then the contacts: the order in which everybody locks.
pub async fn lock_with_rooms(tx: &Transaction<'_>, ids: &[ContactId]) -> Result<Vec<Contact>, Failure> {
    sql::touch(
        tx,
        "select 1 from rooms r where r.id in (select c.room_id from contacts c where c.id = any($1))
         order by r.id for update of r",
        &[&ids],
    )
    .await?;
    let sql = format!("select {COLUMNS} from contacts c where c.id = any($1) order by c.id for update of c");
    Ok(sql::rows(tx, &sql, &[&ids]).await?.iter().map(from_row).collect())
}

/// The contacts that these facts queued: for repeats.
pub async fn of_causes(tx: &Transaction<'_>, causes: &[FactId]) -> Result<Vec<Contact>, Failure> {
    // what was said then: under the skill that it had
    let columns = COLUMNS.replace("c.skill", "coalesce(c.first_skill, c.skill)");
    let sql = format!("select {columns} from contacts c where c.caused_by = any($1)");
    Ok(sql::rows(tx, &sql, &[&causes]).await?.iter().map(from_row).collect())
}

/// Writes new contacts of locked rooms. One with an agent is active from the start (outreach).
pub async fn add(tx: &Transaction<'_>, now: Timestamp, contacts: &[&Contact]) -> Result<(), Failure> {
    if contacts.is_empty() {
        return Ok(());
    }
    let ids: Vec<ContactId> = contacts.iter().map(|c| c.id).collect();
    let tenants: Vec<&Slug> = contacts.iter().map(|c| &c.tenant).collect();
    let rooms: Vec<RoomId> = contacts.iter().map(|c| c.room_id).collect();
    let channels: Vec<&str> = contacts.iter().map(|c| c.channel.as_str()).collect();
    let skills: Vec<&Slug> = contacts.iter().map(|c| &c.skill).collect();
    let states: Vec<&str> = contacts.iter().map(|c| c.state.as_str()).collect();
    let priorities: Vec<i32> = contacts.iter().map(|c| c.priority).collect();
    let queued: Vec<Timestamp> = contacts.iter().map(|c| c.queued_at).collect();
    let agents: Vec<Option<&Slug>> = contacts.iter().map(|c| c.agent.as_ref()).collect();
    let preferred: Vec<Option<&Slug>> = contacts.iter().map(|c| c.preferred_agent.as_ref()).collect();
    let causes: Vec<FactId> = contacts.iter().map(|c| c.caused_by).collect();
    let slots: Vec<i32> = contacts.iter().map(|c| c.slots).collect();
    sql::touch(
        tx,
        "insert into contacts (id, tenant, room_id, channel, skill, state, priority, queued_at, opened_at, waiting_since,
                               agent, preferred_agent, accepted_at, caused_by, slots)
         select id, tenant, room_id, channel, skill, state, priority, queued_at, $12::timestamptz, queued_at, agent, preferred,
                case when state = 'active' then $12::timestamptz end, caused_by, slots
         from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::int[],
                     $8::timestamptz[], $9::text[], $10::text[], $11::uuid[], $13::int[])
           as c (id, tenant, room_id, channel, skill, state, priority, queued_at, agent, preferred, caused_by, slots)",
        &[
            &ids,
            &tenants,
            &rooms,
            &channels,
            &skills,
            &states,
            &priorities,
            &queued,
            &agents,
            &preferred,
            &causes,
            &now,
            &slots,
        ],
    )
    .await?;
    Ok(())
}

/// Makes a locked contact active with an agent of whom so many slots are reserved for it. Says its timer, where the skill
/// asks for answers in time.
pub async fn activate(
    tx: &Transaction<'_>,
    now: Timestamp,
    cause: FactId,
    id: ContactId,
    agent: &Slug,
    slots: i32,
) -> Result<Vec<Publication>, Failure> {
    sql::touch(
        tx,
        // whoever has it decides from now on: its flow is over
        "with flow as (
           update flow_runs set ended_at = $3, due_at = null, phase = 'over' where contact_id = $1 and ended_at is null)
         update contacts set state = 'active', agent = $2, accepted_at = coalesce(accepted_at, $3), held_since = $3,
           answer_due_at = null, reminded_at = null, slots = $4
         where id = $1",
        &[&id, agent, &now, &slots],
    )
    .await?;
    Ok(arm_answers(tx, now, &[(id, cause)]).await?.into_iter().map(|(_, due)| due).collect())
}

/// Parks a locked active contact whose slot is to be released: its room stays with the agent.
pub async fn park(tx: &Transaction<'_>, id: ContactId) -> Result<(), Failure> {
    let park = "update contacts set state = 'parked', agent = null, held_since = null, answer_due_at = null,
        reminded_at = null where id = $1";
    sql::touch(tx, park, &[&id]).await?;
    Ok(())
}

/// Who answers for a locked contact: whose it is, or who parked it; nobody while it waits or is only offered.
#[must_use]
pub fn holder<'a>(contact: &'a Contact, room_agent: Option<&'a Slug>) -> Option<&'a Slug> {
    match contact.state.as_str() {
        "parked" => room_agent,
        "offered" => None,
        _ => contact.agent.as_ref(),
    }
}

/// The fact that tells of a waiting contact.
#[must_use]
pub fn say_queued(now: Timestamp, contact: &Contact) -> Publication {
    let said = ContactQueued {
        id: contact.caused_by.derive(ContactQueued::NAME, 0),
        cause_id: contact.caused_by,
        at: now,
        tenant: contact.tenant.clone(),
        contact_id: contact.id,
        room_id: contact.room_id,
        skill: contact.skill.clone(),
        priority: contact.priority,
        queued_at: contact.queued_at,
    };
    Publication::of(&said, contact.tenant.as_str())
}
