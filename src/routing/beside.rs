//! Who waits beside an agent who may have the contact and has a free slot. Events and the half-second pass let them meet,
//! so that nobody should stand here for longer than a moment; the sweep looks, and what it finds is an incident.

use deadpool_postgres::Transaction;
use jiff::{SignedDuration, Timestamp};

use crate::facts::ids::{ContactId, Slug};
use crate::failure::Failure;
use crate::hub::sql;

/// Contacts and agents that are looked at of each skill: the first in order.
const FIRST: i64 = 50;
/// Seconds in which they are to have met: a pass asks again for a lost ask after five.
const SOON_S: i64 = 10;

/// A contact that waits beside such an agent for longer than that.
#[derive(Clone, Debug, PartialEq)]
pub struct Beside {
    /// Whose.
    pub tenant: Slug,
    /// For what.
    pub skill: Slug,
    /// Which.
    pub contact_id: ContactId,
}

/// Reads them; cool-downs, holds, ranges of proficiency and who prefers somebody else just now apart.
pub async fn free(tx: &Transaction<'_>, now: Timestamp) -> Result<Vec<Beside>, Failure> {
    let since = now.checked_sub(SignedDuration::from_secs(SOON_S)).unwrap_or(now);
    let rows = sql::rows(
        tx,
        "select k.tenant, k.id, c.id
         from skills k
         cross join lateral (
           select c.* from contacts c where c.tenant = k.tenant and c.skill = k.id and c.state = 'queued'
           order by c.priority desc, c.queued_at, c.id limit $3) c
         where c.queued_at < $1 and c.opened_at < $1
           and not exists (select 1 from offers o where o.contact_id = c.id and o.settled_at >= $1)
           and exists (
             select 1 from (
               select r.agent, r.proficiency from ready_agents r where r.tenant = k.tenant and r.skill = k.id
               order by r.rank, r.idle_since, r.agent limit $3) r
             join agents a on a.tenant = k.tenant and a.id = r.agent
             where a.state = 'available' and a.next_state is null and a.ended_at is null
               and greatest(a.moved_at, a.idle_since, a.limit_set_at) < $1
               and r.proficiency between coalesce(c.flow_best, 1) and coalesce(c.flow_worst, 20)
               and (k.widening is null or exists (
                 select 1 from jsonb_to_recordset(k.widening) as w (after_s integer, worst integer)
                 where r.proficiency <= w.worst and c.queued_at + make_interval(secs => w.after_s) < $1))
               and (c.preferred_agent = r.agent or coalesce(c.flow_hold_until < $1, true))
               and not exists (select 1 from offers o where o.contact_id = c.id and o.agent = r.agent
                               and o.state in ('refused', 'lapsed') and o.settled_at > $2)
               and not exists (select 1 from sessions s where s.contact_id = c.id and s.agent = r.agent
                               and s.end_reason in ('transferred', 'unanswered') and s.ended_at > $2))
         order by k.tenant, k.id, c.id",
        &[&since, &cooled(since), &FIRST],
    )
    .await?;
    Ok(rows.iter().map(|row| Beside { tenant: row.get(0), skill: row.get(1), contact_id: row.get(2) }).collect())
}

/// What was refused before that may be offered again for as long.
fn cooled(since: Timestamp) -> Timestamp {
    since.checked_sub(SignedDuration::from_secs(super::waiting::COOL_DOWN_S)).unwrap_or(since)
}
