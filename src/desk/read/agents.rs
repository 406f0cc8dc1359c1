//! Agents as they stand, and in one statement with it why no work comes to each: the rules of `routing/verdict`, looked at
//! from the agent's side. Of each skill's queue the first contacts are looked at, which are those that go next.

use std::collections::BTreeMap;

use deadpool_postgres::Transaction;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio_postgres::Row;

use crate::desk::shape::{Agent, Colleague};
use crate::facts::heard::AgentState;
use crate::facts::ids::Slug;
use crate::failure::Failure;
use crate::hub::contact::state_of;
use crate::hub::sql;
use crate::routing::waiting::{COOL_DOWN_S, WORST};

/// The statement: $1 tenant, $2 agents, $3 now, $4 since when cool-downs count, $5 the worst proficiency.
pub const AGENTS: &str = "with queue as materialized (
       select k.id as skill, k.channel, case k.channel when 'chat' then t.chat_slots else t.sms_slots end as takes, k.widening,
              (select count(*) from (select 1 from contacts c where c.tenant = k.tenant and c.skill = k.id
                 and c.state = 'queued' limit 1000) q)::int as waiting
       from skills k join tenants t on t.id = k.tenant where k.tenant = $1 and k.ended_at is null)
     select a.id, a.state, a.code, a.next_state, a.moved_at, a.slots_used, a.slot_limit,
            a.sms_used, nullif(a.sms_most, 12), a.chat_used, nullif(a.chat_most, 12),
            coalesce(s.skills, '[]'), coalesce(s.waiting, 0),
            case when a.state = 'logged_out' then 'logged_out'
                 when a.state = 'unavailable' then 'unavailable'
                 when a.next_state is not null then 'leaving'
                 when s.skills is null then 'no_skills'
                 when not s.has_slot then 'full'
                 when s.waiting = 0 then 'nobody_waits'
                 when not s.has_channel then 'channel_full'
                 when f.is_eligible then null
                 when f.is_cooling then 'cooling_down'
                 when f.is_held then 'held'
                 else 'out_of_range' end
     from agents a
     left join lateral (
       select jsonb_agg(jsonb_build_object('id', x.skill, 'channel', q.channel, 'proficiency', x.proficiency)
                        order by x.proficiency, x.skill) as skills,
              sum(q.waiting)::int as waiting,
              bool_or(a.slots_used + q.takes <= a.slot_limit and a.slots_used < a.slot_limit) as has_slot,
              coalesce(bool_or(a.slots_used + q.takes <= a.slot_limit and case q.channel when 'chat'
                then a.chat_used < a.chat_most else a.sms_used < a.sms_most end) filter (where q.waiting > 0), false) as has_channel
       from agent_skills x join queue q on q.skill = x.skill
       where x.tenant = a.tenant and x.agent = a.id) s on true
     left join lateral (
       select bool_or(not v.is_cooling and not v.is_held and v.is_in_range) as is_eligible,
              bool_or(v.is_cooling) as is_cooling, bool_or(v.is_held and not v.is_cooling) as is_held
       from agent_skills x join queue q on q.skill = x.skill
       cross join lateral (
         select c.* from contacts c
         where c.tenant = x.tenant and c.skill = x.skill and c.state = 'queued'
         order by c.priority desc, c.queued_at, c.id limit 20) c
       cross join lateral (
         select exists (select 1 from offers o where o.contact_id = c.id and o.agent = a.id
                          and o.state in ('refused', 'lapsed') and o.settled_at > $4)
                or exists (select 1 from sessions n where n.contact_id = c.id and n.agent = a.id
                          and n.end_reason in ('transferred', 'unanswered') and n.ended_at > $4) as is_cooling,
                coalesce(c.flow_hold_until > $3, false) and c.preferred_agent is distinct from a.id as is_held,
                x.proficiency between coalesce(c.flow_best, 1) and least(coalesce(c.flow_worst, $5), coalesce((
                  select (w.step ->> 'worst')::int from jsonb_array_elements(q.widening) as w (step)
                  where make_interval(secs => (w.step ->> 'after_s')::int) <= $3 - c.queued_at
                  order by (w.step ->> 'after_s')::int desc limit 1), (q.widening -> 0 ->> 'worst')::int, $5)) as is_in_range) v
       where a.state = 'available' and a.next_state is null and x.tenant = a.tenant and x.agent = a.id
         and s.has_slot and s.has_channel and q.waiting > 0
         and a.slots_used + q.takes <= a.slot_limit
         and case q.channel when 'chat' then a.chat_used < a.chat_most else a.sms_used < a.sms_most end) f on true
     where a.tenant = $1 and a.id = any($2) and a.ended_at is null
     order by a.id";

/// Agents as they stand, each with the word why no work comes.
///
/// # Errors
/// A database that is away.
pub async fn agents(
    tx: &Transaction<'_>,
    now: Timestamp,
    tenant: &Slug,
    agents: &[Slug],
) -> Result<Vec<Agent>, Failure> {
    if agents.is_empty() {
        return Ok(Vec::new());
    }
    let since = now.checked_sub(SignedDuration::from_secs(COOL_DOWN_S)).unwrap_or(now);
    let rows = sql::rows(tx, AGENTS, &[tenant, &agents, &now, &since, &WORST]).await?;
    Ok(rows.iter().map(agent).collect())
}

fn agent(row: &Row) -> Agent {
    Agent {
        id: row.get(0),
        state: state_of(row.get(1)),
        code: row.get(2),
        next_state: row.get(3),
        since: row.get(4),
        slots_used: row.get(5),
        limit: row.get(6),
        sms_used: row.get(7),
        sms_limit: row.get(8),
        chat_used: row.get(9),
        chat_limit: row.get(10),
        skills: row.get(11),
        waiting: row.get(12),
        why: row.get(13),
    }
}

/// How many contacts wait in each skill of the tenant, counted to 1,000; to see whether agents are to be told anew.
///
/// # Errors
/// A database that is away.
pub async fn queues(tx: &Transaction<'_>, tenant: &Slug) -> Result<BTreeMap<Slug, i64>, Failure> {
    let rows = sql::rows(
        tx,
        "select k.id, (select count(*) from (select 1 from contacts c where c.tenant = k.tenant and c.skill = k.id
                         and c.state = 'queued' limit 1000) q)
         from skills k where k.tenant = $1 and k.ended_at is null",
        &[tenant],
    )
    .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Everybody in the tenant whom a contact could be handed to, by slug.
///
/// # Errors
/// A database that is away.
pub async fn colleagues(tx: &Transaction<'_>, tenant: &Slug) -> Result<Vec<Colleague>, Failure> {
    let rows = sql::rows(
        tx,
        "select a.id, a.state, a.code, a.slots_used, a.slot_limit, coalesce(s.skills, '[]'),
                (select min(u.name) from users u
                 where u.tenant = a.tenant and coalesce(u.agent, u.id) = a.id and u.ended_at is null)
         from agents a
         left join lateral (
           select jsonb_agg(jsonb_build_object('id', x.skill, 'channel', k.channel, 'proficiency', x.proficiency)
                            order by x.proficiency, x.skill) as skills
           from agent_skills x join skills k on k.tenant = x.tenant and k.id = x.skill
           where x.tenant = a.tenant and x.agent = a.id) s on true
         where a.tenant = $1 and a.ended_at is null order by a.id",
        &[tenant],
    )
    .await?;
    let colleague = |row: &Row| -> (Slug, AgentState, Value) { (row.get(0), state_of(row.get(1)), row.get(5)) };
    Ok(rows
        .iter()
        .map(|row| {
            let (id, state, skills) = colleague(row);
            let (name, code, slots_used, limit) = (row.get(6), row.get(2), row.get(3), row.get(4));
            Colleague { id, name, state, code, slots_used, limit, skills }
        })
        .collect())
}
