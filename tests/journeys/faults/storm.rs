//! The storm: every text published twice, at full speed, by `texthub replay`; agents who accept, refuse, ignore, reply
//! and end; and workers killed at random throughout. Each text is recorded once and in its customer's order, no agent
//! holds more than the limit at any commit, and the audit is clean.
//!
//! The long run takes the corpus that `TEXTHUB_CORPUS` names, else as many texts made of our own sentences:
//! `TEXTHUB_CORPUS=<folder> ./dev test --long storm`.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::hands::{Hands, crew};
use super::{BEARS, WORKERS};
use crate::support::recount;
use crate::support::stack::{Process, Stack, until_within};

const OURS: &str = "+15550100001";
const SENTENCES: &str = include_str!("../../../examples/texts.txt");
/// Texts of the corpus.
const ALL: usize = 5_574;

/// How hard it blows.
struct Storm {
    file: PathBuf,
    has_header: bool,
    texts: usize,
    customers: usize,
    agents: usize,
    /// At least so many, and until everything is done.
    kills: usize,
    /// Between two kills.
    calm_ms: std::ops::Range<u64>,
    patience: Duration,
}

/// Who runs what: all of it, what leads to an offer, what follows from one.
const CREWS: [&[&str]; 3] = [
    &WORKERS,
    &["receive_sms", "route_contact", "settle_offer", "reconcile", "keep_dead"],
    &["post_reply", "send_sms", "record_receipt", "wrap_up", "track_agent", "expire_session", "reconcile"],
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_storm() {
    let stack = Stack::new().await;
    let file = sentences(&stack, 366);
    let calm_ms = 500..1_500;
    let patience = Duration::from_secs(120);
    blow(&stack, &Storm { file, has_header: false, texts: 366, customers: 40, agents: 8, kills: 6, calm_ms, patience })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: ./dev test --long"]
async fn a_long_storm() {
    let stack = Stack::new().await;
    let corpus = std::env::var("TEXTHUB_CORPUS").map(|folder| PathBuf::from(folder).join("uci-sms-spam.tsv"));
    let has_header = corpus.is_ok();
    let file = corpus.unwrap_or_else(|_| sentences(&stack, ALL));
    let calm_ms = 300..1_500;
    let patience = Duration::from_secs(900);
    blow(&stack, &Storm { file, has_header, texts: ALL, customers: 500, agents: 40, kills: 60, calm_ms, patience })
        .await;
}

/// A file of so many texts, made of our own sentences.
fn sentences(stack: &Stack, count: usize) -> PathBuf {
    let mut text = String::new();
    for (nth, sentence) in SENTENCES.lines().filter(|line| !line.is_empty()).cycle().take(count).enumerate() {
        writeln!(text, "ours\t{sentence} ({nth})").unwrap();
    }
    PathBuf::from(stack.file("texts.tsv", &text))
}

async fn blow(stack: &Stack, storm: &Storm) {
    stack.command(&["apply", &stack.file("tenant.toml", &crew(storm.agents))]).success();
    recount::install(&stack.database.pool).await;
    let _network = stack.start(&["carrier-simulator"]).await;
    let mut processes = Vec::new();
    for roles in CREWS {
        processes.push(stack.start(roles).await);
    }
    let mut desk = stack.desk(BEARS).await;
    desk.doubles = true;
    let hands = Hands::at_work(desk, stack.database.pool.clone(), storm.agents).await;
    let began = Instant::now();
    let (ids, kills) = tokio::join!(replay(stack, storm), kill_until_done(stack, storm, &mut processes));
    println!(
        "{} texts of {} customers, twice each, {kills} kills, {} offers: done after {:.1} s",
        storm.texts,
        storm.customers,
        number(stack, "select count(*) from offers").await,
        began.elapsed().as_secs_f64()
    );
    let said = hands.rest().await;
    let quiet = "every contact is closed and every text has left";
    until_within(quiet, storm.patience, async || is_done(stack, storm).await).await;
    in_order(stack, storm, &ids).await;
    never_over(stack).await;
    let all = stack.file("all-ids", &format!("{}\n{said}", ids.join("\n")));
    until_within("the audit knows every id", storm.patience, async || {
        stack.command(&["audit", "--ids", &all]).code == Some(0)
    })
    .await;
    assert_eq!(stack.command(&["dead", "list", "--json"]).success().trim(), "[]");
}

/// Publishes everything; says the ids in their order.
async fn replay(stack: &Stack, storm: &Storm) -> Vec<String> {
    let ids = stack.file("ids", "");
    let (file, customers) = (storm.file.to_str().unwrap(), storm.customers.to_string());
    let mut arguments = vec!["replay", file, "--to", OURS, "--customers", &customers, "--twice", "--ids", &ids];
    if storm.has_header {
        arguments.push("--header");
    }
    stack.command_beside(&arguments, storm.patience).await.success();
    let ids: Vec<String> = std::fs::read_to_string(&ids).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(ids.len(), storm.texts);
    ids
}

/// Kills a process at random moments and starts it again, until all is done and enough were killed; says how many.
async fn kill_until_done(stack: &Stack, storm: &Storm, processes: &mut [Process]) -> usize {
    let (began, mut kills) = (Instant::now(), 0);
    while kills < storm.kills || !is_done(stack, storm).await {
        assert!(began.elapsed() < storm.patience, "not done after {kills} kills: {}", state(stack).await);
        // no wait for an event: the moment of the fault is meant to be any
        tokio::time::sleep(Duration::from_millis(fastrand::u64(storm.calm_ms.clone()))).await;
        let which = fastrand::usize(..processes.len());
        // most victims were at work: on a busy machine none would ever be, if all were killed while they start
        if fastrand::u8(0..10) > 0 && !stack.is_ready(&processes[which]).await {
            continue;
        }
        let started = stack.spawn(CREWS[which]);
        std::mem::replace(&mut processes[which], started).kill();
        kills += 1;
    }
    kills
}

async fn number(stack: &Stack, sql: &str) -> i64 {
    stack.database.pool.get().await.unwrap().query_one(sql, &[]).await.unwrap().get(0)
}

/// Every text is recorded, every contact over, every reply out of the house.
async fn is_done(stack: &Stack, storm: &Storm) -> bool {
    let recorded = number(stack, "select count(*) from entries where author = 'customer'").await;
    let open = "select (select count(*) from contacts where state <> 'closed')
                + (select count(*) from sms where state in ('requested', 'sending', 'held'))";
    usize::try_from(recorded).unwrap() >= storm.texts && number(stack, open).await == 0
}

async fn state(stack: &Stack) -> String {
    let client = stack.database.pool.get().await.unwrap();
    let sql = "select string_agg(what || ' ' || count, ', ' order by what) from (
                 select 'contacts ' || state as what, count(*) from contacts group by state union all
                 select 'sms ' || state, count(*) from sms group by state union all
                 select 'entries of a ' || author, count(*) from entries group by author union all
                 select 'dead ' || reason, count(*) from dead_letters group by reason) x";
    client.query_one(sql, &[]).await.unwrap().get::<_, Option<String>>(0).unwrap_or_default()
}

/// Each text stands in the rooms of its customer once, in the order in which it was published.
async fn in_order(stack: &Stack, storm: &Storm, ids: &[String]) {
    let client = stack.database.pool.get().await.unwrap();
    let rows = client
        .query(
            "select right(r.customer_number, 7)::int - 1000000, e.caused_by::text from entries e
             join rooms r on r.id = e.room_id where e.author = 'customer' order by 1, r.opened_at, e.seq",
            &[],
        )
        .await
        .unwrap();
    let mut recorded = vec![Vec::new(); storm.customers];
    for row in &rows {
        recorded[usize::try_from(row.get::<_, i32>(0)).unwrap()].push(row.get::<_, String>(1));
    }
    for (customer, recorded) in recorded.iter().enumerate() {
        let published: Vec<&String> = ids.iter().skip(customer).step_by(storm.customers).collect();
        assert_eq!(recorded.iter().collect::<Vec<_>>(), published, "the texts of customer {customer}");
    }
    let rooms = number(stack, "select count(*) from rooms").await;
    println!("{} texts recorded once and in order, in {rooms} rooms", rows.len());
}

/// The trigger has refused no commit, and would have.
async fn never_over(stack: &Stack) {
    assert!(
        !stack.logs().contains("SQLSTATE 23514"),
        "a commit was refused: an agent over the limit, or a wrong count"
    );
    let client = stack.database.pool.get().await.unwrap();
    let again = "update offers set state = 'pending', settled_at = null where id = (select id from offers limit 1)";
    let refused = client.execute(again, &[]).await.unwrap_err();
    assert_eq!(refused.code(), Some(&tokio_postgres::error::SqlState::CHECK_VIOLATION), "{refused}");
}
