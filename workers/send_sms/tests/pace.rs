//! Paces that every process shares: never more than they allow whoever claims, conversation first, bulk at its time; and a
//! carrier that says "too fast" is slowed for all.

use super::quiet::released;
use super::*;

async fn set(bench: &Bench, paces: Value) {
    let client = bench.database.pool.get().await.unwrap();
    client.execute("update tenants set paces = $1", &[&paces]).await.unwrap();
}

/// Texts of rooms of their own; whose numbers are even are bulk.
async fn texts(bench: &Bench, count: u32) -> Vec<Requested> {
    let texts: Vec<Requested> = (1..=count).map(|room| Requested::new(room, 1)).collect();
    Requested::write_all(&bench.database.pool, &texts).await;
    let client = bench.database.pool.get().await.unwrap();
    let bulk: Vec<SmsId> = texts.iter().skip(1).step_by(2).map(|text| text.sms_id).collect();
    client.execute("update sms set purpose = 'informational' where id = any($1)", &[&bulk]).await.unwrap();
    let lines = "insert into entries (room_id, seq, id, direction, author, text, parts, at, written_at, sms_id, caused_by)
                 select room_id, seq, entry_id, 'outbound', 'agent', 'hello', 1, requested_at, requested_at, id, caused_by
                 from sms";
    client.execute(lines, &[]).await.unwrap();
    texts
}

fn words(outcomes: &[Outcome]) -> Vec<String> {
    outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Later(_, why) => why.word.to_owned(),
            other => facts(std::slice::from_ref(other))[0].0.to_owned(),
        })
        .collect()
}

#[tokio::test]
async fn conversation_goes_first_and_bulk_at_its_time() {
    let bench = Bench::new().await;
    set(&bench, json!([{"id": "main", "per_minute": 60}])).await;
    let texts = texts(&bench, 3).await;
    let batch: Vec<Message<ToSend>> = [1, 0, 2].iter().map(|index| asks(&texts[*index], 0)).collect();
    let outcomes = bench.run(at(0), &batch).await;
    assert_eq!(words(&outcomes), ["sms.held", "sms.submitted", "paced"]);
    assert_eq!(bench.record().await, [texts[0].sms_id], "the conversation's first");
    let held: Value = serde_json::from_slice(&said(&outcomes[0])[0].body).unwrap();
    assert_eq!(
        (&held["reason"], &held["until"]),
        (&json!("paced"), &json!(at(2))),
        "behind the conversation that waits"
    );
    assert!(released(&bench, 1).await.is_empty());
    assert_eq!(words(&bench.run(at(1), &batch[2..]).await), ["sms.submitted"]);
    let due = released(&bench, 2).await;
    assert_eq!(words(&bench.run(at(2), &due).await), ["sms.submitted"]);
    assert_eq!(bench.record().await, [texts[0].sms_id, texts[2].sms_id, texts[1].sms_id]);
}

#[tokio::test]
async fn a_room_keeps_its_order_where_its_first_text_waits() {
    let bench = Bench::new().await;
    set(&bench, json!([{"id": "main", "per_minute": 120}])).await;
    let mut texts: Vec<Requested> = vec![Requested::new(1, 1), Requested::new(2, 1), Requested::new(2, 2)];
    texts[0].text = "x".repeat(400);
    Requested::write_all(&bench.database.pool, &texts).await;
    let batch: Vec<Message<ToSend>> = texts.iter().map(|text| asks(text, 0)).collect();
    let outcomes = bench.run(at(0), &batch).await;
    assert_eq!(words(&outcomes), ["sms.submitted", "paced", "paced"], "three segments: one more than there was");
    assert_eq!(words(&bench.run(at(1), &batch[2..]).await), ["predecessor"]);
    assert_eq!(words(&bench.run(at(1), &batch[1..]).await), ["sms.submitted", "paced"]);
}

#[tokio::test]
async fn a_text_counts_as_it_leaves() {
    let bench = Bench::new().await;
    set(&bench, json!([{"id": "day", "per_day": 2}])).await;
    let client = bench.database.pool.get().await.unwrap();
    client.execute("update carriers set settings = '{\"smart_encoding\": true}'", &[]).await.unwrap();
    let mut texts = [Requested::new(1, 1), Requested::new(2, 1), Requested::new(3, 1)];
    for text in &mut texts {
        // two parts as written, one as sent
        text.text = format!("it’s {}", "a".repeat(80));
    }
    Requested::write_all(&bench.database.pool, &texts).await;
    let batch: Vec<Message<ToSend>> = texts.iter().map(|text| asks(text, 0)).collect();
    assert_eq!(words(&bench.run(at(0), &batch).await), ["sms.submitted", "sms.submitted", "sms.held"]);
}

#[tokio::test]
async fn what_is_tried_for_too_long_expires() {
    let bench = Bench::new().await;
    let texts = texts(&bench, 2).await;
    let client = bench.database.pool.get().await.unwrap();
    client.execute("update tenants set text_validity_s = 3600", &[]).await.unwrap();
    let batch: Vec<Message<ToSend>> = texts.iter().map(|text| asks(text, 0)).collect();
    assert_eq!(words(&bench.run(at(3600), &batch[..1]).await), ["sms.submitted"]);
    assert_eq!(words(&bench.run(at(3601), &batch[1..]).await), ["sms.failed"]);
    let state = states(&bench.database.pool).await.remove(&texts[1].sms_id);
    assert_eq!(state, Some(("failed".to_owned(), Some("expired".to_owned()))));
}

#[tokio::test]
async fn ten_processes_that_claim_at_once_take_no_more_than_the_pace() {
    let bench = Bench::new().await;
    set(&bench, json!([{"id": "each", "per_minute": 300, "each": true}, {"id": "day", "per_day": 8}])).await;
    let texts = texts(&bench, 40).await;
    let claims = texts.chunks(4).map(|own| async {
        let batch: Vec<Message<ToSend>> = own.iter().map(|text| asks(text, 0)).collect();
        bench.claim(at(0), &batch).await
    });
    let claims = futures_util::future::join_all(claims).await;
    let called = claims.iter().flatten().filter(|claim| matches!(claim, Claim::Call(_))).count();
    assert_eq!(called, 5, "what comes in a second");
    let later = [at(1), at(2)];
    for now in later {
        let again: Vec<Message<ToSend>> = texts.iter().step_by(2).map(|text| asks(text, 1)).collect();
        bench.claim(now, &again).await;
    }
    let client = bench.database.pool.get().await.unwrap();
    let row = client.query_one("select count(*) from sms where state = 'sending'", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 8, "the day's count");
    let row = client.query_one("select count(*) from sms where reason = 'day_is_full'", &[]).await.unwrap();
    assert!(row.get::<_, i64>(0) > 0);
}

#[tokio::test]
async fn a_carrier_that_says_too_fast_is_slowed_for_all_and_recovers() {
    let bench = Bench::new().await;
    let texts = texts(&bench, 60).await;
    let live: Vec<Message<ToSend>> = texts.iter().step_by(2).map(|text| asks(text, 0)).collect();
    assert_eq!(words(&bench.run(at(0), &live[..20]).await), ["sms.submitted"; 20]);
    bench.faults(json!({"throttled": 1.0})).await;
    assert_eq!(words(&bench.run(at(5), &live[20..21]).await), ["carrier_busy"]);
    bench.faults(json!({})).await;
    let client = bench.database.pool.get().await.unwrap();
    let row = client.query_one("select factor, measured from slowed_carriers", &[]).await.unwrap();
    assert_eq!((row.get::<_, f64>(0), row.get::<_, i32>(1)), (0.5, 600), "what it took in the seconds before was less");
    // another process, which knows of no pause
    let other = bench.worker.afresh();
    let tx_of = async |now| {
        let mut client = bench.database.pool.get().await.unwrap();
        let tx = client.transaction().await.unwrap();
        let claims = other.claim(&tx, &Context { now }, &live[21..]).await.unwrap();
        tx.rollback().await.unwrap();
        claims.iter().filter(|claim| matches!(claim, Claim::Call(_))).count()
    };
    assert_eq!(tx_of(at(6)).await, 5, "a second's worth of half of ten a second");
    assert_eq!(tx_of(at(400)).await, 9, "recovered: as fast as it can");
}
