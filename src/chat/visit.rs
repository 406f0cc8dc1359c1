//! Visits: a visitor is whoever holds the token. It is shown once and only its hash is kept; it is good at one point of
//! contact, until a day after the last text, and for a month at most.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use deadpool_postgres::Transaction;
use jiff::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::door::Door;
use crate::failure::Failure;
use crate::hub::sql;
use crate::runtime::clock;

/// A token begins with this, so that one that leaked can be told.
const PREFIX: &str = "thv_";
/// How long a token is good after the last text, in hours.
const IDLE_H: i32 = 24;
/// And at all, in days.
const MOST_DAYS: i32 = 30;

/// What is kept of a token: SHA-256.
pub type Hash = [u8; 32];

/// A new token, 256 bits of it random. None where the system has no randomness.
#[must_use]
pub fn new_token() -> Option<String> {
    let mut bytes = [0u8; 32];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// The hash of a token, where it has a token's form.
#[must_use]
pub fn hash(token: &str) -> Option<Hash> {
    let text = token.strip_prefix(PREFIX)?;
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    (bytes.len() == 32).then(|| Sha256::digest(token).into())
}

/// A visit that lasts.
#[derive(Clone, Debug)]
pub struct Visit {
    /// As facts name the visitor.
    pub visitor: Uuid,
    /// When the token is over, unless something is written.
    pub expires_at: Timestamp,
}

/// Begins a visit from a page of this origin.
///
/// # Errors
/// Contention or a database that is away.
pub async fn begin(
    tx: &Transaction<'_>,
    door: &Door,
    token: &Hash,
    language: Option<&str>,
    origin: &str,
) -> Result<Visit, Failure> {
    let visitor = clock::new_id();
    let row = sql::row(
        tx,
        "insert into chat_visits
           (visitor, tenant, point_of_contact, token_hash, language, origin, started_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, now(), now() + make_interval(hours => $7))
         returning expires_at",
        &[&visitor, &door.tenant, &door.point, &token.as_slice(), &language, &origin, &IDLE_H],
    )
    .await?;
    let expires_at = row.map_or_else(clock::near, |row| row.get(0));
    Ok(Visit { visitor, expires_at })
}

/// The visit of a token at this point of contact, unless it is over.
///
/// # Errors
/// Contention or a database that is away.
pub async fn of_token(tx: &Transaction<'_>, door: &Door, token: &Hash) -> Result<Option<Visit>, Failure> {
    let row = sql::row(
        tx,
        "select visitor, expires_at from chat_visits
         where token_hash = $3 and tenant = $1 and point_of_contact = $2 and expires_at > now()",
        &[&door.tenant, &door.point, &token.as_slice()],
    )
    .await?;
    Ok(row.map(|row| Visit { visitor: row.get(0), expires_at: row.get(1) }))
}

/// What a visitor hands in under an id of its own: when that came first. The same id again is the same, with its first
/// time; none where the id stands for something else. The token lasts longer for it.
///
/// # Errors
/// Contention or a database that is away.
pub async fn hand_in(
    tx: &Transaction<'_>,
    door: &Door,
    visit: &Visit,
    id: Uuid,
    what: &[&str],
) -> Result<Option<Timestamp>, Failure> {
    let mut hasher = Sha256::new();
    for part in what {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let digest = hasher.finalize().to_vec();
    let first = "insert into chat_texts (id, tenant, visitor, digest, received_at) values ($1, $2, $3, $4, now())
         on conflict (id) do nothing returning received_at";
    if let Some(row) = sql::row(tx, first, &[&id, &door.tenant, &visit.visitor, &digest]).await? {
        let longer = "update chat_visits
             set expires_at = least(now() + make_interval(hours => $2), started_at + make_interval(days => $3))
             where visitor = $1";
        sql::touch(tx, longer, &[&visit.visitor, &IDLE_H, &MOST_DAYS]).await?;
        return Ok(row.get(0));
    }
    let again = "select received_at from chat_texts where id = $1 and tenant = $2 and visitor = $3 and digest = $4";
    Ok(sql::row(tx, again, &[&id, &door.tenant, &visit.visitor, &digest]).await?.map(|row| row.get(0)))
}

/// Removes visits that were over a fortnight ago (ids are remembered that long) and buckets that are full again; how many visits.
///
/// # Errors
/// Contention or a database that is away.
pub async fn forget_old(tx: &Transaction<'_>) -> Result<u64, Failure> {
    sql::touch(
        tx,
        "delete from chat_paces where bucket in
           (select bucket from chat_paces where filled_at < now() - interval '1 hour' limit 10000 for update skip locked)",
        &[],
    )
    .await?;
    sql::touch(
        tx,
        "delete from chat_visits where visitor in
           (select visitor from chat_visits
            where started_at < now() - interval '15 days' and expires_at < now() - interval '14 days'
            order by started_at limit 1000 for update skip locked)",
        &[],
    )
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_told_apart_and_kept_as_hashes_alone() {
        let (one, other) = (new_token().unwrap(), new_token().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), "thv_".len() + 43);
        assert_ne!(hash(&one).unwrap(), hash(&other).unwrap());
        for no_token in ["", "thv_", "thv_AAAA", &one[4..], &format!("{one}A"), &one.replace("thv_", "thk_")] {
            assert_eq!(hash(no_token), None, "{no_token}");
        }
    }
}
