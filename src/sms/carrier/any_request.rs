//! Whatever a stranger sends to a webhook of any kind of carrier is answered, and never believed.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use super::heard::Request;
use super::kind::{Form, Settings};
use super::{Connection, KINDS, Row, Surroundings};
use crate::facts::ids::Slug;
use crate::runtime::clock;

/// Headers that adapters look at.
const HEADERS: &[&str] = &[
    "authorization",
    "content-type",
    "telnyx-signature-ed25519",
    "telnyx-timestamp",
    "x-plivo-signature-ma-v2",
    "x-plivo-signature-v2",
    "x-plivo-signature-v2-nonce",
    "x-plivo-signature-v3",
    "x-plivo-signature-v3-nonce",
    "x-twilio-signature",
    "x-twilio-webhooks-signature-settings",
];

/// A connection of every kind that serves webhooks, with every key set.
static CONNECTIONS: LazyLock<Vec<Connection>> = LazyLock::new(|| {
    let file = std::env::temp_dir().join(format!("texthub_any_request_{}", std::process::id()));
    std::fs::write(&file, "a-secret").unwrap();
    let connections = KINDS.iter().filter(|kind| kind.name != "smpp").map(|kind| {
        let value = |form: &Form, name: &str| match (form, name) {
            (_, "public_key" | "public_key_next") => "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=".into(),
            (_, "topic" | "events_topic") => "arn:aws:sns:us-east-1:123456789012:texts".into(),
            (_, "region") => "us-east-1".into(),
            (Form::Text(_), _) => "text".into(),
            (Form::Url | Form::Address(_), _) => "http://127.0.0.1:9".into(),
            (Form::SecretFile, _) => file.to_str().unwrap().into(),
            (Form::Word(words) | Form::Words(words), _) => words[0].into(),
            (Form::Whole(range), _) => (*range.start()).into(),
            (Form::Yes, _) => true.into(),
            (Form::Price, _) => "0.0079 USD".into(),
            (Form::Prices, _) => serde_json::json!({"US": "0.0079 USD"}),
        };
        let values: Map<String, Value> =
            kind.all_keys().map(|key| (key.name.to_owned(), value(&key.form, key.name))).collect();
        let id = Slug::new("any").unwrap();
        let settings = Settings::read(kind, &id, &values).unwrap();
        let url = Some("http://127.0.0.1:9".to_owned());
        let row = Row { id, kind: kind.name.to_owned(), url, settings: values };
        Connection::open(&row, &settings, &Surroundings::default()).unwrap()
    });
    let connections = connections.collect();
    std::fs::remove_file(&file).unwrap();
    connections
});

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap());

fn body() -> impl Strategy<Value = Vec<u8>> {
    let topic = "arn:aws:sns:us-east-1:123456789012:texts";
    let sns = move |(signature, kind): (String, String)| {
        json!({"Type": kind, "TopicArn": topic, "Message": "m", "MessageId": "1", "SignatureVersion": "2",
            "Timestamp": clock::near().to_string(), "Signature": signature, "SigningCertURL": "http://127.0.0.1:9/x.pem"})
        .to_string()
        .into_bytes()
    };
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "([a-zA-Z-]{1,12}=[a-zA-Z0-9%+]{0,12}&){0,8}(sig|timestamp)=[0-9a-f]{0,70}".prop_map(String::into_bytes),
        ("[A-Za-z0-9+/]{0,80}={0,2}", "Notification|SubscriptionConfirmation|[A-Z]{0,9}").prop_map(sns),
    ]
}

proptest! {
    #[test]
    fn what_a_stranger_says_is_not_believed(
        is_get: bool,
        path in "[ -~]{0,60}|(\\?[a-zA-Z-]{1,12}=[a-zA-Z0-9%+]{0,12}){1,3}",
        headers in prop::collection::vec((0..HEADERS.len(), "[ -~]{0,100}|[A-Za-z0-9+/]{40,90}={0,2}|Basic [A-Za-z0-9+/]{0,40}"), 0..8),
        stamp in prop_oneof![Just(None), Just(Some(clock::near().as_second().to_string()))],
        body in body(),
    ) {
        let mut map = HeaderMap::new();
        for (at, value) in headers {
            map.insert(HeaderName::from_static(HEADERS[at]), value.parse().unwrap());
        }
        if let Some(stamp) = stamp {
            map.insert("telnyx-timestamp", stamp.parse().unwrap());
        }
        let url = format!("https://hub.example.com/webhooks/any{path}");
        let request = Request { is_get, url: &url, headers: &map, body: &body };
        for connection in CONNECTIONS.iter() {
            let heard = RUNTIME.block_on(connection.receive(&request));
            prop_assert!(heard.is_err(), "{connection:?} believes {request:?}: {heard:?}");
        }
    }
}
