//! Simulated customers: each texts, waits for an answer, and texts again a few times. Some come by web chat.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use serde_json::{Value, json};
use texthub::amqp::topology;
use texthub::facts::envelope::conversation;
use tokio::sync::mpsc;

use super::{Stage, now};
use crate::commands::bench::listen;

/// Sentences for when no file is named, one a line.
pub const SENTENCES: &str = include_str!("../../../examples/texts.txt");

/// Where a customer may write to.
#[derive(Clone, Debug)]
pub struct Point {
    pub id: String,
    pub channel: String,
    pub number: String,
    pub carrier: String,
}

/// Customers by number or visitor, told when something was written to them.
type Waiting = Arc<Mutex<HashMap<String, mpsc::UnboundedSender<()>>>>;

/// Begins conversations until stopped.
pub async fn play(stage: Arc<Stage>, points: Vec<Point>, pace: f64) {
    let waiting: Waiting = Arc::default();
    let Ok(mut heard) = listen(&stage.link, topology::FRONT, &["entry.appended.#".to_owned()]).await else { return };
    let told = Arc::clone(&waiting);
    tokio::spawn(async move {
        while let Some(Ok(delivery)) = heard.next().await {
            let Ok(body) = serde_json::from_slice::<Value>(&delivery.data) else { continue };
            let customer = delivery.routing_key.as_str().rsplit('-').next().unwrap_or_default().to_owned();
            if body["direction"] == "outbound"
                && let Some(tell) = told.lock().ok().and_then(|waiting| waiting.get(&customer).cloned())
            {
                let _ = tell.send(());
            }
        }
    });
    let between = 60.0 / pace.max(0.1);
    while !stage.stop.is_cancelled() {
        let Some(point) = fastrand::choice(&points).cloned() else { return };
        tokio::spawn(converse(Arc::clone(&stage), Arc::clone(&waiting), point));
        stage.pause(between * 0.3, between * 1.7).await;
    }
}

async fn converse(stage: Arc<Stage>, waiting: Waiting, point: Point) {
    let number = fastrand::u32(2_000_000..9_999_999);
    let name = if point.channel == "chat" { format!("visitor{number}") } else { format!("1555{number}") };
    let (tell, mut told) = mpsc::unbounded_channel();
    if let Ok(mut waiting) = waiting.lock() {
        waiting.insert(name.clone(), tell);
    }
    for _ in 0..fastrand::u32(2..7) {
        if write(&stage, &point, &name).await.is_err() || stage.stop.is_cancelled() {
            break;
        }
        tokio::select! {
            () = stage.stop.cancelled() => break,
            answered = tokio::time::timeout(std::time::Duration::from_secs(90), told.recv()) => if answered.is_err() { break },
        }
        stage.pause(2.0, 6.0).await;
    }
    if let Ok(mut waiting) = waiting.lock() {
        waiting.remove(&name);
    }
}

async fn write(stage: &Stage, point: &Point, name: &str) -> Result<(), texthub::amqp::Lost> {
    let text = stage.sentence();
    if point.channel == "chat" {
        let body = json!({
            "tenant": stage.tenant, "point_of_contact": point.id, "visitor": name, "text": text, "received_at": now(),
        });
        return stage.say("chat.received", &format!("{}-{name}", point.id), body).await;
    }
    let from = format!("+{name}");
    let body = json!({
        "carrier": point.carrier, "carrier_sms_id": format!("demo-{}", fastrand::u64(..)), "from": from,
        "to": point.number, "text": text, "received_at": now(),
    });
    stage.say("sms.received", &conversation(&point.number, "", &from), body).await
}
