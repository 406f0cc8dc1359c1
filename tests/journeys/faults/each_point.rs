//! Every worker is ended at every point of its loop, in the middle of a conversation: before and after its commit, before
//! and after it has published what follows. Another process takes over and the conversation goes on as if nothing had
//! been: each fact is said, under one id, and each row is there once.

use serde_json::{Value, json};

use super::{BEARS, EXAMPLE, WORKERS};
use crate::support::desk::Desk;
use crate::support::stack::{Stack, until};

/// Of complaints: their skill has a wrap-up.
const OURS: &str = "+18005550199";
const AGENT: &str = "mama-bear";
/// Of a worker that does its deed in one transaction.
const POINTS: [&str; 4] = ["before_commit", "after_commit", "before_publish", "after_publish"];
/// Of the one that calls the carrier in between.
const CALLING: [&str; 5] = ["after_claim", "after_call", "after_commit", "before_publish", "after_publish"];
/// Of the process that ended itself.
const SIGABRT: i32 = 6;

/// How a conversation ends.
#[derive(Clone, Copy, PartialEq)]
enum End {
    ByAgent,
    ByDeadline,
}

/// The example with a second of wrap-up; where sessions are to expire, after this many seconds.
async fn stack(timeout_s: Option<u32>) -> Stack {
    let stack = Stack::new().await;
    let skill = "carrier = \"sim\"\nskill = \"too-hot-too-cold\"\n";
    let timeout = timeout_s.map(|s| format!("session_timeout_s = {s}\n")).unwrap_or_default();
    let tenant = EXAMPLE.replace("wrap_up_s = 30", "wrap_up_s = 1").replace(skill, &format!("{skill}{timeout}"));
    assert!(tenant.contains("wrap_up_s = 1\n") && (timeout.is_empty() || tenant.contains(&timeout)));
    stack.command(&["apply", &stack.file("tenant.toml", &tenant)]).success();
    crate::support::recount::install(&stack.database.pool).await;
    stack
}

/// From the agent's arrival to the closed contact and the agent's leaving; each step waits for what follows from it.
async fn converse(desk: &Desk, customer: &str, end: End) {
    desk.log_in(AGENT).await;
    desk.text(customer, OURS, &format!("too hot, says {customer}")).await;
    let offer = desk.heard("offer.made", |fact| fact["customer_number"] == customer).await;
    let room = desk.accept(&offer).await;
    desk.reply(AGENT, &room, &format!("blow on it, {customer}")).await;
    let has_left = |fact: &Value| {
        fact["room_id"] == room.as_str() && (fact["status"] == "delivered" || fact["status"] == "unknown")
    };
    desk.heard("sms.changed", has_left).await;
    desk.text(customer, OURS, &format!("now it is too cold, says {customer}")).await;
    desk.appended(&format!("now it is too cold, says {customer}")).await;
    for (asked, how) in [("park.asked", "parked"), ("unpark.asked", "unparked")] {
        let by = json!({"kind": "agent", "name": AGENT});
        let body = json!({"tenant": BEARS, "contact_id": offer["contact_id"], "by": by});
        desk.say(asked, BEARS, body).await;
        let is_it = |fact: &Value| fact["contact_id"] == offer["contact_id"] && fact["how"] == how;
        desk.heard("contact.moved", is_it).await;
    }
    if end == End::ByAgent {
        let by = json!({"kind": "agent", "name": AGENT});
        let body = json!({"tenant": BEARS, "contact_id": offer["contact_id"], "by": by, "reason": "done"});
        desk.say("contact.ended", BEARS, body).await;
    }
    desk.heard("contact.closed", |fact| fact["contact_id"] == offer["contact_id"]).await;
    desk.moved(AGENT, "logged_out").await;
}

/// A conversation for each point, in which `worker` ends there when it comes by for the n-th time.
async fn ends_at_each(worker: &str, points: &[&str], nths: &[u32], end: End) {
    let stack = stack((end == End::ByDeadline).then_some(4)).await;
    let mut rest: Vec<&str> = WORKERS.into_iter().filter(|name| *name != worker).collect();
    rest.push("carrier-simulator");
    let _rest = stack.start(&rest).await;
    // what it hears of a text it is to hear one by one, however loaded the machine is
    let delay_ms = if worker == "record_receipt" { 1500 } else { 200 };
    let receipts = json!({"receipts": {"delay_ms": delay_ms, "spread_ms": 0}});
    stack.http.put(format!("{}/faults", stack.simulator_url)).json(&receipts).send().await.unwrap();
    let desk = stack.desk(BEARS).await;
    let places: Vec<String> =
        nths.iter().flat_map(|nth| points.iter().map(move |point| format!("{worker}:{point}:{nth}"))).collect();
    for (nth, place) in places.iter().enumerate() {
        let mut doomed = stack.spawn_armed(&[worker], place);
        // or else what comes by one after the other is one batch, and a later point is never reached
        until("the process is ready, or has ended", async || {
            doomed.signal().is_some() || stack.is_ready(&doomed).await
        })
        .await;
        let customer = format!("+1555700{nth:04}");
        let took_over = async {
            until(&format!("the process has ended at {place}"), async || doomed.signal() == Some(SIGABRT)).await;
            stack.spawn(&[worker])
        };
        let (_second, ()) = tokio::join!(took_over, converse(&desk, &customer, end));
    }
    // the last repeats are still on their way
    let _second = stack.start(&[worker]).await;
    is_whole(&stack, &desk, places.len(), end).await;
    sent_once(&stack, worker, places.len()).await;
    stack.command(&["audit", "--ids", &stack.file("ids", &desk.said())]).success();
    assert_eq!(stack.command(&["dead", "list", "--json"]).success().trim(), "[]");
}

/// Exactly what so many conversations leave behind, in rows and in facts.
async fn is_whole(stack: &Stack, desk: &Desk, count: usize, end: End) {
    let client = stack.database.pool.get().await.unwrap();
    let rows = client
        .query(
            "select string_agg(e.author || ': ' || split_part(e.text, ',', 1), ' | ' order by e.seq)
             from rooms r join entries e on e.room_id = r.id where r.closed_at is not null group by r.id",
            &[],
        )
        .await
        .unwrap();
    let want = "customer: too hot | agent: blow on it | customer: now it is too cold";
    let transcripts: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(transcripts, vec![want; count]);
    let counts = client
        .query_one(
            "select (select count(*) from rooms), (select count(*) from contacts where state = 'closed'),
                    (select count(*) from offers where state = 'accepted'), (select count(*) from sessions
                     where ended_at is not null), (select count(*) from sms), (select count(*) from offers)",
            &[],
        )
        .await
        .unwrap();
    let many = i64::try_from(count).unwrap();
    assert_eq!((0..6).map(|n| counts.get::<_, i64>(n)).collect::<Vec<_>>(), [many; 6]);
    let expired = if end == End::ByDeadline { count } else { 0 };
    let said = [
        ("room.opened", count),
        ("entry.appended", 3 * count),
        ("contact.queued", count),
        ("offer.made", count),
        ("offer.settled", count),
        ("session.started", count),
        ("session.expired", expired),
        ("room.closed", count),
        ("contact.closed", count),
        ("contact.moved", 2 * count),
    ];
    for (fact, want) in said {
        until(&format!("{fact} was said for each"), async || desk.distinct(fact) >= want).await;
        assert_eq!(desk.distinct(fact), want, "{fact}: said once for each, under one id however often");
    }
}

/// The carrier has each text once; where the worker ended between the claim and the answer's record nobody can know,
/// so the text is unknown and was not sent again.
async fn sent_once(stack: &Stack, worker: &str, count: usize) {
    let record: Value = stack
        .http
        .get(format!("{}/record?limit=100000", stack.simulator_url))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let mut sent: Vec<&str> =
        record["submissions"].as_array().unwrap().iter().map(|s| s["sms_id"].as_str().unwrap()).collect();
    let all = sent.len();
    sent.sort_unstable();
    sent.dedup();
    let client = stack.database.pool.get().await.unwrap();
    let row = client.query_one("select count(*) from sms where state = 'unknown'", &[]).await.unwrap();
    let unknown = usize::try_from(row.get::<_, i64>(0)).unwrap();
    // of the two, the one ended after the claim has not called
    let (want_unknown, want_sent) = if worker == "send_sms" { (2, count - 1) } else { (0, count) };
    assert_eq!((all, sent.len(), unknown), (want_sent, want_sent, want_unknown));
}

#[tokio::test(flavor = "multi_thread")]
async fn receive_sms_ends_at_each_point() {
    ends_at_each("receive_sms", &POINTS, &[1, 2], End::ByAgent).await;
}

/// It hears of the agent, of the contact, of the settled offer and of the freed slot.
#[tokio::test(flavor = "multi_thread")]
async fn route_contact_ends_at_each_point() {
    ends_at_each("route_contact", &POINTS, &[1, 2, 3, 4], End::ByAgent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settle_offer_ends_at_each_point() {
    ends_at_each("settle_offer", &POINTS, &[1], End::ByAgent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn post_reply_ends_at_each_point() {
    ends_at_each("post_reply", &POINTS, &[1], End::ByAgent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn send_sms_ends_at_each_point() {
    ends_at_each("send_sms", &CALLING, &[1], End::ByAgent).await;
}

/// It hears of the submission, then of the receipt.
#[tokio::test(flavor = "multi_thread")]
async fn record_receipt_ends_at_each_point() {
    ends_at_each("record_receipt", &POINTS, &[1, 2], End::ByAgent).await;
}

/// It hears that the timer is early, the second text having moved the deadline, then that it is due.
#[tokio::test(flavor = "multi_thread")]
async fn expire_session_ends_at_each_point() {
    tokio::join!(
        ends_at_each("expire_session", &POINTS, &[1], End::ByDeadline),
        ends_at_each("expire_session", &POINTS, &[2], End::ByDeadline),
    );
}

/// It hears of the end, then that the wrap-up is over.
#[tokio::test(flavor = "multi_thread")]
async fn wrap_up_ends_at_each_point() {
    ends_at_each("wrap_up", &POINTS, &[1, 2], End::ByAgent).await;
}

/// It hears that the contact is to be parked, then that it is to be taken back.
#[tokio::test(flavor = "multi_thread")]
async fn move_contact_ends_at_each_point() {
    ends_at_each("move_contact", &POINTS, &[1, 2], End::ByAgent).await;
}

/// It hears of the agent's coming and going.
#[tokio::test(flavor = "multi_thread")]
async fn track_agent_ends_at_each_point() {
    ends_at_each("track_agent", &POINTS, &[1, 2], End::ByAgent).await;
}
