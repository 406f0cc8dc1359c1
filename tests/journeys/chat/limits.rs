//! Limits: of size, and how fast visitors may come and write, over all gateways.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Door, stack};
use crate::hub::number;

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_too_fast_waits_whatever_gateway_is_asked() {
    let (stack, _hub, gateway) = stack().await;
    let second = stack.start(&["gateway"]).await;
    let doors = [Door::bears(&gateway), Door::bears(&second)];
    let mut visitor = doors[0].visit().await;
    let calm = doors[0].visit().await;
    let (mut taken, mut refused) = (0, 0);
    for nr in 0..24 {
        visitor.door = doors[nr % 2].clone();
        let body = json!({"id": Uuid::new_v4(), "text": format!("text {nr}")});
        let answer = visitor.ask(Method::POST, "/texts").json(&body).send().await.unwrap();
        match answer.status() {
            StatusCode::ACCEPTED => taken += 1,
            StatusCode::TOO_MANY_REQUESTS => {
                let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
                assert!((1..=3).contains(&wait), "{wait}");
                refused += 1;
                let problem: Value = answer.json().await.unwrap();
                assert_eq!(problem["reason"], "too_many");
            }
            other => panic!("{other}"),
        }
    }
    // ten at once, and one more each two seconds
    assert!((10..16).contains(&taken) && refused > 7, "{taken} taken, {refused} refused");
    assert_eq!(number(&stack, "select count(*) from chat_texts").await, taken, "what is refused is not noted");
    calm.write("I am in no hurry").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_begins_so_many_visits() {
    let (stack, _hub, gateway) = stack().await;
    let door = Door::bears(&gateway);
    let mut statuses = Vec::new();
    for _ in 0..24 {
        let answer = door.ask(Method::POST, "/visits").json(&json!({})).send().await.unwrap();
        statuses.push(answer.status().as_u16());
    }
    let begun = statuses.iter().filter(|status| **status == 201).count();
    assert!((20..23).contains(&begun) && statuses.last() == Some(&429), "{statuses:?}");
    assert_eq!(number(&stack, "select count(*) from chat_visits").await, i64::try_from(begun).unwrap());
    let buckets = "select count(*) from chat_paces where bucket ~ '^visits/(address|point)/' and bucket !~ '127|bears'";
    assert_eq!(number(&stack, buckets).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_or_no_text_is_refused_by_name() {
    let (_stack, _hub, gateway) = stack().await;
    let visitor = Door::bears(&gateway).visit().await;
    let long = "🐻".repeat(2_000);
    assert_eq!(visitor.hand_in(Uuid::new_v4(), &long).await, StatusCode::ACCEPTED);
    for (body, status, reason) in [
        (json!({"id": Uuid::new_v4(), "text": "x".repeat(2_001)}), 422, "invalid"),
        (json!({"id": Uuid::new_v4(), "text": " \n "}), 422, "invalid"),
        (json!({"id": "7", "text": "x"}), 422, "invalid"),
        (json!({"text": "x"}), 422, "invalid"),
        (json!({"id": Uuid::new_v4(), "text": "x".repeat(40_000)}), 413, "too_large"),
    ] {
        let answer = visitor.ask(Method::POST, "/texts").json(&body).send().await.unwrap();
        assert_eq!(answer.status(), status);
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["reason"], reason, "{problem}");
    }
    let answer = visitor.ask(Method::GET, "/events?since=yesterday").send().await.unwrap();
    assert_eq!(answer.status(), 422);
    let answer = visitor.door.ask(Method::POST, "/visits").json(&json!({"language": "<b>"})).send().await.unwrap();
    assert_eq!(answer.status(), 422);
    // a visitor has so many streams
    let mut streams = Vec::new();
    for _ in 0..6 {
        streams.push(visitor.hear(None).await);
    }
    assert_eq!(visitor.ask(Method::GET, "/events").send().await.unwrap().status(), StatusCode::TOO_MANY_REQUESTS);
    streams.pop();
    let again = async || visitor.ask(Method::GET, "/events").send().await.unwrap().status() == StatusCode::OK;
    crate::support::stack::until("a place is free", again).await;
}
