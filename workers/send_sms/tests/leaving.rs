//! What leaves by a connection with smart encoding and a price list, and what its row keeps of it.

use super::*;
use crate::rehearsal::lines;

const ROWS: &str =
    "select encoding, parts, sent_text, trim_scale(price)::text as price, currency from sms order by room_id";

async fn texts(bench: &Bench, settings: Value, words: &[&str]) -> Vec<Requested> {
    let client = bench.database.pool.get().await.unwrap();
    client.execute("update carriers set settings = $1", &[&settings]).await.unwrap();
    let text = |(room, words): (u32, &&str)| Requested { text: (*words).to_owned(), ..Requested::new(room, 1) };
    let texts: Vec<Requested> = (1..).zip(words).map(text).collect();
    Requested::write_all(&bench.database.pool, &texts).await;
    texts
}

async fn arrived(bench: &Bench) -> Vec<String> {
    let page: Value = bench.http.get(format!("{}/record", bench.url)).send().await.unwrap().json().await.unwrap();
    let texts = page["submissions"].as_array().unwrap().iter().map(|s| s["text"].as_str().unwrap().to_owned());
    let mut texts: Vec<String> = texts.collect();
    texts.sort_unstable();
    texts
}

#[tokio::test]
async fn a_smart_connection_sends_what_fits_and_keeps_both_texts_with_their_parts_and_price() {
    let bench = Bench::new().await;
    let (long, link) = (format!("it\u{2019}s {}", "a".repeat(80)), "it\u{2019}s https://mill.example/");
    let settings = json!({"smart_encoding": true, "price_per_part": "0.0079 USD"});
    let texts = texts(&bench, settings, &[&long, link]).await;
    let batch: Vec<Message<ToSend>> = texts.iter().map(|text| asks(text, 0)).collect();
    bench.run(at(1), &batch).await;
    assert_eq!(arrived(&bench).await, [format!("it's {}", "a".repeat(80)), link.to_owned()]);
    let row = |encoding: &str, sent: Value| json!({"encoding": encoding, "parts": 1, "sent_text": sent, "price": "0.0079", "currency": "USD"});
    let smart = row("gsm7", json!(format!("it's {}", "a".repeat(80))));
    assert_eq!(lines(&bench.database.pool, ROWS).await, json!([smart, row("ucs2", Value::Null)]));
}

#[tokio::test]
async fn another_sends_what_was_written_and_costs_what_it_costs_or_nothing_is_said_of_it() {
    let bench = Bench::new().await;
    let long = format!("it\u{2019}s {}", "a".repeat(80));
    let priced = texts(&bench, json!({"price_per_part": "0.0079 USD"}), &[&long]).await;
    bench.run(at(1), &[asks(&priced[0], 0)]).await;
    let row = json!({"encoding": "ucs2", "parts": 2, "sent_text": null, "price": "0.0158", "currency": "USD"});
    assert_eq!(lines(&bench.database.pool, ROWS).await, json!([row]));
    assert_eq!(arrived(&bench).await, [long]);
    let bench = Bench::new().await;
    let plain = texts(&bench, json!({}), &["hello"]).await;
    bench.run(at(1), &[asks(&plain[0], 0)]).await;
    let row = json!({"encoding": "gsm7", "parts": 1, "sent_text": null, "price": null, "currency": null});
    assert_eq!(lines(&bench.database.pool, ROWS).await, json!([row]));
}
