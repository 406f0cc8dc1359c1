//! The state of the hub as one reading: a few indexed queries, no texts.

use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde::Serialize;
use texthub::sms::number::masked;

/// An agent as the view shows one.
#[derive(Clone, Debug, Serialize)]
pub struct Agent {
    pub tenant: String,
    pub agent: String,
    pub team: String,
    pub state: String,
    pub code: Option<String>,
    pub slots_used: i32,
    pub limit: i32,
    /// Contacts by chat that hold slots.
    pub chat: i32,
    /// Most of these; none: the shared limit alone.
    pub chat_limit: Option<i32>,
    /// By SMS.
    pub sms: i32,
    pub sms_limit: Option<i32>,
}

/// A waiting or live room.
#[derive(Clone, Debug, Serialize)]
pub struct Room {
    pub channel: String,
    pub customer: String,
    pub skill: String,
    pub state: String,
    pub agent: Option<String>,
    pub since: Timestamp,
    pub entries: i32,
    pub deadline_at: Option<Timestamp>,
}

/// Everything at one instant.
#[derive(Clone, Debug, Serialize)]
pub struct Reading {
    pub at: Timestamp,
    pub rooms_open: i64,
    pub waiting: i64,
    pub offered: i64,
    pub active: i64,
    pub wrap_up: i64,
    pub longest_wait_s: f64,
    /// In the last minute.
    pub texts_in: i64,
    /// In the last minute.
    pub texts_out: i64,
    pub sms_unsent: i64,
    /// Of the rooms opened in the last hour.
    pub rooms_closed: i64,
    pub next_expiry_s: Option<f64>,
    pub dead: i64,
    pub agents: Vec<Agent>,
    pub rooms: Vec<Room>,
}

/// Reads the state of all tenants, or of one.
pub async fn read(pool: &Pool, tenant: Option<&str>) -> anyhow::Result<Reading> {
    let client = pool.get().await?;
    let counts = client
        .query_one(
            "select now(),
               (select count(*) from rooms r where r.closed_at is null and ($1::text is null or r.tenant = $1)),
               (select count(*) from contacts c where c.state = 'queued' and ($1::text is null or c.tenant = $1)),
               (select count(*) from contacts c where c.state = 'offered' and ($1::text is null or c.tenant = $1)),
               (select count(*) from contacts c where c.state = 'active' and ($1::text is null or c.tenant = $1)),
               (select count(*) from contacts c where c.state = 'wrap_up' and ($1::text is null or c.tenant = $1)),
               (select coalesce(extract(epoch from now() - min(c.queued_at)), 0)::float8 from contacts c
                where c.state = 'queued' and ($1::text is null or c.tenant = $1)),
               (select count(*) from heard h where h.at > now() - interval '1 minute'
                  and h.fact in ('sms.received', 'chat.received') and ($1::text is null or h.tenant = $1)),
               (select count(*) from heard h where h.at > now() - interval '1 minute' and h.worker = 'post_reply'
                  and h.outcome = 'recorded' and ($1::text is null or h.tenant = $1)),
               (select count(*) from sms s where s.state in ('requested', 'sending', 'held') and ($1::text is null or s.tenant = $1)),
               (select count(*) from rooms r where r.closed_at is not null and r.opened_at > now() - interval '1 hour'
                  and ($1::text is null or r.tenant = $1)),
               (select extract(epoch from min(s.deadline_at) - now())::float8 from sessions s
                where s.ended_at is null and ($1::text is null or s.tenant = $1)),
               (select count(*) from dead_letters d where d.replayed_at is null and d.dropped_at is null
                  and ($1::text is null or d.tenant = $1))",
            &[&tenant],
        )
        .await?;
    Ok(Reading {
        at: counts.get(0),
        rooms_open: counts.get(1),
        waiting: counts.get(2),
        offered: counts.get(3),
        active: counts.get(4),
        wrap_up: counts.get(5),
        longest_wait_s: counts.get(6),
        texts_in: counts.get(7),
        texts_out: counts.get(8),
        sms_unsent: counts.get(9),
        rooms_closed: counts.get(10),
        next_expiry_s: counts.get(11),
        dead: counts.get(12),
        agents: agents(&client, tenant).await?,
        rooms: rooms(&client, tenant).await?,
    })
}

async fn agents(client: &tokio_postgres::Client, tenant: Option<&str>) -> anyhow::Result<Vec<Agent>> {
    let rows = client
        .query(
            "select tenant, id, team, state, code, slots_used, slot_limit, chat_used, nullif(chat_most, 12), sms_used,
                    nullif(sms_most, 12)
             from agents where ended_at is null and ($1::text is null or tenant = $1)
             order by state, tenant, id limit 40",
            &[&tenant],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Agent {
            tenant: row.get(0),
            agent: row.get(1),
            team: row.get(2),
            state: row.get(3),
            code: row.get(4),
            slots_used: row.get(5),
            limit: row.get(6),
            chat: row.get(7),
            chat_limit: row.get(8),
            sms: row.get(9),
            sms_limit: row.get(10),
        })
        .collect())
}

async fn rooms(client: &tokio_postgres::Client, tenant: Option<&str>) -> anyhow::Result<Vec<Room>> {
    let rows = client
        .query(
            "select r.channel, r.customer_number, c.skill, c.state, c.agent, c.queued_at, r.next_seq - 1, s.deadline_at
             from rooms r
             join contacts c on c.room_id = r.id and c.state in ('prequeue', 'queued', 'offered', 'active', 'parked')
             left join sessions s on s.room_id = r.id and s.ended_at is null
             where r.closed_at is null and ($1::text is null or r.tenant = $1)
             order by c.state = 'active', c.queued_at limit 40",
            &[&tenant],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Room {
            channel: row.get(0),
            customer: masked(row.get(1)),
            skill: row.get(2),
            state: row.get(3),
            agent: row.get(4),
            since: row.get(5),
            entries: row.get(6),
            deadline_at: row.get(7),
        })
        .collect())
}
