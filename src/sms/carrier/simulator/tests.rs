//! The simulator over real HTTP: what a sender finds out in each case, and that the record, the receipts and a restart
//! agree with it. What it says is read from the channel that the publisher would empty.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::facts::envelope::Publication;
use crate::sms::carrier::{Carrier, Outgoing, Sent};

struct Network {
    url: String,
    folder: PathBuf,
    said: mpsc::Receiver<Said>,
    stop: CancellationToken,
    running: Running,
    http: reqwest::Client,
}

impl Network {
    async fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("texthub-simulator-{}", crate::runtime::clock::new_id()));
        Self::start_in(folder).await
    }

    async fn start_in(folder: PathBuf) -> Self {
        let (outbox, said) = mpsc::channel(64);
        let stop = CancellationToken::new();
        let settings = Settings { listen: "127.0.0.1:0".parse().unwrap(), folder: folder.clone() };
        let running = start(settings, outbox, stop.clone()).await.unwrap();
        let url = format!("http://{}", running.address);
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { url, folder, said, stop, running, http: reqwest::Client::new() }
    }

    async fn stop(self) -> PathBuf {
        self.stop.cancel();
        self.running.done.await.unwrap();
        self.folder
    }

    fn client(&self) -> Client {
        Client::new(&self.url, Limits { connect: Duration::from_secs(2), total: Duration::from_secs(5) }).unwrap()
    }

    async fn faults(&self, faults: Value) {
        let answer = self.http.put(format!("{}/faults", self.url)).json(&faults).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    async fn record(&self) -> Vec<Value> {
        let page: Value = self.http.get(format!("{}/record", self.url)).send().await.unwrap().json().await.unwrap();
        page["submissions"].as_array().unwrap().clone()
    }

    /// The next fact, confirmed.
    async fn next(&mut self) -> Publication {
        let said =
            timeout(Duration::from_secs(10), self.said.recv()).await.expect("a fact within ten seconds").unwrap();
        said.confirmed.send(()).unwrap();
        said.publication
    }
}

fn body(publication: &Publication) -> Value {
    serde_json::from_slice(&publication.body).unwrap()
}

fn text(text: &str) -> Outgoing {
    Outgoing {
        carrier: Slug::new("mobile").unwrap(),
        sms_id: SmsId(crate::runtime::clock::new_id()),
        from: "+15550100001".to_owned(),
        from_country: None,
        to: "+15550100100".to_owned(),
        text: text.to_owned(),
        media: Vec::new(),
    }
}

fn accepted(sent: Sent) -> Vec<SubmittedPart> {
    match sent {
        Sent::Accepted(parts) => parts,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_text_is_taken_recorded_and_its_parts_are_delivered() {
    let mut network = Network::start().await;
    network.faults(json!({"receipts": {"delay_ms": 0, "spread_ms": 0}})).await;
    let outgoing = text(&"long ".repeat(60));
    let parts = accepted(network.client().send(&outgoing).await);
    assert_eq!(parts.iter().map(|p| p.part).collect::<Vec<_>>(), [1, 2]);
    let record = network.record().await;
    assert_eq!((record.len(), &record[0]["sms_id"], &record[0]["parts"]), (1, &json!(outgoing.sms_id), &json!(2)));
    let mut delivered = HashSet::new();
    for _ in 0..2 {
        let receipt = network.next().await;
        let said = body(&receipt);
        assert_eq!(
            (receipt.fact.as_ref(), &said["status"], &said["carrier"]),
            ("receipt.received", &json!("delivered"), &json!("mobile"))
        );
        delivered.insert(said["carrier_sms_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(delivered, parts.into_iter().map(|p| p.carrier_sms_id).collect());
    network.stop().await;
}

#[tokio::test]
async fn the_same_text_twice_is_two_submissions_with_ids_of_their_own() {
    let network = Network::start().await;
    let outgoing = text("hello");
    let client = network.client();
    let (first, second) = (accepted(client.send(&outgoing).await), accepted(client.send(&outgoing).await));
    assert_ne!(first, second);
    assert_eq!(network.record().await.len(), 2);
    network.stop().await;
}

#[tokio::test]
async fn what_was_not_taken_is_not_now_or_refused_and_is_not_in_the_record() {
    let network = Network::start().await;
    let client = network.client();
    network.faults(json!({"throttled": 1.0, "retry_after_s": 7})).await;
    assert_eq!(client.send(&text("a")).await, Sent::TooFast(Some(Duration::from_secs(7)), "throttled".to_owned()));
    network.faults(json!({"unavailable": 1.0})).await;
    assert_eq!(client.send(&text("a")).await, Sent::NotNow(None, "unavailable".to_owned()));
    network.faults(json!({"refused_numbers": ["+15550100100"]})).await;
    assert_eq!(client.send(&text("a")).await, Sent::Refused("invalid_number".to_owned()));
    assert!(network.record().await.is_empty());
    network.stop().await;
    assert_eq!(
        client.send(&text("a")).await,
        Sent::NotNow(None, "no_connection".to_owned()),
        "nobody listens any more"
    );
}

#[tokio::test]
async fn a_line_that_breaks_after_the_text_was_taken_is_unanswered() {
    let network = Network::start().await;
    network.faults(json!({"answer_dropped": 1.0})).await;
    assert_eq!(network.client().send(&text("a")).await, Sent::Unanswered("connection_broken".to_owned()));
    network.faults(json!({"answer_withheld": 1.0})).await;
    let hasty =
        Client::new(&network.url, Limits { connect: Duration::from_secs(2), total: Duration::from_millis(300) })
            .unwrap();
    assert_eq!(hasty.send(&text("b")).await, Sent::Unanswered("time_out".to_owned()));
    assert_eq!(network.record().await.len(), 2, "both were taken");
    network.stop().await;
}

#[tokio::test]
async fn a_receipt_may_come_early_twice_and_out_of_order_always_under_its_own_id() {
    let mut network = Network::start().await;
    network
        .faults(json!({"receipts": {"delay_ms": 0, "spread_ms": 0, "early": 1.0, "duplicated": 1.0, "reordered": 1.0}}))
        .await;
    let (client, outgoing) = (network.client(), text("a"));
    let sending = client.send(&outgoing);
    tokio::pin!(sending);
    let early = tokio::select! {
        _ = &mut sending => panic!("answered before the early receipt was said"),
        said = network.next() => said,
    };
    let (again, parts) = tokio::join!(network.next(), sending);
    let parts = accepted(parts);
    assert_eq!((body(&early), &early), (body(&again), &again), "a repeat is the same fact");
    assert_eq!(body(&early)["carrier_sms_id"], json!(parts[0].carrier_sms_id));
    let late = [network.next().await, network.next().await];
    assert!(late.iter().all(|l| body(l)["status"] == "submitted" && l.id != early.id), "the earlier state comes last");
    network.stop().await;
}

#[tokio::test]
async fn receipts_pending_at_a_restart_are_sent_after_it_and_confirmed_ones_are_not_sent_again() {
    let mut network = Network::start().await;
    network.faults(json!({"receipts": {"delay_ms": 0, "spread_ms": 0}})).await;
    accepted(network.client().send(&text("first")).await);
    let first = network.next().await;
    network.faults(json!({"receipts": {"delay_ms": 3_600_000}})).await;
    network.faults(json!({"receipts": {"delay_ms": 1000, "spread_ms": 0}})).await;
    accepted(network.client().send(&text("second")).await);
    let folder = network.stop().await;
    // a kill in the middle of a line
    let path = folder.join("record.jsonl");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(b"{\"event\":\"submission\",\"nr\":3");
    std::fs::write(&path, bytes).unwrap();

    let mut network = Network::start_in(folder).await;
    assert_eq!(network.record().await.len(), 2);
    let second = network.next().await;
    assert_ne!(first.id, second.id);
    assert_eq!(body(&second)["carrier_sms_id"], network.record().await[1]["carrier_sms_ids"][0]);
    accepted(network.client().send(&text("third")).await);
    assert_eq!(network.record().await.len(), 3, "the torn line is gone and the record goes on");
    network.stop().await;
}

#[tokio::test]
async fn an_unconfirmed_receipt_is_said_again() {
    let mut network = Network::start().await;
    network.faults(json!({"receipts": {"delay_ms": 0, "spread_ms": 0}})).await;
    accepted(network.client().send(&text("a")).await);
    let lost = network.said.recv().await.unwrap();
    let id = lost.publication.id;
    drop(lost.confirmed);
    assert_eq!(network.next().await.id, id);
    network.stop().await;
}

#[tokio::test]
async fn a_phone_texts_and_a_repeat_under_the_same_carrier_id_is_the_same_fact() {
    let mut network = Network::start().await;
    let url = format!("{}/inbound", network.url);
    let texted = json!({"carrier": "mobile", "carrier_sms_id": "c1", "from": "+15550100100", "to": "+15550100001", "text": "hi"});
    let mut ids = Vec::new();
    for _ in 0..2 {
        let http = network.http.clone();
        let request = http.post(&url).json(&texted).send();
        let (answer, said) = tokio::join!(request, network.next());
        assert_eq!(answer.unwrap().status(), 202);
        assert_eq!((said.fact.as_ref(), said.scope.as_str()), ("sms.received", "15550100001-15550100100"));
        ids.push(said);
    }
    assert_eq!(ids[0], ids[1], "its time, too");
    network.stop().await;
}

#[tokio::test]
async fn faults_that_are_none_are_refused() {
    let network = Network::start().await;
    let url = format!("{}/faults", network.url);
    for bad in [json!({"throttled": 2}), json!({"thottled": 1}), json!({"receipts": {"dropped": -0.1}})] {
        let answer = network.http.put(&url).json(&bad).send().await.unwrap();
        assert_eq!(answer.status(), 422, "{bad}");
    }
    network.stop().await;
}

#[tokio::test]
async fn a_phone_is_a_page_and_reads_what_came_to_it_alone() {
    let network = Network::start().await;
    let (mine, mut another) = (text("for this phone"), text("for another"));
    another.to = "+15550100101".to_owned();
    let client = network.client();
    accepted(client.send(&another).await);
    accepted(client.send(&mine).await);
    let asked = format!("{}/record?since=0&to=%2B15550100100", network.url);
    let page: Value = network.http.get(asked).send().await.unwrap().json().await.unwrap();
    let texts: Vec<&str> =
        page["submissions"].as_array().unwrap().iter().map(|s| s["text"].as_str().unwrap()).collect();
    assert_eq!((texts, &page["total"]), (vec!["for this phone"], &json!(2)));
    for (path, holds) in [("/?to=%2B15550100001", "phone.js"), ("/phone.js", "inbound"), ("/phone.css", "--mine")] {
        let answer = network.http.get(format!("{}{path}", network.url)).send().await.unwrap();
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"));
        assert!(answer.text().await.unwrap().contains(holds), "{path}");
    }
    network.stop().await;
}
