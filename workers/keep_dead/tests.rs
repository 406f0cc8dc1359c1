//! On a migrated database: letters as the runner and as the broker set them aside become rows, each once.

use lapin::BasicProperties;
use serde_json::json;
use texthub::amqp::wire;
use texthub::facts::envelope::Reason;

use super::*;
use crate::rehearsal::{column, customer, lines};
use crate::support::database::Database;
use crate::support::den::{FOXES, den};
use crate::support::fixtures::at;

const ID: &str = "00000000-0000-0000-0000-00000000002a";

fn received(body: &[u8]) -> Delivery {
    let mut delivery = Delivery::mock(1, "texthub.work".into(), "sms.received.1-2".into(), false, body.to_vec());
    delivery.properties = BasicProperties::default().with_message_id(ID.into()).with_type("sms.received.v1".into());
    delivery
}

/// A message as the runner sets it aside at a second.
fn set_aside(second: i64, word: &'static str, body: &[u8]) -> Delivery {
    let reason = Reason::new(word, "what to do");
    let wire = wire::dead(at(second), "receive_sms", Some("sms.received"), &reason, &received(body));
    let mut letter = Delivery::mock(1, "".into(), wire.key.as_str().into(), false, wire.body);
    letter.properties = wire.properties;
    letter
}

async fn keep_all(pool: &Pool, worker: &str, letters: &[Delivery]) -> Result<(), Failure> {
    write(pool, worker, letters, Whole::Yes).await
}

async fn staged() -> Database {
    let database = Database::new().await;
    den(&database.pool).await;
    database
}

#[tokio::test]
async fn a_letter_is_kept_as_received_with_its_reason_and_its_tenant() {
    let database = staged().await;
    let body = json!({"id": ID, "from": customer(1), "to": FOXES, "text": "hello"}).to_string();
    keep_all(&database.pool, "receive_sms", &[set_aside(10, "disabled_tenant", body.as_bytes())]).await.unwrap();
    let kept = "select message_id, fact, routing_key, worker, reason, detail, tenant, times, convert_from(body, 'UTF8') as body
                from dead_letters";
    let expected = json!([{"message_id": ID, "fact": "sms.received", "routing_key": "sms.received.1-2",
        "worker": "receive_sms", "reason": "disabled_tenant", "detail": "what to do", "tenant": "foxes", "times": 1, "body": body}]);
    assert_eq!(lines(&database.pool, kept).await, expected);
}

#[tokio::test]
async fn a_letter_that_comes_twice_is_one_and_one_set_aside_again_is_counted() {
    let database = staged().await;
    let pool = &database.pool;
    let letter = || set_aside(10, "unknown_number", b"{}");
    keep_all(pool, "receive_sms", &[letter(), letter()]).await.unwrap();
    keep_all(pool, "receive_sms", &[letter()]).await.unwrap();
    assert_eq!(column(pool, "select times from dead_letters").await, ["1"], "a repeat of the same setting aside");
    let client = pool.get().await.unwrap();
    client.execute("update dead_letters set replayed_at = $1", &[&at(20)]).await.unwrap();
    keep_all(pool, "receive_sms", &[set_aside(30, "number_disabled", b"{}")]).await.unwrap();
    let again = lines(pool, "select times, reason, replayed_at from dead_letters").await;
    assert_eq!(again, json!([{"times": 2, "reason": "number_disabled", "replayed_at": null}]));
    keep_all(pool, "receive_sms", &[letter()]).await.unwrap();
    assert_eq!(
        column(pool, "select times from dead_letters").await,
        ["2"],
        "an old one that comes late counts nothing"
    );
}

#[tokio::test]
async fn other_workers_and_other_bodies_are_letters_of_their_own() {
    let database = staged().await;
    let letters = [set_aside(10, "id_reused", b"{\"a\":1}"), set_aside(10, "id_reused", b"{\"a\":2}")];
    keep_all(&database.pool, "receive_sms", &letters).await.unwrap();
    keep_all(&database.pool, "post_reply", &letters[..1]).await.unwrap();
    assert_eq!(column(&database.pool, "select count(*) from dead_letters").await, ["3"]);
}

#[tokio::test]
async fn whatever_the_bytes_they_are_kept() {
    let database = staged().await;
    let bodies: [&[u8]; 4] = [b"", b"\xff\xfe\0", b"[1]", b"{\"tenant\":\"be\\u0000ars\",\"to\":\"\\u0000\"}"];
    let letters: Vec<Delivery> = bodies.iter().map(|body| set_aside(10, "undecodable", body)).collect();
    keep_all(&database.pool, "receive_sms", &letters).await.unwrap();
    assert_eq!(column(&database.pool, "select count(*) from dead_letters").await, ["4"]);
    assert_eq!(
        column(&database.pool, "select tenant from dead_letters where tenant is not null").await,
        ["be\u{FFFD}ars"]
    );
}

#[tokio::test]
async fn what_the_broker_set_aside_has_the_reason_of_its_limit() {
    let database = staged().await;
    keep_all(&database.pool, "receive_sms", &[received(b"{}")]).await.unwrap();
    let kept = lines(&database.pool, "select fact, reason, message_id from dead_letters").await;
    assert_eq!(kept, json!([{"fact": "sms.received", "reason": "delivered_too_often", "message_id": ID}]));
}
