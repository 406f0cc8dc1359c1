//! Contacts change hands, through the real queues and with every message twice: transfer with history, park, takeover.

use serde_json::{Value, json};

use super::{bears, clean, number};
use crate::support::desk::Desk;

const OURS: &str = "+15550100001";
const COMPLAINTS: &str = "+18005550199";

/// Somebody asks for a move; says the id.
async fn ask(desk: &Desk, fact: &str, kind: &str, name: &str, offer: &Value, more: Value) -> String {
    let mut body =
        json!({"tenant": "three-bears", "by": {"kind": kind, "name": name}, "contact_id": offer["contact_id"]});
    if let Value::Object(more) = more {
        body.as_object_mut().unwrap().extend(more);
    }
    desk.say(fact, "three-bears", body).await
}

async fn moved(desk: &Desk, how: &str, agent: Option<&str>) -> Value {
    desk.heard("contact.moved", |fact| fact["how"] == how && fact["agent"].as_str() == agent).await
}

async fn slots(stack: &crate::support::stack::Stack, agent: &str) -> i64 {
    number(stack, &format!("select slots_used::bigint from agents where id = '{agent}'")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_to_a_skill_takes_the_history_along_and_keeps_its_place() {
    let (stack, _texthub) = bears().await;
    let mut desk = stack.desk("three-bears").await;
    desk.doubles = true;
    desk.log_in("hansel").await;
    desk.text("+15557100001", OURS, "my bowl is too hot").await;
    let first = desk.offer("hansel").await;
    let room = desk.accept(&first).await;
    desk.log_in("mama-bear").await;
    let note = json!({"skill": "too-hot-too-cold", "note": "be gentle"});
    ask(&desk, "transfer.asked", "agent", "hansel", &first, note).await;
    let second = desk.offer("mama-bear").await;
    assert_eq!((&second["room_id"], &second["skill"]), (&json!(room), &json!("too-hot-too-cold")));
    assert_eq!(second["queued_at"], first["queued_at"], "it waited since then");
    assert_eq!(slots(&stack, "hansel").await, 0);
    assert_eq!(desk.accept_again(&second).await, room);
    desk.reply("mama-bear", &room, "we cool it").await;
    desk.appended("we cool it").await;
    let late = desk.reply("hansel", &room, "me too").await;
    assert_eq!(desk.refused(&late).await, "not_a_member");
    let seen = "select count(*) from entries where text in ('my bowl is too hot', 'be gentle', 'we cool it')";
    assert_eq!((number(&stack, seen).await, number(&stack, "select count(*) from sms").await), (3, 1));
    assert_eq!(number(&stack, "select count(*) from rooms").await, 1);
    clean(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_to_an_agent_moves_at_the_accept_and_not_before() {
    let (stack, _texthub) = bears().await;
    let mut desk = stack.desk("three-bears").await;
    desk.doubles = true;
    desk.log_in("mama-bear").await;
    desk.text("+15557100002", COMPLAINTS, "too cold").await;
    let first = desk.offer("mama-bear").await;
    let room = desk.accept(&first).await;
    desk.log_in("baby-bear").await;
    ask(&desk, "transfer.asked", "agent", "mama-bear", &first, json!({"agent": "baby-bear"})).await;
    let handing = desk.offer("baby-bear").await;
    assert_eq!(handing["from_agent"], "mama-bear");
    desk.reply("mama-bear", &room, "one moment").await;
    desk.appended("one moment").await;
    desk.answer(&handing, "refuse").await;
    let settled = desk.heard("offer.settled", |fact| fact["offer_id"] == handing["offer_id"]).await;
    assert_eq!((&settled["outcome"], &settled["from_agent"]), (&json!("refused"), &json!("mama-bear")));
    assert_eq!((slots(&stack, "mama-bear").await, slots(&stack, "baby-bear").await), (1, 0));
    ask(&desk, "transfer.asked", "agent", "mama-bear", &first, json!({"agent": "baby-bear"})).await;
    let handing = desk.offer("baby-bear").await;
    desk.answer(&handing, "accept").await;
    assert_eq!(moved(&desk, "transferred", Some("baby-bear")).await["from_agent"], "mama-bear");
    assert_eq!((slots(&stack, "mama-bear").await, slots(&stack, "baby-bear").await), (0, 1));
    desk.reply("baby-bear", &room, "it is mine now").await;
    desk.appended("it is mine now").await;
    clean(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_contact_wakes_with_the_customer_and_a_supervisor_takes_over() {
    let (stack, _texthub) = bears().await;
    let mut desk = stack.desk("three-bears").await;
    desk.doubles = true;
    desk.log_in("goldilocks").await;
    desk.text("+15557100003", COMPLAINTS, "the chair broke").await;
    let offer = desk.offer("goldilocks").await;
    let room = desk.accept(&offer).await;
    ask(&desk, "park.asked", "agent", "goldilocks", &offer, json!({"note": "waits for the carpenter"})).await;
    moved(&desk, "parked", Some("goldilocks")).await;
    assert_eq!(slots(&stack, "goldilocks").await, 0, "a parked contact blocks no slot");
    desk.text("+15557100003", COMPLAINTS, "any news?").await;
    moved(&desk, "unparked", Some("goldilocks")).await;
    assert_eq!(desk.appended("any news?").await["room_id"], json!(room));
    assert_eq!(slots(&stack, "goldilocks").await, 1);
    desk.moved("mama-bear", "unavailable").await;
    let not = ask(&desk, "takeover.asked", "agent", "mama-bear", &offer, json!({})).await;
    assert_eq!(desk.refused(&not).await, "not_allowed");
    ask(&desk, "takeover.asked", "supervisor", "mama-bear", &offer, json!({})).await;
    assert_eq!(moved(&desk, "taken_over", Some("mama-bear")).await["from_agent"], "goldilocks");
    assert_eq!((slots(&stack, "mama-bear").await, slots(&stack, "goldilocks").await), (1, 0));
    desk.reply("mama-bear", &room, "the carpenter is here").await;
    desk.appended("the carpenter is here").await;
    clean(&stack).await;
}
