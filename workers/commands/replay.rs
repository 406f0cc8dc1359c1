//! `texthub replay FILE`: texts of a file as inbound, from so many customers, at a rate or as fast as it goes; each
//! published once, or twice to try the memory of repeats. The ids can be written to a file for `audit --ids`, each as soon
//! as the broker has confirmed it, so that the file tells the truth when the broker goes away half-way.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use texthub::amqp::connection::Link;
use texthub::amqp::publisher::Publisher;
use texthub::amqp::topology;
use texthub::amqp::wire::Wire;
use texthub::facts::envelope::conversation;
use texthub::runtime::clock::{self, Stopwatch};
use uuid::Uuid;

/// What to replay.
#[derive(Args)]
pub struct Asked {
    /// One text a line; where a line has a tab, the text stands after the first one.
    file: PathBuf,
    /// To which of our numbers.
    #[arg(long)]
    to: String,
    /// Slug of the carrier.
    #[arg(long, default_value = "sim")]
    carrier: String,
    /// From so many customers, in turn.
    #[arg(long, default_value_t = 50)]
    customers: usize,
    /// Texts per second; by default as fast as the broker confirms.
    #[arg(long)]
    rate: Option<f64>,
    /// Publish every message twice.
    #[arg(long)]
    twice: bool,
    /// Skip the first line.
    #[arg(long)]
    header: bool,
    /// Only so many texts.
    #[arg(long)]
    limit: Option<usize>,
    /// Write the ids published to this file, one a line.
    #[arg(long)]
    ids: Option<PathBuf>,
}

/// Replays.
pub async fn run(asked: &Asked) -> anyhow::Result<()> {
    let config = super::config()?;
    let read = std::fs::read_to_string(&asked.file)
        .map_err(|e| anyhow::anyhow!("cannot read {}: {e}", asked.file.display()))?;
    let texts: Vec<&str> = read
        .lines()
        .skip(usize::from(asked.header))
        .map(|line| line.split_once('\t').map_or(line, |(_, text)| text))
        .filter(|text| !text.is_empty())
        .take(asked.limit.unwrap_or(usize::MAX))
        .collect();
    anyhow::ensure!(!texts.is_empty(), "{} holds no text", asked.file.display());
    anyhow::ensure!(asked.customers > 0, "--customers must be at least 1");
    let link = Link::connect(config.amqp(), "texthub replay").await?;
    let (publisher, door) = (Publisher::open(&link).await?, topology::inbound(config.partitions));
    let mut file = asked.ids.as_ref().map(std::fs::File::create).transpose()?;
    let mut count = 0_usize;
    let stopwatch = Stopwatch::start();
    let go = asked.rate.map_or(250, |rate| if rate < 250.0 { 1 } else { 50 });
    for (nth, chunk) in texts.chunks(go).enumerate() {
        let (mut ids, mut wires) = (Vec::with_capacity(chunk.len()), Vec::with_capacity(chunk.len() * 2));
        for (at, text) in chunk.iter().enumerate() {
            let (id, wire) = inbound(asked, door, nth * go + at, text);
            ids.push(id.to_string() + "\n");
            wires.push(wire.clone());
            if asked.twice {
                wires.push(wire);
            }
        }
        publisher.send(wires).await?;
        count += ids.len();
        if let Some(file) = &mut file {
            file.write_all(ids.concat().as_bytes())?;
        }
        if let Some(rate) = asked.rate {
            #[expect(clippy::cast_precision_loss, reason = "a count")]
            let due = Duration::from_secs_f64(count as f64 / rate);
            tokio::time::sleep(due.saturating_sub(stopwatch.elapsed())).await;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let rate = count as f64 / stopwatch.elapsed().as_secs_f64();
    println!("{count} texts published from {} customers, {rate:.0}/s", asked.customers);
    link.close().await;
    Ok(())
}

fn inbound(asked: &Asked, door: &'static str, nth: usize, text: &str) -> (Uuid, Wire) {
    let id = clock::new_id();
    let from = format!("+1555{:07}", 1_000_000 + nth % asked.customers);
    let body = json!({
        "id": id, "carrier": asked.carrier, "carrier_sms_id": format!("replay-{}", id.simple()), "from": from,
        "to": asked.to, "text": text, "received_at": clock::wall().to_string(),
    });
    let scope = conversation(&asked.to, "", &from);
    let mut headers = lapin::types::FieldTable::default();
    headers.insert("conversation".into(), lapin::types::AMQPValue::LongString(scope.as_str().into()));
    let properties = lapin::BasicProperties::default()
        .with_delivery_mode(2)
        .with_content_type("application/json".into())
        .with_message_id(id.to_string().into())
        .with_type("sms.received.v1".into())
        .with_headers(headers);
    (id, Wire { exchange: door, key: format!("sms.received.{scope}"), body: body.to_string().into_bytes(), properties })
}
