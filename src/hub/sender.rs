//! Senders whose texts do nothing: blocked ones, and those who write more than the tenant's flood limit. Their texts are
//! recorded in a table of their own, counted, and can be released: nothing is dropped. What is not needed is not looked up.

use std::collections::{HashMap, HashSet};

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::Row;

use super::consent::Party;
use super::inbound::{Arrival, Kind};
use super::sql;
use crate::facts::ids::Slug;
use crate::failure::Failure;
use crate::sms::keywords::Wish;

/// Why a text does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withheld {
    /// Its sender is blocked.
    Blocked,
    /// Its sender wrote too much.
    Flood,
}

impl Withheld {
    /// As in SQL and in the metric.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Flood => "flood",
        }
    }
}

/// How a sender stands towards one of our numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standing {
    is_blocked: bool,
    /// Out, or asked to opt in: a YES may count.
    may_answer_yes: bool,
}

/// The statement of [`standings`], whose plan a test looks at.
pub const STANDINGS: &str = "select p.tenant, p.our_number, p.customer_number,
       exists (select 1 from blocked_senders b where b.tenant = p.tenant and b.customer_number = p.customer_number),
       p.says_yes and (t.has_forgotten
         or exists (select 1 from opt_outs o where o.tenant = p.tenant and o.customer_number = p.customer_number)
         or exists (select 1 from opt_in_asks a where a.tenant = p.tenant and a.our_number = p.our_number
                      and a.customer_number = p.customer_number))
     from unnest($1::text[], $2::text[], $3::text[], $4::bool[]) as p (tenant, our_number, customer_number, says_yes)
     join tenants t on t.id = p.tenant";

/// How the senders of these texts stand, each (tenant, our number, customer) once; asked before any of them is recorded.
/// Nothing is looked up of tenants who block nobody, unless a text is a YES.
///
/// # Errors
/// Contention or a database that is away.
pub async fn standings(
    tx: &Transaction<'_>,
    arrivals: &[Arrival],
) -> Result<HashMap<(String, String, String), Standing>, Failure> {
    let mut senders: HashMap<Party<'_>, bool> = HashMap::new();
    for arrival in arrivals.iter().filter(|arrival| arrival.ends.channel == "sms") {
        let says_yes = matches!(arrival.kind, Kind::Keyword(word) if word.wish == Wish::Yes);
        if says_yes || arrival.point.has_blocked {
            *senders.entry(arrival.party()).or_default() |= says_yes;
        }
    }
    if senders.is_empty() {
        return Ok(HashMap::new());
    }
    let (mut tenants, mut ours, mut customers, mut yes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((tenant, our_number, customer), says_yes) in senders {
        tenants.push(tenant);
        ours.push(our_number);
        customers.push(customer);
        yes.push(says_yes);
    }
    let rows = sql::rows(tx, STANDINGS, &[&tenants, &ours, &customers, &yes]).await?;
    let standing = |row: &Row| Standing { is_blocked: row.get(3), may_answer_yes: row.get(4) };
    Ok(rows.iter().map(|row| ((row.get(0), row.get(1), row.get(2)), standing(row))).collect())
}

/// Marks the texts of blocked senders among fresh arrivals, and makes a plain text of a YES that nobody waits for.
pub fn mark(arrivals: &mut [Arrival], standings: &HashMap<(String, String, String), Standing>) {
    // who said a word before in this batch: after a STOP a YES may count, the ledger decides then
    let mut has_said_word: HashSet<(String, String, String)> = HashSet::new();
    for arrival in arrivals.iter_mut().filter(|arrival| arrival.ends.channel == "sms") {
        if arrival.kind == Kind::Text && !arrival.point.has_blocked {
            continue;
        }
        let (tenant, our_number, customer) = arrival.party();
        let sender = (tenant.to_owned(), our_number.to_owned(), customer.to_owned());
        let standing = standings.get(&sender).copied().unwrap_or_default();
        if standing.is_blocked {
            arrival.withheld = Some(Withheld::Blocked);
        }
        match arrival.kind {
            Kind::Keyword(word) if word.wish == Wish::Yes => {
                if !standing.may_answer_yes && !has_said_word.contains(&sender) {
                    arrival.kind = Kind::Text;
                }
            }
            Kind::Keyword(_) => {
                has_said_word.insert(sender);
            }
            Kind::Text | Kind::Left => {}
        }
    }
}

/// The statement of [`recent`], whose plan a test looks at: texts in the open room, and in those opened within the span.
pub const RECENT: &str = "select (
       select count(*) from (
         select o.id, o.next_seq from rooms o
         where o.tenant = p.tenant and o.our_number = p.our_number and o.our_country = p.our_country
           and o.customer_number = p.customer_number and o.channel = 'sms' and o.closed_at is null
         union all
         select c.id, c.next_seq from rooms c
         where c.tenant = p.tenant and c.customer_number = p.customer_number and c.our_number = p.our_number
           and c.closed_at is not null and c.opened_at > $7::timestamptz - make_interval(secs => p.flood_s)) w
       join entries e on e.room_id = w.id and e.seq >= w.next_seq - 2 * p.flood_texts
       where e.direction = 'inbound' and e.at > $7::timestamptz - make_interval(secs => p.flood_s))
     from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::int[]) with ordinality
            as p (tenant, our_number, our_country, customer_number, flood_texts, flood_s, nr)
     order by p.nr";

/// How many texts each of these senders wrote to the same number of ours within the flood limit's span, as far as it
/// matters; those that were withheld count no further.
///
/// # Errors
/// Contention or a database that is away.
pub async fn recent(tx: &Transaction<'_>, now: Timestamp, of: &[&Arrival]) -> Result<Vec<i64>, Failure> {
    if of.is_empty() {
        return Ok(Vec::new());
    }
    let tenants: Vec<&Slug> = of.iter().map(|arrival| &arrival.ends.tenant).collect();
    let ours: Vec<&str> = of.iter().map(|arrival| arrival.ends.our_number.as_str()).collect();
    let countries: Vec<&str> = of.iter().map(|arrival| arrival.ends.our_country.as_str()).collect();
    let customers: Vec<&str> = of.iter().map(|arrival| arrival.ends.customer_number.as_str()).collect();
    let most: Vec<i32> = of.iter().map(|arrival| arrival.point.flood_texts).collect();
    let spans: Vec<i32> = of.iter().map(|arrival| arrival.point.flood_s).collect();
    let rows = sql::rows(tx, RECENT, &[&tenants, &ours, &countries, &customers, &most, &spans, &now]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Records texts that do nothing.
///
/// # Errors
/// Contention or a database that is away.
pub async fn withhold(
    tx: &Transaction<'_>,
    now: Timestamp,
    why: Withheld,
    arrivals: &[&Arrival],
) -> Result<(), Failure> {
    if arrivals.is_empty() {
        return Ok(());
    }
    let why = why.as_str();
    metrics::counter!("texthub_texts_withheld_total", "reason" => why).increment(arrivals.len() as u64);
    let rows: Vec<Value> = arrivals
        .iter()
        .map(|arrival| {
            serde_json::json!({
                "id": arrival.id, "tenant": arrival.ends.tenant, "our_number": arrival.ends.our_number,
                "our_country": arrival.ends.our_country, "customer_number": arrival.ends.customer_number,
                "carrier": arrival.point.carrier, "text": arrival.text, "media": arrival.media,
                "received_at": arrival.received_at, "reason": why,
            })
        })
        .collect();
    sql::touch(
        tx,
        "insert into withheld_texts (id, tenant, our_number, our_country, customer_number, carrier, text, media, received_at,
                                     reason, at)
         select id, tenant, our_number, our_country, customer_number, carrier, text, nullif(media, 'null'), received_at, reason, $2
         from jsonb_populate_recordset(null::withheld_texts, $1)",
        &[&Value::Array(rows), &now],
    )
    .await?;
    Ok(())
}

/// Blocks a sender; whether it was not blocked before.
///
/// # Errors
/// Contention or a database that is away.
pub async fn block(
    tx: &Transaction<'_>,
    now: Timestamp,
    (tenant, customer_number): (&Slug, &str),
    actor: &str,
    reason: Option<&str>,
) -> Result<bool, Failure> {
    let statement = "insert into blocked_senders (tenant, customer_number, since, actor, reason)
         values ($1, $2, $3, $4, $5) on conflict do nothing";
    Ok(sql::touch(tx, statement, &[tenant, &customer_number, &now, &actor, &reason]).await? > 0)
}

/// Lets a sender in again; whether it was blocked.
///
/// # Errors
/// Contention or a database that is away.
pub async fn unblock(tx: &Transaction<'_>, tenant: &Slug, customer_number: &str) -> Result<bool, Failure> {
    let statement = "delete from blocked_senders where tenant = $1 and customer_number = $2";
    Ok(sql::touch(tx, statement, &[tenant, &customer_number]).await? > 0)
}
