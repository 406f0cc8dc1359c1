//! On a migrated database, with a store on the loopback: what is kept, what is refused, what is tried again, and that
//! credentials go to whom they are for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use deadpool_postgres::Pool;
use serde_json::{Value, json};
use texthub::records::transcripts::{self, Of};

use super::*;
use crate::receive_sms::ReceiveSms;
use crate::rehearsal::{column, customer, den_with};
use crate::support::database::Database;
use crate::support::den::MAIN;
use crate::support::fixtures::{at, slug};
use crate::support::trial::{body as of, handle, heard, names, redelivered, said, the, told};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR and so on";
/// Of these tests.
const MOST: usize = 4_096;

/// What was asked for, and with which `Authorization`.
type Asks = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// A store on the loopback.
async fn store() -> (String, Asks) {
    let asks = Asks::default();
    let (noted, errors) = (Arc::clone(&asks), Arc::new(AtomicUsize::new(0)));
    let serve = move |Path(path): Path<String>, headers: HeaderMap| {
        let authorization = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
        noted.lock().unwrap().push((path.clone(), authorization.clone()));
        let errors = Arc::clone(&errors);
        async move { answer(&path, authorization.as_deref(), &errors).await }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/{*path}", get(serve))).await });
    (url, asks)
}

async fn answer(path: &str, authorization: Option<&str>, errors: &AtomicUsize) -> Response {
    let of = |kind: &'static str, bytes: Vec<u8>| ([(header::CONTENT_TYPE, kind)], bytes).into_response();
    match path.split_once('/').unwrap_or((path, "")) {
        ("wobbly.png", _) if errors.fetch_add(1, Ordering::Relaxed) == 0 => {
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        ("good.png" | "wobbly.png", _) => of("image/png", PNG.to_vec()),
        ("page", _) => of("text/html", b"<html>".to_vec()),
        ("false.png", _) => of("image/png", b"MZ is no picture".to_vec()),
        ("vector", _) => of("image/svg+xml", b"<svg/>".to_vec()),
        ("large.png", _) => of("image/png", [PNG, &vec![0; MOST]].concat()),
        // without a length: it is cut off as it comes
        ("endless.png", _) => {
            let pieces = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(PNG));
            ([(header::CONTENT_TYPE, "image/png")], axum::body::Body::from_stream(pieces)).into_response()
        }
        ("slow.png", _) => std::future::pending().await,
        ("inside.png", _) => (StatusCode::FOUND, [(header::LOCATION, "http://10.0.0.1/good.png")]).into_response(),
        ("round", _) => (StatusCode::FOUND, [(header::LOCATION, "/round")]).into_response(),
        ("gone", _) => StatusCode::GONE.into_response(),
        ("2010-04-01", rest) if rest.starts_with("Accounts/AC1/") => match authorization {
            Some("Basic QUMxOnNlY3JldA==") => {
                let port = rest.rsplit('/').next().unwrap();
                let store = format!("http://127.0.0.1:{port}/good.png");
                (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, store)]).into_response()
            }
            _ => StatusCode::UNAUTHORIZED.into_response(),
        },
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn worker() -> FetchMedia {
    FetchMedia::new("127.0.0.1".parse().unwrap(), Surroundings::default(), MOST)
}

/// A customer's text with these links, and what is asked of the worker.
async fn texted(pool: &Pool, links: &[(String, &str)]) -> Vec<Message<Asked>> {
    den_with(pool, &[]).await;
    let media: Vec<Value> = links.iter().map(|(url, kind)| json!({"url": url, "type": kind})).collect();
    let body = json!({"carrier": "simulator", "from": customer(1), "to": MAIN, "text": "look", "received_at": at(10),
                      "media": media});
    let outcome = handle(&ReceiveSms, pool, at(10), &[told(1, "sms.received", body)]).await.remove(0);
    said(&outcome).iter().filter(|p| p.fact == "media.asked").map(heard).collect()
}

/// Claim, fetch, settle, as the runner does.
async fn run(worker: &FetchMedia, pool: &Pool, now: Timestamp, batch: &[Message<Asked>]) -> Vec<Outcome> {
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

const ROWS: &str =
    "select state || coalesce(' ' || reason, '') || coalesce(' ' || stored_type, '') from media order by nr";

#[tokio::test]
async fn a_picture_is_stored_once_by_what_it_is_and_stands_in_the_transcript() {
    let (store, asks) = store().await;
    let (database, good) = (Database::new().await, format!("{store}/good.png"));
    let pool = &database.pool;
    let batch = texted(pool, &[(good.clone(), "image/png"), (good.clone(), "image/jpeg")]).await;
    assert_eq!((batch.len(), column(pool, ROWS).await), (2, vec!["waiting".to_owned(), "waiting".to_owned()]));
    let outcomes = run(&worker(), pool, at(11), &batch).await;
    assert_eq!(column(pool, ROWS).await, ["stored image/png", "stored image/png"]);
    let settled = the(&outcomes[0], "media.settled");
    assert_eq!(
        (&settled["state"], &settled["type"], &settled["nr"]),
        (&json!("stored"), &json!("image/png"), &json!(1))
    );
    assert_eq!(column(pool, "select count(*) from media_contents").await, ["1"], "the same contents once");
    // a repeat says the same, and asks nobody
    let again = run(&worker(), pool, at(12), &redelivered(&batch)).await;
    assert_eq!(said(&again[0])[0].id, said(&outcomes[0])[0].id);
    assert_eq!(of(&said(&again[0])[0]), of(&said(&outcomes[0])[0]));
    assert_eq!(asks.lock().unwrap().len(), 2);
    let mut client = pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let room: uuid::Uuid = settled["room_id"].as_str().unwrap().parse().unwrap();
    let told = transcripts::newest(&tx, &slug("bears"), &Of::Room(room), 1).await.unwrap();
    let shown = &told[0]["entries"][0]["media"][1];
    let size = json!(PNG.len());
    assert_eq!(
        (&shown["url"], &shown["type"], &shown["state"], &shown["size"]),
        (&json!(good), &json!("image/jpeg"), &json!("stored"), &size)
    );
    let id = MediaId(settled["media_id"].as_str().unwrap().parse().unwrap());
    assert_eq!(media::contents(&tx, id).await.unwrap(), Some((PNG.to_vec(), "image/png".to_owned())));
    let listed = media::newest(&tx, &slug("bears"), Some(MediaState::Stored), 9).await.unwrap();
    assert_eq!((listed.len(), &listed[0]["sha256"]), (2, &settled["sha256"]));
    assert!(media::newest(&tx, &slug("foxes"), None, 9).await.unwrap().is_empty(), "another tenant's are not shown");
}

#[tokio::test]
async fn what_is_too_large_of_another_kind_or_inside_is_refused() {
    let (store, asks) = store().await;
    let database = Database::new().await;
    let at_store = |path: &str| format!("{store}/{path}");
    let port = store.rsplit(':').next().unwrap();
    let links = [
        (at_store("large.png"), "image/png"),
        (at_store("endless.png"), "image/png"),
        (at_store("page"), "image/png"),
        (at_store("false.png"), "image/png"),
        (at_store("vector"), "image/svg+xml"),
        (format!("http://127.0.0.2:{port}/good.png"), "image/png"),
        (format!("http://[::1]:{port}/good.png"), "image/png"),
        (at_store("inside.png"), "image/png"),
        ("file:///etc/passwd".to_owned(), "text/plain"),
        (at_store("round"), "image/png"),
        (at_store("good.png"), "image/png"),
    ];
    let batch = texted(&database.pool, &links).await;
    assert_eq!(batch.len(), 10, "the eleventh is refused at once");
    let outcomes = run(&worker(), &database.pool, at(11), &batch).await;
    let words = [
        "too_large",
        "too_large",
        "type_not_allowed",
        "not_its_type",
        "type_not_allowed",
        "not_allowed",
        "not_allowed",
        "not_allowed",
        "bad_url",
        "redirects",
        "too_many",
    ];
    let rows = words.map(|word| format!("refused {word}"));
    assert_eq!(column(&database.pool, ROWS).await, rows);
    assert_eq!(the(&outcomes[7], "media.settled")["reason"], "not_allowed");
    assert_eq!(column(&database.pool, "select count(*) from media_contents").await, ["0"]);
    assert!(asks.lock().unwrap().iter().all(|(path, _)| path != "good.png"), "nothing inside was asked");
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_what_is_gone_is_not() {
    let (store, _) = store().await;
    let database = Database::new().await;
    let pool = &database.pool;
    let worker = FetchMedia { within: Duration::from_secs(2), ..worker() };
    let paths = ["wobbly.png", "slow.png", "nothing", "gone"];
    let batch = texted(pool, &paths.map(|path| (format!("{store}/{path}"), "image/png"))).await;
    let outcomes = run(&worker, pool, at(11), &batch).await;
    let rows = ["waiting status_500", "waiting time_out", "waiting status_404", "failed status_410"];
    assert_eq!(column(pool, ROWS).await, rows);
    assert!(matches!(outcomes[0], Outcome::Later(wait, _) if wait == Duration::from_secs(5)), "{:?}", outcomes[0]);
    assert_eq!(names(&outcomes[3]), ["media.settled"]);
    // one that comes too early is not the one that waits; the sweep's is heard once it is due
    let early = run(&worker, pool, at(12), &batch[..1]).await;
    assert_eq!(names(&early[0]), Vec::<String>::new());
    let outcomes = run(&worker, pool, at(17), &batch[..3]).await;
    assert_eq!(column(pool, ROWS).await[..3], ["stored image/png", "waiting time_out", "waiting status_404"]);
    assert!(matches!(outcomes[2], Outcome::Later(wait, _) if wait == Duration::from_secs(30)), "{:?}", outcomes[2]);
    for second in [47, 167] {
        run(&worker, pool, at(second), &batch[2..3]).await;
    }
    assert_eq!(column(pool, ROWS).await[2], "failed status_404", "it is not there, whatever is tried");
    let outcomes = run(&worker, pool, at(86_420), &batch[1..2]).await;
    assert_eq!(column(pool, ROWS).await[1], "failed time_out", "a day is enough");
    assert_eq!(the(&outcomes[0], "media.settled")["state"], "failed");
}

#[tokio::test]
async fn one_whose_fetcher_is_gone_is_fetched_anew_and_one_under_way_is_waited_for() {
    let (store, asks) = store().await;
    let database = Database::new().await;
    let pool = &database.pool;
    let batch = texted(pool, &[(format!("{store}/good.png"), "image/png")]).await;
    let claim = async |second: i64, batch: &[Message<Asked>]| {
        let mut client = pool.get().await.unwrap();
        let tx = client.transaction().await.unwrap();
        let claims = worker().claim(&tx, &Context { now: at(second) }, batch).await.unwrap();
        tx.commit().await.unwrap();
        claims
    };
    let twice = [batch.clone(), batch.clone()].concat();
    assert!(matches!(claim(11, &twice).await[..], [Claim::Call(_), Claim::Settled(Outcome::Later(..))]));
    assert!(matches!(claim(12, &batch).await[..], [Claim::Settled(Outcome::Later(..))]));
    let mut of_foxes = batch.clone();
    let Asked::MediaAsked(asked) = &mut of_foxes[0].body;
    asked.tenant = slug("foxes");
    assert!(matches!(claim(12, &of_foxes).await[..], [Claim::Settled(Outcome::Reject(_))]));
    let mut client = pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    assert!(media::overdue(&tx, at(10), 9).await.unwrap().is_empty());
    let late = media::overdue(&tx, at(11), 9).await.unwrap();
    media::put_off(&tx, at(400), &[late[0].0]).await.unwrap();
    assert!(media::overdue(&tx, at(400), 9).await.unwrap().is_empty());
    tx.commit().await.unwrap();
    assert_eq!(asks.lock().unwrap().len(), 0);
    // its process is gone: handed over again, or found by the sweep
    assert_eq!(names(&run(&worker(), pool, at(401), &redelivered(&batch)).await[0]), ["media.settled"]);
    assert_eq!(column(pool, ROWS).await, ["stored image/png"]);
}

#[tokio::test]
async fn credentials_go_to_the_carrier_alone() {
    let ((carrier, asks), (elsewhere, asked_elsewhere)) = (store().await, store().await);
    let database = Database::new().await;
    let pool = &database.pool;
    let port = |url: &str| url.rsplit(':').next().unwrap().to_owned();
    let links = [
        (format!("{carrier}/2010-04-01/Accounts/AC1/Messages/MM1/Media/{}", port(&elsewhere)), "image/png"),
        (format!("{elsewhere}/2010-04-01/Accounts/AC1/Messages/MM1/Media/1"), "image/png"),
        (format!("{carrier}/2010-04-01/Accounts/AC1/../AC2/good.png"), "image/png"),
        (format!("{carrier}/good.png"), "image/png"),
        (format!("http://AC1:secret@{}/good.png", carrier.trim_start_matches("http://")), "image/png"),
    ];
    let batch = texted(pool, &links).await;
    let token = std::env::temp_dir().join(format!("texthub-media-{}", texthub::runtime::clock::new_id()));
    std::fs::write(&token, "secret").unwrap();
    let client = pool.get().await.unwrap();
    let settings = json!({"account": "AC1", "token_file": token});
    let update = "update carriers set kind = 'twilio', url = $1, settings = $2 where id = 'simulator'";
    client.execute(update, &[&carrier, &settings]).await.unwrap();
    run(&worker(), pool, at(11), &batch).await;
    std::fs::remove_file(&token).unwrap();
    let rows = ["stored image/png", "failed status_401", "waiting status_404", "stored image/png", "refused bad_url"];
    assert_eq!(column(pool, ROWS).await, rows);
    let with = |asks: &Asks| asks.lock().unwrap().iter().filter(|(_, authorization)| authorization.is_some()).count();
    assert_eq!((with(&asks), with(&asked_elsewhere)), (1, 0), "the store that it redirects to gets nothing");
}
