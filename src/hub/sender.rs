//! Senders whose texts do nothing: blocked ones, and those who write more than the tenant's flood limit. Their texts are
//! recorded in a table of their own, counted, and can be released: nothing is dropped. Found by one look for a batch.

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use serde_json::Value;

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
    /// Texts within the span, as far as it matters.
    recent: i64,
    most: i64,
    /// Out, or asked to opt in: a YES may count.
    may_answer_yes: bool,
}

/// The statement of [`standings`], whose plan a test looks at. Entries are counted only where rooms have enough of them.
pub const STANDINGS: &str = "select p.tenant, p.our_number, p.customer_number,
       exists (select 1 from blocked_senders b where b.tenant = p.tenant and b.customer_number = p.customer_number),
       t.flood_texts, recent.texts,
       p.says_yes and (t.has_forgotten
         or exists (select 1 from opt_outs o where o.tenant = p.tenant and o.customer_number = p.customer_number)
         or exists (select 1 from opt_in_asks a where a.tenant = p.tenant and a.our_number = p.our_number
                      and a.customer_number = p.customer_number))
     from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bool[])
            as p (tenant, our_number, our_country, customer_number, now_texts, says_yes)
     join tenants t on t.id = p.tenant
     cross join lateral (
       select coalesce(sum(w.texts), 0) + coalesce(sum(case when w.all_texts + p.now_texts > t.flood_texts then (
                select count(*) from entries e where e.room_id = w.id and e.seq >= w.next_seq - 2 * t.flood_texts
                  and e.direction = 'inbound' and e.at > $7::timestamptz - make_interval(secs => t.flood_s)) end), 0)::bigint as texts
       from (select r.id, r.next_seq, 0 as texts, sum(r.next_seq - 1) over () as all_texts
             from (select o.id, o.next_seq from rooms o
                   where o.tenant = p.tenant and o.our_number = p.our_number and o.our_country = p.our_country
                     and o.customer_number = p.customer_number and o.channel = 'sms' and o.closed_at is null
                   union all
                   (select c.id, c.next_seq from rooms c
                    where c.tenant = p.tenant and c.customer_number = p.customer_number and c.our_number = p.our_number
                      and c.closed_at is not null and c.opened_at > $7::timestamptz - make_interval(secs => t.flood_s)
                    order by c.opened_at desc limit 200)) r
             union all
             select null, 0, count(*)::int, 0 from withheld_texts h
             where h.tenant = p.tenant and h.customer_number = p.customer_number and h.our_number = p.our_number
               and h.at > $7::timestamptz - make_interval(secs => t.flood_s)) w) recent";

/// How the senders of these texts stand, each (tenant, our number, customer) once; asked before any of them is recorded.
///
/// # Errors
/// Contention or a database that is away.
pub async fn standings(
    tx: &Transaction<'_>,
    now: Timestamp,
    arrivals: &[Arrival],
) -> Result<HashMap<(String, String, String), Standing>, Failure> {
    let mut senders: HashMap<Party<'_>, (&str, i64, bool)> = HashMap::new();
    for arrival in arrivals.iter().filter(|arrival| arrival.ends.channel == "sms") {
        let sender = senders.entry(arrival.party()).or_insert((&arrival.ends.our_country, 0, false));
        sender.1 += 1;
        sender.2 |= matches!(arrival.kind, Kind::Keyword(word) if word.wish == Wish::Yes);
    }
    if senders.is_empty() {
        return Ok(HashMap::new());
    }
    let (mut tenants, mut ours, mut countries, mut customers, mut counts, mut yes) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((tenant, our_number, customer), (country, count, says_yes)) in senders {
        tenants.push(tenant);
        ours.push(our_number);
        countries.push(country);
        customers.push(customer);
        counts.push(count);
        yes.push(says_yes);
    }
    let rows = sql::rows(tx, STANDINGS, &[&tenants, &ours, &countries, &customers, &counts, &yes, &now]).await?;
    Ok(rows
        .iter()
        .map(|row| {
            let most = i64::from(row.get::<_, i32>(4));
            let standing = Standing { is_blocked: row.get(3), most, recent: row.get(5), may_answer_yes: row.get(6) };
            ((row.get(0), row.get(1), row.get(2)), standing)
        })
        .collect())
}

/// Marks what is to be withheld among fresh arrivals, in their order, and makes a plain text of a YES that nobody waits for.
pub fn mark(arrivals: &mut [Arrival], standings: &HashMap<(String, String, String), Standing>) {
    let mut said: HashMap<(String, String, String), (i64, bool)> = HashMap::new();
    for arrival in arrivals.iter_mut().filter(|arrival| arrival.ends.channel == "sms") {
        let (tenant, our_number, customer) = arrival.party();
        let sender = (tenant.to_owned(), our_number.to_owned(), customer.to_owned());
        let Some(standing) = standings.get(&sender) else { continue };
        let (texts, has_said_word) = said.entry(sender).or_default();
        *texts += 1;
        if standing.is_blocked {
            arrival.withheld = Some(Withheld::Blocked);
        } else if standing.recent + *texts > standing.most {
            arrival.withheld = Some(Withheld::Flood);
        }
        match arrival.kind {
            // after a STOP of the same batch it may count; the ledger decides then
            Kind::Keyword(word) if word.wish == Wish::Yes => {
                if !standing.may_answer_yes && !*has_said_word {
                    arrival.kind = Kind::Text;
                }
            }
            Kind::Keyword(_) => *has_said_word = true,
            Kind::Text | Kind::Left => {}
        }
    }
}

/// Records texts that do nothing.
///
/// # Errors
/// Contention or a database that is away.
pub async fn withhold(tx: &Transaction<'_>, now: Timestamp, arrivals: &[&Arrival]) -> Result<(), Failure> {
    if arrivals.is_empty() {
        return Ok(());
    }
    let rows: Vec<Value> = arrivals
        .iter()
        .map(|arrival| {
            let why = arrival.withheld.unwrap_or(Withheld::Blocked).as_str();
            metrics::counter!("texthub_texts_withheld_total", "reason" => why).increment(1);
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
