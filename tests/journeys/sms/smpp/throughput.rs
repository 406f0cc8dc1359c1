//! How fast texts go by our binds, beside a bare client (npm's `smpp`) in the same run, by turns, at the same foreign
//! SMSC, with a window of 50.

use std::process::Command;
use std::time::Instant;

use futures_util::StreamExt;
use serde_json::json;
use texthub::facts::ids::{Slug, SmsId};
use texthub::sms::carrier::kind::Settings;
use texthub::sms::carrier::{Carrier, Outgoing, Sent, Surroundings, smpp};

use super::smsc::Smsc;
use crate::support::stack::free_port;

const WINDOW: usize = 50;
const TEXTS: u32 = 10_000;
const ROUNDS: usize = 5;
const TEXT: &str = "Your porridge is ready; it is neither too hot nor too cold.";

/// Texts a second by ours.
async fn ours(port: u16, password: &str) -> f64 {
    let values = json!({ "system_id": "hub", "password_file": password, "window": WINDOW });
    let carrier = Slug::new("line").unwrap();
    let settings = Settings::read(&smpp::KIND, &carrier, values.as_object().unwrap()).unwrap();
    let around = Surroundings::default();
    let client = smpp::Client::new(Some(&format!("smpp://127.0.0.1:{port}")), &settings, &around).unwrap();
    let outgoing = |nth: u32| Outgoing {
        carrier: carrier.clone(),
        sms_id: SmsId(uuid::Uuid::from_u128(nth.into())),
        from: "+15550100001".into(),
        from_country: None,
        to: format!("+1555{:07}", nth % 1000),
        text: TEXT.into(),
        media: Vec::new(),
    };
    assert!(matches!(client.send(&outgoing(0)).await, Sent::Accepted(_)));
    let began = Instant::now();
    // as many under way as `lines` lets through
    let mut sent = futures_util::stream::iter((0..TEXTS).map(|nth| {
        let (client, outgoing) = (client.clone(), outgoing(nth));
        async move { client.send(&outgoing).await }
    }))
    .buffer_unordered(client.window());
    while let Some(sent) = sent.next().await {
        assert!(matches!(sent, Sent::Accepted(_)), "{sent:?}");
    }
    let rate = f64::from(TEXTS) / began.elapsed().as_secs_f64();
    around.smpp.close().await;
    rate
}

/// The same by npm's `smpp` as a client, which does nothing else.
fn bare(port: u16) -> f64 {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/carriers/bare_client.mjs");
    let numbers = [port.to_string(), TEXTS.to_string(), WINDOW.to_string()];
    let said = Command::new("node").arg(script).args(numbers).arg(TEXT).output().unwrap();
    String::from_utf8(said.stdout).unwrap().trim().parse().unwrap()
}

#[ignore = "measures: ./dev test --long beside_a_bare_client"]
#[tokio::test(flavor = "multi_thread")]
async fn texts_go_by_smpp_nearly_as_fast_as_beside_a_bare_client() {
    let port = free_port();
    let smsc = Smsc::start(port, &[]).await;
    smsc.tell(&json!({ "set": { "quiet": true, "receipts": "none" } })).await;
    let password = std::env::temp_dir().join(format!("texthub_bench_{port}"));
    std::fs::write(&password, "secret").unwrap();
    let (mut all_ours, mut all_bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        all_bare.push(bare(port));
        all_ours.push(ours(port, password.to_str().unwrap()).await);
    }
    std::fs::remove_file(password).unwrap();
    let middle = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let (ours, bare) = (middle(all_ours), middle(all_bare));
    println!(
        "texts a second by a window of {WINDOW}, medians of {ROUNDS}: ours {ours:.0}, bare {bare:.0}: {:.2}",
        ours / bare
    );
    assert!(ours / bare >= 0.7, "{:.2}", ours / bare);
}
