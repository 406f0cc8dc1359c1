//! The key under which forgotten customers are kept as hashes. A process has one or none, set at its start from
//! `TEXTHUB_CONSENT_KEY`: whoever reads consent needs it, and it never goes to Postgres. What Postgres keeps is a
//! fingerprint, by which a wrong key is told.

use std::sync::OnceLock;

use deadpool_postgres::Transaction;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::facts::ids::Slug;
use crate::failure::Failure;
use crate::hub::sql;

static KEY: OnceLock<SecretString> = OnceLock::new();

/// Where the fingerprint stands in `settings`.
const FINGERPRINT: &str = "consent_key";

/// Sets the key of this process; a second one is passed over.
pub fn install(key: SecretString) {
    if !key.expose_secret().is_empty() {
        let _ = KEY.set(key);
    }
}

/// `#` and 64 hex digits: what a customer's number becomes. None where the process has no key.
#[must_use]
pub fn hash(tenant: &str, customer_number: &str) -> Option<String> {
    digest(&["customer", tenant, customer_number]).map(|hex| format!("#{hex}"))
}

/// HMAC-SHA-256 over the fields, each ended by NUL, which none holds.
fn digest(fields: &[&str]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.get()?.expose_secret().as_bytes()).ok()?;
    for field in fields {
        mac.update(field.as_bytes());
        mac.update(&[0]);
    }
    let hex = |octet: u8| [octet >> 4, octet & 15].map(|half| char::from(b"0123456789abcdef"[usize::from(half)]));
    Some(mac.finalize().into_bytes().into_iter().flat_map(hex).collect())
}

/// What is wrong with the key of this process: missing or another one, while customers are forgotten.
///
/// # Errors
/// A database that is away.
pub async fn mistake(tx: &Transaction<'_>) -> Result<Option<&'static str>, Failure> {
    let row = sql::row(tx, "select value from settings where name = $1", &[&FINGERPRINT]).await?;
    let Some(stored) = row.map(|row| row.get::<_, String>(0)) else { return Ok(None) };
    Ok(match digest(&["fingerprint"]) {
        None => Some("customers were forgotten under a key, and TEXTHUB_CONSENT_KEY is not set"),
        Some(own) if own != stored => {
            Some("TEXTHUB_CONSENT_KEY is another key than the one customers were forgotten under")
        }
        Some(_) => None,
    })
}

/// Forgets a customer of a tenant: the ledger and the blocks keep a keyed hash instead of the number. How many entries it was in.
///
/// # Errors
/// A sentence where the process has no key or another one; else contention or a database that is away.
pub async fn forget(
    tx: &Transaction<'_>,
    tenant: &Slug,
    customer_number: &str,
) -> Result<Result<i64, &'static str>, Failure> {
    let (Some(hash), Some(own)) = (hash(tenant.as_str(), customer_number), digest(&["fingerprint"])) else {
        return Ok(Err("set TEXTHUB_CONSENT_KEY first: without a key the block could not go on holding"));
    };
    if let Some(wrong) = mistake(tx).await? {
        return Ok(Err(wrong));
    }
    sql::touch(
        tx,
        "insert into settings (name, value) values ($1, $2) on conflict (name) do nothing",
        &[&FINGERPRINT, &own],
    )
    .await?;
    let row = sql::row(tx, "select forget_customer($1, $2, $3)", &[tenant, &customer_number, &hash]).await?;
    Ok(Ok(row.map_or(0, |row| row.get(0))))
}
