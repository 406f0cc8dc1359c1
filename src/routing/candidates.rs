//! Ready agents of a skill in the order of the indexed ready set, locked; those whom somebody else holds are passed over.

use deadpool_postgres::Transaction;

use super::choose::Candidate;
use crate::facts::ids::Slug;
use crate::failure::Failure;
use crate::hub::sql;

/// The first ready agents: tenant, skill, how many, the worst proficiency.
/// the fence of `limit` keeps it at one agent's row at a time, in the order of the ready set: as fast among ten
/// thousand agents as among ten
pub const READY: &str = "select r.agent, r.proficiency, r.idle_since, a.free, r.rank
     from ready_agents r
     cross join lateral (
       select a.slot_limit - a.slots_used as free from agents a
       where a.tenant = r.tenant and a.id = r.agent and a.state = 'available' and a.ended_at is null
         and a.slots_used < a.slot_limit
       limit 1 for update of a skip locked) a
     where r.tenant = $1 and r.skill = $2 and r.proficiency <= $4
     order by r.rank, r.idle_since, r.agent
     limit $3";

/// The first `limit` ready agents of a skill, none of a worse proficiency, and those preferred ones that are ready.
pub async fn of_skill(
    tx: &Transaction<'_>,
    tenant: &Slug,
    skill: &Slug,
    limit: i64,
    worst: i32,
    preferred: &[&Slug],
) -> Result<Vec<Candidate>, Failure> {
    let rows = sql::rows(tx, READY, &[tenant, skill, &limit, &worst]).await?;
    let mut found: Vec<Candidate> = rows.iter().map(from_row).collect();
    if preferred.is_empty() {
        return Ok(found);
    }
    let rows = sql::rows(
        tx,
        "select r.agent, r.proficiency, r.idle_since, a.slot_limit - a.slots_used, r.rank
         from ready_agents r join agents a on a.tenant = r.tenant and a.id = r.agent
         where r.tenant = $1 and r.skill = $2 and r.agent = any($3) and a.state = 'available' and a.ended_at is null
           and a.slots_used < a.slot_limit
         for update of a skip locked",
        &[tenant, skill, &preferred],
    )
    .await?;
    for candidate in rows.iter().map(from_row) {
        if !found.contains(&candidate) {
            found.push(candidate);
        }
    }
    Ok(found)
}

fn from_row(row: &tokio_postgres::Row) -> Candidate {
    Candidate { agent: row.get(0), proficiency: row.get(1), idle_since: row.get(2), free: row.get(3), rank: row.get(4) }
}
