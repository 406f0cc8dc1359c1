//! Slots: the one function that takes them, the one that gives them back, and the set of agents that are ready for a
//! skill. `slots_used` and the counters of each channel are written here alone, under the agent's lock; none passes its
//! limit at the moment of reservation, whatever is racing. What a contact took is kept with what holds it, and as much is
//! given back. An agent's rows of `ready_agents` are written only by who holds the agent's lock.

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use tokio_postgres::types::ToSql;

use super::sql;
use crate::facts::ids::Slug;
use crate::failure::Failure;

/// The limit of a channel that is none: no agent has more slots.
const NO_LIMIT: i32 = 12;

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
    /// Contacts by SMS that hold them.
    pub sms: Channel,
    /// Contacts by chat that hold them.
    pub chat: Channel,
}

/// An agent's contacts of one channel.
#[derive(Clone, Copy, Debug)]
pub struct Channel {
    /// That hold slots.
    pub used: i32,
    /// Most of them; none: the shared limit alone.
    pub limit: Option<i32>,
}

/// Contacts of one channel with one agent, and what each takes, or has taken, of the shared limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Whose.
    pub tenant: Slug,
    /// Who.
    pub agent: Slug,
    /// `sms` or `chat`.
    pub channel: String,
    /// How many.
    pub contacts: i32,
    /// Slots of each.
    pub slots: i32,
}

/// What a reservation asks of the agent's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// An offer: only an available agent who is not about to leave.
    Available,
    /// What the agent begins: available or unavailable.
    LoggedIn,
}

/// Why nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSlot {
    /// The shared limit leaves no room.
    NoFreeSlot,
    /// The channel's limit leaves none.
    ChannelFull,
    /// The agent's state does not allow it.
    NotThere,
    /// There is no such agent, or it was ended.
    UnknownAgent,
}

/// Takes the slots of each hold: all of its contacts' or none. The only way to a slot, for offers, outreach and every
/// later kind; whoever takes them keeps with the contact how many. Answers stand in the order asked; an agent may stand
/// there once.
pub async fn reserve(
    tx: &Transaction<'_>,
    now: Timestamp,
    asks: Asks,
    wanted: &[Hold],
) -> Result<Vec<Result<(), NoSlot>>, Failure> {
    let tenants: Vec<&Slug> = wanted.iter().map(|w| &w.tenant).collect();
    let agents: Vec<&Slug> = wanted.iter().map(|w| &w.agent).collect();
    let channels: Vec<&str> = wanted.iter().map(|w| w.channel.as_str()).collect();
    let contacts: Vec<i32> = wanted.iter().map(|w| w.contacts).collect();
    let slots: Vec<i32> = wanted.iter().map(|w| w.contacts * w.slots).collect();
    let both: [&(dyn ToSql + Sync); 2] = [&tenants, &agents];
    let asks_logged_in = asks == Asks::LoggedIn;
    let taking: [&(dyn ToSql + Sync); 7] = [&tenants, &agents, &slots, &now, &asks_logged_in, &channels, &contacts];
    let answers = sql::together(tx, [(LOCK, &both), (RESERVE, &taking), (REFRESH, &both)]).await?;
    let reserved = answers.get(1).map(Vec::as_slice).unwrap_or_default();
    let taken: Vec<(Slug, Slug)> = reserved.iter().map(|row| (row.get(0), row.get(1))).collect();
    let mut answers = Vec::with_capacity(wanted.len());
    for hold in wanted {
        answers.push(if taken.iter().any(|(t, a)| *t == hold.tenant && *a == hold.agent) {
            Ok(())
        } else {
            Err(why_not(tx, asks, hold).await?)
        });
    }
    Ok(answers)
}

/// Takes the slots of one contact, as many as its channel takes now: says how many, for the contact or offer to keep.
pub async fn reserve_one(
    tx: &Transaction<'_>,
    now: Timestamp,
    asks: Asks,
    (tenant, agent): (&Slug, &Slug),
    channel: &str,
) -> Result<Result<i32, NoSlot>, Failure> {
    let takes = "select case $2 when 'chat' then chat_slots else sms_slots end from tenants where id = $1";
    let slots: i32 = sql::row(tx, takes, &[tenant, &channel]).await?.map_or(1, |row| row.get(0));
    let hold = Hold { tenant: tenant.clone(), agent: agent.clone(), channel: channel.to_owned(), contacts: 1, slots };
    let answer = reserve(tx, now, asks, &[hold]).await?.pop();
    Ok(answer.unwrap_or(Err(NoSlot::UnknownAgent)).map(|()| slots))
}

async fn why_not(tx: &Transaction<'_>, asks: Asks, hold: &Hold) -> Result<NoSlot, Failure> {
    let row = sql::row(
        tx,
        "select state, ended_at is null, next_state is null, slots_used + $3 <= slot_limit
         from agents where tenant = $1 and id = $2",
        &[&hold.tenant, &hold.agent, &(hold.contacts * hold.slots)],
    )
    .await?;
    let Some(row) = row.filter(|row| row.get(1)) else { return Ok(NoSlot::UnknownAgent) };
    let state: &str = row.get(0);
    let is_there = match asks {
        Asks::Available => state == "available" && row.get(2),
        Asks::LoggedIn => state == "available" || state == "unavailable",
    };
    Ok(match (is_there, row.get(3)) {
        (false, _) => NoSlot::NotThere,
        (true, false) => NoSlot::NoFreeSlot,
        (true, true) => NoSlot::ChannelFull,
    })
}

/// Gives slots back: those of each hold, of which an agent may have several. The caller has just won the compare-and-set
/// of what held them. Says how each agent stands now, one row an agent.
pub async fn release(tx: &Transaction<'_>, freed: &[Hold]) -> Result<Vec<Standing>, Failure> {
    if freed.is_empty() {
        return Ok(Vec::new());
    }
    let tenants: Vec<&Slug> = freed.iter().map(|f| &f.tenant).collect();
    let agents: Vec<&Slug> = freed.iter().map(|f| &f.agent).collect();
    let channels: Vec<&str> = freed.iter().map(|f| f.channel.as_str()).collect();
    let contacts: Vec<i32> = freed.iter().map(|f| f.contacts).collect();
    let slots: Vec<i32> = freed.iter().map(|f| f.contacts * f.slots).collect();
    let both: [&(dyn ToSql + Sync); 2] = [&tenants, &agents];
    let giving: [&(dyn ToSql + Sync); 5] = [&tenants, &agents, &slots, &channels, &contacts];
    let answers = sql::together(tx, [(LOCK, &both), (RELEASE, &giving), (REFRESH, &both)]).await?;
    let rows = answers.get(1).map(Vec::as_slice).unwrap_or_default();
    Ok(rows.iter().map(standing).collect())
}

/// How an agent stands, under its lock.
pub async fn lock_standing(tx: &Transaction<'_>, tenant: &Slug, agent: &Slug) -> Result<Option<Standing>, Failure> {
    let row = sql::row(
        tx,
        "select tenant, id, state, code, slots_used, slot_limit, next_state, sms_used, sms_most, chat_used, chat_most
         from agents where tenant = $1 and id = $2 for update",
        &[tenant, agent],
    )
    .await?;
    Ok(row.as_ref().map(standing))
}

fn standing(row: &tokio_postgres::Row) -> Standing {
    let limit = |at| Some(row.get(at)).filter(|most| *most < NO_LIMIT);
    Standing {
        tenant: row.get(0),
        agent: row.get(1),
        state: row.get(2),
        code: row.get(3),
        slots_used: row.get(4),
        limit: row.get(5),
        next_state: row.get(6),
        sms: Channel { used: row.get(7), limit: limit(8) },
        chat: Channel { used: row.get(9), limit: limit(10) },
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
     set slots_used = a.slots_used + w.slots, idle_since = $4,
         sms_used = a.sms_used + case w.channel when 'sms' then w.contacts else 0 end,
         chat_used = a.chat_used + case w.channel when 'chat' then w.contacts else 0 end
     from unnest($1::text[], $2::text[], $3::int[], $6::text[], $7::int[]) as w (tenant, agent, slots, channel, contacts)
     where a.tenant = w.tenant and a.id = w.agent and a.ended_at is null
       and a.slots_used + w.slots <= a.slot_limit
       and case w.channel when 'chat' then a.chat_used + w.contacts <= a.chat_most
                          else a.sms_used + w.contacts <= a.sms_most end
       and (a.state = 'available' and (a.next_state is null or $5) or ($5 and a.state = 'unavailable'))
     returning a.tenant, a.id";

const RELEASE: &str = "update agents a
     set slots_used = a.slots_used - f.slots, sms_used = a.sms_used - f.sms, chat_used = a.chat_used - f.chat
     from (select tenant, agent, sum(slots)::int as slots,
                  sum(case channel when 'sms' then contacts else 0 end)::int as sms,
                  sum(case channel when 'chat' then contacts else 0 end)::int as chat
           from unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::int[])
             as f (tenant, agent, slots, channel, contacts)
           group by tenant, agent) f
     where a.tenant = f.tenant and a.id = f.agent
     returning a.tenant, a.id, a.state, a.code, a.slots_used, a.slot_limit, a.next_state, a.sms_used, a.sms_most,
       a.chat_used, a.chat_most";

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
       join tenants t on t.id = s.tenant
       where a.state = 'available' and a.next_state is null and a.ended_at is null
         and a.slots_used + case k.channel when 'chat' then t.chat_slots else t.sms_slots end <= a.slot_limit
         and case k.channel when 'chat' then a.chat_used < a.chat_most else a.sms_used < a.sms_most end),
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

/// Makes `ready_agents` right for agents of one tenant whose lock is held: after a change of slots, state,
/// skills, limits or of what a contact takes.
pub async fn refresh_ready(tx: &Transaction<'_>, tenant: &Slug, agents: &[Slug]) -> Result<(), Failure> {
    let tenants = vec![tenant; agents.len()];
    let agents: Vec<&Slug> = agents.iter().collect();
    sql::touch(tx, REFRESH, &[&tenants, &agents]).await?;
    Ok(())
}
