//! The standing harness of worker tests. A batch, its messages one by one, each of them twice, and the whole batch twice
//! must leave the same rows and say the same ids; in another order every invariant of the audit must hold. Each way goes
//! in savepoints from the same set-up and is rolled back (a tenth of a clone's time); all of them happen at one moment.

use std::collections::BTreeSet;

use deadpool_postgres::{Pool, Transaction};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use texthub::facts::envelope::{Decode, Message, Publication, digest};
use texthub::facts::ids::FactId;
use texthub::failure::Failure;
use texthub::records::audit::{INVARIANTS, Invariant};
use texthub::runtime::worker::{Context, Outcome, Worker};
use uuid::Uuid;

use super::database::Database;

/// A column whose values may depend on the way: table, column, and the reason.
pub type Apart = (&'static str, &'static str, &'static str);

/// Other orders that every trial takes.
const ORDERS: usize = 3;

/// What a batch came to.
pub struct Ran {
    /// Where.
    pub database: Database,
    /// One a message, in the order of the batch.
    pub outcomes: Vec<Outcome>,
}

/// Handles a batch in each of the ways and compares them; what the batch as a whole came to is for the test to judge.
pub async fn trial<W: Worker>(
    worker: &W,
    now: Timestamp,
    apart: &[Apart],
    set_up: impl AsyncFn(&Pool),
    batch: &[Message<W::Fact>],
) -> Ran
where
    W::Fact: Clone,
{
    let database = Database::new().await;
    set_up(&database.pool).await;
    let mut client = database.pool.get().await.unwrap();
    let mut tx = client.transaction().await.unwrap();
    let outcomes = within(worker, &mut tx, now, batch).await;
    let (rows, said) = (table_rows(&tx, apart).await, ids(&outcomes));
    tx.rollback().await.unwrap();
    for way in ["one by one", "each twice", "the whole batch twice"] {
        let mut tx = client.transaction().await.unwrap();
        let first = match way {
            "the whole batch twice" => within(worker, &mut tx, now, batch).await,
            _ => one_by_one(worker, &mut tx, now, batch, way == "each twice").await,
        };
        assert_eq!(ids(&first), said, "{}, {way}: said ids", W::NAME);
        if way == "the whole batch twice" {
            let again = within(worker, &mut tx, later(now), &redelivered(batch)).await;
            assert_same(W::NAME, way, &again, &first);
        }
        let other = table_rows(&tx, apart).await;
        let differ: Vec<&String> = rows.symmetric_difference(&other).collect();
        assert!(differ.is_empty(), "{}, {way}: rows, either way: {differ:#?}", W::NAME);
        tx.rollback().await.unwrap();
    }
    for _ in 0..ORDERS {
        let mut tx = client.transaction().await.unwrap();
        in_another_order(worker, &mut tx, now, batch).await;
        tx.rollback().await.unwrap();
    }
    drop(client);
    let outcomes = handle(worker, &database.pool, now, batch).await;
    Ran { database, outcomes }
}

/// Handles a batch in a savepoint, as if committed: with what constraints say at a commit.
async fn within<W: Worker>(
    worker: &W,
    tx: &mut Transaction<'_>,
    now: Timestamp,
    batch: &[Message<W::Fact>],
) -> Vec<Outcome> {
    let inner = tx.transaction().await.unwrap();
    let handled = worker.handle(&inner, &Context { now }, batch).await;
    let outcomes = handled.unwrap_or_else(|failure| panic!("{}: {failure}", W::NAME));
    assert_eq!(outcomes.len(), batch.len(), "{}: one outcome a message", W::NAME);
    inner.commit().await.unwrap();
    tx.batch_execute("set constraints all immediate; set constraints all deferred").await.unwrap();
    outcomes
}

async fn one_by_one<W: Worker>(
    worker: &W,
    tx: &mut Transaction<'_>,
    now: Timestamp,
    batch: &[Message<W::Fact>],
    is_doubled: bool,
) -> Vec<Outcome>
where
    W::Fact: Clone,
{
    let mut outcomes = Vec::with_capacity(batch.len());
    for message in batch {
        let first = within(worker, tx, now, std::slice::from_ref(message)).await;
        if is_doubled {
            let again = within(worker, tx, later(now), &redelivered(std::slice::from_ref(message))).await;
            assert_same(W::NAME, message.fact, &again, &first);
        }
        outcomes.extend(first);
    }
    outcomes
}

/// Cut into batches by chance; whatever the order, no invariant is broken at any time.
async fn in_another_order<W: Worker>(worker: &W, tx: &mut Transaction<'_>, now: Timestamp, batch: &[Message<W::Fact>])
where
    W::Fact: Clone,
{
    let seed = fastrand::u64(..);
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut shuffled = batch.to_vec();
    chance.shuffle(&mut shuffled);
    let mut rest = shuffled.as_slice();
    while !rest.is_empty() {
        let (some, others) = rest.split_at(chance.usize(1..=rest.len()));
        within(worker, tx, now, some).await;
        // who waits is another worker's matter
        let broken = breaches_of(tx, now, |name| name != "nobody_waits_beside_a_free_slot").await;
        assert!(broken.is_empty(), "{} in the order of seed {seed}: {broken:#?}", W::NAME);
        rest = others;
    }
}

/// A moment on: a repeat comes later than what it repeats.
fn later(now: Timestamp) -> Timestamp {
    now + SignedDuration::from_millis(1)
}

/// The same messages as the broker hands them over again.
pub fn redelivered<F: Clone>(batch: &[Message<F>]) -> Vec<Message<F>> {
    batch.iter().map(|m| Message { is_redelivered: true, ..m.clone() }).collect()
}

/// Handles a batch in a transaction of its own.
///
/// # Errors
/// What the handler or the commit failed by; nothing is left of it then.
pub async fn attempt<W: Worker>(
    worker: &W,
    pool: &Pool,
    now: Timestamp,
    batch: &[Message<W::Fact>],
) -> Result<Vec<Outcome>, Failure> {
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    let outcomes = worker.handle(&tx, &Context { now }, batch).await?;
    assert_eq!(outcomes.len(), batch.len(), "{}: one outcome a message", W::NAME);
    tx.commit().await?;
    Ok(outcomes)
}

/// The same where nothing may fail.
pub async fn handle<W: Worker>(worker: &W, pool: &Pool, now: Timestamp, batch: &[Message<W::Fact>]) -> Vec<Outcome> {
    attempt(worker, pool, now, batch).await.unwrap_or_else(|failure| panic!("{}: {failure}", W::NAME))
}

/// A fact as its worker hears it, with an id made of a number.
pub fn told<F: Decode>(nr: u128, fact: &str, mut body: Value) -> Message<F> {
    body["id"] = json!(Uuid::from_u128(nr));
    decoded(fact, &serde_json::to_vec(&body).unwrap())
}

/// What the hub said, as a worker that listens to it hears it.
pub fn heard<F: Decode>(publication: &Publication) -> Message<F> {
    decoded(&publication.fact, &publication.body)
}

/// The seed to begin with, where one is to be run again: `TEXTHUB_SEED`.
pub fn seed() -> Option<u64> {
    std::env::var("TEXTHUB_SEED").ok().and_then(|seed| seed.parse().ok())
}

/// A body as a worker hears it.
pub fn decoded<F: Decode>(fact: &str, body: &[u8]) -> Message<F> {
    let name = F::FACTS.iter().copied().find(|known| *known == fact).unwrap();
    let (decoded, id, extra) = F::decode(name, body).unwrap_or_else(|reason| panic!("{fact}: {reason}"));
    Message {
        id,
        fact: name,
        scope: String::new(),
        is_redelivered: false,
        attempt: 0,
        traceparent: None,
        digest: digest(body),
        extra: (!extra.is_empty()).then_some(Value::Object(extra)),
        body: decoded,
    }
}

/// What an outcome says.
pub fn said(outcome: &Outcome) -> Vec<Publication> {
    if let Outcome::Done(said) = outcome { said.clone() } else { Vec::new() }
}

/// The facts of an outcome; where it is none, the word of its reason.
pub fn names(outcome: &Outcome) -> Vec<String> {
    match outcome {
        Outcome::Done(said) => said.iter().map(|p| p.fact.to_string()).collect(),
        Outcome::Reject(reason) | Outcome::Later(_, reason) => vec![reason.word.to_owned()],
    }
}

/// The body of a publication.
pub fn body(publication: &Publication) -> Value {
    serde_json::from_slice(&publication.body).unwrap()
}

/// The body of the one fact of this name that an outcome says.
pub fn the(outcome: &Outcome, fact: &str) -> Value {
    let all: Vec<Value> = said(outcome).iter().filter(|p| p.fact == fact).map(body).collect();
    assert_eq!(all.len(), 1, "one {fact} in {:?}", names(outcome));
    all[0].clone()
}

/// Why a command is refused.
pub fn refusal(outcome: &Outcome) -> String {
    the(outcome, "command.refused")["reason"].as_str().unwrap().to_owned()
}

fn ids(outcomes: &[Outcome]) -> BTreeSet<FactId> {
    outcomes.iter().flat_map(said).map(|p| p.id).collect()
}

/// A repeat says the same facts with the same ids and, but for the time of saying, the same words.
fn assert_same(worker: &str, what: &str, again: &[Outcome], first: &[Outcome]) {
    let words = |outcomes: &[Outcome]| -> Vec<Vec<(String, Value)>> {
        let word = |p: &Publication| {
            let mut body = body(p);
            body.as_object_mut().unwrap().remove("at");
            (p.fact.to_string(), body)
        };
        outcomes.iter().map(|o| said(o).iter().map(word).collect()).collect()
    };
    assert_eq!(words(again), words(first), "{worker}, {what}: a repeat says the same");
    let reasons = |outcomes: &[Outcome]| -> Vec<Vec<String>> { outcomes.iter().map(names).collect() };
    assert_eq!(reasons(again), reasons(first), "{worker}, {what}: a repeat comes to the same");
}

/// Every row of every table, but for what stands apart.
async fn table_rows(tx: &Transaction<'_>, apart: &[Apart]) -> BTreeSet<String> {
    let tables = tx
        .query(
            "select table_name::text from information_schema.tables
             where table_schema = 'public' and table_name <> 'refinery_schema_history' order by 1",
            &[],
        )
        .await
        .unwrap();
    let tables: Vec<String> = tables.iter().map(|row| row.get(0)).collect();
    let selects: Vec<String> = tables
        .iter()
        .map(|table| {
            let without = apart.iter().filter(|(of, ..)| of == table).map(|(_, column, _)| format!(" - '{column}'"));
            format!("select '{table} ' || (to_jsonb(t){})::text from {table} t", without.collect::<String>())
        })
        .collect();
    let all = tx.query(&selects.join(" union all "), &[]).await.unwrap();
    all.iter().map(|row| row.get(0)).collect()
}

/// What the audit finds at a moment of the test's own clock.
pub async fn breaches(pool: &Pool, now: Timestamp) -> Vec<String> {
    let mut client = pool.get().await.unwrap();
    breaches_of(&client.transaction().await.unwrap(), now, |_| true).await
}

/// The same for some of the invariants, told by their names: all of them in one statement.
pub async fn breaches_of(tx: &Transaction<'_>, now: Timestamp, asked: impl Fn(&str) -> bool) -> Vec<String> {
    let of = |invariant: &Invariant| {
        format!("select '{}: ' || b.line from ({}) b (line)", invariant.name, invariant.statement())
    };
    let some: Vec<String> = INVARIANTS.iter().filter(|invariant| asked(invariant.name)).map(of).collect();
    let statement = tx.prepare_cached(&some.join(" union all ")).await.unwrap();
    let rows = tx.query(&statement, &[&now, &100_i64]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}
