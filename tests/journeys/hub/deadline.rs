//! The text and the deadline: the row decides, not whether the timer has fired.

use jiff::Timestamp;
use serde_json::Value;

use super::{clean, number};
use crate::support::desk::Desk;
use crate::support::stack::{Process, Stack, until};

const OURS: &str = "+15550100001";
const CUSTOMER: &str = "+15557000001";
const EXAMPLE: &str = include_str!("../../../examples/three-bears.toml");
/// All but `expire_session`: no timer fires.
const TIMELESS: [&str; 9] = [
    "receive_sms",
    "route_contact",
    "settle_offer",
    "post_reply",
    "send_sms",
    "record_receipt",
    "wrap_up",
    "track_agent",
    "carrier-simulator",
];

/// A session of mama-bear's, with this timeout.
async fn session(roles: &[&str], timeout_s: u32) -> (Stack, Process, Desk, String) {
    let stack = Stack::new().await;
    let quick = EXAMPLE.replacen(
        "skill = \"porridge-orders\"",
        &format!("skill = \"porridge-orders\"\nsession_timeout_s = {timeout_s}"),
        1,
    );
    stack.command(&["apply", &stack.file("quick.toml", &quick)]).success();
    let process = stack.start(roles).await;
    let desk = stack.desk("three-bears").await;
    desk.log_in("mama-bear").await;
    desk.text(CUSTOMER, OURS, "first").await;
    let offer = desk.offer("mama-bear").await;
    let room = desk.accept(&offer).await;
    (stack, process, desk, room)
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_deadline_a_text_joins_and_moves_it() {
    let (stack, _process, desk, room) = session(&["all"], 7200).await;
    let started = desk.heard("session.started", |fact| fact["room_id"] == room.as_str()).await;
    desk.text(CUSTOMER, OURS, "second").await;
    let entry = desk.appended("second").await;
    assert_eq!(entry["room_id"], room.as_str());
    assert!(time(&entry["deadline_at"]) > time(&started["deadline_at"]));
    desk.reply("mama-bear", &room, "third").await;
    assert!(time(&desk.appended("third").await["deadline_at"]) > time(&entry["deadline_at"]));
    assert_eq!(number(&stack, "select count(*) from sessions where ended_at is null").await, 1);
    clean(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_deadline_a_text_opens_a_new_room_though_no_timer_has_fired() {
    let (stack, _process, desk, room) = session(&TIMELESS, 1).await;
    let past = "select count(*) from sessions where deadline_at <= clock_timestamp()";
    until("the deadline has passed", async || number(&stack, past).await == 1).await;
    assert_eq!(number(&stack, "select count(*) from sessions where ended_at is null").await, 1, "no timer fired");
    let late = desk.reply("mama-bear", &room, "too late").await;
    assert_eq!(desk.refused(&late).await, "session_expired");
    desk.text(CUSTOMER, OURS, "second").await;
    let entry = desk.appended("second").await;
    assert_ne!(entry["room_id"], room.as_str());
    let expired = desk.heard("session.expired", |fact| fact["room_id"] == room.as_str()).await;
    assert_eq!(expired["agent"], "mama-bear");
    assert_eq!(number(&stack, "select count(*) from rooms where closed_at is null").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timer_ends_a_session_that_nobody_extends_and_frees_the_slot() {
    let (stack, _process, desk, room) = session(&["all"], 1).await;
    let expired = desk.heard("session.expired", |fact| fact["room_id"] == room.as_str()).await;
    let ended = "select count(*) from sessions where end_reason = 'expired' and ended_at >= deadline_at";
    until("it has ended, not before its deadline", async || number(&stack, ended).await == 1).await;
    let freed = desk.heard("agent.freed", |fact| fact["agent"] == "mama-bear").await;
    assert_eq!(freed["slots_used"], 0);
    desk.text(CUSTOMER, OURS, "again").await;
    let offer = desk.offer("mama-bear").await;
    assert_ne!(offer["contact_id"], expired["contact_id"], "a later reply is a new interaction");
    clean(&stack).await;
}
