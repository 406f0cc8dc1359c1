//! Agents who are silent, who leave when they are done, and who must say how it ended: through the real queues and timers,
//! with every message twice.

use serde_json::{Value, json};
use texthub::runtime::clock;

use super::{bears, clean, number};
use crate::support::desk::Desk;
use crate::support::stack::Stack;

const COMPLAINTS: &str = "+18005550199";

/// The skill of complaints, as this test needs it.
async fn set(stack: &Stack, columns: &str) {
    let sql = format!("update skills set {columns} where id = 'too-hot-too-cold'");
    stack.database.pool.get().await.unwrap().batch_execute(&sql).await.unwrap();
}

async fn changed(desk: &Desk, agent: &str, fits: impl Fn(&Value) -> bool) -> Value {
    desk.heard("agent.changed", |fact| fact["agent"] == agent && fits(fact)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_agent_is_reminded_and_then_the_contact_is_at_the_front_of_the_queue_again() {
    let (stack, _texthub) = bears().await;
    set(&stack, "response_s = 2, response_reminder_s = 1").await;
    let mut desk = stack.desk("three-bears").await;
    desk.doubles = true;
    desk.log_in("mama-bear").await;
    desk.text("+15557100001", COMPLAINTS, "my porridge is cold").await;
    let first = desk.offer("mama-bear").await;
    let room = desk.accept(&first).await;
    let reminder = desk.heard("contact.unanswered", |fact| fact["contact_id"] == first["contact_id"]).await;
    assert_eq!((&reminder["agent"], &reminder["room_id"]), (&json!("mama-bear"), &json!(room)));
    let moved = desk.heard("contact.moved", |fact| fact["how"] == "requeued").await;
    assert_eq!((&moved["reason"], &moved["from_agent"]), (&json!("unanswered"), &json!("mama-bear")));
    desk.log_in("baby-bear").await;
    let second = desk.offer("baby-bear").await;
    assert_eq!((&second["room_id"], &second["queued_at"]), (&json!(room), &first["queued_at"]), "in its old place");
    desk.accept_again(&second).await;
    desk.reply("baby-bear", &room, "here is a warm one").await;
    desk.appended("here is a warm one").await;
    assert_eq!(desk.distinct("contact.unanswered"), 1, "who answers is not reminded");
    assert_eq!(number(&stack, "select slots_used::bigint from agents where id = 'mama-bear'").await, 0);
    clean(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_to_leave_says_how_it_ended_and_leaves_with_the_last_slot() {
    let (stack, _texthub) = bears().await;
    set(&stack, "wrap_up_s = 1, disposition_required = true").await;
    let mut desk = stack.desk("three-bears").await;
    desk.doubles = true;
    desk.log_in("mama-bear").await;
    desk.text("+15557100002", COMPLAINTS, "the bed is too hard").await;
    let offer = desk.offer("mama-bear").await;
    desk.accept(&offer).await;
    let leaves = |code: &str| {
        json!({"tenant": "three-bears", "agent": "mama-bear", "state": "unavailable", "code": code, "when": "free",
               "moved_at": clock::wall().to_string()})
    };
    let napping = desk.say("agent.moved", "three-bears", leaves("napping")).await;
    assert_eq!(desk.refused(&napping).await, "unknown_code");
    desk.say("agent.moved", "three-bears", leaves("porridge-break")).await;
    let next = changed(&desk, "mama-bear", |fact| fact["next_state"] == "unavailable").await;
    assert_eq!((&next["state"], &next["slots_used"]), (&json!("available"), &json!(1)), "busy");
    desk.text("+15557100003", COMPLAINTS, "and the chair too soft").await;
    desk.heard("contact.queued", |fact| fact["contact_id"] != offer["contact_id"]).await;
    let by = json!({"kind": "agent", "name": "mama-bear"});
    let over = json!({"tenant": "three-bears", "contact_id": offer["contact_id"], "by": by, "reason": "done"});
    desk.say("contact.ended", "three-bears", over).await;
    desk.heard("room.closed", |fact| fact["room_id"] == offer["room_id"]).await;
    let closed = desk.heard("contact.closed", |fact| fact["contact_id"] == offer["contact_id"]).await;
    assert_eq!(closed["disposition"], "question_answered", "nobody chose another one by the end of wrap-up");
    let gone = changed(&desk, "mama-bear", |fact| fact["state"] == "unavailable").await;
    assert_eq!((&gone["code"], &gone["slots_used"]), (&json!("porridge-break"), &json!(0)));
    let waiting = "select count(*) from contacts where state = 'queued'";
    assert_eq!(
        (number(&stack, waiting).await, desk.distinct("offer.made")),
        (1, 1),
        "the second was never offered to her"
    );
    desk.log_in("mama-bear").await;
    assert_ne!(desk.offer("mama-bear").await["contact_id"], offer["contact_id"]);
    clean(&stack).await;
}
