//! Slots: the one function that takes them, the one that gives them back, and the set of agents that are ready for a
//! skill. `slots_used` is written here alone, under the agent's lock; it never passes the limit at the moment of
//! reservation, whatever is racing. An agent's rows of `ready_agents` are written only by who holds the agent's lock.

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use tokio_postgres::types::ToSql;

use super::sql;
use crate::facts::ids::Slug;
use crate::failure::Failure;

/// An agent as facts tell of one, after a change of slots or state.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Whose.
    pub tenant: Slug,
    /// Who.
    pub agent: Slug,
    /// `logged_out`, `unavailable`, `available`.
    pub state: String,
    /// Why unavailable.
    pub code: Option<Slug>,
    /// What follows when the last slot is freed.
    pub next_state: Option<String>,
    /// Slots in use.
    pub slots_used: i32,
    /// Most of them.
    pub limit: i32,
}

/// What a reservation asks of the agent's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// An offer: only an available agent who is not about to leave.
    Available,
    /// What the agent begins: available or unavailable.
    LoggedIn,
}

/// The answer to one reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reservation {
    /// The slots are taken.
    Reserved,
    /// All slots are in use.
    NoFreeSlot,
    /// The agent's state does not allow it.
    NotThere,
    /// There is no such agent, or it was ended.
    UnknownAgent,
}

/// Takes `n` slots of each (tenant, agent, n): all of the n or none. The only way to a slot, for offers, outreach and
/// every later kind. Answers stand in the order asked; an agent may stand there once.
pub async fn reserve(
    tx: &Transaction<'_>,
    now: Timestamp,
    asks: Asks,
    wanted: &[(Slug, Slug, i32)],
) -> Result<Vec<Reservation>, Failure> {
    let tenants: Vec<&Slug> = wanted.iter().map(|w| &w.0).collect();
    let agents: Vec<&Slug> = wanted.iter().map(|w| &w.1).collect();
    let counts: Vec<i32> = wanted.iter().map(|w| w.2).collect();
    let both: [&(dyn ToSql + Sync); 2] = [&tenants, &agents];
    let asks_logged_in = asks == Asks::LoggedIn;
    let taking: [&(dyn ToSql + Sync); 5] = [&tenants, &agents, &counts, &now, &asks_logged_in];
    let answers = sql::together(tx, [(LOCK, &both), (RESERVE, &taking), (REFRESH, &both)]).await?;
    let reserved = answers.get(1).map(Vec::as_slice).unwrap_or_default();
    let taken: Vec<(Slug, Slug)> = reserved.iter().map(|row| (row.get(0), row.get(1))).collect();
    let mut answers = Vec::with_capacity(wanted.len());
    for (tenant, agent, _) in wanted {
        answers.push(if taken.iter().any(|(t, a)| t == tenant && a == agent) {
            Reservation::Reserved
        } else {
            why_not(tx, asks, tenant, agent).await?
        });
    }
    Ok(answers)
}

async fn why_not(tx: &Transaction<'_>, asks: Asks, tenant: &Slug, agent: &Slug) -> Result<Reservation, Failure> {
    let row = sql::row(
        tx,
        "select state, ended_at is null, next_state is null from agents where tenant = $1 and id = $2",
        &[tenant, agent],
    )
    .await?;
    let Some(row) = row.filter(|row| row.get(1)) else { return Ok(Reservation::UnknownAgent) };
    let state: &str = row.get(0);
    let is_there = match asks {
        Asks::Available => state == "available" && row.get(2),
        Asks::LoggedIn => state == "available" || state == "unavailable",
    };
    Ok(if is_there { Reservation::NoFreeSlot } else { Reservation::NotThere })
}

/// Gives slots back: one for each (tenant, agent) named, which may stand there more than once. The caller has just
/// won the compare-and-set of what held them. Says how each agent stands now, one row an agent.
pub async fn release(tx: &Transaction<'_>, freed: &[(Slug, Slug)]) -> Result<Vec<Standing>, Failure> {
    if freed.is_empty() {
        return Ok(Vec::new());
    }
    let tenants: Vec<&Slug> = freed.iter().map(|f| &f.0).collect();
    let agents: Vec<&Slug> = freed.iter().map(|f| &f.1).collect();
    let both: [&(dyn ToSql + Sync); 2] = [&tenants, &agents];
    let answers = sql::together(tx, [(LOCK, &both), (RELEASE, &both), (REFRESH, &both)]).await?;
    let rows = answers.get(1).map(Vec::as_slice).unwrap_or_default();
    Ok(rows.iter().map(standing).collect())
}

/// How an agent stands, under its lock.
pub async fn lock_standing(tx: &Transaction<'_>, tenant: &Slug, agent: &Slug) -> Result<Option<Standing>, Failure> {
    let row = sql::row(
        tx,
        "select tenant, id, state, code, slots_used, slot_limit, next_state from agents
         where tenant = $1 and id = $2 for update",
        &[tenant, agent],
    )
    .await?;
    Ok(row.as_ref().map(standing))
}

fn standing(row: &tokio_postgres::Row) -> Standing {
    Standing {
        tenant: row.get(0),
        agent: row.get(1),
        state: row.get(2),
        code: row.get(3),
        slots_used: row.get(4),
        limit: row.get(5),
        next_state: row.get(6),
    }
}

/// Locks agents of one tenant before several of their slots change hands: one statement that locks all keeps the order.
pub async fn hold(tx: &Transaction<'_>, tenant: &Slug, agents: &[&Slug]) -> Result<(), Failure> {
    sql::touch(tx, LOCK, &[&vec![tenant; agents.len()], &agents]).await?;
    Ok(())
}

/// Locks agents in the one order, so that no two transactions wait for each other in a circle.
const LOCK: &str = "select 1 from agents a
     where (a.tenant, a.id) in (select * from unnest($1::text[], $2::text[]))
     order by a.tenant, a.id for update";

const RESERVE: &str = "update agents a
     set slots_used = a.slots_used + w.n, idle_since = $4
     from unnest($1::text[], $2::text[], $3::int[]) as w (tenant, agent, n)
     where a.tenant = w.tenant and a.id = w.agent and a.ended_at is null
       and a.slots_used + w.n <= a.slot_limit
       and (a.state = 'available' and (a.next_state is null or $5) or ($5 and a.state = 'unavailable'))
     returning a.tenant, a.id";

const RELEASE: &str = "update agents a set slots_used = a.slots_used - f.n
     from (select tenant, agent, count(*)::int as n
           from unnest($1::text[], $2::text[]) as f (tenant, agent) group by tenant, agent) f
     where a.tenant = f.tenant and a.id = f.agent
     returning a.tenant, a.id, a.state, a.code, a.slots_used, a.slot_limit, a.next_state";

const REFRESH: &str =
    "with asked as (select distinct tenant, agent from unnest($1::text[], $2::text[]) as q (tenant, agent)),
     want as (
       select s.tenant, s.skill, s.agent, s.proficiency, a.idle_since,
              case k.agent_choice when 'best_proficiency' then s.proficiency when 'least_busy' then a.slots_used else 0 end
                as rank
       from asked q
       join agents a on a.tenant = q.tenant and a.id = q.agent
       join agent_skills s on s.tenant = q.tenant and s.agent = q.agent
       join skills k on k.tenant = s.tenant and k.id = s.skill
       where a.state = 'available' and a.next_state is null and a.ended_at is null and a.slots_used < a.slot_limit),
     gone as (
       delete from ready_agents r using asked q
       where r.tenant = q.tenant and r.agent = q.agent
         and not exists (select 1 from want w where w.tenant = r.tenant and w.agent = r.agent and w.skill = r.skill))
     insert into ready_agents as r (tenant, skill, agent, proficiency, idle_since, rank)
     select tenant, skill, agent, proficiency, idle_since, rank from want
     on conflict (tenant, agent, skill) do update
       set proficiency = excluded.proficiency, idle_since = excluded.idle_since, rank = excluded.rank
       where (r.proficiency, r.idle_since, r.rank)
         is distinct from (excluded.proficiency, excluded.idle_since, excluded.rank)";

/// Makes `ready_agents` right for agents of one tenant whose lock is held: after a change of slots, state, skills or limit.
pub async fn refresh_ready(tx: &Transaction<'_>, tenant: &Slug, agents: &[Slug]) -> Result<(), Failure> {
    let tenants = vec![tenant; agents.len()];
    let agents: Vec<&Slug> = agents.iter().collect();
    sql::touch(tx, REFRESH, &[&tenants, &agents]).await?;
    Ok(())
}
