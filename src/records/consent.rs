//! The consent ledger read: who is out or was asked, the whole proof of a customer or of a tenant, and the texts that were
//! withheld. A forgotten customer is found by number where the process has the key.

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::facts::ids::Slug;
use crate::failure::Failure;
use crate::hub::consent::key;
use crate::hub::sql;

/// Who stands how now, newest first: `out` with its scope, or `asked`.
///
/// # Errors
/// A database that is away.
pub async fn standing(tx: &Transaction<'_>, tenant: &Slug, limit: i64) -> Result<Vec<Value>, Failure> {
    let rows = sql::rows(
        tx,
        "select customer_number, our_number, state, scope, since from (
           select customer_number, our_number, 'out' as state, scope, since from opt_outs where tenant = $1
           union all
           select customer_number, our_number, 'asked', 'number', asked_at from opt_in_asks where tenant = $1) s
         order by since desc, customer_number, scope, our_number limit $2",
        &[tenant, &limit],
    )
    .await?;
    Ok(rows
        .iter()
        .map(|row| {
            json!({
                "customer_number": row.get::<_, &str>(0), "our_number": row.get::<_, &str>(1),
                "state": row.get::<_, &str>(2), "scope": row.get::<_, &str>(3),
                "since": row.get::<_, Timestamp>(4).to_string(),
            })
        })
        .collect())
}

/// Entries of the ledger after the `after`-th, in their order: all of a tenant, or one customer's.
///
/// # Errors
/// A database that is away.
pub async fn entries(
    tx: &Transaction<'_>,
    tenant: &Slug,
    customer: Option<&str>,
    after: i64,
    limit: i64,
) -> Result<Vec<Value>, Failure> {
    let hash = customer.and_then(|customer| key::hash(tenant.as_str(), customer));
    let rows = sql::rows(
        tx,
        "select nr, id, our_number, customer_number, kind, scope, method, actor, keyword, changed, source, disclosure,
                disclosure_sha256, basis, evidence, effective_at, at, caused_by
         from consent_entries
         where tenant = $1 and nr > $3 and ($2::text is null or customer_number in ($2, $4)) order by nr limit $5",
        &[tenant, &customer, &after, &hash, &limit],
    )
    .await?;
    Ok(rows.iter().map(|row| entry(tenant, row)).collect())
}

fn entry(tenant: &Slug, row: &Row) -> Value {
    let text = |column: &str| row.get::<_, Option<String>>(column);
    let time = |column: &str| row.get::<_, Timestamp>(column).to_string();
    json!({
        "nr": row.get::<_, i64>("nr"), "id": row.get::<_, Uuid>("id"), "tenant": tenant,
        "our_number": text("our_number"), "customer_number": text("customer_number"), "kind": text("kind"),
        "scope": text("scope"), "method": text("method"), "actor": text("actor"), "keyword": text("keyword"),
        "changed": row.get::<_, bool>("changed"), "source": row.get::<_, Option<Value>>("source"),
        "disclosure": text("disclosure"), "disclosure_sha256": text("disclosure_sha256"), "basis": text("basis"),
        "evidence": text("evidence"), "effective_at": time("effective_at"), "at": time("at"),
        "caused_by": row.get::<_, Uuid>("caused_by"),
    })
}

/// The tenant's numbers, live or ended.
///
/// # Errors
/// A database that is away.
pub async fn our_numbers(tx: &Transaction<'_>, tenant: &Slug) -> Result<Vec<String>, Failure> {
    let statement = "select distinct number from points_of_contact where tenant = $1 and channel = 'sms' order by 1";
    Ok(sql::rows(tx, statement, &[tenant]).await?.iter().map(|row| row.get(0)).collect())
}

/// Rooms that hold a customer's number: forgetting touches the ledger, not transcripts.
///
/// # Errors
/// A database that is away.
pub async fn rooms_of(tx: &Transaction<'_>, tenant: &Slug, customer: &str) -> Result<i64, Failure> {
    let statement = "select count(*) from rooms where tenant = $1 and customer_number = $2";
    Ok(sql::row(tx, statement, &[tenant, &customer]).await?.map_or(0, |row| row.get(0)))
}

/// Blocked senders, and senders whose texts were withheld: since when, by whom, how many texts lie there.
///
/// # Errors
/// A database that is away.
pub async fn withheld(tx: &Transaction<'_>, tenant: &Slug, limit: i64) -> Result<Vec<Value>, Failure> {
    let rows = sql::rows(
        tx,
        "select coalesce(b.customer_number, w.customer_number), b.since, b.actor, b.reason, coalesce(w.blocked, 0),
                coalesce(w.flood, 0), w.last_at
         from (select customer_number, since, actor, reason from blocked_senders where tenant = $1) b
         full join (
           select customer_number, count(*) filter (where reason = 'blocked') as blocked,
                  count(*) filter (where reason = 'flood') as flood, max(at) as last_at
           from withheld_texts where tenant = $1 and released_at is null group by customer_number) w
           on w.customer_number = b.customer_number
         order by greatest(b.since, w.last_at) desc limit $2",
        &[tenant, &limit],
    )
    .await?;
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    Ok(rows
        .iter()
        .map(|row| {
            json!({
                "customer_number": row.get::<_, &str>(0), "blocked_since": time(row.get(1)),
                "actor": row.get::<_, Option<&str>>(2), "reason": row.get::<_, Option<&str>>(3),
                "texts_blocked": row.get::<_, i64>(4), "texts_flood": row.get::<_, i64>(5), "last_text_at": time(row.get(6)),
            })
        })
        .collect())
}

/// Takes a customer's withheld texts out, oldest first, to be said again as they came.
///
/// # Errors
/// A database that is away.
pub async fn release(
    tx: &Transaction<'_>,
    now: Timestamp,
    tenant: &Slug,
    customer: &str,
) -> Result<Vec<Value>, Failure> {
    let rows = sql::rows(
        tx,
        "with released as (
           update withheld_texts set released_at = $3
           where tenant = $1 and customer_number = $2 and released_at is null
           returning id, our_number, our_country, carrier, text, media, received_at, at)
         select jsonb_build_object('first_id', id, 'to', our_number, 'to_country', nullif(our_country, ''),
                  'carrier', carrier, 'text', text, 'media', media), received_at from released order by at, received_at, id",
        &[tenant, &customer, &now],
    )
    .await?;
    Ok(rows
        .iter()
        .map(|row| {
            let mut value: Value = row.get(0);
            value["received_at"] = row.get::<_, Timestamp>(1).to_string().into();
            value["from"] = customer.into();
            value
        })
        .collect())
}
