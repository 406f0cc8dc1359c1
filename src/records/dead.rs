//! Dead letters: messages that were set aside, as rows. A replay publishes the letter to the workers again and marks it
//! in between a lock and a commit: when the process dies in the middle it may be published twice, which is a repeat.

use deadpool_postgres::{Pool, Transaction};
use jiff::Timestamp;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::Value;
use uuid::Uuid;

use crate::amqp::Lost;
use crate::amqp::publisher::Publisher;
use crate::amqp::topology;
use crate::amqp::wire::Wire;
use crate::failure::Failure;
use crate::hub::sql;

/// A letter.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Of the letter.
    pub id: Uuid,
    /// Of the message, where it had one.
    pub message_id: Option<String>,
    /// What it told, where that could be read.
    pub fact: Option<String>,
    /// Who set it aside.
    pub worker: String,
    /// A stable word.
    pub reason: String,
    /// In a sentence.
    pub detail: Option<String>,
    /// Whose, where known.
    pub tenant: Option<String>,
    /// When, the last time.
    pub at: Timestamp,
    /// How often.
    pub times: i32,
    /// The key that it came under; it may hold numbers.
    pub key: Option<String>,
    /// Headers that matter.
    pub headers: Value,
    /// As it came.
    pub body: Vec<u8>,
    /// `open`, `replayed` or `dropped`.
    pub state: String,
}

/// Which letters.
#[derive(Clone, Debug, Default)]
pub struct Of {
    /// By id; empty: any.
    pub ids: Vec<Uuid>,
    /// By reason.
    pub reason: Option<String>,
    /// By worker.
    pub worker: Option<String>,
    /// By tenant.
    pub tenant: Option<String>,
    /// Those replayed or dropped, too.
    pub settled: bool,
    /// Most of them.
    pub limit: Option<i64>,
}

/// The letters, newest first.
///
/// # Errors
/// A database that is away.
pub async fn find(tx: &Transaction<'_>, of: &Of) -> Result<Vec<Letter>, Failure> {
    let rows = sql::rows(
        tx,
        "select id, message_id, fact, worker, reason, detail, tenant, set_aside_at, times, routing_key, headers, body,
                case when dropped_at is not null then 'dropped' when replayed_at is not null then 'replayed' else 'open' end
         from dead_letters
         where (cardinality($1::uuid[]) = 0 or id = any($1)) and ($2::text is null or reason = $2)
           and ($3::text is null or worker = $3) and ($4::text is null or tenant = $4)
           and ($5 or (replayed_at is null and dropped_at is null))
         order by set_aside_at desc, id limit $6",
        &[&of.ids, &of.reason, &of.worker, &of.tenant, &of.settled, &of.limit],
    )
    .await?;
    Ok(rows
        .iter()
        .map(|row| Letter {
            id: row.get(0),
            message_id: row.get(1),
            fact: row.get(2),
            worker: row.get(3),
            reason: row.get(4),
            detail: row.get(5),
            tenant: row.get(6),
            at: row.get(7),
            times: row.get(8),
            key: row.get(9),
            headers: row.get(10),
            body: row.get(11),
            state: row.get(12),
        })
        .collect())
}

/// Whether a letter went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// It went to the workers.
    Yes,
    /// Somebody has replayed or dropped it.
    Settled,
    /// It has no key and no readable fact: nobody would hear it.
    NoKey,
}

/// Publishes one letter again, and marks it; its worker decides anew.
///
/// # Errors
/// What the database or the broker said: the letter stays open.
pub async fn replay(pool: &Pool, publisher: &Publisher, id: Uuid) -> Result<Replayed, Failure> {
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    let open = "select from dead_letters where id = $1 and replayed_at is null and dropped_at is null for update";
    if sql::row(&tx, open, &[&id]).await?.is_none() {
        return Ok(Replayed::Settled);
    }
    let Some(letter) = find(&tx, &Of { ids: vec![id], ..Of::default() }).await?.pop() else {
        return Ok(Replayed::Settled);
    };
    let Some(wire) = wire(letter) else { return Ok(Replayed::NoKey) };
    sql::touch(&tx, "update dead_letters set replayed_at = clock_timestamp() where id = $1", &[&id]).await?;
    publisher.send(vec![wire]).await.map_err(|Lost(why)| Failure::Away(why))?;
    tx.commit().await?;
    Ok(Replayed::Yes)
}

fn wire(letter: Letter) -> Option<Wire> {
    let key = letter.key.or(letter.fact.clone())?;
    let mut headers = FieldTable::default();
    for name in ["traceparent", "conversation"] {
        if let Some(value) = letter.headers[name].as_str() {
            headers.insert(name.into(), AMQPValue::LongString(value.into()));
        }
    }
    let kind = letter.headers["type"].as_str().map(str::to_owned).or(letter.fact.map(|fact| format!("{fact}.v1")));
    let mut properties = BasicProperties::default()
        .with_delivery_mode(2)
        .with_content_type("application/json".into())
        .with_headers(headers);
    if let Some(id) = letter.message_id {
        properties = properties.with_message_id(id.into());
    }
    if let Some(kind) = kind {
        properties = properties.with_type(kind.into());
    }
    Some(Wire { exchange: topology::WORK, key, body: letter.body, properties })
}

/// Marks letters as dropped; their rows stay. Says how many were open.
///
/// # Errors
/// A database that is away.
pub async fn drop(tx: &Transaction<'_>, ids: &[Uuid]) -> Result<u64, Failure> {
    let text = "update dead_letters set dropped_at = clock_timestamp()
                where id = any($1) and replayed_at is null and dropped_at is null";
    sql::touch(tx, text, &[&ids]).await
}
