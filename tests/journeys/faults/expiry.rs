//! Ten thousand sessions whose deadlines are reset at random over five minutes: none expires early, and hardly any late.
//! Once more with the broker and a worker killed in between: none is lost or early, what was overdue is soon made up for.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::sessions::{begin, reset, tenant};
use super::{BEARS, WORKERS};
use crate::support::servers::Servers;
use crate::support::stack::{Process, Stack, until, until_within};

const SESSIONS: usize = 10_000;
const SPAN: Duration = Duration::from_secs(300);
const TIMEOUT_S: i32 = 60;
/// In which what fell due in an outage is made up for, once the workers are ready again.
const MADE_UP_S: f64 = 30.0;

/// From the kill until every worker was ready again.
type Outage = (Timestamp, Timestamp);

async fn stack_of(stack: &Stack, sessions: usize, timeout_s: i32) -> (Process, [Process; 2]) {
    stack.command(&["apply", &stack.file("tenant.toml", &tenant(sessions, timeout_s))]).success();
    let network = stack.start(&["carrier-simulator"]).await;
    (network, [stack.start(&WORKERS).await, stack.start(&WORKERS).await])
}

/// Resets deadlines and awaits the end of every session; says how many resets there were.
async fn live_and_expire(stack: &Stack, sessions: usize, timeout_s: i32, span: Duration) -> usize {
    let live = begin(stack, sessions, timeout_s).await;
    let resets = reset(stack, live, timeout_s, span).await;
    until_within("every session has ended", span, async || {
        let client = stack.database.pool.get().await.unwrap();
        let living = "select count(*) from sessions where ended_at is null";
        client.query_one(living, &[]).await.unwrap().get::<_, i64>(0) == 0
    })
    .await;
    resets
}

/// Deadline, and seconds from it to the end, of each session.
async fn lateness(stack: &Stack) -> Vec<(Timestamp, f64)> {
    let client = stack.database.pool.get().await.unwrap();
    let sql = "select deadline_at, extract(epoch from ended_at - deadline_at)::float8 from sessions where end_reason = 'expired'";
    client.query(sql, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// p50, p99 and the longest.
fn spread(mut late: Vec<f64>) -> (f64, f64, f64) {
    late.sort_by(f64::total_cmp);
    let at = |share: usize| late.get((late.len() * share / 100).min(late.len().saturating_sub(1)));
    (at(50).copied().unwrap_or(0.0), at(99).copied().unwrap_or(0.0), at(100).copied().unwrap_or(0.0))
}

/// How often the sweep had to say a timer again.
fn repairs(stack: &Stack) -> u64 {
    let logs = stack.logs();
    let lines = logs.lines().filter(|line| line.contains("said again by the sweep"));
    lines.filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()?["count"].as_u64()).sum()
}

fn load() -> String {
    std::fs::read_to_string("/proc/loadavg").unwrap_or_default().split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// Every session has expired, none before its deadline, and every reset has moved one.
async fn none_early_none_lost(stack: &Stack, sessions: usize, resets: usize) -> Vec<(Timestamp, f64)> {
    let all = lateness(stack).await;
    let early = all.iter().filter(|(_, late)| *late < 0.0).count();
    assert_eq!((all.len(), early), (sessions, 0), "expired, and expired early");
    let client = stack.database.pool.get().await.unwrap();
    let row = client
        .query_one(
            "select (select count(*) from entries where caused_by in (select id from heard where worker in
                     ('receive_sms', 'post_reply') and outcome = 'recorded')),
                    (select count(*) from entries e join sessions s on s.room_id = e.room_id
                     where e.deadline_at > s.deadline_at),
                    (select count(*) from refusals where tenant = $1)",
            &[&BEARS],
        )
        .await
        .unwrap();
    let (written, overtaken, refused): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
    assert_eq!(usize::try_from(written + refused).unwrap(), resets, "{refused} replies came after the deadline");
    assert_eq!(overtaken, 0, "a text moved the deadline, and the session knows nothing of it");
    stack.command(&["audit"]).success();
    assert_eq!(stack.command(&["dead", "list", "--json"]).success().trim(), "[]");
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: ./dev test --long"]
async fn sessions_expire_at_their_deadline() {
    let stack = Stack::new().await;
    let _processes = stack_of(&stack, SESSIONS, TIMEOUT_S).await;
    let resets = live_and_expire(&stack, SESSIONS, TIMEOUT_S, SPAN).await;
    let all = none_early_none_lost(&stack, SESSIONS, resets).await;
    let (p50, p99, max) = spread(all.iter().map(|(_, late)| *late).collect());
    println!(
        "{} sessions, {resets} resets, 0 early: late by p50 {p50:.3} s, p99 {p99:.3} s, at most {max:.3} s; load {}",
        all.len(),
        load()
    );
    assert!(p99 <= 1.0, "p99 {p99:.3} s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: ./dev test --long"]
async fn sessions_expire_though_broker_and_worker_are_killed() {
    let servers = Arc::new(tokio::task::spawn_blocking(Servers::start).await.unwrap());
    let stack = Stack::on(&servers).await;
    let (_network, mut workers) = stack_of(&stack, SESSIONS, TIMEOUT_S).await;
    let (resets, outages) = tokio::join!(
        live_and_expire(&stack, SESSIONS, TIMEOUT_S, SPAN),
        kill_twice(&servers, &stack, &mut workers, SPAN)
    );
    let all = none_early_none_lost(&stack, SESSIONS, resets).await;
    let overdue = |deadline: &Timestamp| outages.iter().find(|(from, to)| from <= deadline && deadline <= to);
    let made_up: Vec<f64> = all
        .iter()
        .filter_map(|(deadline, late)| {
            let (_, ready) = overdue(deadline)?;
            Some(late - ready.duration_since(*deadline).as_secs_f64())
        })
        .collect();
    let count = made_up.len();
    let (_, _, longest) = spread(made_up);
    let (p50, p99, max) = spread(all.iter().filter(|(at, _)| overdue(at).is_none()).map(|(_, late)| *late).collect());
    println!(
        "{} sessions, {resets} resets, 0 early, 0 lost; {count} fell due in two outages of {} s and were over {longest:.3} s \
         after readiness; the others late by p50 {p50:.3} s, p99 {p99:.3} s, at most {max:.3} s; the sweep said {} timers \
         again; load {}",
        all.len(),
        outages
            .iter()
            .map(|(from, to)| format!("{:.1}", to.duration_since(*from).as_secs_f64()))
            .collect::<Vec<_>>()
            .join(" and "),
        repairs(&stack),
        load()
    );
    assert!(longest <= MADE_UP_S, "what was overdue was over {longest:.3} s after readiness");
    assert!(p99 <= 1.0, "p99 {p99:.3} s");
}

/// After a third and after two thirds of the span the broker and one worker are killed and started again; the other
/// worker lives through it. Says when that was.
async fn kill_twice(servers: &Arc<Servers>, stack: &Stack, workers: &mut [Process; 2], span: Duration) -> Vec<Outage> {
    let mut outages = Vec::new();
    let mut thirds = tokio::time::interval(span / 3);
    thirds.tick().await;
    for _ in 0..2 {
        thirds.tick().await;
        let killed = now(stack).await;
        servers.kill_broker();
        std::mem::replace(&mut workers[0], stack.spawn(&WORKERS)).kill();
        until("the other worker has noticed", async || !stack.is_ready(&workers[1]).await).await;
        let again = Arc::clone(servers);
        tokio::task::spawn_blocking(move || again.start_again()).await.unwrap();
        until("both are ready again", async || stack.is_ready(&workers[0]).await && stack.is_ready(&workers[1]).await)
            .await;
        outages.push((killed, now(stack).await));
    }
    outages
}

/// The database's time.
async fn now(stack: &Stack) -> Timestamp {
    stack.database.pool.get().await.unwrap().query_one("select clock_timestamp()", &[]).await.unwrap().get(0)
}
