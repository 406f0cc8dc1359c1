//! <worker>.dead → table `dead_letters`: body as received, with its reason. Idempotent; no queue is ever listed by get
//! and requeue, so commands, audit and gateway read the table.

use std::time::Duration;

use deadpool_postgres::Pool;
use futures_util::{FutureExt, StreamExt};
use jiff::Timestamp;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use texthub::amqp::topology::dead_queue;
use texthub::amqp::wire::{header_number, header_text};
use texthub::amqp::{Lost, delivery, patiently};
use texthub::failure::Failure;
use texthub::hub::sql;
use texthub::retry::Waits;
use texthub::runtime::clock;
use texthub::runtime::supervisor::Host;
use uuid::Uuid;

/// Most letters of one transaction.
const BATCH: usize = 64;
/// Most bytes of words that outsiders chose: they stand in an index.
const LONGEST: usize = 255;

/// Empties the dead queue of one worker until stopped.
pub async fn run(host: Host, worker: &'static str) -> Result<(), Lost> {
    let channel = host.link.consuming().await?;
    patiently("qos", channel.basic_qos(128, BasicQosOptions::default())).await?;
    let queue = dead_queue(worker);
    let consuming = channel.basic_consume(
        queue.as_str().into(),
        queue.as_str().into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    let mut consumer = patiently("consume", consuming).await?;
    loop {
        let first = tokio::select! {
            biased;
            () = host.stop.cancelled() => {
                let cancel = channel.basic_cancel(queue.as_str().into(), BasicCancelOptions::default());
                let _ = patiently("cancel", cancel).await;
                return Ok(());
            }
            first = consumer.next() => first.ok_or_else(|| Lost("the stream of dead letters ended".into()))??,
        };
        let mut letters = vec![first];
        while letters.len() < BATCH {
            match consumer.next().now_or_never() {
                Some(Some(letter)) => letters.push(letter?),
                _ => break,
            }
        }
        let last = letters.last().map_or(0, |d| d.delivery_tag);
        keep(&host.pool, worker, &letters).await?;
        patiently("ack", channel.basic_ack(last, BasicAckOptions { multiple: true })).await?;
    }
}

async fn keep(pool: &Pool, worker: &str, letters: &[Delivery]) -> Result<(), Lost> {
    let mut waits = Waits::new(Duration::from_millis(50), Duration::from_secs(5));
    for _ in 0..10 {
        match write(pool, worker, letters, Whole::Yes).await {
            Ok(()) => return Ok(()),
            // one of them cannot be kept as it is: its neighbours are, and its body with its reason
            Err(Failure::Reject(reason)) => {
                tracing::warn!(worker, reason = %reason, "dead letters kept one by one");
                for letter in letters {
                    let letter = std::slice::from_ref(letter);
                    if let Err(Failure::Reject(_)) = write(pool, worker, letter, Whole::Yes).await {
                        write(pool, worker, letter, Whole::No).await.map_err(|failure| Lost(failure.to_string()))?;
                    }
                }
                return Ok(());
            }
            Err(failure) => tracing::warn!(worker, reason = %failure, "dead letters not kept yet"),
        }
        waits.next().await;
    }
    Err(Lost("dead letters could not be kept".into()))
}

/// Whether what outsiders chose is kept beside the body, or left out because it cannot be stored.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whole {
    Yes,
    No,
}

/// Storable words of at most so many bytes.
fn clean(text: &str) -> String {
    let text = text.replace('\0', "\u{FFFD}");
    let end = (0..=LONGEST.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text[..end].to_owned()
}

async fn write(pool: &Pool, worker: &str, letters: &[Delivery], whole: Whole) -> Result<(), Failure> {
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    for letter in letters {
        let properties = &letter.properties;
        let outside = |text: Option<String>| text.filter(|_| whole == Whole::Yes).map(|text| clean(&text));
        let header = |name: &str| outside(header_text(properties, name));
        let named = properties.message_id().as_ref().map(ToString::to_string);
        let by_broker = header_text(properties, "worker").is_none();
        let reason = header("reason").unwrap_or_else(|| "delivered_too_often".into());
        let detail =
            header("detail").unwrap_or_else(|| "the broker set it aside: its delivery limit was reached".into());
        let key = outside(header_text(properties, "original_key").or_else(|| first_key(letter)));
        let fact = header_text(properties, "fact").or_else(|| delivery::fact_name(letter).ok().filter(|_| by_broker));
        let set_aside_at = header_number(properties, "set_aside_at")
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
            .unwrap_or_else(clock::near);
        let body: Value = serde_json::from_slice(&letter.data).unwrap_or(Value::Null);
        let tenant = tenant(&tx, &body).await?;
        let kind = outside(properties.kind().as_ref().map(ToString::to_string));
        let headers =
            json!({"type": kind, "traceparent": header("traceparent"), "conversation": header("conversation")});
        let id = letter_id(worker, named.as_deref(), &letter.data);
        let message_id = outside(named.or_else(|| body.get("id").and_then(Value::as_str).map(str::to_owned)));
        sql::touch(
            &tx,
            KEEP,
            &[
                &id,
                &message_id,
                &outside(fact),
                &key,
                &headers,
                &worker,
                &reason,
                &detail,
                &letter.data,
                &tenant,
                &set_aside_at,
            ],
        )
        .await?;
    }
    tx.commit().await?;
    Ok(())
}

const KEEP: &str = "
    insert into dead_letters (id, message_id, fact, routing_key, headers, worker, reason, detail, body, tenant, set_aside_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    on conflict (id) do update set reason = excluded.reason, detail = excluded.detail,
      times = dead_letters.times + case when excluded.set_aside_at > dead_letters.set_aside_at then 1 else 0 end,
      set_aside_at = greatest(dead_letters.set_aside_at, excluded.set_aside_at),
      replayed_at = case when excluded.set_aside_at > dead_letters.replayed_at then null else dead_letters.replayed_at end";

/// Where the broker set it aside: the key it was published under.
fn first_key(letter: &Delivery) -> Option<String> {
    let deaths = letter.properties.headers().as_ref()?.inner().get("x-death")?.as_array()?;
    let death = deaths.as_slice().first()?.as_field_table()?;
    let keys = death.inner().get("routing-keys")?.as_array()?;
    keys.as_slice().first()?.as_long_string().map(ToString::to_string)
}

/// The same message set aside again by the same worker is the same letter.
fn letter_id(worker: &str, message_id: Option<&str>, body: &[u8]) -> Uuid {
    let mut hasher = Sha256::new();
    hasher.update(worker);
    hasher.update([0]);
    hasher.update(message_id.unwrap_or_default());
    hasher.update([0]);
    hasher.update(body);
    Uuid::new_v5(&Uuid::NAMESPACE_OID, &hasher.finalize())
}

/// Whose it is, where the body says so or the number it was sent to tells.
async fn tenant(tx: &deadpool_postgres::Transaction<'_>, body: &Value) -> Result<Option<String>, Failure> {
    if let Some(tenant) = body.get("tenant").and_then(Value::as_str) {
        return Ok(Some(tenant.replace('\0', "\u{FFFD}").chars().take(64).collect()));
    }
    let Some(to) = body.get("to").and_then(Value::as_str).filter(|to| to.len() <= 20 && !to.contains('\0')) else {
        return Ok(None);
    };
    let row = sql::row(tx, "select tenant from points_of_contact where number = $1 limit 1", &[&to]).await?;
    Ok(row.map(|row| row.get(0)))
}

#[cfg(test)]
mod tests;
