//! On a migrated database, with a program on the loopback: a flow asks it, its answer leads on; a call is made once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::post;
use deadpool_postgres::Pool;
use serde_json::json;
use texthub::facts::ids::Slug;
use texthub::flow::check::{self, Known};
use texthub::flow::store;
use texthub::runtime::single::Each;

use super::*;
use crate::receive_sms::ReceiveSms;
use crate::rehearsal::{column, customer, den_with, text};
use crate::run_flow::RunFlow;
use crate::support::database::Database;
use crate::support::den::MAIN;
use crate::support::fixtures::at;
use crate::support::trial::{handle, heard, names, redelivered, said, the};

/// A program that knows every customer, and how often it was asked.
async fn program() -> (String, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let answer = move |asked: axum::Json<Value>| async move {
        counted.fetch_add(1, Ordering::Relaxed);
        axum::Json(json!({"name": "Goldi\0locks", "asked": asked.0}))
    };
    let routes = Router::new().route("/look", post(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/look", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (url, calls)
}

/// A customer's text has led to an asked call.
async fn asked(pool: &Pool, url: &str) -> Vec<Message<Asked>> {
    den_with(pool, &[]).await;
    let document = json!({"name": "Hook", "start": "hook", "variables": {"crm": null}, "nodes": {
        "hook": {"type": "webhook", "url": url, "body": {"who": "contact.customer"}, "store": "crm", "timeout_ms": 2000,
                 "next": "hi", "failed": "sorry"},
        "hi": {"type": "send", "text": "Hi {{ vars.crm.name }}", "next": "agent"},
        "sorry": {"type": "send", "text": "Who are you?", "next": "agent"},
        "agent": {"type": "request_agent", "skill": "sms"}}});
    check::flow(&document.to_string(), &Known::default()).unwrap();
    let mut client = pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let slug = |text| Slug::new(text).unwrap();
    store::publish(&tx, at(0), &slug("bears"), &slug("hook"), &document, None).await.unwrap();
    tx.batch_execute("update points_of_contact set flow = 'hook' where id = 'main'").await.unwrap();
    tx.commit().await.unwrap();
    let texted = handle(&ReceiveSms, pool, at(10), &[text(1, &customer(1), MAIN, "hello", at(10))]).await;
    let texted: Vec<_> = said(&texted[0]).iter().filter(|p| p.fact == "flow.texted").map(heard).collect();
    let outcome = handle(&Each(RunFlow::default()), pool, at(10), &texted).await;
    assert_eq!(names(&outcome[0]), ["webhook.asked", "flow.due"]);
    said(&outcome[0]).iter().filter(|p| p.fact == "webhook.asked").map(heard).collect()
}

/// Claim, call, settle, as the runner does.
async fn call(worker: &CallWebhook, pool: &Pool, batch: &[Message<Asked>]) -> Vec<Outcome> {
    let mut client = pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let ctx = Context { now: at(11) };
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

async fn leads_on(pool: &Pool, outcome: &Outcome) -> Outcome {
    let answered: Vec<_> = said(outcome).iter().map(heard).collect();
    handle(&Each(RunFlow::default()), pool, at(12), &answered).await.remove(0)
}

#[tokio::test]
async fn an_answer_leads_on_and_a_repeat_calls_nobody() {
    let (url, calls) = program().await;
    let database = Database::new().await;
    let batch = asked(&database.pool, &url).await;
    let worker = CallWebhook::new("127.0.0.1".parse().unwrap());
    let outcomes = call(&worker, &database.pool, &batch).await;
    assert_eq!(names(&outcomes[0]), ["webhook.answered"]);
    let again = call(&worker, &database.pool, &redelivered(&batch)).await;
    assert_eq!(said(&again[0])[0].id, said(&outcomes[0])[0].id, "a repeat says the same");
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    let next = leads_on(&database.pool, &outcomes[0]).await;
    assert_eq!(names(&next), ["entry.appended", "sms.requested", "contact.queued"]);
    assert_eq!(the(&next, "entry.appended")["text"], "Hi Goldi\u{FFFD}locks");
    let asked = column(&database.pool, "select answer->'asked'->>'who' from flow_calls").await;
    assert_eq!(asked, [customer(1)]);
}

#[tokio::test]
async fn a_private_address_is_not_called_and_the_flow_goes_on() {
    let (url, calls) = program().await;
    let database = Database::new().await;
    let batch = asked(&database.pool, &url).await;
    let outcomes = call(&CallWebhook::new(Allowed::default()), &database.pool, &batch).await;
    assert_eq!(column(&database.pool, "select state || ' ' || reason from flow_calls").await, ["failed not_allowed"]);
    let next = leads_on(&database.pool, &outcomes[0]).await;
    assert_eq!(the(&next, "entry.appended")["text"], "Who are you?");
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_call_that_was_claimed_and_comes_again_has_failed_and_is_not_made_twice() {
    let (url, calls) = program().await;
    let database = Database::new().await;
    let batch = asked(&database.pool, &url).await;
    let worker = CallWebhook::new("127.0.0.1".parse().unwrap());
    let mut client = database.pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let claims = worker.claim(&tx, &Context { now: at(11) }, &batch).await.unwrap();
    assert!(matches!(claims[..], [Claim::Call(_)]));
    tx.commit().await.unwrap();
    // the process ended here
    let outcomes = call(&worker, &database.pool, &redelivered(&batch)).await;
    assert_eq!(names(&outcomes[0]), ["webhook.answered"]);
    assert_eq!(
        column(&database.pool, "select state || ' ' || reason from flow_calls").await,
        ["failed claimed_before"]
    );
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_call_of_another_tenant_is_none() {
    let database = Database::new().await;
    let mut batch = asked(&database.pool, "https://crm.example/").await;
    let Asked::WebhookAsked(asked) = &mut batch[0].body;
    asked.tenant = Slug::new("foxes").unwrap();
    let mut client = database.pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let claims = CallWebhook::new(Allowed::default()).claim(&tx, &Context { now: at(11) }, &batch).await.unwrap();
    assert!(matches!(&claims[..], [Claim::Settled(Outcome::Reject(reason))] if reason.word == "not_found"));
    tx.commit().await.unwrap();
    assert_eq!(column(&database.pool, "select state from flow_calls").await, ["asked"], "it waits for its own tenant");
}

/// Claims at a second, in a transaction of its own.
async fn claims_at(pool: &Pool, second: i64, batch: &[Message<Asked>]) -> Vec<Claim<Job>> {
    let mut client = pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let worker = CallWebhook::new(Allowed::default());
    let claims = worker.claim(&tx, &Context { now: at(second) }, batch).await.unwrap();
    tx.commit().await.unwrap();
    claims
}

#[tokio::test]
async fn a_doubled_ask_waits_while_the_first_is_under_way_and_then_says_what_came_of_it() {
    let database = Database::new().await;
    let batch = asked(&database.pool, "https://crm.example/").await;
    let pool = &database.pool;
    let twice = [batch.clone(), batch.clone()].concat();
    assert!(matches!(claims_at(pool, 11, &twice).await[..], [Claim::Call(_), Claim::Settled(Outcome::Later(..))]));
    assert!(matches!(claims_at(pool, 12, &batch).await[..], [Claim::Settled(Outcome::Later(..))]));
    assert_eq!(column(pool, "select state from flow_calls").await, ["calling"], "nobody spoiled it");
    // its caller has been gone for longer than any call lasts
    assert!(matches!(claims_at(pool, 42, &batch).await[..], [Claim::Settled(Outcome::Done(_))]));
    assert_eq!(column(pool, "select reason from flow_calls").await, ["claimed_before"]);
}

#[tokio::test]
async fn a_call_that_the_flow_no_longer_waits_for_is_not_made() {
    let database = Database::new().await;
    let batch = asked(&database.pool, "https://crm.example/").await;
    // two seconds of its own and the grace
    assert!(matches!(claims_at(&database.pool, 72, &batch).await[..], [Claim::Settled(Outcome::Done(_))]));
    assert_eq!(column(&database.pool, "select state || ' ' || reason from flow_calls").await, ["failed too_late"]);
}
