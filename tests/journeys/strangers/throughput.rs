//! How many texts a second three gateways carry from HTTP to SMPP: ours, Kannel and Jasmin, by turns in one run, to the
//! same foreign SMSC, each with one bind and (where it can be told) a window of 50; beside a bare client, which has no
//! HTTP. What they do for a text differs: ours keeps a transcript and its state in Postgres, Jasmin has its queues in
//! RabbitMQ, Kannel a file of its own, the bare client nothing.

use std::process::Command;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::Url;
use serde_json::json;

use super::jasmin::Jasmin;
use super::kannel::{Kannel, PASSWORD};
use crate::sms::{Smsc, apply_smsc};
use crate::support::stack::{Stack, free_port, until_within};

const TEXTS: u32 = 2_000;
const ROUNDS: usize = 3;
const WINDOW: usize = 50;
/// Requests under way at once.
const CLIENTS: usize = 50;
const ACCOUNT: &str = "AC00000000000000000000000000000001";
const TOKEN: &str = "a-token-of-the-shops";
const TEXT: &str = "Your porridge is ready; it is neither too hot nor too cold.";
/// Within which the slowest has carried a round.
const PATIENCE: Duration = Duration::from_mins(4);

/// The request of a text to this number.
type Ask = dyn Fn(&reqwest::Client, String) -> reqwest::RequestBuilder;

/// One that takes texts by HTTP, and how.
struct Gateway {
    name: &'static str,
    ask: Box<Ask>,
    rates: Vec<f64>,
}

impl Gateway {
    fn new(name: &'static str, ask: impl Fn(&reqwest::Client, String) -> reqwest::RequestBuilder + 'static) -> Self {
        Self { name, ask: Box::new(ask), rates: Vec::new() }
    }

    /// Texts a second at the SMSC, from the first request to the last submission.
    async fn round(&mut self, http: &reqwest::Client, smsc: &Smsc) {
        smsc.tell(&json!({ "count": true })).await;
        let requests = (0..TEXTS).map(|nth| (self.ask)(http, format!("+1555{:07}", 1_000_000 + nth)));
        let mut answers =
            futures_util::stream::iter(requests.map(reqwest::RequestBuilder::send)).buffer_unordered(CLIENTS);
        while let Some(answer) = answers.next().await {
            let status = answer.unwrap().status();
            assert!(status.is_success(), "{}: {status}", self.name);
        }
        until_within(&format!("{} carried all", self.name), PATIENCE, async || {
            smsc.tell(&json!({ "counted": true })).await;
            smsc.all("counted").last().is_some_and(|said| said["counted"] == TEXTS)
        })
        .await;
        let seconds = smsc.all("counted").last().unwrap()["seconds"].as_f64().unwrap();
        self.rates.push(f64::from(TEXTS) / seconds);
    }
}

/// The tenant of the example with an application that may text, everything in one process; and its address.
async fn ours(smsc: u16) -> (Stack, crate::support::stack::Process, Gateway) {
    let stack = Stack::new().await;
    let token = stack.file("token", TOKEN);
    let settings = format!(
        "window = {WINDOW}\n[[applications]]\nid = \"shop\"\naccount = \"{ACCOUNT}\"\ntoken_file = \"{token}\"\n\
         numbers = [\"+15550100001\"]\n[quiet_hours]\non = false\n"
    );
    apply_smsc(&stack, &format!("smpp://127.0.0.1:{smsc}"), &settings);
    let process = stack.start(&["all"]).await;
    let url = format!("{}/2010-04-01/Accounts/{ACCOUNT}/Messages.json", process.url());
    let gateway = Gateway::new("texthub", move |http, to| {
        let form = [("From", "+15550100001"), ("To", &to), ("Body", TEXT)];
        http.post(&url).basic_auth(ACCOUNT, Some(TOKEN)).form(&form)
    });
    (stack, process, gateway)
}

fn middle(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures: ./dev test --long strangers"]
async fn texts_a_second_beside_kannel_and_jasmin() {
    let behind = free_port();
    let smsc = Smsc::start(behind, &[]).await;
    smsc.tell(&json!({ "set": { "quiet": true, "receipts": "none" } })).await;
    let (_stack, _process, ours) = ours(behind).await;
    let beside = Stack::new().await;
    let sendsms = free_port();
    let _kannel = Kannel::before(&beside, sendsms, behind, WINDOW).await;
    let kannel = Gateway::new("Kannel", move |http, to| {
        let query =
            [("username", "hub"), ("password", PASSWORD), ("from", "+15550100001"), ("to", &to), ("text", TEXT)];
        http.get(Url::parse_with_params(&format!("http://127.0.0.1:{sendsms}/cgi-bin/sendsms"), query).unwrap())
    });
    let jasmins = Stack::new().await;
    let daemon = Jasmin::start(&jasmins, behind).await;
    let port = daemon.http;
    let jasmin = Gateway::new("Jasmin", move |http, to| {
        let to = to.trim_start_matches('+').to_owned();
        let query =
            [("username", "hub"), ("password", "secret"), ("from", "15550100001"), ("to", &to), ("content", TEXT)];
        http.get(Url::parse_with_params(&format!("http://127.0.0.1:{port}/send"), query).unwrap())
    });
    smsc.heard_times("a bind of each", 3, |said| said["bound"].is_string()).await;
    let http = reqwest::Client::builder().build().unwrap();
    let mut gateways = [ours, kannel, jasmin];
    let mut bare = Vec::new();
    for _ in 0..ROUNDS {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/carriers/bare_client.mjs");
        let numbers = [behind.to_string(), TEXTS.to_string(), WINDOW.to_string()];
        let said = Command::new("node").arg(script).args(numbers).arg(TEXT).output().unwrap();
        bare.push(String::from_utf8(said.stdout).unwrap().trim().parse().unwrap());
        for gateway in &mut gateways {
            gateway.round(&http, &smsc).await;
        }
    }
    let rates = gateways.map(|gateway| (gateway.name, middle(gateway.rates)));
    let told: Vec<String> = rates.iter().map(|(name, rate)| format!("{name} {rate:.0}")).collect();
    println!(
        "texts a second from HTTP to SMPP, medians of {ROUNDS}: {}; a bare client without HTTP {:.0}",
        told.join(", "),
        middle(bare)
    );
    assert!(rates.iter().all(|(_, rate)| *rate > 0.0));
}
