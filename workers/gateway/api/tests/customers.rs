//! Customers' cards over real rows: changed, noted, told apart by tenant, noted in the audit log, and forgotten.

use uuid::Uuid;

use super::*;

const GOLDILOCKS: &str = "/customers/+15550100100";

#[tokio::test]
async fn a_card_is_changed_field_by_field_and_notes_are_added() {
    let served = Served::new().await;
    let mama = served.signed_in("bears", "mama", &["agent"]).await;
    let (status, empty) = mama.get(GOLDILOCKS).await;
    assert_eq!(
        (status, &empty["name"], &empty["fields"], &empty["updated_by"]),
        (200, &Value::Null, &json!({}), &Value::Null)
    );
    let change = json!({"name": " Goldilocks ", "fields": {"bowl": "small", "chair": "broken"}});
    assert_eq!(mama.ask(Method::PATCH, GOLDILOCKS, change).await.0, 200);
    let (_, card) =
        mama.ask(Method::PATCH, GOLDILOCKS, json!({"fields": {"chair": null, "bed": "just right\u{0}"}})).await;
    assert_eq!(card["fields"], json!({"bed": "just right\u{FFFD}", "bowl": "small"}));
    assert_eq!((&card["name"], &card["updated_by"]), (&json!("Goldilocks"), &json!("mama")));
    let id = Uuid::from_u128(7);
    for _ in 0..2 {
        let (status, note) =
            mama.post(&format!("{GOLDILOCKS}/notes"), json!({"id": id, "text": "Knocks never."})).await;
        assert_eq!((status, &note["text"], &note["author"]), (201, &json!("Knocks never."), &json!("mama")));
    }
    let other = mama.post(&format!("{GOLDILOCKS}/notes"), json!({"id": id, "text": "Another"})).await;
    assert_eq!(reason(&other), (409, "exists"));
    let (_, card) = mama.get(GOLDILOCKS).await;
    assert_eq!(card["notes"].as_array().unwrap().len(), 1);
    let (_, gone) = mama.ask(Method::PATCH, GOLDILOCKS, json!({"name": ""})).await;
    assert_eq!(gone["name"], Value::Null);
    for (path, body) in [
        (GOLDILOCKS, json!({"fields": {"x": "y".repeat(501)}})),
        (GOLDILOCKS, json!({"surname": "x"})),
        (&format!("{GOLDILOCKS}/notes"), json!({"id": id, "text": " "})),
    ] {
        let method = if path == GOLDILOCKS { Method::PATCH } else { Method::POST };
        assert_eq!(reason(&mama.ask(method, path, body).await), (422, "invalid"));
    }
    assert_eq!(mama.get("/customers/gold%20locks").await.0, 404);
    let deeds = served.deeds("bears").await;
    assert!(deeds.iter().any(|deed| deed.starts_with("mama customer_changed")), "{deeds:?}");
    assert!(deeds.iter().any(|deed| deed.starts_with("mama customer_noted")), "{deeds:?}");
    assert!(!deeds.iter().any(|deed| deed.contains("5550100100")), "{deeds:?}");
}

#[tokio::test]
async fn a_card_is_one_tenants_and_for_those_who_have_the_right() {
    let served = Served::new().await;
    let mama = served.signed_in("bears", "mama", &["agent"]).await;
    let fox = served.signed_in("foxes", "fox", &["agent"]).await;
    let king = served.signed_in("bears", "king", &["administrator"]).await;
    mama.ask(Method::PATCH, GOLDILOCKS, json!({"name": "Goldilocks"})).await;
    let id = Uuid::from_u128(8);
    assert_eq!(mama.post(&format!("{GOLDILOCKS}/notes"), json!({"id": id, "text": "a secret"})).await.0, 201);
    let (status, theirs) = fox.get(GOLDILOCKS).await;
    assert_eq!((status, &theirs["name"], &theirs["notes"]), (200, &Value::Null, &json!([])));
    fox.ask(Method::PATCH, GOLDILOCKS, json!({"name": "Dinner"})).await;
    let guessed = fox.post(&format!("{GOLDILOCKS}/notes"), json!({"id": id, "text": "a secret"})).await;
    assert_eq!(reason(&guessed), (409, "exists"), "an id of another tenant's tells nothing but that it is taken");
    assert_eq!(mama.get(GOLDILOCKS).await.1["name"], "Goldilocks");
    assert_eq!(reason(&king.get(GOLDILOCKS).await), (403, "not_allowed"));
    assert_eq!(reason(&served.stranger().get(GOLDILOCKS).await), (401, "not_signed_in"));
}

#[tokio::test]
async fn notes_stand_until_the_customer_is_forgotten() {
    let served = Served::new().await;
    let mama = served.signed_in("bears", "mama", &["agent"]).await;
    mama.ask(Method::PATCH, GOLDILOCKS, json!({"name": "Goldilocks"})).await;
    let id = Uuid::from_u128(9);
    mama.post(&format!("{GOLDILOCKS}/notes"), json!({"id": id, "text": "a secret"})).await;
    let client = served.database.pool.get().await.unwrap();
    for change in ["update customer_notes set text = 'x'", "delete from customer_notes", "truncate customer_notes"] {
        assert!(client.batch_execute(change).await.is_err(), "{change}");
    }
    let hash = format!("#{}", "0".repeat(64));
    client.execute("select forget_customer('foxes', '+15550100100', $1)", &[&hash]).await.unwrap();
    assert_eq!(mama.get(GOLDILOCKS).await.1["name"], "Goldilocks", "another tenant's customer");
    client.execute("select forget_customer('bears', '+15550100100', $1)", &[&hash]).await.unwrap();
    let (_, card) = mama.get(GOLDILOCKS).await;
    assert_eq!((&card["name"], &card["notes"], &card["updated_by"]), (&Value::Null, &json!([]), &Value::Null));
}
