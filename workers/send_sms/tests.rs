//! On a migrated database and against the simulator over HTTP: what is sent, what is never sent again, and that a batch,
//! its messages one by one, and every message doubled come to the same rows and the same publications.

mod leaving;
mod pace;
mod quiet;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde_json::{Value, json};
use texthub::facts::envelope::{Fact, Publication};
use texthub::facts::ids::FactId;
use texthub::hub::consent::{ConsentKind, Noted};
use texthub::sms::carrier::simulator::{Running, Said, Settings, start};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::support::database::Database;
use crate::support::fixtures::{Requested, at, bears, message};

/// A database, a simulated network, and the worker between them.
pub struct Bench {
    /// Migrated.
    pub database: Database,
    worker: SendSms,
    url: String,
    http: reqwest::Client,
    stop: CancellationToken,
    _running: Running,
    _said: mpsc::Receiver<Said>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Bench {
    pub async fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("texthub-send-sms-{}", texthub::runtime::clock::new_id()));
        let (outbox, said) = mpsc::channel(1024);
        let stop = CancellationToken::new();
        let settings = Settings { listen: "127.0.0.1:0".parse().unwrap(), folder };
        let running = start(settings, outbox, stop.clone()).await.unwrap();
        let url = format!("http://{}", running.address);
        let database = Database::new().await;
        bears(&database.pool, &url).await;
        let worker = SendSms::by_simulator("http://127.0.0.1:9");
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { database, worker, url, http: reqwest::Client::new(), stop, _running: running, _said: said }
    }

    pub async fn faults(&self, faults: Value) {
        let set = self.http.put(format!("{}/faults", self.url)).json(&faults).send().await.unwrap();
        assert!(set.status().is_success());
    }

    /// The sms ids that the network took, in its order.
    pub async fn record(&self) -> Vec<SmsId> {
        let page: Value = self.http.get(format!("{}/record", self.url)).send().await.unwrap().json().await.unwrap();
        page["submissions"].as_array().unwrap().iter().map(|s| s["sms_id"].as_str().unwrap().parse().unwrap()).collect()
    }

    /// Claims, calls and settles a batch at a moment, as the runner does.
    pub async fn run(&self, now: Timestamp, batch: &[Message<ToSend>]) -> Vec<Outcome> {
        let ctx = Context { now };
        let claims = self.claim(now, batch).await;
        let (mut outcomes, mut answers, mut rest) = (vec![Outcome::silent(); batch.len()], Vec::new(), HashMap::new());
        for (index, claim) in claims.into_iter().enumerate() {
            match claim {
                Claim::Settled(outcome) => outcomes[index] = outcome,
                Claim::Call(job) => {
                    let lane = SendSms::lane(&job);
                    let answer = match rest.remove(&lane) {
                        Some(answer) => answer,
                        None => self.worker.call(&job).await,
                    };
                    SendSms::rest(&answer).map(|answer| rest.insert(lane, answer));
                    answers.push((index, job, answer));
                }
            }
        }
        let mut client = self.database.pool.get().await.unwrap();
        let tx = client.transaction().await.unwrap();
        for (index, outcome) in self.worker.settle(&tx, &ctx, batch, &answers).await.unwrap() {
            outcomes[index] = outcome;
        }
        tx.commit().await.unwrap();
        outcomes
    }

    /// Claims only: a process that dies before it calls.
    pub async fn claim(&self, now: Timestamp, batch: &[Message<ToSend>]) -> Vec<Claim<Job>> {
        let mut client = self.database.pool.get().await.unwrap();
        let tx = client.transaction().await.unwrap();
        let claims = self.worker.claim(&tx, &Context { now }, batch).await.unwrap();
        tx.commit().await.unwrap();
        claims
    }

    async fn opt_out(&self, text: &Requested) {
        let mut client = self.database.pool.get().await.unwrap();
        let tx = client.transaction().await.unwrap();
        let cause = FactId(texthub::runtime::clock::new_id());
        let noted = Noted::by_keyword(("bears", "+15550100001", &text.customer), ConsentKind::OptOut, "STOP", cause);
        assert_eq!(consent::note(&tx, at(0), &[noted]).await.unwrap(), [true]);
        tx.commit().await.unwrap();
    }
}

pub fn asks(text: &Requested, nr: u32) -> Message<ToSend> {
    let fact = text.fact(nr);
    message(fact.id, SmsRequested::NAME, &fact, ToSend::SmsRequested(fact.clone()))
}

pub fn redelivered(text: &Requested) -> Message<ToSend> {
    Message { is_redelivered: true, ..asks(text, 0) }
}

async fn written(pool: &Pool, room: u32, count: i32) -> Vec<Requested> {
    let texts: Vec<Requested> = (1..=count).map(|seq| Requested::new(room, seq)).collect();
    for text in &texts {
        text.write(pool, false).await;
    }
    texts
}

pub async fn states(pool: &Pool) -> BTreeMap<SmsId, (String, Option<String>)> {
    let client = pool.get().await.unwrap();
    let rows = client.query("select id, state, reason from sms", &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect()
}

async fn state(pool: &Pool, text: &Requested) -> String {
    states(pool).await.remove(&text.sms_id).unwrap().0
}

fn said(outcome: &Outcome) -> &[Publication] {
    match outcome {
        Outcome::Done(said) => said,
        other => panic!("{other:?}"),
    }
}

fn facts(outcomes: &[Outcome]) -> Vec<(&str, FactId)> {
    outcomes.iter().flat_map(said).map(|p| (p.fact.as_ref(), p.id)).collect()
}

#[tokio::test]
async fn a_batch_its_messages_alone_and_each_doubled_come_to_the_same() {
    let mut seen = Vec::new();
    for way in ["batch", "alone", "doubled"] {
        let bench = Bench::new().await;
        let pool = &bench.database.pool;
        let mut texts = written(pool, 1, 3).await;
        texts.extend(written(pool, 2, 2).await);
        bench.opt_out(&texts[4]).await;
        bench.faults(json!({"refused_numbers": [texts[3].customer]})).await;
        let batch: Vec<Message<ToSend>> = texts.iter().map(|text| asks(text, 0)).collect();
        let outcomes = if way == "batch" {
            bench.run(at(1), &batch).await
        } else {
            let mut outcomes = Vec::new();
            for message in &batch {
                outcomes.extend(bench.run(at(1), std::slice::from_ref(message)).await);
                if way == "doubled" {
                    let again = bench.run(at(2), std::slice::from_ref(message)).await;
                    assert_eq!(again.last(), outcomes.last(), "a repeat says the same");
                }
            }
            outcomes
        };
        assert_eq!(bench.record().await, texts[..3].iter().map(|t| t.sms_id).collect::<Vec<_>>(), "{way}");
        let facts: Vec<(String, FactId)> =
            facts(&outcomes).into_iter().map(|(fact, id)| (fact.to_owned(), id)).collect();
        seen.push((states(pool).await, facts));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    let names: Vec<&str> = seen[0].1.iter().map(|(fact, _)| fact.as_str()).collect();
    assert_eq!(names, ["sms.submitted", "sms.submitted", "sms.submitted", "sms.failed", "sms.failed"]);
}

#[tokio::test]
async fn what_was_claimed_by_a_process_that_died_is_unknown_and_never_sent_again() {
    let bench = Bench::new().await;
    let pool = &bench.database.pool;
    let texts = written(pool, 1, 2).await;
    bench.claim(at(1), &[asks(&texts[0], 0)]).await;
    let outcomes = bench.run(at(2), &[redelivered(&texts[0])]).await;
    assert_eq!(facts(&outcomes)[0].0, "sms.unanswered");
    assert_eq!(state(pool, &texts[0]).await, "unknown");
    let again = bench.run(at(3), &[redelivered(&texts[0])]).await;
    assert_eq!(facts(&again), facts(&outcomes));
    bench.run(at(4), &[redelivered(&texts[1])]).await;
    assert_eq!(
        bench.record().await,
        [texts[1].sms_id],
        "redelivered and never tried: sent; the unknown one is not in its way"
    );
}

#[tokio::test]
async fn an_answer_that_was_lost_is_unknown() {
    let bench = Bench::new().await;
    let texts = written(&bench.database.pool, 1, 1).await;
    bench.faults(json!({"answer_dropped": 1.0})).await;
    let outcomes = bench.run(at(1), &[asks(&texts[0], 0)]).await;
    assert_eq!(facts(&outcomes)[0].0, "sms.unanswered");
    bench.faults(json!({})).await;
    bench.run(at(2), &[redelivered(&texts[0])]).await;
    assert_eq!(bench.record().await.len(), 1);
}

#[tokio::test]
async fn consent_is_read_when_it_leaves_and_the_one_confirmation_passes() {
    let bench = Bench::new().await;
    let (text, confirmation) = (Requested::new(1, 1), Requested::new(1, 2));
    text.write(&bench.database.pool, false).await;
    confirmation.write(&bench.database.pool, true).await;
    bench.opt_out(&text).await;
    let outcomes = bench.run(at(1), &[asks(&text, 0), asks(&confirmation, 0)]).await;
    assert_eq!(facts(&outcomes).iter().map(|f| f.0).collect::<Vec<_>>(), ["sms.failed", "sms.submitted"]);
    assert_eq!(bench.record().await, [confirmation.sms_id]);
    assert_eq!(states(&bench.database.pool).await[&text.sms_id], ("failed".to_owned(), Some("opted_out".to_owned())));
}

#[tokio::test]
async fn a_throttled_text_keeps_its_place_before_those_behind_it() {
    let bench = Bench::new().await;
    let pool = &bench.database.pool;
    let texts = written(pool, 1, 3).await;
    bench.faults(json!({"throttled": 1.0, "retry_after_s": 2})).await;
    let batch: Vec<Message<ToSend>> = texts[..2].iter().map(|text| asks(text, 0)).collect();
    for outcome in bench.run(at(1), &batch).await {
        assert!(
            matches!(outcome, Outcome::Later(wait, _) if wait == Duration::from_secs(2)),
            "one rung for all: {outcome:?}"
        );
    }
    bench.faults(json!({})).await;
    let third = bench.run(at(2), &[asks(&texts[2], 0)]).await;
    assert!(matches!(third[0], Outcome::Later(..)), "its carrier is paused and its predecessors are still to be sent");
    let third = bench.run(at(4), &[asks(&texts[2], 0)]).await;
    assert!(matches!(third[0], Outcome::Later(..)), "the pause is over, its predecessors are not");
    bench.run(at(5), &batch).await;
    bench.run(at(6), &[asks(&texts[2], 0)]).await;
    assert_eq!(bench.record().await, texts.iter().map(|t| t.sms_id).collect::<Vec<_>>());
}

#[tokio::test]
async fn after_a_minute_it_waits_as_a_row_and_requested_anew_it_leaves_unless_consent_was_withdrawn() {
    let bench = Bench::new().await;
    let pool = &bench.database.pool;
    let texts = [written(pool, 1, 1).await, written(pool, 2, 1).await].concat();
    bench.faults(json!({"unavailable": 1.0})).await;
    let batch: Vec<Message<ToSend>> = texts.iter().map(|text| asks(text, 0)).collect();
    assert!(matches!(bench.run(at(0), &batch).await[0], Outcome::Later(..)));
    let held = bench.run(at(61), &batch).await;
    assert_eq!(facts(&held).iter().map(|f| f.0).collect::<Vec<_>>(), ["sms.held", "sms.held"]);
    let again = bench.run(at(62), &batch).await;
    assert_eq!(facts(&again), facts(&held), "a repeat changes nothing");
    assert_eq!(state(pool, &texts[0]).await, "held");
    bench.faults(json!({})).await;
    bench.opt_out(&texts[1]).await;
    let anew: Vec<Message<ToSend>> = texts.iter().map(|text| asks(text, 1)).collect();
    let outcomes = bench.run(at(200), &anew).await;
    assert_eq!(facts(&outcomes).iter().map(|f| f.0).collect::<Vec<_>>(), ["sms.submitted", "sms.failed"]);
    assert_eq!(bench.record().await, [texts[0].sms_id]);
}

#[tokio::test]
async fn a_text_whose_carrier_nobody_set_up_waits_and_one_that_nobody_requested_is_set_aside() {
    let bench = Bench::new().await;
    let pool = &bench.database.pool;
    let texts = written(pool, 1, 1).await;
    pool.get().await.unwrap().execute("update sms set carrier = 'gone'", &[]).await.unwrap();
    let outcomes = bench.run(at(1), &[asks(&texts[0], 0), asks(&Requested::new(5, 5), 0)]).await;
    assert!(matches!(&outcomes[0], Outcome::Later(_, reason) if reason.word == "carrier_unusable"), "{outcomes:?}");
    assert!(matches!(&outcomes[1], Outcome::Reject(reason) if reason.word == "not_found"), "{outcomes:?}");
    assert_eq!(state(pool, &texts[0]).await, "requested");
}

#[tokio::test]
async fn an_answer_that_comes_after_it_was_called_unknown_still_counts() {
    let bench = Bench::new().await;
    let pool = &bench.database.pool;
    let texts = written(pool, 1, 1).await;
    let slow = asks(&texts[0], 0);
    let mut claims = bench.claim(at(1), std::slice::from_ref(&slow)).await;
    let Some(Claim::Call(job)) = claims.pop() else { panic!("not claimed") };
    bench.run(at(2), &[redelivered(&texts[0])]).await;
    assert_eq!(state(pool, &texts[0]).await, "unknown");
    let answer = bench.worker.call(&job).await;
    let mut client = pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let settled = bench.worker.settle(&tx, &Context { now: at(3) }, &[slow], &[(0, job, answer)]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(facts(&[settled[0].1.clone()])[0].0, "sms.submitted");
    assert_eq!(state(pool, &texts[0]).await, "submitted");
}

#[tokio::test]
async fn an_emergency_or_premium_number_is_never_texted_whoever_asked_for_it() {
    let bench = Bench::new().await;
    let mut texts = vec![Requested::new(1, 1), Requested::new(2, 1), Requested::new(3, 1)];
    texts[0].customer = "911".to_owned();
    texts[1].customer = "+19005550123".to_owned();
    texts[2].customer = "12345".to_owned();
    Requested::write_all(&bench.database.pool, &texts).await;
    let outcomes = bench.run(at(1), &texts.iter().map(|text| asks(text, 0)).collect::<Vec<_>>()).await;
    assert_eq!(facts(&outcomes).iter().map(|f| f.0).collect::<Vec<_>>(), ["sms.failed", "sms.failed", "sms.submitted"]);
    let states = states(&bench.database.pool).await;
    assert_eq!(states[&texts[0].sms_id], ("failed".to_owned(), Some("emergency_number".to_owned())));
    assert_eq!(states[&texts[1].sms_id], ("failed".to_owned(), Some("premium_number".to_owned())));
    assert_eq!(bench.record().await, [texts[2].sms_id], "who wrote from a short code is answered");
}

/// Claims a text, and settles it with this answer of the carrier's.
async fn answered(bench: &Bench, now: Timestamp, text: &Requested, nr: u32, sent: Sent) -> Outcome {
    let batch = [asks(text, nr)];
    let Some(Claim::Call(job)) = bench.claim(now, &batch).await.pop() else { panic!("it is not sent") };
    let mut client = bench.database.pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let settled = bench.worker.settle(&tx, &Context { now }, &batch, &[(0, job, sent)]).await.unwrap();
    tx.commit().await.unwrap();
    settled.into_iter().next().unwrap().1
}

#[tokio::test]
async fn a_refused_account_pauses_its_carrier_and_loses_nothing() {
    let bench = Bench::new().await;
    let texts = written(&bench.database.pool, 1, 1).await;
    let behind = written(&bench.database.pool, 2, 1).await;
    answered(&bench, at(1), &texts[0], 0, Sent::Account("20003".to_owned())).await;
    assert_eq!(state(&bench.database.pool, &texts[0]).await, "held");
    let client = bench.database.pool.get().await.unwrap();
    let why: Option<String> = client.query_one("select paused_why from carriers", &[]).await.unwrap().get(0);
    assert_eq!(why.as_deref(), Some("20003"));

    let outcomes = bench.run(at(2), &[asks(&behind[0], 0), asks(&texts[0], 1)]).await;
    for outcome in &outcomes {
        assert!(matches!(outcome, Outcome::Later(_, why) if why.word == "carrier_paused"), "{outcome:?}");
    }
    assert_eq!(bench.record().await, [], "nothing goes by it");

    client.execute("update carriers set paused_at = null, paused_why = null", &[]).await.unwrap();
    bench.run(at(3), &[asks(&behind[0], 2), asks(&texts[0], 2)]).await;
    assert_eq!(bench.record().await.len(), 2);
}

#[tokio::test]
async fn a_text_of_which_some_parts_were_taken_is_unknown_and_keeps_their_ids() {
    let bench = Bench::new().await;
    let texts = written(&bench.database.pool, 1, 1).await;
    let part = |part, id: &str| SubmittedPart { part, carrier_sms_id: id.to_owned() };
    let partly = Sent::Partly(vec![part(1, "a"), part(2, "")], "time_out".to_owned());
    let outcome = answered(&bench, at(1), &texts[0], 0, partly).await;
    let [told] = said(&outcome) else { panic!("{outcome:?}") };
    let body: Value = serde_json::from_slice(&told.body).unwrap();
    assert_eq!((told.fact.as_ref(), &body["parts"]), ("sms.unanswered", &json!([part(1, "a"), part(2, "")])));
    assert_eq!(state(&bench.database.pool, &texts[0]).await, "unknown");
    let again = bench.run(at(2), &[redelivered(&texts[0])]).await;
    assert_eq!(
        serde_json::from_slice::<Value>(&said(&again[0])[0].body).unwrap()["parts"],
        body["parts"],
        "said again"
    );
    assert_eq!(bench.record().await, [], "never sent again by itself");
}

#[tokio::test]
async fn a_recipient_whom_the_carrier_knows_as_opted_out_is_so_for_us_from_then_on() {
    let bench = Bench::new().await;
    let texts = written(&bench.database.pool, 1, 2).await;
    answered(&bench, at(1), &texts[0], 0, Sent::OptedOut("21610".to_owned())).await;
    let states = states(&bench.database.pool).await;
    assert_eq!(states[&texts[0].sms_id], ("failed".to_owned(), Some("21610".to_owned())));
    bench.run(at(2), &[asks(&texts[1], 0)]).await;
    assert_eq!(state(&bench.database.pool, &texts[1]).await, "failed");
    assert_eq!(bench.record().await, []);
}
