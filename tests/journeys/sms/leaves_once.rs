//! Workers are killed while texts leave: the carrier's own record has each text once, but for those that are marked
//! unknown, which it may or may not have once; and in each conversation the order holds.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};
use texthub::facts::envelope::Publication;
use texthub::facts::ids::SmsId;

use crate::support::fixtures::{Requested, bears};
use crate::support::stack::{Stack, until};

const ROOMS: u32 = 100;
const EACH: i32 = 20;
const KILLS: usize = 10;

async fn count(stack: &Stack, states: &[&str]) -> i64 {
    let client = stack.database.pool.get().await.unwrap();
    client.query_one("select count(*) from sms where state = any($1)", &[&states]).await.unwrap().get(0)
}

async fn record(stack: &Stack) -> Vec<SmsId> {
    let url = format!("{}/record?limit=100000", stack.simulator_url);
    let page: Value = stack.http.get(url).send().await.unwrap().json().await.unwrap();
    page["submissions"].as_array().unwrap().iter().map(|s| s["sms_id"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_workers_send_no_text_twice_and_lose_none() {
    let stack = Stack::new().await;
    bears(&stack.database.pool, &stack.simulator_url).await;
    let _network = stack.start(&["carrier-simulator"]).await;
    let slow = json!({"delay_ms": 5, "receipts": {"delay_ms": 50, "spread_ms": 100, "early": 0.1, "duplicated": 0.1}});
    stack.http.put(format!("{}/faults", stack.simulator_url)).json(&slow).send().await.unwrap();

    let texts: Vec<Requested> =
        (1..=EACH).flat_map(|seq| (1..=ROOMS).map(move |room| Requested::new(room, seq))).collect();
    Requested::write_all(&stack.database.pool, &texts).await;
    let publications: Vec<Publication> =
        texts.iter().map(|text| Publication::of(&text.fact(0), text.scope())).collect();
    let mut workers =
        [stack.start(&["send_sms", "record_receipt"]).await, stack.start(&["send_sms", "record_receipt"]).await];
    stack.publisher().await.say(&publications).await.unwrap();

    let total = i64::from(ROOMS) * i64::from(EACH);
    for kill in 0..KILLS {
        // the next kill comes when a further share of the texts has left, at some moment within a batch
        let share = total * i64::try_from(kill).unwrap() / i64::try_from(KILLS).unwrap();
        until("texts go on leaving", async || count(&stack, &["requested", "sending"]).await <= total - share).await;
        // no wait for an event: within a batch the moment of the fault is meant to be any, before the claim's commit, during
        // the calls or after them
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..30))).await;
        let started = stack.spawn(&["send_sms", "record_receipt"]);
        std::mem::replace(&mut workers[kill % 2], started).kill();
    }
    until("every text has left, and every receipt was recorded", async || {
        count(&stack, &["requested", "sending", "held", "submitted"]).await == 0
    })
    .await;

    let states = states(&stack).await;
    let record = record(&stack).await;
    let mut times: HashMap<SmsId, usize> = HashMap::new();
    for id in &record {
        *times.entry(*id).or_default() += 1;
    }
    let mut unknown = 0;
    for text in &texts {
        let (state, times) = (states[&text.sms_id].as_str(), times.get(&text.sms_id).copied().unwrap_or_default());
        match state {
            "unknown" => unknown += 1,
            other => assert_eq!((other, times), ("delivered", 1), "text {} of {}", text.seq, text.customer),
        }
        assert!(times <= 1, "text {} of {} left {times} times", text.seq, text.customer);
    }
    let seqs: HashMap<SmsId, &Requested> = texts.iter().map(|text| (text.sms_id, text)).collect();
    let mut last: HashMap<&str, i32> = HashMap::new();
    for text in record.iter().map(|id| seqs[id]) {
        let before = last.insert(&text.customer, text.seq).unwrap_or_default();
        assert!(before < text.seq, "{}: text {} left after text {before}", text.customer, text.seq);
    }
    println!("{} of {total} in the record, {unknown} unknown, {KILLS} kills", record.len());
}

async fn states(stack: &Stack) -> HashMap<SmsId, String> {
    let client = stack.database.pool.get().await.unwrap();
    let rows = client.query("select id, state from sms", &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}
