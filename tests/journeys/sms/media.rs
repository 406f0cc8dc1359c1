//! Media of customers and of agents through the real queues: what a text's links led to is fetched, kept and handed out;
//! a picture leaves by a carrier that sends them; nothing of a link's secrets is logged.

use std::collections::HashMap;
use std::os::raw::c_int;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use texthub::runtime::clock;

use crate::hub::{clean, number};
use crate::support::desk::Desk;
use crate::support::stack::{Stack, until};

const OURS: &str = "+15550100001";
const CUSTOMER: &str = "+15550100100";
const SIGABRT: c_int = 6;
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR and so on";

/// Names and values of a form.
type Sent = Vec<(String, String)>;

/// How often each path was asked for, and what was sent.
#[derive(Clone, Default)]
struct Seen {
    asked: Arc<Mutex<HashMap<String, usize>>>,
    sent: Arc<Mutex<Vec<Sent>>>,
}

/// A carrier of Twilio's shape, with its store.
async fn carrier() -> (String, Seen) {
    let (seen, noted, taken) = {
        let seen = Seen::default();
        (seen.clone(), seen.clone(), seen)
    };
    let fetch = move |Path(path): Path<String>| async move {
        let nth = *noted.asked.lock().unwrap().entry(path.clone()).and_modify(|nth| *nth += 1).or_insert(1);
        medium(&path, nth)
    };
    let take = move |body: Bytes| async move {
        taken.sent.lock().unwrap().push(form_urlencoded::parse(&body).into_owned().collect());
        (StatusCode::CREATED, axum::Json(json!({"sid": "MM1", "status": "queued"})))
    };
    let routes =
        Router::new().route("/media/{*path}", get(fetch)).route("/2010-04-01/Accounts/AC1/Messages.json", post(take));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (url, seen)
}

fn medium(path: &str, nth: usize) -> Response {
    match path {
        "wobbly" if nth == 1 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "inside" => (StatusCode::FOUND, [(header::LOCATION, "http://169.254.169.254/secrets")]).into_response(),
        "page" => ([(header::CONTENT_TYPE, "text/html")], "<html>").into_response(),
        "large" => ([(header::CONTENT_TYPE, "image/png")], [PNG, &vec![0; 200_000]].concat()).into_response(),
        _ => ([(header::CONTENT_TYPE, "image/png")], PNG).into_response(),
    }
}

/// The example with a carrier of Twilio's shape.
async fn bears(carrier: &str) -> Stack {
    let mut stack = Stack::new().await;
    let example = include_str!("../../../examples/three-bears.toml");
    let token = stack.file("token", "a-token-of-ours");
    let added = format!(
        "\n[[carriers]]\nid = \"wires\"\nkind = \"twilio\"\nurl = \"{carrier}\"\naccount = \"AC1\"\n\
         token_file = \"{token}\"\n"
    );
    let file = stack.file("bears.toml", &(example.replace("carrier = \"sim\"", "carrier = \"wires\"") + &added));
    stack.command(&["apply", &file]).success();
    stack.webhook_private = "127.0.0.1";
    stack.settings = vec![("TEXTHUB_MEDIA_BYTES", "100000".to_owned())];
    stack
}

async fn mms(desk: &Desk, text: &str, links: &[String]) {
    let media: Vec<Value> = links.iter().map(|url| json!({"url": url, "type": "image/png"})).collect();
    let body = json!({"carrier": "wires", "from": CUSTOMER, "to": OURS, "text": text, "media": media,
                      "received_at": clock::wall()});
    desk.say("sms.received", "15550100001-15550100100", body).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_comes_and_is_kept_and_another_goes() {
    let (carrier, seen) = carrier().await;
    let stack = bears(&carrier).await;
    let _texthub = stack.start(&["all"]).await;
    let mut desk = stack.desk("three-bears").await;
    desk.doubles = true;
    desk.log_in("baby-bear").await;
    let link = |path: &str| format!("{carrier}/media/{path}?secret=hush");
    let paths = ["good", "wobbly", "inside", "page", "large"];
    mms(&desk, "my porridge", &paths.map(link)).await;
    let mut found = Vec::new();
    for nr in 1..=5 {
        let settled = desk.heard("media.settled", |fact| fact["nr"] == nr).await;
        found.push([&settled["state"], &settled["reason"]].map(|word| word.as_str().unwrap_or("-").to_owned()));
    }
    let expected = [
        ["stored", "-"],
        ["stored", "-"],
        ["refused", "not_allowed"],
        ["refused", "type_not_allowed"],
        ["refused", "too_large"],
    ];
    assert_eq!(found, expected);
    let asked = seen.asked.lock().unwrap().clone();
    assert_eq!((asked["good"], asked["wobbly"]), (1, 2));

    let offer = desk.offer("baby-bear").await;
    let room = desk.accept(&offer).await;
    let told: Value =
        serde_json::from_str(&stack.command(&["transcripts", "--room", &room, "--json"]).success()).unwrap();
    let media = &told[0]["entries"][0]["media"];
    assert_eq!((&media[0]["state"], &media[0]["stored_type"]), (&json!("stored"), &json!("image/png")));
    assert_eq!(media[4]["reason"], "too_large");
    let id = media[0]["id"].as_str().unwrap();
    let table = stack.command(&["transcripts", "--room", &room]).success();
    assert!(table.contains(&format!("[image/png, {} bytes: stored, medium {id}]", PNG.len())), "{table}");
    let folder = stack.folder("fetched");
    stack.command(&["media", "get", id, "--output", &folder]).success();
    assert_eq!(std::fs::read(format!("{folder}/{id}.png")).unwrap(), PNG);
    stack.command(&["media", "get", id, "--output", &folder]).failure(1);
    stack.command(&["media", "get", media[2]["id"].as_str().unwrap(), "--output", &folder]).failure(1);
    let refused = stack.command(&["media", "list", "--state", "refused", "--json"]).success();
    assert_eq!(serde_json::from_str::<Vec<Value>>(&refused).unwrap().len(), 3);

    // one of the agent's, by the carrier that takes it; a link alone, without a word, too
    let bowl = json!([{"url": "https://bears.example/bowl.png?key=hush", "type": "image/png"}]);
    let body = json!({"tenant": "three-bears", "agent": "baby-bear", "room_id": room, "text": "just right",
                      "media": bowl, "written_at": clock::wall()});
    desk.say("reply.written", "three-bears", body).await;
    until("the carrier took it", async || !seen.sent.lock().unwrap().is_empty()).await;
    let form: HashMap<String, String> = seen.sent.lock().unwrap()[0].iter().cloned().collect();
    assert_eq!(
        (form["Body"].as_str(), form["MediaUrl"].as_str()),
        ("just right", "https://bears.example/bowl.png?key=hush")
    );
    until("it is submitted", async || number(&stack, "select count(*) from sms where state = 'submitted'").await == 1)
        .await;
    assert_eq!(seen.sent.lock().unwrap().len(), 1);
    assert!(!stack.logs().contains("hush"), "no link is logged");
    clean(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fetch_media_may_end_at_any_point() {
    let (carrier, seen) = carrier().await;
    let stack = bears(&carrier).await;
    let _rest = stack.start(&["receive_sms"]).await;
    let desk = stack.desk("three-bears").await;
    let points = ["after_claim", "after_call", "after_commit", "before_publish", "after_publish"];
    for (nth, point) in points.into_iter().enumerate() {
        let mut doomed = stack.spawn_armed(&["fetch_media"], &format!("fetch_media:{point}"));
        mms(&desk, point, &[format!("{carrier}/media/{point}")]).await;
        until(&format!("the process has ended at {point}"), async || doomed.signal() == Some(SIGABRT)).await;
        let second = stack.spawn(&["fetch_media"]);
        let stored = "select count(*) from media where state = 'stored'";
        until("it is stored", async || number(&stack, stored).await == i64::try_from(nth + 1).unwrap()).await;
        let entry = desk.appended(point).await;
        desk.heard("media.settled", |fact| fact["entry_id"] == entry["entry_id"]).await;
        second.kill();
    }
    assert_eq!(number(&stack, "select count(*) from media_contents").await, 1);
    assert!(seen.asked.lock().unwrap().values().all(|times| (1..=2).contains(times)));
    stack.command(&["audit"]).success();
}
