//! Who may ask what: pages of other origins, tokens of others, ids used twice.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Door, PAGE, stack};
use crate::hub::{clean, number};

#[tokio::test(flavor = "multi_thread")]
async fn only_pages_of_the_point_of_contacts_origins_may_ask() {
    let (stack, _hub, gateway) = stack().await;
    let bears = Door::bears(&gateway);
    let preflight = |door: &Door| {
        let asks = door.ask(Method::OPTIONS, "/texts").header("access-control-request-method", "POST");
        asks.header("access-control-request-headers", "authorization,content-type").send()
    };
    let asked = preflight(&bears).await.unwrap();
    assert_eq!(
        (asked.status(), &asked.headers()["access-control-allow-origin"]),
        (StatusCode::NO_CONTENT, &PAGE.parse().unwrap())
    );
    assert!(asked.headers()["access-control-allow-headers"].to_str().unwrap().contains("authorization"));
    assert_eq!(asked.headers()["vary"], "Origin");
    let visitor = bears.visit().await;
    for origin in ["https://evil.example", "https://shop.example.evil.example", "http://shop.example", "null", ""] {
        let mut evil = visitor.clone();
        evil.door.origin = origin.to_owned();
        for answer in [
            preflight(&evil.door).await.unwrap(),
            evil.door.ask(Method::POST, "/visits").json(&json!({})).send().await.unwrap(),
            evil.ask(Method::POST, "/texts").json(&json!({"id": Uuid::new_v4(), "text": "x"})).send().await.unwrap(),
            evil.ask(Method::GET, "/events").send().await.unwrap(),
        ] {
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{origin}");
            assert!(answer.headers().get("access-control-allow-origin").is_none());
        }
    }
    // no origins, no such chat, a number's
    for (path, status) in
        [("foxes/nowhere", 403), ("foxes/gone", 404), ("three-bears/orders", 404), ("no/website", 404)]
    {
        let answer = Door::at(&gateway, path).ask(Method::POST, "/visits").json(&json!({})).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
    }
    assert_eq!(bears.ask(Method::DELETE, "/texts").send().await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
    let nowhere = bears.ask(Method::GET, "/history").send().await.unwrap();
    assert_eq!(
        (nowhere.status(), &nowhere.headers()["content-type"]),
        (StatusCode::NOT_FOUND, &"application/problem+json".parse().unwrap())
    );
    assert_eq!(number(&stack, "select count(*) from rooms").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_sees_its_own_room_and_no_others() {
    let (stack, _hub, gateway) = stack().await;
    let (bears, foxes) = (Door::bears(&gateway), Door::at(&gateway, "foxes/website"));
    let (one, other, fox) = (bears.visit().await, bears.visit().await, foxes.visit().await);
    let mut ones = one.hear(None).await;
    one.write("a secret").await;
    let seen = ones.text("a secret").await;
    for mut stranger in [other.clone(), fox.clone()] {
        // neither by the cursor of another's line nor without
        for since in [None, Some(seen.id.as_str())] {
            let mut stream = stranger.hear(since).await;
            stream.state("idle").await;
            assert_eq!(stream.texts(), [""; 0]);
        }
        // a token is good at its own door alone
        stranger.door = if stranger.id == fox.id { bears.clone() } else { foxes.clone() };
        assert_eq!(stranger.ask(Method::GET, "/events").send().await.unwrap().status(), 401);
        assert_eq!(stranger.hand_in(Uuid::new_v4(), "x").await, 401);
    }
    let mut others = other.hear(None).await;
    others.state("idle").await;
    one.write("another secret").await;
    ones.text("another secret").await;
    assert!(others.is_silent().await, "{:?}", others.events);
    // nor a room that is over
    one.leave().await;
    ones.state("over").await;
    let mut late = other.hear(Some(seen.id.as_str())).await;
    late.state("idle").await;
    assert_eq!(late.texts(), [""; 0]);
    // no token, half a token, another's kind
    for token in ["", "thv_", &one.token[..20], "thk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let answer = one.door.ask(Method::GET, "/events").bearer_auth(token).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{token}");
    }
    let client = stack.database.pool.get().await.unwrap();
    let kept = client.query("select token_hash from chat_visits", &[]).await.unwrap();
    assert!(kept.iter().all(|row| !String::from_utf8_lossy(row.get(0)).contains("thv_")));
    client.execute("update chat_visits set expires_at = now()", &[]).await.unwrap();
    assert_eq!(one.hand_in(Uuid::new_v4(), "too late").await, 401);
    assert_eq!(one.ask(Method::GET, "/events").send().await.unwrap().status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_id_is_the_same_text_and_never_another() {
    let (stack, _hub, gateway) = stack().await;
    let door = Door::bears(&gateway);
    let (one, other) = (door.visit().await, door.visit().await);
    let mut stream = one.hear(None).await;
    let id = Uuid::new_v4();
    for _ in 0..3 {
        assert_eq!(one.hand_in(id, "once").await, StatusCode::ACCEPTED);
    }
    assert_eq!(one.hand_in(id, "something else").await, StatusCode::CONFLICT);
    assert_eq!(other.hand_in(id, "once").await, StatusCode::CONFLICT);
    one.write("after it").await;
    stream.text("after it").await;
    assert_eq!(stream.texts(), ["once", "after it"]);
    let answer = one.ask(Method::POST, "/texts").json(&json!({"id": id, "text": "other"})).send().await.unwrap();
    let problem: Value = answer.json().await.unwrap();
    assert_eq!((&problem["reason"], &problem["status"]), (&json!("exists"), &json!(409)));
    clean(&stack).await;
}
