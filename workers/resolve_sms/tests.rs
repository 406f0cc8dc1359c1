//! On a migrated database and against the simulator: a text whose answer was lost is found, or known not to have left, or
//! left to the tenant's policy; and never sent again but then.

use serde_json::{Value, json};
use texthub::facts::said::SmsRequested;

use super::*;
use crate::reconcile::Sweep;
use crate::send_sms::ToSend;
use crate::send_sms::tests::{Bench, asks, redelivered, states};
use crate::support::fixtures::{Requested, at, message};
use crate::support::trial::{names, said};
use texthub::runtime::worker::Pass;

/// A text that was claimed and not heard of: taken by the network with its answer lost, or left by a process that died.
async fn lost(is_taken: bool) -> (Bench, Requested) {
    let bench = Bench::new().await;
    let text = Requested::new(1, 1);
    Requested::write_all(&bench.database.pool, std::slice::from_ref(&text)).await;
    let lines = "insert into entries (room_id, seq, id, direction, author, text, parts, at, written_at, sms_id, caused_by)
                 select room_id, seq, entry_id, 'outbound', 'agent', 'hello', 1, requested_at, requested_at, id, caused_by
                 from sms";
    bench.database.pool.get().await.unwrap().execute(lines, &[]).await.unwrap();
    let ask = if is_taken {
        bench.faults(json!({"answer_dropped": 1.0})).await;
        asks(&text, 0)
    } else {
        bench.claim(at(0), &[asks(&text, 0)]).await;
        redelivered(&text)
    };
    let outcomes = bench.run(at(0), &[ask]).await;
    assert_eq!(names(&outcomes[0]), ["sms.unanswered"]);
    bench.faults(json!({})).await;
    (bench, text)
}

/// What the sweep asks to look for.
async fn due(bench: &Bench, now: i64) -> Vec<Message<Doubts>> {
    let mut client = bench.database.pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let said = Sweep::default().round(&tx, &Context { now: at(now) }).await.unwrap();
    tx.commit().await.unwrap();
    said.iter()
        .filter(|said| said.fact == SmsDoubted::NAME)
        .map(|said| {
            let fact: SmsDoubted = serde_json::from_slice(&said.body).unwrap();
            message(fact.id, SmsDoubted::NAME, &fact, Doubts::SmsDoubted(fact.clone()))
        })
        .collect()
}

async fn resolve(bench: &Bench, now: i64, batch: &[Message<Doubts>]) -> Vec<Outcome> {
    let worker =
        ResolveSms::new(Surroundings { simulator_url: "http://127.0.0.1:9".into(), ..Surroundings::default() });
    let ctx = Context { now: at(now) };
    let mut client = bench.database.pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let claims = worker.claim(&tx, &ctx, batch).await.unwrap();
    tx.commit().await.unwrap();
    let (mut outcomes, mut answers) = (vec![Outcome::silent(); batch.len()], Vec::new());
    for (index, claim) in claims.into_iter().enumerate() {
        match claim {
            Claim::Settled(outcome) => outcomes[index] = outcome,
            Claim::Call(job) => {
                let found = worker.call(&job).await;
                answers.push((index, job, found));
            }
        }
    }
    let tx = client.transaction().await.unwrap();
    for (index, outcome) in worker.settle(&tx, &ctx, batch, &answers).await.unwrap() {
        outcomes[index] = outcome;
    }
    tx.commit().await.unwrap();
    outcomes
}

async fn policy(bench: &Bench, word: &str) {
    let client = bench.database.pool.get().await.unwrap();
    client.execute("update tenants set unanswered = $1", &[&word]).await.unwrap();
    // nobody there to be asked
    client.execute("update carriers set url = 'http://127.0.0.1:9'", &[]).await.unwrap();
}

async fn state(bench: &Bench, text: &Requested) -> (String, Option<String>) {
    states(&bench.database.pool).await.remove(&text.sms_id).unwrap()
}

#[tokio::test]
async fn a_text_that_the_carrier_has_is_submitted_under_its_id() {
    let (bench, text) = lost(true).await;
    assert!(due(&bench, 59).await.is_empty(), "the call may still be under way");
    let doubts = due(&bench, 61).await;
    assert!(due(&bench, 62).await.is_empty(), "once a minute");
    let outcomes = resolve(&bench, 62, &doubts).await;
    assert_eq!(names(&outcomes[0]), ["sms.submitted"]);
    let submitted: Value = serde_json::from_slice(&said(&outcomes[0])[0].body).unwrap();
    assert_eq!(submitted["parts"].as_array().unwrap().len(), 1);
    assert_eq!(state(&bench, &text).await.0, "submitted");
    let again: Vec<_> = doubts.iter().map(|doubt| Message { is_redelivered: true, ..doubt.clone() }).collect();
    let repeated = resolve(&bench, 63, &again).await;
    assert_eq!(said(&repeated[0])[0].id, said(&outcomes[0])[0].id, "a repeat says the same");
    assert_eq!(bench.record().await, [text.sms_id]);
}

#[tokio::test]
async fn a_text_that_the_carrier_does_not_have_twice_is_sent_once() {
    let (bench, text) = lost(false).await;
    let first = due(&bench, 61).await;
    assert!(names(&resolve(&bench, 61, &first).await[0]).is_empty(), "once may be too early");
    let second = due(&bench, 122).await;
    let outcomes = resolve(&bench, 122, &second).await;
    assert_eq!(names(&outcomes[0]), ["sms.requested", "sms.changed"]);
    assert_eq!(state(&bench, &text).await.0, "requested");
    let again: SmsRequested = serde_json::from_slice(&said(&outcomes[0])[0].body).unwrap();
    bench.run(at(123), &[message(again.id, SmsRequested::NAME, &again, ToSend::SmsRequested(again.clone()))]).await;
    assert_eq!(bench.record().await, [text.sms_id]);
}

#[tokio::test]
async fn where_the_carrier_cannot_be_asked_the_policy_decides() {
    for (word, state_then, told) in [
        ("keep", "unknown", &[][..]),
        ("fail", "failed", &["sms.failed"][..]),
        ("resend", "requested", &["sms.requested", "sms.changed"][..]),
    ] {
        let (bench, text) = lost(true).await;
        policy(&bench, word).await;
        let early = due(&bench, 61).await;
        assert!(names(&resolve(&bench, 61, &early).await[0]).is_empty(), "{word}: not before its time");
        let doubts = due(&bench, 901).await;
        let outcomes = resolve(&bench, 901, &doubts).await;
        assert_eq!(names(&outcomes[0]), told, "{word}");
        assert_eq!(state(&bench, &text).await.0, state_then, "{word}");
        assert!(due(&bench, 2000).await.is_empty(), "{word}: nobody looks any more");
        let client = bench.database.pool.get().await.unwrap();
        let resent: i32 = client.query_one("select resent from sms", &[]).await.unwrap().get(0);
        assert_eq!(resent, i32::from(word == "resend"), "{word}");
    }
}
