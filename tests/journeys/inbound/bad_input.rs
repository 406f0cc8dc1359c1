//! Bad input among good: each piece ends as a decision, a refusal that its producer hears, or a dead letter with a reason
//! that `texthub dead` shows; none stops a worker, fails a batch or blocks what comes behind it.

use serde_json::{Value, json};
use texthub::runtime::clock;
use uuid::Uuid;

use crate::support::desk::Desk;
use crate::support::stack::Stack;

const OURS: &str = "+15550100001";

/// A text that is fine, from a customer of its own.
fn fine(nth: usize) -> Value {
    json!({
        "id": Uuid::new_v4(), "carrier": "sim", "carrier_sms_id": Uuid::new_v4(), "from": format!("+1555020{nth:04}"),
        "to": OURS, "text": format!("neighbour {nth}"), "received_at": clock::wall().to_string(),
    })
}

fn with(field: &str, value: impl Into<Value>) -> Value {
    let mut body = fine(9_999);
    body[field] = value.into();
    body
}

fn without(field: &str) -> Value {
    let mut body = fine(9_999);
    body.as_object_mut().unwrap().remove(field);
    body
}

/// What is wrong, as bytes, and under which reason it is set aside.
fn bad_texts() -> Vec<(Vec<u8>, &'static str)> {
    let bytes = |body: Value| body.to_string().into_bytes();
    // written by hand: no JSON library writes half a surrogate pair
    let lone = bytes(with("text", "HERE"));
    let lone = String::from_utf8(lone).unwrap().replace("HERE", r"\ud83d").into_bytes();
    let mut invalid_utf8 = bytes(with("text", "HERE"));
    let at = invalid_utf8.windows(4).position(|four| four == b"HERE").unwrap();
    invalid_utf8[at] = 0xff;
    vec![
        (b"{ not json".to_vec(), "undecodable"),
        (b"".to_vec(), "undecodable"),
        (b"[1, 2]".to_vec(), "undecodable"),
        (lone, "undecodable"),
        (invalid_utf8, "undecodable"),
        (bytes(with("text", 17)), "undecodable"),
        (bytes(with("text", Value::Null)), "undecodable"),
        (bytes(with("received_at", "yesterday")), "undecodable"),
        (bytes(with("id", "not-a-uuid")), "undecodable"),
        (bytes(with("media", "a link")), "undecodable"),
        (bytes(without("id")), "undecodable"),
        (bytes(without("text")), "undecodable"),
        (bytes(without("from")), "undecodable"),
        (bytes(with("received_at", "1999-12-31T23:59:59Z")), "year_out_of_range"),
        (bytes(with("received_at", "2101-01-01T00:00:00Z")), "year_out_of_range"),
        (bytes(with("from", "Grandma")), "bad_number"),
        (bytes(with("from", "+0015550100")), "bad_number"),
        (bytes(with("from", "")), "bad_number"),
        (bytes(with("to", "+1 555 010 0001")), "bad_number"),
        (bytes(with("to", "+15550109999")), "unknown_number"),
        (bytes(with("text", "x".repeat(100_000))), "too_large"),
        (bytes(with("more", "x".repeat(70_000))), "too_large"),
    ]
}

/// The id under which a message is looked for: its body's, else one of its own.
fn id_of(body: &[u8]) -> String {
    let id = serde_json::from_slice::<Value>(body).ok().and_then(|body| body["id"].as_str().map(str::to_owned));
    id.filter(|id| id.parse::<Uuid>().is_ok()).unwrap_or_else(|| Uuid::new_v4().to_string())
}

async fn publish(desk: &Desk, body: &Value) -> String {
    let id = body["id"].as_str().unwrap().to_owned();
    desk.publish("sms.received", "", &id, body.to_string().into_bytes()).await;
    id
}

/// What `texthub audit --ids` says of each.
fn fates(stack: &Stack, ids: &[String]) -> Value {
    let file = stack.file("ids", &ids.join("\n"));
    let said = stack.command(&["audit", "--json", "--ids", &file]).success();
    serde_json::from_str::<Value>(&said).unwrap()["ids"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bad_text_is_set_aside_with_its_reason_and_no_neighbour_is_harmed() {
    let (stack, mut process) = crate::hub::bears().await;
    let desk = stack.desk("three-bears").await;
    let bad = bad_texts();
    let mut expected: Vec<(String, String)> = Vec::new();
    let mut neighbours = Vec::new();
    for (nth, (body, reason)) in bad.iter().enumerate() {
        neighbours.push(publish(&desk, &fine(nth)).await);
        let id = id_of(body);
        desk.publish("sms.received", "", &id, body.clone()).await;
        expected.push((id, (*reason).to_owned()));
    }
    // the property and the body name two ids; the key and the type name two facts
    let (mismatch, other) = (Uuid::new_v4().to_string(), fine(9_999).to_string().into_bytes());
    desk.publish("sms.received", "", &mismatch, other).await;
    expected.push((mismatch, "id_mismatch".into()));
    neighbours.push(publish(&desk, &fine(bad.len())).await);

    let mut dead = stack.dead(expected.len()).await;
    dead.sort();
    expected.sort();
    assert_eq!(dead, expected);
    for nth in 0..neighbours.len() {
        desk.appended(&format!("neighbour {nth}")).await;
    }
    let all: Vec<String> = expected.iter().map(|(id, _)| id.clone()).chain(neighbours.iter().cloned()).collect();
    let fates = fates(&stack, &all);
    for (id, reason) in &expected {
        assert_eq!(fates[id], "dead", "{reason}");
    }
    for id in &neighbours {
        assert_eq!(fates[id], "recorded");
    }
    let shown = stack.command(&["dead", "list"]).success();
    assert!(shown.contains("year_out_of_range") && !shown.contains("Grandma"), "{shown}");
    assert!(process.is_running(), "a worker's process ended");
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_that_cannot_be_stored_as_they_came_are_kept_and_harm_no_other() {
    let (stack, mut process) = crate::hub::bears().await;
    let desk = stack.desk("three-bears").await;
    // NUL in the type, an id too long for any index, a key and headers with NUL
    desk.publish_as("sms.received", "sms.received\0.v1", b"{}".to_vec()).await;
    let random: String = (0..300).map(|_| Uuid::new_v4().simple().to_string()).collect();
    desk.publish_as("sms.received", "", json!({"id": random}).to_string().into_bytes()).await;
    desk.publish_as("sms.received.\0", "", b"nonsense".to_vec()).await;
    publish(&desk, &fine(1)).await;
    desk.appended("neighbour 1").await;
    let mut reasons: Vec<String> = stack.dead(3).await.into_iter().map(|(_, reason)| reason).collect();
    reasons.sort();
    assert_eq!(reasons, ["type_mismatch", "undecodable", "undecodable"]);
    assert!(process.is_running());
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_with_nul_are_mended_wherever_they_stand() {
    let (stack, _process) = crate::hub::bears().await;
    let desk = stack.desk("three-bears").await;
    desk.log_in("mama-bear").await;
    let mut odd = fine(1);
    odd["extra\0"] = json!(["\0", {"k\0": 1}]);
    odd["media"] = json!([{"url": "https://example.org/\0", "type": "image/\0"}]);
    publish(&desk, &odd).await;
    let offer = desk.offer("mama-bear").await;
    let refuse = json!({"tenant": "three-bears", "agent": "mama-bear", "offer_id": offer["offer_id"], "answer": "refuse",
        "reason": "too \0 hot"});
    desk.say("offer.answered", "three-bears", refuse).await;
    desk.heard("offer.settled", |fact| fact["outcome"] == "refused").await;
    let contact = &offer["contact_id"];
    let by = json!({"kind": "supervisor", "name": "ann\0"});
    let ended =
        json!({"tenant": "three-bears", "contact_id": contact, "by": by, "reason": "done \0", "disposition": "\0"});
    desk.say("contact.ended", "three-bears", ended).await;
    desk.heard("contact.closed", |fact| fact["contact_id"] == *contact).await;
    crate::hub::clean(&stack).await;
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_odd_but_fine_is_recorded_and_unknown_fields_are_kept() {
    let (stack, _process) = crate::hub::bears().await;
    let desk = stack.desk("three-bears").await;
    let mut odd = fine(1);
    odd["text"] = json!("nul \u{0} inside");
    odd["loyalty"] = json!({"level": "gold", "since": 2020});
    publish(&desk, &odd).await;
    let mut empty = fine(2);
    empty["text"] = json!("");
    empty["media"] = json!([{"url": "https://example.org/bowl.jpg", "type": "image/jpeg"}]);
    let empty_id = publish(&desk, &empty).await;

    let entry = desk.appended("nul \u{FFFD} inside").await;
    desk.heard("entry.appended", |fact| fact["cause_id"] == empty_id.as_str()).await;
    let client = stack.database.pool.get().await.unwrap();
    let id: Uuid = odd["id"].as_str().unwrap().parse().unwrap();
    let row = client.query_one("select extra from heard where id = $1", &[&id]).await.unwrap();
    assert_eq!(row.get::<_, Value>(0), json!({"loyalty": {"level": "gold", "since": 2020}}));
    let entry_id: Uuid = entry["entry_id"].as_str().unwrap().parse().unwrap();
    let row = client.query_one("select flags from entries where id = $1", &[&entry_id]).await.unwrap();
    assert_eq!(row.get::<_, Value>(0), json!(["nul_replaced"]));

    // the same id with other content is set aside; the first one stands
    let mut other = odd.clone();
    other["text"] = json!("something else");
    publish(&desk, &other).await;
    assert_eq!(stack.dead(1).await, [(id.to_string(), "id_reused".to_owned())]);
    assert_eq!(fates(&stack, &[id.to_string()])[&id.to_string()], "recorded");
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_that_cannot_be_done_are_refused_and_facts_out_of_order_do_no_harm() {
    let (stack, _process) = crate::hub::bears().await;
    let desk = stack.desk("three-bears").await;
    let tenant = "three-bears";
    desk.log_in("mama-bear").await;
    desk.text("+15550209001", OURS, "is it warm").await;
    let offer = desk.offer("mama-bear").await;
    let foreign = json!({"tenant": tenant, "agent": "baby-bear", "offer_id": offer["offer_id"], "answer": "accept"});
    let foreign = desk.say("offer.answered", tenant, foreign).await;
    assert_eq!(desk.refused(&foreign).await, "not_your_offer");
    let nowhere = json!({"tenant": tenant, "agent": "mama-bear", "offer_id": Uuid::new_v4(), "answer": "accept"});
    let nowhere = desk.say("offer.answered", tenant, nowhere).await;
    assert_eq!(desk.refused(&nowhere).await, "not_found");
    let room = desk.accept(&offer).await;
    let stranger = desk.reply("baby-bear", &room, "I can answer that").await;
    assert_eq!(desk.refused(&stranger).await, "not_a_member");
    let lost = desk.reply("mama-bear", &Uuid::new_v4().to_string(), "hello?").await;
    assert_eq!(desk.refused(&lost).await, "unknown_room");
    for text in [String::new(), "x".repeat(1_601)] {
        let id = desk.reply("mama-bear", &room, &text).await;
        assert_eq!(desk.refused(&id).await, "text_length");
    }
    let moved =
        json!({"tenant": tenant, "by": {"kind": "agent", "name": "baby-bear"}, "contact_id": offer["contact_id"]});
    let parked = desk.say("park.asked", tenant, moved).await;
    assert_eq!(desk.refused(&parked).await, "not_a_member");

    desk.end("mama-bear", offer["contact_id"].as_str().unwrap()).await;
    let late = desk.reply("mama-bear", &room, "one more thing").await;
    assert_eq!(desk.refused(&late).await, "room_closed");
    let again = desk.answer(&offer, "accept").await;
    assert_eq!(desk.refused(&again).await, "offer_gone");
    // a receipt before anything was sent, an end of nothing, an older move after a newer one
    let receipt = json!({"carrier": "sim", "carrier_sms_id": "never-sent", "status": "delivered",
        "reported_at": clock::wall().to_string()});
    let receipt = desk.say("receipt.received", "", receipt).await;
    let nothing = json!({"tenant": tenant, "contact_id": Uuid::new_v4(), "by": {"kind": "supervisor", "name": "ann"},
        "reason": "tidy"});
    let nothing = desk.say("contact.ended", tenant, nothing).await;
    assert_eq!(desk.refused(&nothing).await, "not_found");
    let old =
        json!({"tenant": tenant, "agent": "mama-bear", "state": "logged_out", "moved_at": "2020-01-01T00:00:00Z"});
    let old = desk.say("agent.moved", tenant, old).await;
    desk.text("+15550209002", OURS, "still there?").await;
    assert_eq!(desk.offer("mama-bear").await["agent"], "mama-bear");
    let ids = [foreign, nowhere, stranger, lost, parked, late, again, receipt, nothing, old];
    let fates = fates(&stack, &ids);
    assert!(ids.iter().all(|id| fates[id] == "refused" || fates[id] == "recorded"), "{fates}");
    crate::hub::clean(&stack).await;
    desk.close().await;
}
