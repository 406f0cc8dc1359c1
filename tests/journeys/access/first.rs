//! The first sign-in of a new installation, and what stays of it.

use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn the_operators_word_is_the_first_sign_in_and_stays_in_no_log() {
    let stack = bears().await;
    let wrong = stack.command(&["users", "add", "nowhere", "mama-bear", "--role", "agent"]).failure(1);
    assert!(wrong.contains("there is no tenant nowhere"), "{wrong}");
    stack.command(&["users", "add", BEARS, "mama-bear", "--role", "king"]).failure(2);
    let add = ["users", "add", BEARS, "mama-bear", "--role", "agent", "--role", "administrator", "--name", "Mama Bear"];
    let out = stack.command(&add).success();
    let one_time = out.lines().find_map(|line| line.strip_prefix("password  ")).unwrap().to_owned();
    assert!(stack.command(&add).failure(1).contains("already"));
    let process = stack.start(&["gateway"]).await;
    let answer = enter(&process, "mama-bear", &one_time).await;
    assert_eq!(answer.status(), 200);
    let session = cookie(&answer, "texthub_session").unwrap();
    let (_, shown) = me(&process, &session).await;
    assert_eq!((&shown["password_due"], &shown["agent"]), (&json!(true), &json!("mama-bear")));
    assert_eq!(shown["tenant"]["time_zone"], "America/New_York");
    let new = "a bowl that is just right";
    let change = browser()
        .post(format!("{}/api/v1/me/password", process.url()))
        .header("cookie", &session)
        .header("sec-fetch-site", "same-origin")
        .json(&json!({"old": one_time, "new": new}));
    assert_eq!(change.send().await.unwrap().status(), 204);
    assert_eq!(enter(&process, "mama-bear", &one_time).await.status(), 401);
    assert_eq!(enter(&process, "mama-bear", new).await.status(), 200);
    let list: Value = serde_json::from_str(&stack.command(&["users", "list", BEARS, "--json"]).success()).unwrap();
    assert_eq!((&list[0]["id"], &list[0]["roles"]), (&json!("mama-bear"), &json!(["agent", "administrator"])));
    assert_eq!((&list[0]["must_change"], list[0]["seen_at"].is_string()), (&json!(false), true));
    let reset = stack.command(&["users", "reset", BEARS, "mama-bear", "--json"]).success();
    let reset: Value = serde_json::from_str(&reset).unwrap();
    assert_eq!(me(&process, &session).await.0, 401, "a reset ends what stood");
    assert_eq!(enter(&process, "mama-bear", reset["one_time_password"].as_str().unwrap()).await.status(), 200);
    let last = stack.command(&["users", "end", BEARS, "mama-bear"]).failure(1);
    assert!(last.contains("last administrator"), "{last}");
    let table = stack.command(&["users", "list", BEARS]).success();
    assert!(table.contains("Mama Bear") && table.contains("one-time") && !table.contains("argon2"), "{table}");
    let logs = stack.logs();
    for secret in [one_time.as_str(), new, session.split_once('=').unwrap().1] {
        assert!(!logs.contains(secret), "a secret is in the logs");
    }
}

#[tokio::test]
async fn tries_are_counted_over_all_gateways_and_other_routes_go_on() {
    let stack = bears().await;
    stack.command(&["users", "add", BEARS, "mama-bear", "--role", "agent"]).success();
    let (one, other) = (stack.start(&["gateway"]).await, stack.start(&["gateway"]).await);
    for process in [&one, &other, &one, &other, &one, &other] {
        assert_eq!(enter(process, "mama-bear", "not the password").await.status(), 401);
    }
    for process in [&one, &other] {
        let answer = enter(process, "mama-bear", "not the password").await;
        assert_eq!(answer.status(), 429);
        assert!(answer.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap() >= 1);
    }
    for (path, status) in [("/healthz", 200), ("/metrics", 200), ("/webhooks/nobody", 404), ("/api/openapi.json", 200)]
    {
        let answer = browser().get(format!("{}{path}", one.url())).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
    }
    let metrics = browser().get(format!("{}/metrics", one.url())).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("texthub_api_problems_total{reason=\"too_many\"} 1"), "{metrics}");
}
