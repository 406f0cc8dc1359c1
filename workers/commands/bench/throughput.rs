//! How many texts per second the pipeline records: published as fast as the broker confirms, over customers in turn.

use std::time::Duration;

use deadpool_postgres::Pool;
use serde_json::json;
use texthub::amqp::Lost;
use texthub::amqp::connection::Link;
use texthub::amqp::publisher::Publisher;
use texthub::amqp::wire::Wire;
use texthub::facts::envelope::conversation;
use texthub::runtime::clock::{self, Stopwatch};

use super::ground::Ground;

/// Publications handed to the publisher at once.
const GO: usize = 250;

/// A text as a carrier's adapter publishes it.
pub fn inbound(ground: &Ground, customer: usize, text: &str) -> Wire {
    let id = clock::new_id();
    let from = format!("+888{customer:011}");
    let body = json!({
        "id": id, "carrier": ground.tenant, "carrier_sms_id": id.simple().to_string(), "from": from,
        "to": ground.number, "text": text, "received_at": clock::wall().to_string(),
    });
    let scope = conversation(&ground.number, "", &from);
    let mut headers = lapin::types::FieldTable::default();
    headers.insert("conversation".into(), lapin::types::AMQPValue::LongString(scope.as_str().into()));
    Wire {
        exchange: ground.door,
        key: format!("sms.received.{scope}"),
        body: body.to_string().into_bytes(),
        properties: lapin::BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type("application/json".into())
            .with_message_id(id.to_string().into())
            .with_type("sms.received.v1".into())
            .with_headers(headers),
    }
}

/// Texts recorded per second, and how many publications each led to.
pub async fn measure(
    link: &Link,
    pool: &Pool,
    ground: &Ground,
    texts: &[String],
    count: usize,
    customers: usize,
) -> anyhow::Result<(f64, f64)> {
    let publisher = Publisher::open(link).await?;
    let stopwatch = Stopwatch::start();
    let (publishing, tenant) = (publish(&publisher, ground, texts, count, customers), &ground.tenant);
    let recording = async {
        let client = pool.get().await?;
        loop {
            let row = client
                .query_one("select coalesce(sum(next_seq - 1), 0)::bigint from rooms where tenant = $1", &[tenant])
                .await?;
            let recorded: i64 = row.get(0);
            if recorded >= i64::try_from(count)? {
                return anyhow::Ok(stopwatch.elapsed());
            }
            anyhow::ensure!(
                stopwatch.elapsed() < Duration::from_mins(5),
                "only {recorded} of {count} texts were recorded in five minutes"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let (published, took) = tokio::join!(publishing, recording);
    published?;
    let took = took?;
    let client = pool.get().await?;
    // entry.appended; room.opened; contact.queued twice; offer.made and its timer
    let row = client
        .query_one(
            "select (select count(*) from rooms where tenant = $1) + 2 * (select count(*) from contacts where tenant = $1)
                    + 2 * (select count(*) from offers where tenant = $1)",
            &[tenant],
        )
        .await?;
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    let (beside, count) = (row.get::<_, i64>(0) as f64, count as f64);
    Ok((count / took.as_secs_f64(), 1.0 + beside / count))
}

async fn publish(
    publisher: &Publisher,
    ground: &Ground,
    texts: &[String],
    count: usize,
    customers: usize,
) -> Result<(), Lost> {
    let mut under_way = Vec::new();
    for from in (0..count).step_by(GO) {
        let wires: Vec<Wire> =
            (from..count.min(from + GO)).map(|n| inbound(ground, n % customers, &texts[n % texts.len()])).collect();
        let publisher = publisher.clone();
        under_way.push(tokio::spawn(async move { publisher.send(wires).await }));
        if under_way.len() >= 4 {
            under_way.remove(0).await.map_err(|e| Lost(e.to_string()))??;
        }
    }
    for sent in under_way {
        sent.await.map_err(|e| Lost(e.to_string()))??;
    }
    Ok(())
}
