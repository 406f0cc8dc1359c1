//! Dead letters: messages that were set aside, as rows. A replay publishes a letter to the workers again, and only once
//! the broker has it marks the row, if that is still as it was read: nothing is lost, and what a process that dies in
//! between (or a second operator) publishes again is a repeat.

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
    /// By the letter's id or the message's; empty: any.
    pub ids: Vec<String>,
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

const LETTERS: &str =
    "select id, message_id, fact, worker, reason, detail, tenant, set_aside_at, times, routing_key, headers, body,
            case when dropped_at is not null then 'dropped' when replayed_at is not null then 'replayed' else 'open' end
     from dead_letters";
const THESE: &str = "(id = any($1) or message_id = any($2))";
const ANY: &str = "cardinality($1::uuid[]) + cardinality($2::text[]) = 0";
const FITTING: &str = "($3::text is null or reason = $3) and ($4::text is null or worker = $4)
    and ($5::text is null or tenant = $5) and ($6 or (replayed_at is null and dropped_at is null))
    order by set_aside_at desc, id limit $7";

/// The letters, newest first.
///
/// # Errors
/// A database that is away.
pub async fn find(tx: &Transaction<'_>, of: &Of) -> Result<Vec<Letter>, Failure> {
    let uuids: Vec<Uuid> = of.ids.iter().filter_map(|id| id.parse().ok()).collect();
    // two statements, so that each has its index
    let these = if of.ids.is_empty() { ANY } else { THESE };
    let statement = format!("{LETTERS} where {these} and {FITTING}");
    let rows =
        sql::rows(tx, &statement, &[&uuids, &of.ids, &of.reason, &of.worker, &of.tenant, &of.settled, &of.limit])
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
    /// It went to the workers, and was set aside again, or settled by somebody else, before it could be marked.
    Returned,
    /// Somebody has replayed or dropped it.
    Settled,
    /// It has no key and no readable fact: nobody would hear it.
    NoKey,
}

/// Publishes one letter again, and marks it; its worker decides anew.
///
/// # Errors
/// What the database or the broker said: the letter stays open.
pub async fn replay(pool: &Pool, publisher: &Publisher, letter: &Letter) -> Result<Replayed, Failure> {
    let mut client = pool.get().await?;
    let open = client
        .prepare_cached(
            "select set_aside_at, clock_timestamp() from dead_letters
             where id = $1 and replayed_at is null and dropped_at is null",
        )
        .await?;
    let Some(row) = client.query_opt(&open, &[&letter.id]).await? else { return Ok(Replayed::Settled) };
    let (set_aside_at, now): (Timestamp, Timestamp) = (row.get(0), row.get(1));
    let Some(wire) = wire(letter) else { return Ok(Replayed::NoKey) };
    publisher.send(vec![wire]).await.map_err(|Lost(why)| Failure::Away(why))?;
    let tx = client.transaction().await?;
    // set aside again, it gets a later time than its mark: before this statement nothing is marked, after it the mark
    // falls; a second less than now, since the workers' clocks and this one differ by moments
    let mark = "update dead_letters set replayed_at = greatest(set_aside_at, $3::timestamptz - interval '1 s')
                where id = $1 and set_aside_at = $2 and replayed_at is null and dropped_at is null";
    let marked = sql::touch(&tx, mark, &[&letter.id, &set_aside_at, &now]).await?;
    tx.commit().await?;
    Ok(if marked == 1 { Replayed::Yes } else { Replayed::Returned })
}

fn wire(letter: &Letter) -> Option<Wire> {
    let key = letter.key.clone().or(letter.fact.clone())?;
    let mut headers = FieldTable::default();
    for name in ["traceparent", "conversation"] {
        if let Some(value) = letter.headers[name].as_str() {
            headers.insert(name.into(), AMQPValue::LongString(value.into()));
        }
    }
    let kind = letter.headers["type"].as_str().map(str::to_owned);
    let kind = kind.or(letter.fact.as_ref().map(|fact| format!("{fact}.v1")));
    let mut properties = BasicProperties::default()
        .with_delivery_mode(2)
        .with_content_type("application/json".into())
        .with_headers(headers);
    if let Some(id) = &letter.message_id {
        properties = properties.with_message_id(id.as_str().into());
    }
    if let Some(kind) = kind {
        properties = properties.with_type(kind.into());
    }
    Some(Wire { exchange: topology::WORK, key, body: letter.body.clone(), properties })
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

/// Words that outsiders chose, for a list: whatever may be a number shows its last four digits only. A UUID is none.
#[must_use]
pub fn masked(words: &str) -> String {
    if words.parse::<Uuid>().is_ok() {
        return words.to_owned();
    }
    let is_number = |word: &str| (7..=15).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_digit());
    let mut masked = String::with_capacity(words.len());
    for piece in words.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let word = piece.trim_end_matches(|c: char| !c.is_alphanumeric());
        if is_number(word) {
            masked.push('…');
            masked.push_str(&piece[word.len() - 4..]);
        } else {
            masked.push_str(piece);
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn numbers_are_masked_and_ids_are_not() {
        assert_eq!(masked("+15550100001-15557000001"), "+…0001-…0001");
        assert_eq!(masked("sms.received"), "sms.received");
        assert_eq!(masked("12345678-1234-1234-1234-123456789012"), "12345678-1234-1234-1234-123456789012");
        assert_eq!(masked("a1234567890b é 12345678"), "a1234567890b é …5678");
    }
}
