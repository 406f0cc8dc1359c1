//! Carriers' own SDKs sign webhooks and judge signatures, and send beside us what we send. Each carrier: what is forged, a
//! stranger's or stale leaves nothing; a text that comes twice is one; an answer that the carrier does not want at first
//! leaves once; receipts out of order and twice reach the transcript. Carriers are servers of our own, on this machine.

mod aws;
mod bandwidth;
mod plivo;
mod telnyx;
mod vonage;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde_json::Value;

use crate::hub::clean;
use crate::support::desk::Desk;
use crate::support::stack::{Process, Stack, until};

const PUBLIC: &str = "https://hub.example.com";
const OURS: &str = "+15550100001";
const CUSTOMER: &str = "+15550100100";
/// Two parts, of which only one fits the GSM alphabet.
const ANSWER: &str = "It is just right, with 100% honey & cream = €5 🐻, and it will be on the table of the three bears at \
                      seven, when everybody is back from the walk in the woods.";

/// The object with these fields, too.
fn with(mut object: Value, more: &Value) -> Value {
    object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    object
}

/// A request that a carrier's server got.
#[derive(Clone, Debug)]
struct Call {
    path: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Call {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn form(&self) -> BTreeMap<String, String> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A carrier's server: it does not want the first text, and takes all others.
struct Server {
    url: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Server {
    async fn start(busy: (u16, &'static str), taken: (u16, &'static str)) -> Self {
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = calls.clone();
        let answer = move |uri: Uri, headers: HeaderMap, body: Bytes| {
            let mut calls = heard.lock().unwrap();
            calls.push(Call { path: uri.path().to_owned(), headers, body: body.to_vec() });
            let (status, body) = if calls.len() == 1 { busy } else { taken };
            std::future::ready((StatusCode::from_u16(status).unwrap(), [("content-type", "application/json")], body))
        };
        tokio::spawn(axum::serve(listener, Router::new().fallback(answer)).into_future());
        Self { url, calls }
    }

    fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

/// The example's tenant on a connection to a carrier.
struct Line {
    stack: Stack,
    desk: Desk,
    /// As we call it here.
    webhook: String,
    /// As the carrier calls it.
    signed: String,
    _process: Process,
}

impl Line {
    /// Its keys are written by `keys`.
    async fn open(kind: &str, server: &Server, keys: impl Fn(&Stack) -> String) -> Self {
        let mut stack = Stack::new().await;
        let example =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/three-bears.toml")).unwrap();
        let carrier =
            format!("\n[[carriers]]\nid = \"line\"\nkind = \"{kind}\"\nurl = \"{}\"\n{}", server.url, keys(&stack));
        let file = stack.file("bears.toml", &(example.replace("carrier = \"sim\"", "carrier = \"line\"") + &carrier));
        stack.command(&["apply", &file]).success();
        PUBLIC.clone_into(&mut stack.public_url);
        let process = stack.start(&["all"]).await;
        let desk = stack.desk("three-bears").await;
        desk.log_in("baby-bear").await;
        let webhook = format!("{}/webhooks/line", process.url());
        Self { stack, desk, webhook, signed: format!("{PUBLIC}/webhooks/line"), _process: process }
    }

    async fn count(&self, sql: &str) -> i64 {
        let client = self.stack.database.pool.get().await.unwrap();
        client.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Nothing of what was refused was written; what comes late is found by `has`.
    async fn heard_nothing(&self) {
        let of_carriers = "fact in ('sms.received', 'part.received', 'receipt.received')";
        assert_eq!(self.count(&format!("select count(*) from heard where {of_carriers}")).await, 0);
    }

    /// What customers wrote, in order.
    async fn written(&self) -> Vec<String> {
        let client = self.stack.database.pool.get().await.unwrap();
        let sql = "select text from entries where direction = 'inbound' order by room_id, seq";
        client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    /// Both texts are there, and nothing else.
    async fn has(&self, texts: [&str; 2]) {
        until("both texts are there", async || self.written().await.len() >= 2).await;
        assert_eq!(self.written().await, texts);
    }

    /// An agent takes the contact and answers; the room, once the carrier took the answer under this id.
    async fn answers(&self, id: &str) -> String {
        let offer = self.desk.offer("baby-bear").await;
        let room = self.desk.accept(&offer).await;
        self.desk.reply("baby-bear", &room, ANSWER).await;
        let taken = "select count(*) from sms where state = 'submitted'";
        until("the answer was taken", async || self.count(taken).await == 1).await;
        let client = self.stack.database.pool.get().await.unwrap();
        let first: String =
            client.query_one("select carrier_sms_id from sms_parts where part = 1", &[]).await.unwrap().get(0);
        assert_eq!(first, id);
        room
    }

    /// Our sms id of the one answer.
    async fn sms_id(&self) -> String {
        let client = self.stack.database.pool.get().await.unwrap();
        client.query_one("select id::text from sms", &[]).await.unwrap().get(0)
    }

    /// The receipt reached the transcript; nothing came twice, nothing was set aside.
    async fn delivered(&self, room: &str, texts: [&str; 2]) {
        until("the receipt is in the transcript", async || {
            let said = self.stack.command(&["transcripts", "--room", room, "--json"]).success();
            said.contains("\"delivered\"")
        })
        .await;
        assert_eq!(self.written().await, texts, "nothing of what was forged, nothing twice");
        clean(&self.stack).await;
    }

    /// What was signed and not understood is kept where an operator sees it.
    async fn set_aside(&self) {
        assert_eq!(self.stack.dead(1).await[0].1, "undecodable");
    }
}
