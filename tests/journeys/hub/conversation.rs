//! A customer texts, an agent answers, the customer answers back, the session ends; and everything that may happen to an
//! offer. Each story also with everything from outside published twice.

use serde_json::Value;

use super::{bears, clean};
use crate::support::stack::until;

const OURS: &str = "+15550100001";
const CUSTOMER: &str = "+15557000001";

async fn a_whole_conversation(doubles: bool) {
    let (stack, _texthub) = bears().await;
    let mut desk = stack.desk("three-bears").await;
    desk.doubles = doubles;
    desk.log_in("mama-bear").await;
    desk.text(CUSTOMER, OURS, "Is there any left?").await;
    let offer = desk.offer("mama-bear").await;
    let room = desk.accept(&offer).await;
    desk.reply("mama-bear", &room, "One bowl.").await;
    let leaves = |fact: &Value| fact["room_id"] == room.as_str() && fact["status"] == "delivered";
    desk.heard("sms.changed", leaves).await;
    desk.text(CUSTOMER, OURS, "I take it!").await;
    assert!(desk.appended("I take it!").await["deadline_at"].is_string(), "a text moves the deadline");
    desk.end("mama-bear", offer["contact_id"].as_str().unwrap()).await;

    let found: Value =
        serde_json::from_str(&stack.command(&["transcripts", "--customer", CUSTOMER, "--json"]).success()).unwrap();
    let said: Vec<(&str, &str, &str)> = found[0]["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["author"].as_str().unwrap(), e["text"].as_str().unwrap(), e["state"].as_str().unwrap()))
        .collect();
    let want = [
        ("customer", "Is there any left?", "received"),
        ("agent", "One bowl.", "delivered"),
        ("customer", "I take it!", "received"),
    ];
    assert_eq!(said, want);
    assert_eq!((&found[0]["outcome"], &found[0]["agents"][0]), (&"answered".into(), &"mama-bear".into()));
    let shown = stack.command(&["transcripts", "--room", &room]).success();
    assert!(shown.contains("One bowl.") && shown.contains("delivered"), "{shown}");
    clean(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_texts_and_is_answered() {
    a_whole_conversation(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_texts_and_is_answered_doubled() {
    a_whole_conversation(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_contact_goes_to_another_agent_with_its_place_in_the_queue() {
    let (stack, _texthub) = bears().await;
    let desk = stack.desk("three-bears").await;
    desk.log_in("mama-bear").await;
    desk.text(CUSTOMER, OURS, "Hello?").await;
    let first = desk.offer("mama-bear").await;
    desk.answer(&first, "refuse").await;
    desk.heard("offer.settled", |fact| fact["offer_id"] == first["offer_id"] && fact["outcome"] == "refused").await;
    let late = desk.answer(&first, "accept").await;
    assert_eq!(desk.refused(&late).await, "offer_gone");
    desk.log_in("baby-bear").await;
    let second = desk.offer("baby-bear").await;
    assert_eq!(second["contact_id"], first["contact_id"]);
    assert_eq!(second["queued_at"], first["queued_at"], "refusal keeps the place in the queue");
    let stranger = desk.say(
        "offer.answered",
        "three-bears",
        serde_json::json!({"tenant": "three-bears", "agent": "goldilocks", "offer_id": second["offer_id"], "answer": "accept"}),
    );
    assert_eq!(desk.refused(&stranger.await).await, "not_your_offer");
    let room = desk.accept(&second).await;
    let outsider = desk.reply("mama-bear", &room, "Not mine to answer").await;
    assert_eq!(desk.refused(&outsider).await, "not_a_member");
    desk.end("baby-bear", second["contact_id"].as_str().unwrap()).await;
    let closed = desk.reply("baby-bear", &room, "One more thing").await;
    assert_eq!(desk.refused(&closed).await, "room_closed");
    clean(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_who_leaves_gets_no_offer_and_the_pending_one_is_rescinded() {
    let (stack, _texthub) = bears().await;
    let desk = stack.desk("three-bears").await;
    desk.log_in("mama-bear").await;
    desk.text(CUSTOMER, OURS, "Hello?").await;
    let offer = desk.offer("mama-bear").await;
    desk.moved("mama-bear", "logged_out").await;
    let settled = desk.heard("offer.settled", |fact| fact["offer_id"] == offer["offer_id"]).await;
    assert_eq!(settled["outcome"], "rescinded");
    desk.log_in("mama-bear").await;
    let again = desk.offer("mama-bear").await;
    assert_eq!(again["queued_at"], offer["queued_at"]);
    clean(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_nobody_answers_lapses() {
    let (stack, _texthub) = bears().await;
    let client = stack.database.pool.get().await.unwrap();
    client.execute("update skills set offer_timeout_s = 1", &[]).await.unwrap();
    let desk = stack.desk("three-bears").await;
    desk.log_in("mama-bear").await;
    desk.text(CUSTOMER, OURS, "Hello?").await;
    let offer = desk.offer("mama-bear").await;
    let settled = desk.heard("offer.settled", |fact| fact["offer_id"] == offer["offer_id"]).await;
    assert_eq!(settled["outcome"], "lapsed");
    desk.log_in("baby-bear").await;
    assert_eq!(desk.offer("baby-bear").await["queued_at"], offer["queued_at"]);
    clean(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_third_miss_takes_the_other_offers_back_each_under_an_id_of_its_own() {
    let (stack, _texthub) = bears().await;
    let client = stack.database.pool.get().await.unwrap();
    let desk = stack.desk("three-bears").await;
    desk.log_in("mama-bear").await;
    let soon = "update agents set misses = 2; update skills set offer_timeout_s = 1 where id = 'porridge-orders'";
    client.batch_execute(soon).await.unwrap();
    desk.text(CUSTOMER, "+18005550199", "Too hot!").await;
    let long = desk.offer("mama-bear").await;
    desk.text(CUSTOMER, OURS, "Hello?").await;
    let short = desk.offer("mama-bear").await;
    let settled = async |offer: &Value| desk.heard("offer.settled", |fact| fact["offer_id"] == offer["offer_id"]).await;
    let (lapsed, rescinded) = (settled(&short).await, settled(&long).await);
    assert_eq!((&lapsed["outcome"], &rescinded["outcome"]), (&"lapsed".into(), &"rescinded".into()));
    assert_eq!(lapsed["cause_id"], rescinded["cause_id"], "one timer did both");
    assert_ne!(lapsed["id"], rescinded["id"]);
    clean(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyword_after_the_deadline_closes_two_rooms_each_under_an_id_of_its_own() {
    let (stack, _texthub) = bears().await;
    let desk = stack.desk("three-bears").await;
    desk.log_in("mama-bear").await;
    desk.text(CUSTOMER, OURS, "Hello").await;
    let offer = desk.offer("mama-bear").await;
    let room = desk.accept(&offer).await;
    let client = stack.database.pool.get().await.unwrap();
    client.execute("update sessions set deadline_at = now() - interval '1 min'", &[]).await.unwrap();
    let stop = desk.text(CUSTOMER, OURS, "STOP").await;
    let old = desk.heard("room.closed", |fact| fact["room_id"] == room.as_str()).await;
    let new = desk.heard("room.closed", |fact| fact["room_id"] != room.as_str()).await;
    assert_eq!((&old["cause_id"], &new["cause_id"]), (&stop.as_str().into(), &stop.as_str().into()));
    assert_ne!(old["id"], new["id"]);
    clean(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_again_from_rows_is_what_was_said() {
    let (stack, _texthub) = bears().await;
    let desk = stack.desk("three-bears").await;
    // many, since the clock that they carry is read anew once a second
    for nr in 0..20 {
        let text = format!("Hello {nr}");
        let body = serde_json::json!({"carrier": "simulator", "from": CUSTOMER, "to": OURS, "text": text,
            "received_at": texthub::runtime::clock::wall()});
        let id = desk.say("sms.received", "", body.clone()).await;
        desk.appended(&text).await;
        let mut again = body;
        again["id"] = id.clone().into();
        desk.say("sms.received", "", again).await;
        let of_it = || -> Vec<Value> {
            desk.all("entry.appended").into_iter().filter(|fact| fact["cause_id"] == id.as_str()).collect()
        };
        until("it is said again", async || of_it().len() == 2).await;
        assert_eq!(of_it()[0], of_it()[1]);
    }
    clean(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_takes_the_same_path() {
    let (stack, _texthub) = bears().await;
    let desk = stack.desk("three-bears").await;
    desk.log_in("papa-bear").await;
    desk.chat("website", "visitor7", "Anyone home?").await;
    let offer = desk.offer("papa-bear").await;
    assert_eq!(offer["channel"], "chat");
    let room = desk.accept(&offer).await;
    desk.reply("papa-bear", &room, "In the kitchen.").await;
    desk.appended("In the kitchen.").await;
    let left = serde_json::json!({"tenant": "three-bears", "point_of_contact": "website", "visitor": "visitor7", "text": "",
        "received_at": texthub::runtime::clock::wall().to_string()});
    desk.say("chat.left", "website-visitor7", left).await;
    desk.heard("contact.closed", |fact| fact["contact_id"] == offer["contact_id"]).await;
    clean(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_says_stop_gets_one_confirmation_and_no_more() {
    let (stack, _texthub) = bears().await;
    let desk = stack.desk("three-bears").await;
    desk.log_in("mama-bear").await;
    desk.text(CUSTOMER, OURS, "Hello").await;
    let offer = desk.offer("mama-bear").await;
    let room = desk.accept(&offer).await;
    desk.text(CUSTOMER, OURS, " stop ").await;
    desk.heard("entry.appended", |fact| fact["author"] == "hub" && fact["room_id"] == room.as_str()).await;
    let blocked = desk.reply("mama-bear", &room, "One more offer!").await;
    let reason = desk.refused(&blocked).await;
    assert!(["opted_out", "room_closed"].contains(&reason.as_str()), "{reason}");
    let outreach = desk.outreach("mama-bear", OURS, CUSTOMER, "Come back!").await;
    assert_eq!(desk.refused(&outreach).await, "opted_out");
    desk.text(CUSTOMER, OURS, "START").await;
    desk.heard("entry.appended", |fact| {
        fact["author"] == "hub" && fact["text"].as_str().unwrap().contains("welcome back")
    })
    .await;
    clean(&stack).await;
}
