//! Presence: an agent's own state and lease. Becoming unavailable or leaving gives pending offers back at once; a
//! vanished agent's rooms stay for the grace, then queue again with their history. Who is about to leave is offered
//! nothing, and leaves with the last slot; who is unavailable too long is logged out. One timer message counts at a time.

use deadpool_postgres::Transaction;
use jiff::{SignedDuration, Timestamp};

use super::contact::{self, Contact, Requeue, state_of};
use super::offer;
use super::slot::{self, Standing};
use super::sql;
use crate::facts::due::AgentDue;
use crate::facts::envelope::{Fact, Publication};
use crate::facts::heard::AgentState;
use crate::facts::ids::{ContactId, FactId, Slug};
use crate::facts::said::{AgentChanged, OfferOutcome};
use crate::failure::Failure;

/// Missed offers in a row that make an agent unavailable.
pub const MISSES: i32 = 3;
/// The code of an agent who missed that many.
pub const MISSED: &str = "missed_offers";
/// The code of an agent who was unavailable for longer than the code of that allows.
pub const TOO_LONG: &str = "unavailable_too_long";
/// How long a vanished agent's rooms stay.
pub const GRACE_S: i64 = 120;

/// An agent's presence, under its lock.
#[derive(Clone, Debug)]
pub struct Presence {
    /// Now.
    pub state: String,
    /// Why unavailable.
    pub code: Option<Slug>,
    /// Of the newest move.
    pub moved_at: Timestamp,
    /// Silent after this: vanished.
    pub lease_until: Option<Timestamp>,
    /// Which timer counts.
    pub timer_due_at: Option<Timestamp>,
    /// Since when gone with live rooms.
    pub vanished_at: Option<Timestamp>,
    /// Unavailable no longer than this.
    pub unavailable_until: Option<Timestamp>,
    /// What follows when the last slot is freed.
    pub next_state: Option<String>,
    /// And why.
    pub next_code: Option<Slug>,
    /// Slots in use.
    pub slots_used: i32,
    /// Not ended: one that was ended still finishes its contacts, and may only leave.
    pub is_live: bool,
}

/// Locks an agent. The contacts of its pending offers are locked first: agents come last in the order of locks.
pub async fn lock(tx: &Transaction<'_>, tenant: &Slug, agent: &Slug) -> Result<Option<Presence>, Failure> {
    sql::touch(
        tx,
        "select 1 from contacts c
         where c.id in (select o.contact_id from offers o where o.tenant = $1 and o.agent = $2 and o.state = 'pending')
         order by c.id for update of c",
        &[tenant, agent],
    )
    .await?;
    let row = sql::row(
        tx,
        "select state, code, moved_at, lease_until, timer_due_at, vanished_at, ended_at is null, unavailable_until,
                next_state, next_code, slots_used
         from agents
         where tenant = $1 and id = $2 for update",
        &[tenant, agent],
    )
    .await?;
    Ok(row.map(|row| Presence {
        state: row.get(0),
        code: row.get(1),
        moved_at: row.get(2),
        lease_until: row.get(3),
        timer_due_at: row.get(4),
        vanished_at: row.get(5),
        is_live: row.get(6),
        unavailable_until: row.get(7),
        next_state: row.get(8),
        next_code: row.get(9),
        slots_used: row.get(10),
    }))
}

/// A move to another state.
#[derive(Clone, Debug)]
pub struct Move<'a> {
    /// By which fact.
    pub cause: FactId,
    /// Whose.
    pub tenant: &'a Slug,
    /// Who.
    pub agent: &'a Slug,
    /// Where to.
    pub state: AgentState,
    /// Why unavailable.
    pub code: Option<&'a str>,
    /// When; at most now.
    pub moved_at: Timestamp,
    /// A lease that begins with it.
    pub until: Option<Timestamp>,
}

/// Moves a locked agent: state, ready set, pending offers, timer. Says `agent.changed` and what follows.
pub async fn change(tx: &Transaction<'_>, now: Timestamp, moved: &Move<'_>) -> Result<Vec<Publication>, Failure> {
    let is_out = moved.state == AgentState::LoggedOut;
    let unavailable_until = match (moved.state, moved.code) {
        (AgentState::Unavailable, Some(code)) => limit_of(tx, moved.tenant, code).await?.map(|s| plus(now, s)),
        _ => None,
    };
    let due_at = if is_out { Some(plus(now, GRACE_S)) } else { moved.until.into_iter().chain(unavailable_until).min() };
    sql::touch(
        tx,
        "update agents set
           idle_since = case when state <> 'available' and $3 = 'available' then $6 else idle_since end,
           misses = case when $3 = 'available' then 0 else misses end,
           state = $3, code = $4, moved_at = greatest(moved_at, $5), lease_until = $7, timer_due_at = $8,
           vanished_at = case when $3 = 'logged_out' then $6 end, unavailable_until = $9, next_state = null,
           next_code = null
         where tenant = $1 and id = $2",
        &[
            moved.tenant,
            moved.agent,
            &moved.state.as_str(),
            &moved.code,
            &moved.moved_at,
            &now,
            &moved.until.filter(|_| !is_out),
            &due_at,
            &unavailable_until,
        ],
    )
    .await?;
    slot::refresh_ready(tx, moved.tenant, std::slice::from_ref(moved.agent)).await?;
    let mut said = Vec::new();
    if moved.state != AgentState::Available {
        let pending = offer::pending_of_agent(tx, moved.tenant, moved.agent).await?;
        let reason = if is_out { "logged_out" } else { "unavailable" };
        said.extend(contact::give_back(tx, now, moved.cause, OfferOutcome::Rescinded, reason, &pending).await?);
    }
    if let Some(standing) = slot::lock_standing(tx, moved.tenant, moved.agent).await? {
        said.push(say_changed(now, moved.cause, &standing));
    }
    said.extend(due_at.map(|due| say_due(now, moved.cause, moved.tenant, moved.agent, due)));
    Ok(said)
}

/// Seconds after which who is unavailable with a code is logged out; none where the tenant has no such code.
async fn limit_of(tx: &Transaction<'_>, tenant: &Slug, code: &str) -> Result<Option<i64>, Failure> {
    let limit = "select max_s from codes where tenant = $1 and id = $2 and ended_at is null";
    Ok(sql::row(tx, limit, &[tenant, &code]).await?.map(|row| i64::from(row.get::<_, i32>(0))))
}

/// Whether a tenant takes this code: one of its own, or any where it has none.
pub async fn knows_code(tx: &Transaction<'_>, tenant: &Slug, code: &Slug) -> Result<bool, Failure> {
    let known = "select count(*) = 0 or bool_or(id = $2) from codes where tenant = $1 and ended_at is null";
    Ok(sql::row(tx, known, &[tenant, code]).await?.is_none_or(|row| row.get(0)))
}

/// A busy agent is to move when the last slot is freed: nothing is offered from now on, and what was is given back.
pub async fn plan(tx: &Transaction<'_>, now: Timestamp, moved: &Move<'_>) -> Result<Vec<Publication>, Failure> {
    let (tenant, agent) = (moved.tenant, moved.agent);
    let pending = offer::pending_of_agent(tx, tenant, agent).await?;
    let mut said = contact::give_back(tx, now, moved.cause, OfferOutcome::Rescinded, "leaving", &pending).await?;
    let standing = slot::lock_standing(tx, tenant, agent).await?;
    if standing.is_none_or(|standing| standing.slots_used == 0) {
        said.extend(change(tx, now, moved).await?);
        return Ok(said);
    }
    sql::touch(
        tx,
        "update agents set next_state = $3, next_code = $4, moved_at = greatest(moved_at, $5)
         where tenant = $1 and id = $2",
        &[tenant, agent, &moved.state.as_str(), &moved.code, &moved.moved_at],
    )
    .await?;
    slot::refresh_ready(tx, tenant, std::slice::from_ref(agent)).await?;
    let standing = slot::lock_standing(tx, tenant, agent).await?;
    said.extend(standing.iter().map(|standing| say_changed(now, moved.cause, standing)));
    if let Some(until) = moved.until {
        said.extend(seen(tx, now, moved.cause, tenant, std::slice::from_ref(agent), until).await?);
    }
    Ok(said)
}

/// The last slot of an agent who is about to leave is freed: the next state is the state.
pub async fn turn(
    tx: &Transaction<'_>,
    now: Timestamp,
    cause: FactId,
    due: &AgentDue,
    presence: &Presence,
) -> Result<Vec<Publication>, Failure> {
    let Some(state) = presence.next_state.as_deref().map(state_of) else { return Ok(Vec::new()) };
    let code = presence.next_code.as_ref().map(Slug::as_str);
    let (tenant, agent, until) = (&due.tenant, &due.agent, presence.lease_until);
    change(tx, now, &Move { cause, tenant, agent, state, code, moved_at: now, until }).await
}

/// Renews leases of agents who are there: those whose lease had not begun get their timer.
pub async fn seen(
    tx: &Transaction<'_>,
    now: Timestamp,
    cause: FactId,
    tenant: &Slug,
    agents: &[Slug],
    until: Timestamp,
) -> Result<Vec<Publication>, Failure> {
    let begun = sql::rows(
        tx,
        "with locked as (
           select id, timer_due_at is null or lease_until is null and timer_due_at > $3 as begins from agents
           where tenant = $1 and id = any($2) and state <> 'logged_out'
           order by id for update)
         update agents a set lease_until = greatest(a.lease_until, $3),
           timer_due_at = case when l.begins then $3 else a.timer_due_at end
         from locked l where a.tenant = $1 and a.id = l.id
         returning a.id, l.begins",
        &[tenant, &agents, &until],
    )
    .await?;
    let begun = begun.iter().filter(|row| row.get(1));
    Ok(begun
        .enumerate()
        .map(|(nth, row)| say_nth_due(now, cause, nth, tenant, &row.get::<_, Slug>(0), until))
        .collect())
}

/// A timer arrived for a locked agent: the lease is over, or the grace, or it comes early.
pub async fn due(
    tx: &Transaction<'_>,
    now: Timestamp,
    cause: FactId,
    due: &AgentDue,
    presence: &Presence,
) -> Result<Vec<Publication>, Failure> {
    let (tenant, agent) = (&due.tenant, &due.agent);
    let too_long = presence.unavailable_until.filter(|_| presence.state == "unavailable");
    let end = match (presence.vanished_at, presence.lease_until.into_iter().chain(too_long).min()) {
        (Some(since), _) if presence.state == "logged_out" => plus(since, GRACE_S),
        (_, Some(until)) if presence.state != "logged_out" => until,
        _ => {
            set_timer(tx, tenant, agent, None).await?;
            return Ok(Vec::new());
        }
    };
    if now < end {
        set_timer(tx, tenant, agent, Some(end)).await?;
        return Ok(vec![say_due(now, cause, tenant, agent, end)]);
    }
    if presence.state != "logged_out" {
        let state = AgentState::LoggedOut;
        let code = Some(if presence.lease_until == Some(end) { "vanished" } else { TOO_LONG });
        let moved = Move { cause, tenant, agent, state, code, moved_at: end, until: None };
        return change(tx, now, &moved).await;
    }
    let said = requeue_all(tx, now, cause, tenant, agent).await?;
    sql::touch(
        tx,
        "update agents set vanished_at = null, timer_due_at = null where tenant = $1 and id = $2",
        &[tenant, agent],
    )
    .await?;
    Ok(said)
}

async fn set_timer(
    tx: &Transaction<'_>,
    tenant: &Slug,
    agent: &Slug,
    due_at: Option<Timestamp>,
) -> Result<(), Failure> {
    sql::touch(tx, "update agents set timer_due_at = $3 where tenant = $1 and id = $2", &[tenant, agent, &due_at])
        .await?;
    Ok(())
}

/// Active contacts of an agent go back to their place in the queue; rooms stay open, their sessions end until somebody
/// accepts again.
async fn requeue_all(
    tx: &Transaction<'_>,
    now: Timestamp,
    cause: FactId,
    tenant: &Slug,
    agent: &Slug,
) -> Result<Vec<Publication>, Failure> {
    let rows = sql::rows(
        tx,
        "select id from contacts where tenant = $1 and agent = $2 and state = 'active' order by id",
        &[tenant, agent],
    )
    .await?;
    let ids: Vec<ContactId> = rows.iter().map(|row| row.get(0)).collect();
    let contacts: Vec<Contact> = contact::lock_with_rooms(tx, &ids).await?;
    let lost: Vec<Requeue<'_>> = contacts
        .iter()
        .filter(|c| c.state == "active" && c.agent.as_ref() == Some(agent))
        .map(|contact| Requeue { contact, skill: None, preferred: contact.preferred_agent.as_ref() })
        .collect();
    contact::requeue(tx, now, cause, "requeued", &lost).await
}

/// An agent let an offer lapse: the third in a row makes unavailable.
pub async fn missed(
    tx: &Transaction<'_>,
    now: Timestamp,
    cause: FactId,
    tenant: &Slug,
    agent: &Slug,
) -> Result<Vec<Publication>, Failure> {
    let row = sql::row(
        tx,
        "update agents set misses = misses + 1 where tenant = $1 and id = $2 returning misses, state, lease_until",
        &[tenant, agent],
    )
    .await?;
    let Some(row) = row.filter(|row| row.get::<_, i32>(0) >= MISSES && row.get::<_, &str>(1) == "available") else {
        return Ok(Vec::new());
    };
    let (state, until) = (AgentState::Unavailable, row.get(2));
    change(tx, now, &Move { cause, tenant, agent, state, code: Some(MISSED), moved_at: now, until }).await
}

/// An agent accepted: misses begin anew.
pub async fn answered(tx: &Transaction<'_>, tenant: &Slug, agent: &Slug) -> Result<(), Failure> {
    sql::touch(tx, "update agents set misses = 0 where tenant = $1 and id = $2 and misses > 0", &[tenant, agent])
        .await?;
    Ok(())
}

fn plus(at: Timestamp, seconds: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(at)
}

/// The fact that tells how an agent stands.
#[must_use]
pub fn say_changed(now: Timestamp, cause: FactId, standing: &Standing) -> Publication {
    let said = AgentChanged {
        id: cause.derive(AgentChanged::NAME, 0),
        cause_id: cause,
        at: now,
        tenant: standing.tenant.clone(),
        agent: standing.agent.clone(),
        state: state_of(&standing.state),
        next_state: standing.next_state.as_deref().map(state_of),
        code: standing.code.clone(),
        slots_used: standing.slots_used,
        limit: standing.limit,
        sms_used: standing.sms.used,
        sms_limit: standing.sms.limit,
        chat_used: standing.chat.used,
        chat_limit: standing.chat.limit,
    };
    Publication::of(&said, standing.tenant.as_str())
}

fn say_due(now: Timestamp, cause: FactId, tenant: &Slug, agent: &Slug, due_at: Timestamp) -> Publication {
    say_nth_due(now, cause, 0, tenant, agent, due_at)
}

fn say_nth_due(
    now: Timestamp,
    cause: FactId,
    nth: usize,
    tenant: &Slug,
    agent: &Slug,
    due_at: Timestamp,
) -> Publication {
    let due = AgentDue {
        id: cause.derive(AgentDue::NAME, u32::try_from(nth).unwrap_or(u32::MAX)),
        cause_id: cause,
        at: now,
        tenant: tenant.clone(),
        agent: agent.clone(),
        due_at,
    };
    Publication::of(&due, tenant.as_str()).at(due_at)
}
