//! `texthub bench --matching`: what one assignment costs (a transaction of `route_contact`, with its commit), all agents in
//! one skill and of one proficiency, as the number of agents grows and as the queue grows; and what a full claim costs a
//! contact. In a tenant of its own, whose rows are ended with it; nothing else may run meanwhile.

use deadpool_postgres::Pool;
use serde_json::{Value, json};
use texthub::facts::envelope::{Decode, Message, digest};
use texthub::facts::ids::FactId;
use texthub::runtime::batch::{Handler, InTransaction};
use texthub::runtime::clock::{self, Stopwatch};

use super::ground::Ground;
use crate::route_contact::{Matchable, RouteContact};

/// Assignments of each figure.
const ROUNDS: usize = 200;
/// Sizes of either side.
const AGENTS: [usize; 4] = [10, 100, 1_000, 10_000];
const WAITING: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];

/// Milliseconds.
struct Cost {
    side: &'static str,
    size: usize,
    p50: f64,
    p99: f64,
}

/// Measures and prints.
pub async fn run(pool: &Pool, partitions: u32, as_json: bool) -> anyhow::Result<()> {
    let mut costs = Vec::new();
    for size in AGENTS {
        let ground = Ground::prepare(pool, size, partitions).await?;
        costs.push(cost("agents", size, of_agents(pool, &ground).await?));
        ground.end(pool).await?;
    }
    for size in WAITING {
        let ground = Ground::prepare(pool, 10, partitions).await?;
        costs.push(cost("waiting", size, of_waiting(pool, &ground, size).await?));
        ground.end(pool).await?;
    }
    let ground = Ground::prepare(pool, 1_000, partitions).await?;
    queue(pool, &ground, 1_000).await?;
    let stopwatch = Stopwatch::start();
    assign(pool, &ground, 128).await?;
    let batch = stopwatch.elapsed().as_secs_f64() * 1000.0;
    ground.end(pool).await?;
    let (least, most) =
        costs.iter().fold((f64::MAX, 0.0_f64), |(least, most), cost| (least.min(cost.p50), most.max(cost.p50)));
    if as_json {
        let curve: Vec<Value> =
            costs.iter().map(|c| json!({"side": c.side, "size": c.size, "p50_ms": c.p50, "p99_ms": c.p99})).collect();
        println!("{:#}", json!({"single": curve, "largest_to_smallest": most / least, "thousand_ms": batch}));
        return Ok(());
    }
    for cost in &costs {
        println!("{:>7} {:<8} p50 {:.2} ms, p99 {:.2} ms", cost.size, cost.side, cost.p50, cost.p99);
    }
    println!("largest p50 to smallest: {:.2}", most / least);
    println!("1,000 contacts to 1,000 agents at once: {batch:.0} ms, {:.3} ms each", batch / 1_000.0);
    Ok(())
}

fn cost(side: &'static str, size: usize, times: Vec<f64>) -> Cost {
    let (p50, p99) = super::percentiles(times);
    Cost { side, size, p50, p99 }
}

/// One contact at a time comes to a skill full of ready agents.
async fn of_agents(pool: &Pool, ground: &Ground) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::with_capacity(ROUNDS);
    for nth in 0..ROUNDS + 20 {
        queue(pool, ground, 1).await?;
        let took = assign(pool, ground, 1).await?;
        finish(pool, ground).await?;
        // the first ones prepare the statements
        times.extend((nth >= 20).then_some(took));
    }
    Ok(times)
}

/// One slot at a time is free beside a long queue.
async fn of_waiting(pool: &Pool, ground: &Ground, size: usize) -> anyhow::Result<Vec<f64>> {
    let tenant = &ground.tenant;
    let one = format!(
        "delete from ready_agents where tenant = '{tenant}' and agent <> 'agent-1';
         update agents set state = 'unavailable' where tenant = '{tenant}' and id <> 'agent-1';
         update agents set slot_limit = 1 where tenant = '{tenant}' and id = 'agent-1';"
    );
    pool.get().await?.batch_execute(&one).await?;
    queue(pool, ground, size + ROUNDS + 20).await?;
    let mut times = Vec::with_capacity(ROUNDS);
    for nth in 0..ROUNDS + 20 {
        let took = assign(pool, ground, 1).await?;
        finish(pool, ground).await?;
        times.extend((nth >= 20).then_some(took));
    }
    Ok(times)
}

/// Contacts wait, a millisecond apart.
async fn queue(pool: &Pool, ground: &Ground, count: usize) -> anyhow::Result<()> {
    let (tenant, number) = (&ground.tenant, &ground.number);
    let rows = format!(
        "set statement_timeout = 0;
         with new as (
           select gen_random_uuid() as room, gen_random_uuid() as contact, gen_random_uuid() as cause, n
           from generate_series(1, {count}) n),
         rooms as (
           insert into rooms (id, tenant, channel, our_number, customer_number, point_of_contact, opened_at, caused_by)
           select room, '{tenant}', 'sms', '{number}', '+888' || replace(room::text, '-', ''), 'main', now(), cause from new)
         insert into contacts (id, tenant, room_id, channel, skill, state, priority, queued_at, opened_at, caused_by)
         select contact, '{tenant}', room, 'sms', 'sms', 'queued', 0, now() + n * interval '1 ms', now(), cause from new;
         reset statement_timeout;"
    );
    let client = pool.get().await?;
    client.batch_execute(&rows).await?;
    if count > 1 {
        client.batch_execute("vacuum analyze rooms, contacts").await?;
    }
    Ok(())
}

/// Milliseconds of one batch of `route_contact` that asks for the skill so many times.
async fn assign(pool: &Pool, ground: &Ground, asks: usize) -> anyhow::Result<f64> {
    let batch: Vec<Message<Matchable>> =
        (0..asks).map(|_| ask(&ground.tenant)).collect::<Result<_, _>>().map_err(|why| anyhow::anyhow!("{why}"))?;
    let stopwatch = Stopwatch::start();
    let outcomes = InTransaction(RouteContact).run(pool, &batch).await.map_err(|why| anyhow::anyhow!("{why}"))?;
    let took = stopwatch.elapsed().as_secs_f64() * 1000.0;
    anyhow::ensure!(!outcomes.is_empty());
    Ok(took)
}

fn ask(tenant: &str) -> Result<Message<Matchable>, String> {
    let id = FactId(clock::new_id());
    let body = json!({"id": id, "cause_id": id, "at": clock::wall(), "tenant": tenant, "skill": "sms"});
    let bytes = body.to_string().into_bytes();
    let (body, id, _) = Matchable::decode("skill.due", &bytes).map_err(|why| why.to_string())?;
    let digest = digest(&bytes);
    let (scope, traceparent, extra) = (String::new(), None, None);
    Ok(Message { id, fact: "skill.due", scope, is_redelivered: false, attempt: 0, traceparent, digest, extra, body })
}

/// What was offered is over, its slot free again: exactly one.
async fn finish(pool: &Pool, ground: &Ground) -> anyhow::Result<()> {
    let client = pool.get().await?;
    let row = client
        .query_one(
            "with over as (
               update offers set state = 'rescinded', settled_at = now() where tenant = $1 and state = 'pending'
               returning contact_id, agent),
             closed as (
               update contacts c set state = 'closed', closed_at = now() from over o where c.id = o.contact_id),
             freed as (
               update agents a set slots_used = a.slots_used - 1, sms_used = a.sms_used - 1 from over o where a.tenant = $1 and a.id = o.agent),
             ready as (
               insert into ready_agents (tenant, skill, agent, proficiency, idle_since, rank)
               select $1, 'sms', o.agent, 1, now(), 1 from over o on conflict (tenant, agent, skill) do nothing)
             select count(*) from over",
            &[&ground.tenant],
        )
        .await?;
    anyhow::ensure!(row.get::<_, i64>(0) == 1, "one contact was to be offered, not {}", row.get::<_, i64>(0));
    Ok(())
}
