//! Failed sign-ins, counted in Postgres for all gateways together: of the user from that address, of the user from
//! anywhere, and of the address. Each try is counted before its password is looked at, so that many at once gain nothing;
//! beyond a few the waits grow, to two minutes at most. Nobody can lock a stranger out: from an address where the user has
//! signed in before, only the failures from there count, and a try that has to wait makes no wait longer.

use std::net::IpAddr;

use deadpool_postgres::Transaction;

use super::secret::sha256;
use crate::facts::ids::Slug;
use crate::failure::Failure;
use crate::hub::sql;

/// Failures within an hour before the first wait: of the address, of both together, of the user. An address may be that
/// of a whole company.
const FREE: [i32; 3] = [100, 5, 10];
/// The longest wait, in seconds: 30 tries an hour (ASVS 2.2.1 allows 100).
const LONGEST_S: i64 = 120;
const KINDS: [&str; 3] = ["address", "both", "user"];

/// Who tries, from where.
#[derive(Debug)]
pub struct Try {
    /// Of the kinds, in their order.
    keys: [Vec<u8>; 3],
}

impl Try {
    /// A user of a tenant, there or not, from an address.
    #[must_use]
    pub fn of(tenant: &Slug, user: &Slug, address: Option<IpAddr>) -> Self {
        let address = address.map_or_else(String::new, network);
        let key = |parts: &[&str]| sha256(&parts.join("\n"));
        let (tenant, user) = (tenant.as_str(), user.as_str());
        Self { keys: [key(&[&address]), key(&[tenant, user, &address]), key(&[tenant, user])] }
    }

    /// Counts it as failed, before anybody knows; or says how many seconds it is too early.
    ///
    /// # Errors
    /// Contention or a database that is away.
    pub async fn begin(&self, tx: &Transaction<'_>) -> Result<Option<u64>, Failure> {
        sql::touch(tx, "delete from sign_in_attempts where touched_at < now() - interval '90 days'", &[]).await?;
        // in one order, so that two never hold what the other one wants
        let lock = "
            insert into sign_in_attempts (kind, key) select kind, key from unnest($1::text[], $2::bytea[]) t (kind, key)
            on conflict (kind, key) do update set touched_at = now()
            returning kind, ceil(extract(epoch from wait_until - now()))::bigint as wait_s,
                      coalesce(succeeded_at > now() - interval '90 days', false) as is_known";
        let rows = sql::rows(tx, lock, &[&KINDS.as_slice(), &self.keys.as_slice()]).await?;
        let is_known = rows.iter().any(|row| row.get("is_known"));
        let counts = |kind: &str| !is_known || kind == "both";
        let waits = rows.iter().filter(|row| counts(row.get("kind")));
        let wait_s = waits.filter_map(|row| row.get::<_, Option<i64>>("wait_s")).max().unwrap_or(0);
        if let Some(wait_s) = u64::try_from(wait_s).ok().filter(|wait_s| *wait_s > 0) {
            return Ok(Some(wait_s));
        }
        let kinds: Vec<&str> = KINDS.into_iter().filter(|kind| counts(kind)).collect();
        let count = "
            update sign_in_attempts a
            set failures = n.failures, failed_at = now(),
                wait_until = case when n.failures > n.free then now() + least($4, power(2, least(n.failures - n.free, 20)))
                                  * interval '1 second' end
            from (select b.kind, b.key, f.free,
                         case when b.failed_at > now() - interval '1 hour' then b.failures else 0 end + 1 as failures
                  from unnest($1::text[], $2::bytea[], $3::int[]) f (kind, key, free)
                  join sign_in_attempts b on b.kind = f.kind and b.key = f.key where b.kind = any($5)) n
            where a.kind = n.kind and a.key = n.key";
        #[expect(clippy::cast_precision_loss, reason = "two minutes")]
        let longest = LONGEST_S as f64;
        let free = FREE.as_slice();
        sql::touch(tx, count, &[&KINDS.as_slice(), &self.keys.as_slice(), &free, &longest, &kinds]).await?;
        Ok(None)
    }

    /// It was right: its own count is taken back, and the address is known from now on. An address goes on waiting: who has
    /// a password of their own could else try another's after each sign-in.
    ///
    /// # Errors
    /// Contention or a database that is away.
    pub async fn succeed(&self, tx: &Transaction<'_>) -> Result<(), Failure> {
        let text = "
            update sign_in_attempts a
            set failures = case when a.kind = 'both' then 0 else greatest(a.failures - 1, 0) end,
                wait_until = case when a.kind = 'address' then a.wait_until end,
                succeeded_at = case when a.kind = 'both' then now() end
            from (select b.kind, b.key from unnest($1::text[], $2::bytea[]) f (kind, key)
                  join sign_in_attempts b on b.kind = f.kind and b.key = f.key order by b.kind for update of b) k
            where a.kind = k.kind and a.key = k.key";
        sql::touch(tx, text, &[&KINDS.as_slice(), &self.keys.as_slice()]).await?;
        Ok(())
    }
}

/// An address of IPv4, the /64 of one of IPv6: whoever has one of those has all of it.
fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(four) => four.to_string(),
        IpAddr::V6(six) => {
            let [a, b, c, d, ..] = six.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_of_ipv6_are_one() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::3"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::3"), of("2001:db8:1:3::3"));
        assert_ne!(of("1.2.3.4"), of("1.2.3.5"));
    }
}
