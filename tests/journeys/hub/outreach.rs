//! A text on an agent's own initiative: it opens, joins, takes over what waits, or is refused with the reason; and never
//! goes beyond the limit.

use super::{bears, clean, number};
use crate::support::stack::until;

const OURS: &str = "+15550100001";

#[tokio::test(flavor = "multi_thread")]
async fn it_opens_a_room_and_then_joins_it() {
    let (stack, _texthub) = bears().await;
    let mut desk = stack.desk("three-bears").await;
    desk.doubles = true;
    desk.log_in("mama-bear").await;
    desk.outreach("mama-bear", OURS, "+15557000001", "Your bowl is ready").await;
    let entry = desk.appended("Your bowl is ready").await;
    let room = entry["room_id"].as_str().unwrap();
    let started = desk.heard("session.started", |fact| fact["room_id"] == room).await;
    assert_eq!(started["agent"], "mama-bear");
    desk.heard("sms.changed", |fact| fact["room_id"] == room && fact["status"] == "delivered").await;
    desk.outreach("mama-bear", OURS, "+15557000001", "Still ready").await;
    assert_eq!(desk.appended("Still ready").await["room_id"], room);
    desk.text("+15557000001", OURS, "On my way").await;
    assert_eq!(desk.appended("On my way").await["room_id"], room);
    assert_eq!(number(&stack, "select slots_used::bigint from agents where id = 'mama-bear'").await, 1);
    assert_eq!(desk.all("offer.made").len(), 0);
    clean(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_takes_over_a_contact_that_waits() {
    let (stack, _texthub) = bears().await;
    let desk = stack.desk("three-bears").await;
    desk.text("+15557000001", OURS, "Anyone?").await;
    let queued = desk.heard("contact.queued", |_| true).await;
    desk.moved("mama-bear", "unavailable").await;
    desk.outreach("mama-bear", OURS, "+15557000001", "Here I am").await;
    let entry = desk.appended("Here I am").await;
    assert_eq!(entry["room_id"], queued["room_id"]);
    let started = desk.heard("session.started", |_| true).await;
    assert_eq!((&started["contact_id"], &started["agent"]), (&queued["contact_id"], &"mama-bear".into()));
    clean(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_refused_with_the_reason() {
    let (stack, _texthub) = bears().await;
    let desk = stack.desk("three-bears").await;
    let ask = async |agent: &str, ours: &str, to: &str, text: &str| {
        let id = desk.outreach(agent, ours, to, text).await;
        desk.refused(&id).await
    };
    assert_eq!(ask("mama-bear", OURS, "+15557000001", "hi").await, "logged_out");
    assert_eq!(ask("big-bad-wolf", OURS, "+15557000001", "hi").await, "unknown_agent");
    desk.log_in("baby-bear").await;
    desk.text("+15557000002", OURS, "mine").await;
    let offer = desk.offer("baby-bear").await;
    desk.accept(&offer).await;
    desk.log_in("mama-bear").await;
    assert_eq!(ask("mama-bear", OURS, "+15557000002", "hi").await, "held_by_other");
    assert_eq!(ask("mama-bear", "+15550109999", "+15557000001", "hi").await, "no_number");
    assert_eq!(ask("mama-bear", OURS, "+15557000001", "").await, "text_length");
    assert_eq!(ask("mama-bear", OURS, "+15557000001", &"long ".repeat(1000)).await, "text_length");
    desk.text("+15557000003", OURS, "STOP").await;
    desk.heard("entry.appended", |fact| fact["author"] == "hub").await;
    assert_eq!(ask("mama-bear", OURS, "+15557000003", "hi").await, "opted_out");
    desk.log_in("goldilocks").await;
    for n in 1..=2 {
        desk.outreach("goldilocks", OURS, &format!("+1555710000{n}"), &format!("hello {n}")).await;
        desk.appended(&format!("hello {n}")).await;
    }
    assert_eq!(ask("goldilocks", OURS, "+15557100003", "hi").await, "no_free_slot");
    clean(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_at_once_never_go_beyond_the_limit() {
    let (stack, _texthub) = bears().await;
    let desk = stack.desk("three-bears").await;
    desk.log_in("mama-bear").await;
    for n in 0..15 {
        desk.outreach("mama-bear", OURS, &format!("+155572000{n:02}"), "hello").await;
        desk.text(&format!("+155573000{n:02}"), OURS, "hello").await;
    }
    let settled = "select (select count(*) from contacts where state = 'active') + (select count(*) from refusals)";
    until("every outreach is done or refused", async || number(&stack, settled).await >= 15).await;
    let held = "select count(*) from contacts where agent = 'mama-bear' and state in ('offered', 'active')";
    assert_eq!(number(&stack, held).await, 5);
    clean(&stack).await;
}
