//! Paces and rows: what is left of each is shared by every process through Postgres, under locks taken in one order. Where
//! no tenant of the batch has a pace and no carrier is slowed, one look is all it costs.

use std::collections::{BTreeSet, HashMap};

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::policy::{OF_CARRIER, Pace};
use super::{Asking, Bucket, BucketKey, Pacing, Slowed, Working, decide};
use crate::facts::ids::Slug;
use crate::failure::Failure;
use crate::hub::sql;
use crate::sms::sending::Sms;

/// A text about to leave.
#[derive(Clone, Copy, Debug)]
pub struct Leaving<'a> {
    /// Its row.
    pub sms: &'a Sms,
    /// A conversation's, not bulk.
    pub is_live: bool,
    /// Its length in segments.
    pub segments: i32,
}

#[derive(Debug)]
struct Tenant {
    zone: TimeZone,
    paces: Vec<Pace>,
}

/// The paces that may hold for a batch.
#[derive(Debug)]
pub struct Paces {
    tenants: HashMap<Slug, Tenant>,
    slowed: HashMap<Slug, Slowed>,
}

impl Paces {
    /// Everything may go.
    #[must_use]
    pub fn are_none(&self) -> bool {
        self.slowed.is_empty() && self.tenants.values().all(|tenant| tenant.paces.is_empty())
    }
}

/// What is decided of each, in their order; what goes is taken from its buckets.
///
/// # Errors
/// Contention or a database that is away.
pub async fn take(
    tx: &Transaction<'_>,
    now: Timestamp,
    Paces { tenants, slowed }: &Paces,
    leaving: &[Leaving<'_>],
) -> Result<Vec<Pacing>, Failure> {
    let mut paces: HashMap<BucketKey, (&Pace, f64, &TimeZone)> = HashMap::new();
    let own: HashMap<&Slug, Pace> =
        slowed.iter().map(|(carrier, slowed)| (carrier, of_carrier(carrier, slowed))).collect();
    let asked: Vec<Asking> = leaving
        .iter()
        .map(|leaving| {
            let sms = leaving.sms;
            let factor = slowed.get(&sms.carrier).map_or(1.0, |slowed| slowed.factor(now));
            let mut buckets = Vec::new();
            if let Some(tenant) = tenants.get(&sms.tenant) {
                let holds = tenant.paces.iter().filter(|pace| pace.holds_for(sms.carrier.as_str(), &sms.our_number));
                let slows = own.get(&sms.carrier).filter(|_| factor < 1.0);
                let is_paced = holds.clone().any(|pace| pace.per_minute.is_some());
                for pace in holds.chain(slows.filter(|_| !is_paced)) {
                    let number = if pace.each { sms.our_number.clone() } else { String::new() };
                    let key = (sms.tenant.to_string(), pace.id.clone(), number);
                    paces.insert(key.clone(), (pace, factor, &tenant.zone));
                    buckets.push(key);
                }
            }
            let Leaving { is_live, segments, .. } = *leaving;
            Asking { tenant: sms.tenant.to_string(), is_live, segments, buckets }
        })
        .collect();
    if paces.is_empty() {
        return Ok(vec![Pacing::Go; leaving.len()]);
    }
    let mut found = lock(tx, now, paces.keys()).await?;
    let mut working = HashMap::new();
    for (key, (pace, factor, zone)) in paces {
        let own = pace.day_zone.as_deref().and_then(|name| TimeZone::get(name).ok());
        let state = found.remove(&key).flatten();
        working.insert(key, Working::new(now, state, pace, factor, own.as_ref().unwrap_or(zone)));
    }
    let answers = decide(now, &asked, &mut working);
    store(tx, &working).await?;
    let waits = answers.iter().filter(|answer| **answer != Pacing::Go).count();
    metrics::counter!("texthub_paced_texts_total").increment(waits as u64);
    Ok(answers)
}

/// What a carrier without a pace gets once it said "too fast".
fn of_carrier(carrier: &Slug, slowed: &Slowed) -> Pace {
    Pace { id: format!("{OF_CARRIER}{carrier}"), per_minute: Some(slowed.measured), ..Pace::default() }
}

/// The paces of these texts' tenants, and what their carriers are slowed to; one look.
///
/// # Errors
/// Contention or a database that is away.
pub async fn of(tx: &Transaction<'_>, texts: &[&Sms]) -> Result<Paces, Failure> {
    let tenants: BTreeSet<&Slug> = texts.iter().map(|sms| &sms.tenant).collect();
    let carriers: BTreeSet<&Slug> = texts.iter().map(|sms| &sms.carrier).collect();
    let (tenants, carriers): (Vec<&Slug>, Vec<&Slug>) = (tenants.into_iter().collect(), carriers.into_iter().collect());
    let mut found = sql::together(
        tx,
        [
            ("select id, time_zone, paces from tenants where id = any($1)", &[&tenants]),
            ("select carrier, factor, measured, slowed_at from slowed_carriers where carrier = any($1)", &[&carriers]),
        ],
    )
    .await?
    .into_iter();
    let (tenants, slowed) = (found.next().unwrap_or_default(), found.next().unwrap_or_default());
    let of_tenant = |row: &tokio_postgres::Row| {
        let zone = TimeZone::get(row.get(1)).unwrap_or(TimeZone::UTC);
        (row.get(0), Tenant { zone, paces: serde_json::from_value(row.get(2)).unwrap_or_default() })
    };
    let of_carrier =
        |row: &tokio_postgres::Row| (row.get(0), Slowed { factor: row.get(1), measured: row.get(2), at: row.get(3) });
    Ok(Paces { tenants: tenants.iter().map(of_tenant).collect(), slowed: slowed.iter().map(of_carrier).collect() })
}

/// The buckets as they stand, locked in the order of their keys; one that nobody asked before is made.
async fn lock<'a>(
    tx: &Transaction<'_>,
    now: Timestamp,
    keys: impl Iterator<Item = &'a BucketKey>,
) -> Result<HashMap<BucketKey, Option<Bucket>>, Failure> {
    let keys: BTreeSet<&BucketKey> = keys.collect();
    let tenants: Vec<&str> = keys.iter().map(|key| key.0.as_str()).collect();
    let paces: Vec<&str> = keys.iter().map(|key| key.1.as_str()).collect();
    let numbers: Vec<&str> = keys.iter().map(|key| key.2.as_str()).collect();
    // one made now has nothing yet: it is full
    let make = "insert into pace_buckets (tenant, pace, number, left_now, filled_at, day, used)
         select tenant, pace, number, 0, $4, '2000-01-01', -1
         from unnest($1::text[], $2::text[], $3::text[]) as k (tenant, pace, number)
         order by tenant, pace, number on conflict do nothing";
    let read = "select b.tenant, b.pace, b.number, b.left_now, b.filled_at, b.live_until, b.queued_to, b.day, b.used
         from pace_buckets b
         join unnest($1::text[], $2::text[], $3::text[]) as k (tenant, pace, number) using (tenant, pace, number)
         order by b.tenant, b.pace, b.number for update of b";
    sql::touch(tx, make, &[&tenants, &paces, &numbers, &now]).await?;
    let rows = sql::rows(tx, read, &[&tenants, &paces, &numbers]).await?;
    Ok(rows
        .iter()
        .map(|row| {
            let bucket = Bucket {
                left: row.get(3),
                filled_at: row.get(4),
                live_until: row.get(5),
                queued_to: row.get(6),
                day: row.get(7),
                used: row.get(8),
            };
            ((row.get(0), row.get(1), row.get(2)), Some(bucket).filter(|bucket| bucket.used >= 0))
        })
        .collect())
}

async fn store(tx: &Transaction<'_>, working: &HashMap<BucketKey, Working>) -> Result<(), Failure> {
    let all: Vec<(&BucketKey, &Bucket)> = working.iter().map(|(key, working)| (key, &working.bucket)).collect();
    let tenants: Vec<&str> = all.iter().map(|(key, _)| key.0.as_str()).collect();
    let paces: Vec<&str> = all.iter().map(|(key, _)| key.1.as_str()).collect();
    let numbers: Vec<&str> = all.iter().map(|(key, _)| key.2.as_str()).collect();
    let left: Vec<f64> = all.iter().map(|(_, bucket)| bucket.left).collect();
    let filled: Vec<Timestamp> = all.iter().map(|(_, bucket)| bucket.filled_at).collect();
    let live: Vec<Option<Timestamp>> = all.iter().map(|(_, bucket)| bucket.live_until).collect();
    let queued: Vec<Option<Timestamp>> = all.iter().map(|(_, bucket)| bucket.queued_to).collect();
    let days: Vec<jiff::civil::Date> = all.iter().map(|(_, bucket)| bucket.day).collect();
    let used: Vec<i32> = all.iter().map(|(_, bucket)| bucket.used).collect();
    sql::touch(
        tx,
        "update pace_buckets b
         set left_now = n.left_now, filled_at = n.filled_at, live_until = n.live_until, queued_to = n.queued_to,
             day = n.day, used = n.used
         from unnest($1::text[], $2::text[], $3::text[], $4::float8[], $5::timestamptz[], $6::timestamptz[],
                     $7::timestamptz[], $8::date[], $9::int[])
              as n (tenant, pace, number, left_now, filled_at, live_until, queued_to, day, used)
         where (b.tenant, b.pace, b.number) = (n.tenant, n.pace, n.number)",
        &[&tenants, &paces, &numbers, &left, &filled, &live, &queued, &days, &used],
    )
    .await?;
    Ok(())
}

/// Slows carriers that said "too fast", each with the segments a minute that it took before.
///
/// # Errors
/// Contention or a database that is away.
pub async fn slow(tx: &Transaction<'_>, now: Timestamp, told: &[(&Slug, i32)]) -> Result<(), Failure> {
    for (carrier, measured) in told {
        let text = "select factor, measured, slowed_at from slowed_carriers where carrier = $1 for update";
        let before = sql::row(tx, text, &[carrier]).await?;
        let before = before.map(|row| Slowed { factor: row.get(0), measured: row.get(1), at: row.get(2) });
        let slowed = Slowed::again(before, now, *measured);
        if before == Some(slowed) {
            continue;
        }
        sql::touch(
            tx,
            "insert into slowed_carriers (carrier, factor, measured, slowed_at) values ($1, $2, $3, $4)
             on conflict (carrier) do update
             set factor = excluded.factor, measured = excluded.measured, slowed_at = excluded.slowed_at",
            &[carrier, &slowed.factor, &slowed.measured, &slowed.at],
        )
        .await?;
        metrics::counter!("texthub_carriers_slowed_total", "carrier" => carrier.to_string()).increment(1);
        tracing::warn!(carrier = %carrier, factor = slowed.factor, "the carrier says that texts come too fast: slowed");
    }
    Ok(())
}
