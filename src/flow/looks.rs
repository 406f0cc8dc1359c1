//! What a step looks up, of one tenant alone: the contact, what the customer had with us before, and how the queues of
//! the skills that the flows name stand. Every statement names the tenant and goes by an index.

use std::collections::BTreeMap;

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::document::Node;
use super::step::{Flows, Looks};
use super::values::Queue;
use crate::facts::ids::Slug;
use crate::failure::Failure;
use crate::hub::contact::Contact;
use crate::hub::room::Room;
use crate::hub::sql;

/// No look-up counts further than this: longer is long.
const MOST: i64 = 1_000;

/// Looks everything up for a locked contact.
pub async fn look(
    tx: &Transaction<'_>,
    now: Timestamp,
    contact: &Contact,
    room: &Room,
    flows: &Flows,
) -> Result<Looks, Failure> {
    let (zone, customer, queues) = tokio::try_join!(
        biased;
        zone(tx, &contact.tenant),
        customer(tx, now, room),
        queues(tx, now, &contact.tenant, flows),
    )?;
    let waited = if contact.state == "prequeue" { 0 } else { now.duration_since(contact.queued_at).as_secs() };
    Ok(Looks {
        now,
        zone,
        contact: json!({
            "channel": room.ends.channel, "customer": room.ends.customer_number, "our_number": room.ends.our_number,
            "point_of_contact": room.point_of_contact, "skill": contact.skill, "waited_s": waited,
        }),
        customer,
        queues,
        is_queued: contact.state != "prequeue",
    })
}

async fn zone(tx: &Transaction<'_>, tenant: &Slug) -> Result<TimeZone, Failure> {
    let row = sql::row(tx, "select time_zone from tenants where id = $1", &[tenant]).await?;
    Ok(row.and_then(|row| TimeZone::get(row.get(0)).ok()).unwrap_or(TimeZone::UTC))
}

/// The last ten sessions of this customer with any number of the tenant.
async fn customer(tx: &Transaction<'_>, now: Timestamp, room: &Room) -> Result<Value, Failure> {
    let rows = sql::rows(
        tx,
        "select agent, closed_at from rooms
         where tenant = $1 and customer_number = $2 and closed_at is not null order by opened_at desc, id limit 10",
        &[&room.ends.tenant, &room.ends.customer_number],
    )
    .await?;
    let last_agent = rows.iter().find_map(|row| row.get::<_, Option<String>>(0));
    let days = rows.first().map(|row| now.duration_since(row.get::<_, Timestamp>(1)).as_hours() / 24);
    Ok(json!({"sessions": rows.len(), "last_agent": last_agent, "days_since": days}))
}

async fn queues(
    tx: &Transaction<'_>,
    now: Timestamp,
    tenant: &Slug,
    flows: &Flows,
) -> Result<BTreeMap<String, Queue>, Failure> {
    let skills = skills(flows);
    if skills.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sql::rows(
        tx,
        "select k.id,
           (select count(*) from (select 1 from contacts c
              where c.tenant = k.tenant and c.skill = k.id and c.state = 'queued' limit $3) w),
           (select c.queued_at from contacts c where c.tenant = k.tenant and c.skill = k.id and c.state = 'queued'
              order by c.priority desc, c.queued_at, c.id limit 1),
           (select count(*) from (select 1 from agent_skills s join agents a on a.tenant = s.tenant and a.id = s.agent
              where s.tenant = k.tenant and s.skill = k.id and a.state <> 'logged_out' and a.ended_at is null limit $3) l),
           (select count(*) from (select 1 from ready_agents r where r.tenant = k.tenant and r.skill = k.id limit $3) y)
         from skills k where k.tenant = $1 and k.id = any($2)",
        &[tenant, &skills, &MOST],
    )
    .await?;
    Ok(rows
        .iter()
        .map(|row| {
            let first: Option<Timestamp> = row.get(2);
            let queue = Queue {
                length: row.get(1),
                estimated_wait_s: first.map_or(0, |at| now.duration_since(at).as_secs().max(0)),
                logged_in: row.get(3),
                ready: row.get(4),
            };
            (row.get(0), queue)
        })
        .collect())
}

/// The skills that flows name: in requests, and in conditions and texts as `queue.…`.
fn skills(flows: &Flows) -> Vec<String> {
    let mut skills: Vec<String> = Vec::new();
    for (_, flow) in flows.values() {
        skills.extend(flow.queues.iter().cloned());
        for node in flow.document.nodes.values() {
            if let Node::RequestAgent(node) = node {
                skills.push(node.skill.clone());
            }
        }
    }
    skills.sort_unstable();
    skills.dedup();
    skills
}
