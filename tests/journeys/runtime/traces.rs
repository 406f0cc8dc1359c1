//! One customer's text can be followed through all queues: the trace that came with it, or that it began, is on every
//! fact that follows from it, and in a line of each worker's log with the span of who said it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use texthub::runtime::clock;

const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_is_followed_from_its_carrier_to_the_agent_and_back() {
    let (stack, _process) = crate::hub::bears().await;
    let desk = stack.desk("three-bears").await;
    desk.log_in("mama-bear").await;
    let body = json!({
        "id": clock::new_id(), "carrier": "sim", "from": "+15550401001", "to": "+15550100001", "text": "follow me",
        "received_at": clock::wall().to_string(),
    });
    desk.say_traced("sms.received", body, GIVEN).await;
    let offer = desk.offer("mama-bear").await;
    let room = desk.accept(&offer).await;
    desk.reply("mama-bear", &room, "I do").await;
    desk.heard("sms.changed", |fact| fact["status"] == "delivered").await;

    let trace = &GIVEN[3..35];
    for fact in ["entry.appended", "contact.queued", "offer.made"] {
        let of_the_text = desk.traces(fact);
        assert!(of_the_text.iter().any(|given| given.starts_with(&format!("00-{trace}-"))), "{fact}: {of_the_text:?}");
    }
    let spans: Vec<Value> = stack.spans().into_iter().filter(|line| line["trace_id"] == trace).collect();
    let workers: BTreeSet<&str> = spans.iter().filter_map(|line| line["worker"].as_str()).collect();
    assert!(workers.is_superset(&BTreeSet::from(["receive_sms", "route_contact"])), "{workers:?}");
    let of = |worker: &str| spans.iter().find(|line| line["worker"] == worker).unwrap();
    assert_eq!(of("receive_sms")["parent_span_id"], &GIVEN[36..52]);
    assert_eq!(of("route_contact")["parent_span_id"], of("receive_sms")["span_id"]);
    // an agent's reply brought no trace: it began one, and the carrier's part follows from it
    let reply = stack.spans().into_iter().find(|line| line["worker"] == "post_reply").unwrap();
    let sent = stack.spans().into_iter().find(|line| line["worker"] == "send_sms").unwrap();
    assert_eq!((&sent["trace_id"], &sent["parent_span_id"]), (&reply["trace_id"], &reply["span_id"]));
    desk.close().await;
}
