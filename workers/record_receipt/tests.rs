//! On a migrated database: parts, receipts and states as rows, in every order; a batch, its messages one by one, and
//! every message doubled come to the same rows and the same publications.

use deadpool_postgres::Pool;
use jiff::Timestamp;
use texthub::facts::heard::{Hearable, ReceiptStatus};
use uuid::Uuid;

use super::*;
use crate::support::database::Database;
use crate::support::fixtures::{Requested, at, bears, message, slug};

async fn bench(rooms: u32, state: &str) -> (Database, Vec<Requested>) {
    let database = Database::new().await;
    bears(&database.pool, "http://127.0.0.1:9").await;
    let texts: Vec<Requested> = (1..=rooms).map(|room| Requested::new(room, 1)).collect();
    for text in &texts {
        text.write(&database.pool, false).await;
    }
    let client = database.pool.get().await.unwrap();
    client.execute("update sms set state = $1, claimed_at = $2", &[&state, &at(0)]).await.unwrap();
    (database, texts)
}

async fn run(pool: &Pool, now: Timestamp, batch: &[Message<Became>]) -> Vec<Outcome> {
    let mut client = pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let outcomes = RecordReceipt.handle(&tx, &Context { now }, batch).await.unwrap();
    tx.commit().await.unwrap();
    outcomes
}

fn parts(ids: &[&str]) -> Vec<SubmittedPart> {
    (1..).zip(ids).map(|(part, id)| SubmittedPart { part, carrier_sms_id: (*id).to_owned() }).collect()
}

fn submitted(text: &Requested, ids: &[&str]) -> Message<Became> {
    let id = FactId(Uuid::new_v5(&text.sms_id.0, b"submitted"));
    let fact = SmsSubmitted {
        id,
        cause_id: id,
        at: at(1),
        tenant: slug("bears"),
        sms_id: text.sms_id,
        parts: parts(ids),
        reason: None,
    };
    message(id, <SmsSubmitted as Fact>::NAME, &fact, Became::SmsSubmitted(fact.clone()))
}

fn unanswered(text: &Requested) -> Message<Became> {
    let id = FactId(Uuid::new_v5(&text.sms_id.0, b"unanswered"));
    let fact = SmsUnanswered {
        id,
        cause_id: id,
        at: at(1),
        tenant: slug("bears"),
        sms_id: text.sms_id,
        parts: Vec::new(),
        reason: Some("time_out".to_owned()),
    };
    message(id, <SmsUnanswered as Fact>::NAME, &fact, Became::SmsUnanswered(fact.clone()))
}

fn receipt(nr: u128, carrier_sms_id: &str, status: ReceiptStatus) -> Message<Became> {
    let id = FactId(Uuid::from_u128(nr));
    let fact = ReceiptReceived {
        id,
        carrier: slug("simulator"),
        carrier_sms_id: carrier_sms_id.to_owned(),
        status,
        error: (status == ReceiptStatus::Failed).then(|| "30007".to_owned()),
        part: None,
        id_rules: None,
        our_number: None,
        customer_number: None,
        reported_at: at(2),
    };
    message(id, ReceiptReceived::NAME, &fact, Became::ReceiptReceived(fact.clone()))
}

/// (state, reason) of the texts by room, (part, status) of all parts, and which receipts found a text.
type Rows = (Vec<(String, Option<String>)>, Vec<(i32, String)>, Vec<(FactId, bool)>);

async fn rows(pool: &Pool) -> Rows {
    let client = pool.get().await.unwrap();
    let texts = client.query("select state, reason from sms order by customer_number", &[]).await.unwrap();
    let parts = client.query("select part, status from sms_parts order by carrier_sms_id", &[]).await.unwrap();
    let receipts = client.query("select id, sms_id is not null from receipts order by id", &[]).await.unwrap();
    (
        texts.iter().map(|row| (row.get(0), row.get(1))).collect(),
        parts.iter().map(|row| (row.get(0), row.get(1))).collect(),
        receipts.iter().map(|row| (row.get(0), row.get(1))).collect(),
    )
}

/// Bodies as JSON: what was kept has its fields in another order.
fn bodies(outcomes: &[Outcome]) -> Vec<serde_json::Value> {
    let said = outcomes.iter().flat_map(|o| if let Outcome::Done(said) = o { said.clone() } else { panic!("{o:?}") });
    said.map(|p| serde_json::from_slice(&p.body).unwrap()).collect()
}

fn said(outcomes: &[Outcome]) -> Vec<(FactId, String)> {
    let said = outcomes.iter().flat_map(|outcome| match outcome {
        Outcome::Done(said) => said.clone(),
        other => panic!("{other:?}"),
    });
    said.map(|p| {
        assert_eq!(p.fact, "sms.changed");
        let body: serde_json::Value = serde_json::from_slice(&p.body).unwrap();
        (p.id, body["status"].as_str().unwrap().to_owned())
    })
    .collect()
}

#[tokio::test]
async fn a_batch_its_messages_alone_and_each_doubled_come_to_the_same() {
    use ReceiptStatus::{Delivered, Failed, Submitted, Undelivered};
    let mut seen = Vec::new();
    for way in ["batch", "alone", "doubled"] {
        let (database, texts) = bench(5, "sending").await;
        let pool = &database.pool;
        let batch = [
            receipt(1, "a1", Delivered),
            submitted(&texts[0], &["a1", "a2"]),
            receipt(2, "a2", Delivered),
            submitted(&texts[1], &["b1", "b2"]),
            receipt(3, "b1", Failed),
            receipt(4, "b2", Delivered),
            unanswered(&texts[2]),
            submitted(&texts[2], &["c1"]),
            receipt(5, "c1", Undelivered),
            receipt(6, "c1", Submitted),
            receipt(7, "nobody's", Delivered),
            submitted(&texts[3], &["d1"]),
            unanswered(&texts[4]),
        ];
        let mut outcomes = Vec::new();
        if way == "batch" {
            outcomes = run(pool, at(5), &batch).await;
        } else {
            for message in &batch {
                outcomes.extend(run(pool, at(5), std::slice::from_ref(message)).await);
                if way == "doubled" {
                    let again = run(pool, at(6), std::slice::from_ref(message)).await;
                    assert_eq!(bodies(&again), bodies(&outcomes[outcomes.len() - 1..]), "a repeat says the same");
                }
            }
            assert_eq!(said(&run(pool, at(9), &batch).await), said(&outcomes), "all of it once more");
        }
        seen.push((rows(pool).await, said(&outcomes)));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    let states: Vec<&str> = seen[0].0.0.iter().map(|(state, _)| state.as_str()).collect();
    assert_eq!(states, ["delivered", "failed", "undelivered", "submitted", "unknown"]);
    assert_eq!(seen[0].0.0[1].1.as_deref(), Some("30007"));
    let told: Vec<&str> = seen[0].1.iter().map(|(_, state)| state.as_str()).collect();
    let expected = [
        "submitted",
        "delivered",
        "submitted",
        "failed",
        "unknown",
        "submitted",
        "undelivered",
        "submitted",
        "unknown",
    ];
    assert_eq!(told, expected);
    let unmatched: Vec<bool> = seen[0].0.2.iter().map(|(_, matched)| *matched).collect();
    assert_eq!(unmatched, [true, true, true, true, true, true, false]);
}

#[tokio::test]
async fn in_another_order_the_states_are_the_same() {
    use ReceiptStatus::Delivered;
    let (database, texts) = bench(1, "submitted").await;
    let pool = &database.pool;
    for message in [receipt(2, "a2", Delivered), receipt(1, "a1", Delivered), submitted(&texts[0], &["a1", "a2"])] {
        run(pool, at(5), &[message]).await;
    }
    assert_eq!(rows(pool).await.0[0].0, "delivered");
}

#[tokio::test]
async fn a_receipt_that_finds_the_parts_of_an_answer_not_yet_told_moves_it_and_the_telling_is_no_news() {
    let (database, texts) = bench(1, "submitted").await;
    let pool = &database.pool;
    let client = pool.get().await.unwrap();
    let insert = "insert into sms_parts (sms_id, part, carrier, carrier_sms_id, status) values ($1, 1, 'simulator', 'a1', 'submitted')";
    client.execute(insert, &[&texts[0].sms_id]).await.unwrap();
    let outcomes = run(pool, at(5), &[receipt(1, "a1", ReceiptStatus::Delivered)]).await;
    assert_eq!(said(&outcomes)[0].1, "delivered");
    assert_eq!(said(&run(pool, at(6), &[submitted(&texts[0], &["a1"])]).await), []);
    assert_eq!(rows(pool).await.0[0].0, "delivered");
}

#[tokio::test]
async fn a_receipt_racing_with_its_submission_never_misses_it() {
    for round in 0..20 {
        let (database, texts) = bench(1, "sending").await;
        let (one, other) = (database.pool.clone(), database.pool.clone());
        let (receipt, submitted) = (receipt(1, "a1", ReceiptStatus::Delivered), submitted(&texts[0], &["a1"]));
        let racing = tokio::join!(
            tokio::spawn(async move { run(&one, at(5), &[receipt]).await }),
            tokio::spawn(async move { run(&other, at(5), &[submitted]).await }),
        );
        assert!(racing.0.is_ok() && racing.1.is_ok());
        assert_eq!(rows(&database.pool).await.0[0].0, "delivered", "round {round}");
    }
}

#[tokio::test]
async fn an_id_used_twice_a_bad_receipt_and_an_unknown_text_are_set_aside_and_harm_nobody() {
    let (database, texts) = bench(1, "sending").await;
    let pool = &database.pool;
    run(pool, at(1), &[receipt(1, "a1", ReceiptStatus::Delivered)]).await;
    let batch = [
        receipt(1, "a1", ReceiptStatus::Failed),
        receipt(2, "a\0b", ReceiptStatus::Delivered),
        receipt(3, "", ReceiptStatus::Delivered),
        submitted(&Requested::new(9, 9), &["x"]),
        submitted(&texts[0], &["a1"]),
    ];
    let outcomes = run(pool, at(2), &batch).await;
    let words: Vec<&str> = outcomes
        .iter()
        .map(|outcome| if let Outcome::Reject(reason) = outcome { reason.word } else { "done" })
        .collect();
    assert_eq!(words, ["id_reused", "bad_receipt", "bad_receipt", "not_found", "done"]);
    assert_eq!(rows(pool).await.0[0].0, "delivered");
    Requested::new(9, 9).write(pool, false).await;
    let replayed = run(pool, at(3), &[submitted(&Requested::new(9, 9), &["x"])]).await;
    assert_eq!(said(&replayed)[0].1, "submitted", "set aside and replayed is no repeat");
}

fn spelled(nr: u128, carrier_sms_id: &str, rules: &[&str], between: Option<(&str, &str)>) -> Message<Became> {
    let mut told = receipt(nr, carrier_sms_id, ReceiptStatus::Delivered);
    let Became::ReceiptReceived(fact) = &mut told.body else { unreachable!() };
    fact.id_rules = Some(rules.iter().map(|word| (*word).to_owned()).collect());
    (fact.our_number, fact.customer_number) =
        between.map(|(ours, theirs)| (ours.to_owned(), theirs.to_owned())).unzip();
    told
}

#[tokio::test]
async fn another_spelling_finds_its_part_before_and_after_the_answer_by_the_rules_that_came_with_it() {
    let (database, texts) = bench(3, "sending").await;
    let pool = &database.pool;
    let all = ["exact", "case", "zeros", "decimal", "hex"];
    // before: kept with its rules
    run(pool, at(2), &[spelled(1, "439041101", &all, None), spelled(2, "B2", &["exact"], None)]).await;
    run(pool, at(3), &[submitted(&texts[0], &["1A2B3C4D"]), submitted(&texts[1], &["b2"])]).await;
    // after
    run(pool, at(3), &[submitted(&texts[2], &["000c3", "d4"])]).await;
    run(pool, at(4), &[spelled(3, "C3", &all, None), spelled(4, "D4", &["case"], None)]).await;
    let states: Vec<String> = rows(pool).await.0.into_iter().map(|(state, _)| state).collect();
    assert_eq!(states, ["delivered", "submitted", "delivered"]);
}

#[tokio::test]
async fn the_receipt_of_a_lost_answer_finds_its_text_by_the_numbers_in_any_order_of_telling() {
    for way in ["after", "before", "alone twice"] {
        let (database, texts) = bench(1, "unknown").await;
        let pool = &database.pool;
        let ends = Some(("+15550100001", texts[0].customer.as_str()));
        let mut told = vec![unanswered(&texts[0]), spelled(1, "x1", &["exact"], ends)];
        let client = pool.get().await.unwrap();
        let stands = async |state: &str| client.execute("update sms set state = $1", &[&state]).await.unwrap();
        if way == "before" {
            told.reverse();
            stands("sending").await;
        }
        for message in &told {
            run(pool, at(5), std::slice::from_ref(message)).await;
            if way == "before" && rows(pool).await.0[0].0 == "sending" {
                // the call ends
                stands("unknown").await;
            }
            if way == "alone twice" {
                run(pool, at(6), std::slice::from_ref(message)).await;
            }
        }
        assert_eq!(rows(pool).await.0[0].0, "delivered", "{way}");
        assert_eq!(rows(pool).await.1, [(1, "delivered".to_owned())]);
    }
    // two of them: nobody knows which
    let (database, texts) = bench(2, "unknown").await;
    let client = database.pool.get().await.unwrap();
    client.execute("update sms set customer_number = $1", &[&texts[0].customer]).await.unwrap();
    let ends = Some(("+15550100001", texts[0].customer.as_str()));
    run(&database.pool, at(5), &[spelled(1, "x1", &["exact"], ends)]).await;
    assert!(rows(&database.pool).await.0.iter().all(|(state, _)| state == "unknown"));
    // one is under way: it may be that one's
    client.execute("update sms set state = 'sending' where id = $1", &[&texts[1].sms_id]).await.unwrap();
    run(&database.pool, at(6), &[spelled(2, "x2", &["exact"], ends)]).await;
    assert!(rows(&database.pool).await.0.iter().all(|(state, _)| state != "delivered"));
}

#[tokio::test]
async fn receipts_and_parts_are_found_by_index() {
    let (database, texts) = bench(1, "unknown").await;
    let client = database.pool.get().await.unwrap();
    client
        .batch_execute(
            "insert into sms select (jsonb_populate_record(s, jsonb_build_object('id', gen_random_uuid(), 'seq', n,
                    'state', case n % 100 when 0 then 'unknown' else 'delivered' end, 'customer_number', '+1777' || n))).*
                 from sms s, generate_series(2, 20000) n;
             insert into sms_parts (sms_id, part, carrier, carrier_sms_id, status)
                 select id, 1, carrier, md5(id::text), 'submitted' from sms;
             insert into receipts (id, carrier, carrier_sms_id, status, reported_at, at, our_number, customer_number)
                 select gen_random_uuid(), carrier, md5(customer_number), 'delivered', now(), now(), our_number, customer_number
                 from sms;
             analyze",
        )
        .await
        .unwrap();
    let of = |sql: &str| format!("explain (analyze, costs off) {sql}");
    let (carriers, keys) = (vec!["simulator"; 64], (0..64).map(|nr| format!("id-{nr}")).collect::<Vec<_>>());
    let (ours, customers) = (vec!["+15550100001"; 64], vec![texts[0].customer.as_str(); 64]);
    let (told, now) = (vec![texts[0].sms_id], at(5));
    let found = client.query(&of(rows::FOUND), &[&carriers, &keys]).await.unwrap();
    let waiting = client.query(&of(rows::WAITING), &[&carriers, &keys, &told]).await.unwrap();
    let between = client.query(&of(rows::BETWEEN), &[&carriers, &ours, &customers, &told, &now]).await.unwrap();
    let by = [
        vec!["(carrier = r.carrier) AND (ltrim("],
        vec![
            "(carrier = k.carrier) AND (ltrim(",
            "(customer_number = s.customer_number) AND (our_number = s.our_number)",
        ],
        vec![") AND (our_number = "],
    ];
    for (plan, by) in [found, waiting, between].iter().zip(by) {
        let plan = plan.iter().map(|row| row.get(0)).collect::<Vec<&str>>().join("\n");
        assert!(!plan.contains("Seq Scan on"), "{plan}");
        for index in by {
            let finds = |line: &str| line.contains("Index Cond") && line.contains(index);
            assert!(plan.lines().any(finds), "not by {index}:\n{plan}");
        }
    }
}
