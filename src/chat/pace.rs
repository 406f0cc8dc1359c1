//! How fast visitors may come and write, over all gateways: leaky buckets in one small table, by visitor, by address and by
//! point of contact. All buckets of a request are charged or none: who is refused has lost nothing.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use deadpool_postgres::Transaction;
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::hub::sql;

/// A limit: so many at once, and one more each so many seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// What the bucket is called; who it is of comes behind.
    pub name: &'static str,
    /// Most at once.
    pub burst: u32,
    /// Seconds until one more.
    pub every_s: f64,
}

impl Pace {
    /// The name of somebody's bucket: whose it is cannot be told from it.
    #[must_use]
    pub fn bucket(&self, of: &str) -> String {
        let digest: [u8; 32] = Sha256::digest(of).into();
        format!("{}/{}", self.name, URL_SAFE_NO_PAD.encode(&digest[..16]))
    }
}

/// The bucket without room, and how long until there is some.
pub type Full = (String, Duration);

/// Visits that begin from one address: an office behind one address has room.
pub const VISITS_OF_ADDRESS: Pace = Pace { name: "visits/address", burst: 20, every_s: 6.0 };
/// Visits that begin at one point of contact.
pub const VISITS_OF_POINT: Pace = Pace { name: "visits/point", burst: 300, every_s: 0.1 };
/// What one visitor writes.
pub const TEXTS_OF_VISITOR: Pace = Pace { name: "texts/visitor", burst: 10, every_s: 2.0 };
/// What comes from one address.
pub const TEXTS_OF_ADDRESS: Pace = Pace { name: "texts/address", burst: 60, every_s: 0.5 };
/// What comes to one point of contact.
pub const TEXTS_OF_POINT: Pace = Pace { name: "texts/point", burst: 600, every_s: 0.02 };

/// Charges one to each bucket; else which one is full, and the caller rolls back.
///
/// # Errors
/// Contention or a database that is away.
pub async fn take(tx: &Transaction<'_>, buckets: &[(Pace, &str)]) -> Result<Result<(), Full>, Failure> {
    let names: Vec<String> = buckets.iter().map(|(pace, of)| pace.bucket(of)).collect();
    let every: Vec<f64> = buckets.iter().map(|(pace, _)| pace.every_s).collect();
    let most: Vec<f64> = buckets.iter().map(|(pace, _)| pace.every_s * f64::from(pace.burst)).collect();
    // in one order, so that two requests never wait for each other
    let taken = sql::touch(
        tx,
        "insert into chat_paces as p (bucket, filled_at, every_s, most_s)
         select b.bucket, clock_timestamp() + make_interval(secs => b.every_s), b.every_s, b.most_s
         from unnest($1::text[], $2::float8[], $3::float8[]) as b (bucket, every_s, most_s) order by b.bucket
         on conflict (bucket) do update
           set filled_at = greatest(p.filled_at, clock_timestamp()) + make_interval(secs => excluded.every_s),
               every_s = excluded.every_s, most_s = excluded.most_s
           where greatest(p.filled_at, clock_timestamp()) + make_interval(secs => excluded.every_s - excluded.most_s)
               <= clock_timestamp()",
        &[&names, &every, &most],
    )
    .await?;
    if taken == names.len() as u64 {
        return Ok(Ok(()));
    }
    let row = sql::row(
        tx,
        "select p.bucket, extract(epoch from p.filled_at - clock_timestamp())::float8 + b.every_s - b.most_s
         from unnest($1::text[], $2::float8[], $3::float8[]) as b (bucket, every_s, most_s)
         join chat_paces p on p.bucket = b.bucket order by 2 desc limit 1",
        &[&names, &every, &most],
    )
    .await?;
    let (bucket, seconds) = row.map_or_else(|| (names[0].clone(), 1.0), |row| (row.get(0), row.get::<_, f64>(1)));
    Ok(Err((bucket, Duration::from_secs_f64(seconds.clamp(0.1, 3600.0)))))
}
