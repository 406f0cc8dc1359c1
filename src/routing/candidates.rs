//! Ready agents of a skill in the order of the indexed ready set, locked; those whom somebody else holds are passed over.

use deadpool_postgres::Transaction;

use super::choose::Candidate;
use super::skill::Skill;
use crate::facts::ids::Slug;
use crate::failure::Failure;
use crate::hub::sql;

/// The first ready agents: tenant, skill, how many, the worst proficiency, the skill's channel, what a contact of it takes.
/// Free is for how many of these both limits leave room.
/// the fence of `limit` keeps it at one agent's row at a time, in the order of the ready set: as fast among ten
/// thousand agents as among ten
pub const READY: &str = "select r.agent, r.proficiency, r.idle_since, a.free, r.rank
     from ready_agents r
     cross join lateral (
       select least((a.slot_limit - a.slots_used) / $6,
                    case $5 when 'chat' then a.chat_most - a.chat_used else a.sms_most - a.sms_used end) as free
       from agents a
       where a.tenant = r.tenant and a.id = r.agent and a.state = 'available' and a.ended_at is null
         and a.slots_used + $6 <= a.slot_limit
         and case $5 when 'chat' then a.chat_used < a.chat_most else a.sms_used < a.sms_most end
       limit 1 for update of a skip locked) a
     where r.tenant = $1 and r.skill = $2 and r.proficiency <= $4
     order by r.rank, r.idle_since, r.agent
     limit $3";

/// The same of those who are named ($3).
const PREFERRED: &str = "select r.agent, r.proficiency, r.idle_since,
       least((a.slot_limit - a.slots_used) / $5,
             case $4 when 'chat' then a.chat_most - a.chat_used else a.sms_most - a.sms_used end),
       r.rank
     from ready_agents r join agents a on a.tenant = r.tenant and a.id = r.agent
     where r.tenant = $1 and r.skill = $2 and r.agent = any($3) and a.state = 'available' and a.ended_at is null
       and a.slots_used + $5 <= a.slot_limit
       and case $4 when 'chat' then a.chat_used < a.chat_most else a.sms_used < a.sms_most end
     for update of a skip locked";

/// The first `limit` ready agents of a skill, none of a worse proficiency, and those preferred ones that are ready.
pub async fn of_skill(
    tx: &Transaction<'_>,
    (tenant, slug): (&Slug, &Slug),
    skill: &Skill,
    limit: i64,
    worst: i32,
    preferred: &[&Slug],
) -> Result<Vec<Candidate>, Failure> {
    let (channel, slots) = (&skill.channel, skill.slots);
    let rows = sql::rows(tx, READY, &[tenant, slug, &limit, &worst, channel, &slots]).await?;
    let mut found: Vec<Candidate> = rows.iter().map(|row| from_row(row, slots)).collect();
    if preferred.is_empty() {
        return Ok(found);
    }
    let rows = sql::rows(tx, PREFERRED, &[tenant, slug, &preferred, channel, &slots]).await?;
    for candidate in rows.iter().map(|row| from_row(row, slots)) {
        if !found.contains(&candidate) {
            found.push(candidate);
        }
    }
    Ok(found)
}

fn from_row(row: &tokio_postgres::Row, slots: i32) -> Candidate {
    Candidate {
        agent: row.get(0),
        proficiency: row.get(1),
        idle_since: row.get(2),
        free: row.get(3),
        rank: row.get(4),
        slots,
    }
}
