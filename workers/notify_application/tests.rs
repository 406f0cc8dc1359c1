//! On a migrated database, with an application on the loopback: each word once and in order, signed; what is not taken
//! comes again, is set aside after a day, and is told after all when it is replayed.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use deadpool_postgres::Pool;
use secrecy::SecretString;
use serde_json::json;
use texthub::sms::carrier::heard::Request;
use texthub::sms::carrier::twilio::signature::verify;

use super::*;
use crate::post_reply::PostReply;
use crate::receive_sms::ReceiveSms;
use crate::record_receipt::RecordReceipt;
use crate::rehearsal::{column, customer, den_with, text};
use crate::support::database::Database;
use crate::support::den::{MAIN, RUSH};
use crate::support::fixtures::at;
use crate::support::trial::{handle, heard, names, redelivered, refusal, said, told};

type Pairs = Vec<(String, String)>;

/// An application: what it answers, and the forms it got, each with whether it was signed.
#[derive(Clone, Default)]
struct Shop {
    answers: Arc<Mutex<(u16, String)>>,
    got: Arc<Mutex<Vec<(Pairs, bool)>>>,
}

impl Shop {
    async fn open(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (shop, called) = (self.clone(), base.clone());
        let routes = Router::new().fallback(move |uri: Uri, headers: HeaderMap, body: Bytes| async move {
            let url = format!("{called}{uri}");
            let request = Request { is_get: false, url: &url, headers: &headers, body: &body };
            let is_signed = verify(&request, &[SecretString::from("secret")]).is_ok();
            shop.got.lock().unwrap().push((request.form(), is_signed));
            let (status, words) = shop.answers.lock().unwrap().clone();
            (StatusCode::from_u16(status).unwrap(), [(header::CONTENT_TYPE, "text/xml")], words)
        });
        tokio::spawn(async move { axum::serve(listener, routes).await });
        base
    }

    fn answer(&self, status: u16, words: &str) {
        *self.answers.lock().unwrap() = (status, words.to_owned());
    }

    fn got(&self, name: &str) -> Vec<String> {
        let got = self.got.lock().unwrap();
        assert!(got.iter().all(|(_, is_signed)| *is_signed), "{got:?}");
        let find = |form: &Pairs| form.iter().find(|(given, _)| given == name).map(|(_, v)| v.clone());
        got.iter().map(|(form, _)| find(form).unwrap_or_default()).collect()
    }
}

/// The den with an application of the Bears on MAIN alone; a worker that may call the loopback.
async fn opened() -> (Database, Shop, NotifyApplication) {
    let (database, shop) = (Database::new().await, Shop::default());
    den_with(&database.pool, &[]).await;
    shop.answer(200, "");
    let base = shop.open().await;
    let token = std::env::temp_dir().join(format!("texthub_test_token_{}", base.rsplit(':').next().unwrap()));
    std::fs::write(&token, "secret\n").unwrap();
    let row = "insert into applications (tenant, id, account, token_file, numbers, inbound_url, status_url)
               values ('bears', 'shop', 'AC1', $1, '[\"main\"]', $2, $3)";
    let client = database.pool.get().await.unwrap();
    let urls = (format!("{base}/in?a=1#rc=2"), format!("{base}/status"));
    client.execute(row, &[&token.to_str().unwrap(), &urls.0, &urls.1]).await.unwrap();
    let worker = NotifyApplication::new("127.0.0.1".parse().unwrap());
    (database, shop, worker)
}

/// Claim, call, settle, as the runner does.
async fn run(worker: &NotifyApplication, pool: &Pool, now: Timestamp, batch: &[Message<Due>]) -> Vec<Outcome> {
    let mut client = pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let ctx = Context { now };
    let claims = worker.claim(&tx, &ctx, batch).await.unwrap();
    tx.commit().await.unwrap();
    let (mut outcomes, mut answers) = (vec![Outcome::silent(); batch.len()], Vec::new());
    for (index, claim) in claims.into_iter().enumerate() {
        match claim {
            Claim::Settled(outcome) => outcomes[index] = outcome,
            Claim::Call(job) => {
                let answer = worker.call(&job).await;
                answers.push((index, job, answer));
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

/// The messages by which applications are to be told, of what a worker said.
fn due(outcomes: &[Outcome]) -> Vec<Message<Due>> {
    let all = outcomes.iter().flat_map(said);
    all.filter(|publication| publication.fact == "application.due").map(|publication| heard(&publication)).collect()
}

/// A customer's texts have come, from the number of each.
async fn texted(pool: &Pool, texts: &[(u128, &str, &str)]) -> Vec<Message<Due>> {
    let texts: Vec<_> = texts.iter().map(|(nr, to, words)| text(*nr, &customer(*nr), to, words, at(10))).collect();
    due(&handle(&ReceiveSms, pool, at(10), &texts).await)
}

/// A notice was sent and taken by the carrier, then delivered: two words about it.
async fn delivered(pool: &Pool) -> Vec<Message<Due>> {
    let body = json!({"tenant": "bears", "application": "shop", "from": MAIN, "to": customer(1), "text": "ready"});
    handle(&PostReply, pool, at(11), &[told(100, "notice.written", body)]).await;
    let sms = FactId(uuid::Uuid::from_u128(100)).row("sms", 0);
    let tx = "update sms set state = 'sending', claimed_at = requested_at";
    pool.get().await.unwrap().execute(tx, &[]).await.unwrap();
    let taken = json!({"cause_id": uuid::Uuid::from_u128(1), "at": at(12), "tenant": "bears", "sms_id": sms,
                       "parts": [{"part": 1, "carrier_sms_id": "c1"}]});
    let receipt = json!({"carrier": "simulator", "carrier_sms_id": "c1", "status": "delivered", "reported_at": at(12)});
    let said = handle(&RecordReceipt, pool, at(12), &[told(101, "sms.submitted", taken)]).await;
    let later = handle(&RecordReceipt, pool, at(13), &[told(102, "receipt.received", receipt)]).await;
    due(&said).into_iter().chain(due(&later)).collect()
}

async fn states(pool: &Pool) -> Vec<String> {
    column(pool, "select status || ' ' || state from application_calls order by nr").await
}

#[tokio::test]
async fn a_text_is_told_once_and_its_answer_is_a_notice_in_return() {
    let (database, shop, worker) = opened().await;
    let pool = &database.pool;
    shop.answer(200, "<Response><Message>Hello</Message><Say>x</Say></Response>");
    let batch = texted(pool, &[(1, MAIN, "Hi & ü"), (2, RUSH, "not for the shop")]).await;
    assert_eq!(batch.len(), 1, "its number alone");
    let outcomes = run(&worker, pool, at(11), &batch).await;
    assert_eq!((names(&outcomes[0]), shop.got("Body")), (vec!["notice.written".to_owned()], vec!["Hi & ü".to_owned()]));
    assert_eq!((shop.got("From"), shop.got("NumSegments")), (vec![customer(1)], vec!["1".to_owned()]));
    let again = run(&worker, pool, at(12), &redelivered(&batch[..1])).await;
    let ids = |outcome: &Outcome| said(outcome).iter().map(|publication| publication.id).collect::<Vec<_>>();
    assert_eq!((ids(&again[0]), shop.got("Body").len()), (ids(&outcomes[0]), 1), "told once, and said the same");
    let notice: Vec<_> = said(&outcomes[0]).iter().map(heard).collect();
    let posted = handle(&PostReply, pool, at(12), &notice).await;
    assert_eq!(names(&posted[0]), ["entry.appended", "sms.requested"]);
    assert_eq!(column(pool, "select text from entries where author = 'program'").await, ["Hello"]);
    assert_eq!(column(pool, "select purpose from sms").await, ["conversational"]);
}

#[tokio::test]
async fn a_word_that_is_about_consent_says_so_and_a_repeat_of_a_text_is_no_news() {
    let (database, shop, worker) = opened().await;
    let pool = &database.pool;
    let batch = texted(pool, &[(1, MAIN, "STOP")]).await;
    let again = texted(pool, &[(1, MAIN, "STOP")]).await;
    assert_eq!((batch.len(), again[0].id), (1, batch[0].id));
    run(&worker, pool, at(11), &batch).await;
    run(&worker, pool, at(12), &again).await;
    assert_eq!(shop.got("OptOutType"), ["STOP"]);
}

#[tokio::test]
async fn words_about_a_text_come_in_their_order() {
    let (database, shop, worker) = opened().await;
    let pool = &database.pool;
    let words = delivered(pool).await;
    assert_eq!(words.len(), 2);
    shop.answer(503, "");
    let outcomes = run(&worker, pool, at(20), &words).await;
    let mut next = due(&outcomes);
    assert_eq!((next.len(), shop.got("MessageStatus")), (2, vec!["sent".to_owned()]), "the second waits");
    assert_eq!(states(pool).await, ["sent asked", "delivered asked"]);
    shop.answer(200, "<Response><Message>ignored</Message></Response>");
    next.reverse();
    let early = run(&worker, pool, at(21), &next[..1]).await;
    assert_eq!(shop.got("MessageStatus").len(), 1, "nor alone before it");
    let taken = run(&worker, pool, at(22), &next[1..]).await;
    assert_eq!(names(&taken[0]), Vec::<String>::new(), "an answer to a status is none to a customer");
    run(&worker, pool, at(23), &due(&early)).await;
    assert_eq!(shop.got("MessageStatus"), ["sent", "sent", "delivered"]);
    assert_eq!(states(pool).await, ["sent done", "delivered done"]);
    let old = run(&worker, pool, at(24), &words).await;
    assert!(due(&old).is_empty(), "messages of before are stale");
}

#[tokio::test]
async fn what_is_not_taken_for_a_day_is_set_aside_and_told_when_it_is_replayed() {
    let (database, shop, worker) = opened().await;
    let pool = &database.pool;
    shop.answer(500, "");
    let batch = texted(pool, &[(1, MAIN, "hello")]).await;
    let next = due(&run(&worker, pool, at(20), &batch).await);
    assert_eq!(body(&next[0]).generation, 2);
    let lost = run(&worker, pool, at(21), &redelivered(&batch[..1])).await;
    assert_eq!(due(&lost)[0].id, next[0].id, "the next message, where its process may be gone");
    let late = run(&worker, pool, at(90_000), &next).await;
    assert!(matches!(&late[0], Outcome::Reject(reason) if reason.word == "not_told"), "{late:?}");
    let unsure = run(&worker, pool, at(90_001), &redelivered(&next[..1])).await;
    assert_eq!(unsure, late);
    shop.answer(200, "");
    run(&worker, pool, at(90_002), &next).await;
    assert_eq!((states(pool).await, shop.got("Body").len()), (vec!["received done".to_owned()], 3));
}

#[tokio::test]
async fn a_no_is_final_at_once_and_no_network_of_our_own_is_called() {
    let (database, shop, worker) = opened().await;
    let pool = &database.pool;
    shop.answer(404, "");
    let batch = texted(pool, &[(1, MAIN, "hello"), (2, MAIN, "hello")]).await;
    let outcomes = run(&worker, pool, at(20), &batch[..1]).await;
    assert!(matches!(&outcomes[0], Outcome::Reject(reason) if reason.detail.contains("status_404")), "{outcomes:?}");
    assert_eq!(column(pool, "select failures from applications").await, ["0"], "it did answer");
    let closed = NotifyApplication::new(Allowed::default());
    let outcomes = run(&closed, pool, at(21), &batch[1..]).await;
    assert!(matches!(&outcomes[0], Outcome::Reject(reason) if reason.detail.contains("not_allowed")), "{outcomes:?}");
    assert_eq!(shop.got("Body").len(), 1);
}

#[tokio::test]
async fn who_is_away_is_left_alone_and_who_is_there_gets_its_share() {
    let (database, shop, worker) = opened().await;
    let pool = &database.pool;
    let texts: Vec<(u128, &str, &str)> = (1..=20).map(|nr| (nr, MAIN, "hello")).collect();
    let batch = texted(pool, &texts).await;
    pool.get().await.unwrap().execute("update applications set failures = 2", &[]).await.unwrap();
    shop.answer(500, "");
    let outcomes = run(&worker, pool, at(20), &batch).await;
    assert_eq!((shop.got("Body").len(), due(&outcomes).len()), (16, 20));
    assert_eq!(column(pool, "select failures from applications").await, ["3"]);
    let next = due(&outcomes);
    run(&worker, pool, at(20), &next).await;
    assert_eq!(shop.got("Body").len(), 16, "paused");
    shop.answer(200, "");
    let next = due(&run(&worker, pool, at(20), &next).await);
    assert!(next.is_empty(), "stale");
    let rows = "select id from application_calls where due_at >= timestamptz 'epoch' + interval '1800000021 s'";
    assert_eq!(column(pool, rows).await.len(), 20, "all wait for the end of the pause");
}

#[tokio::test]
async fn a_refused_notice_is_told_and_who_hears_no_more_is_not() {
    let (database, shop, worker) = opened().await;
    let pool = &database.pool;
    let body = json!({"tenant": "bears", "application": "shop", "from": MAIN, "to": "911", "text": "x"});
    let posted = handle(&PostReply, pool, at(11), &[told(100, "notice.written", body)]).await;
    assert_eq!(refusal(&posted[0]), "emergency_number");
    let words = due(&posted);
    let inbound = texted(pool, &[(1, MAIN, "hello")]).await;
    pool.get().await.unwrap().execute("update applications set inbound_url = null", &[]).await.unwrap();
    run(&worker, pool, at(12), &[words, inbound].concat()).await;
    assert_eq!(
        (shop.got("MessageStatus"), shop.got("ErrorCode")),
        (vec!["failed".to_owned()], vec!["21612".to_owned()])
    );
    assert_eq!(states(pool).await, ["failed done", "received done"]);
}

#[tokio::test]
async fn a_lost_message_is_said_again_by_the_sweep() {
    let (database, _, _) = opened().await;
    let pool = &database.pool;
    let batch = texted(pool, &[(1, MAIN, "hello")]).await;
    let mut client = pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let before = |second| calls::overdue(&tx, at(second), at(second - 300));
    assert!(before(300).await.unwrap().is_empty());
    let late = before(400).await.unwrap();
    assert_eq!(late.iter().map(|publication| publication.id).collect::<Vec<_>>(), [batch[0].id]);
    assert!(before(401).await.unwrap().is_empty(), "once");
}

#[test]
fn waits_double_up_to_an_hour() {
    for (tries, seconds) in [(1, 1), (2, 2), (5, 16), (12, 2_048), (13, 3_600), (i32::MAX, 3_600)] {
        let wait = wait(tries).as_millis();
        assert!((seconds * 900..=seconds * 1_100).contains(&wait), "{tries}: {wait}");
    }
    assert_eq!(paused_until(at(0), 2), None);
    assert_eq!((paused_until(at(0), 3), paused_until(at(0), 40)), (Some(at(1)), Some(at(300))));
}
