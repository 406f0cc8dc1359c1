//! Browsers' sign-ins: begun, listed, ended. The secret is in the browser's cookie alone; over after twelve hours without
//! a sign of life, after seven days in any case, and at once when it is revoked.

use std::net::IpAddr;

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Serialize;
use uuid::Uuid;

use super::problem::Problem;
use super::secret;
use crate::facts::ids::Slug;
use crate::failure::Failure;
use crate::hub::sql;
use crate::runtime::clock;

/// Longest name of a browser that is kept, in characters.
const USER_AGENT: usize = 120;

/// A sign-in that begins.
#[derive(Debug)]
pub struct Beginning<'a> {
    /// Whose.
    pub tenant: &'a Slug,
    /// Who.
    pub user: &'a Slug,
    /// `password`, or the slug of a provider.
    pub method: &'a str,
    /// What the browser calls itself.
    pub user_agent: &'a str,
    /// Whence.
    pub address: Option<IpAddr>,
}

/// Begins one, and says its secret. What ended a month ago is forgotten.
///
/// # Errors
/// A database that is away, a machine without randomness.
pub async fn begin(tx: &Transaction<'_>, beginning: &Beginning<'_>) -> Result<SecretString, Problem> {
    let minted = secret::mint("", beginning.tenant)?;
    let user_agent: String = beginning.user_agent.chars().filter(|c| !c.is_control()).take(USER_AGENT).collect();
    let address = beginning.address.map(|address| address.to_string());
    sql::touch(
        tx,
        "delete from sign_ins where tenant = $1 and user_id = $2
           and least(ends_at, revoked_at, seen_at + interval '12 hours') < now() - interval '30 days'",
        &[beginning.tenant, beginning.user],
    )
    .await?;
    sql::touch(
        tx,
        "insert into sign_ins (tenant, id, user_id, token_sha256, method, ends_at, user_agent, address)
         values ($1, $2, $3, $4, $5, now() + interval '7 days', $6, $7)",
        &[beginning.tenant, &clock::new_id(), beginning.user, &minted.sha256, &beginning.method, &user_agent, &address],
    )
    .await?;
    Ok(minted.secret)
}

/// A sign-in as its user sees it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SignIn {
    /// To end it by.
    pub id: Uuid,
    /// `password`, or the slug of a provider.
    pub method: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// The last sign of life, to the minute.
    #[schema(value_type = String, format = DateTime)]
    pub seen_at: Timestamp,
    /// When it is over in any case.
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
    /// What the browser called itself.
    pub user_agent: String,
    /// From which address of the network.
    pub address: Option<String>,
    /// The one that this was asked by.
    pub is_this: bool,
}

/// Those of a user that stand, newest first.
///
/// # Errors
/// Contention or a database that is away.
pub async fn of_user(
    tx: &Transaction<'_>,
    tenant: &Slug,
    user: &Slug,
    this: Option<Uuid>,
) -> Result<Vec<SignIn>, Failure> {
    let text = "
        select id, method, created_at, seen_at, ends_at, user_agent, address from sign_ins
        where tenant = $1 and user_id = $2 and revoked_at is null and ends_at > now()
          and seen_at > now() - interval '12 hours'
        order by created_at desc, id";
    let rows = sql::rows(tx, text, &[tenant, user]).await?;
    Ok(rows
        .iter()
        .map(|row| SignIn {
            id: row.get("id"),
            method: row.get("method"),
            created_at: row.get("created_at"),
            seen_at: row.get("seen_at"),
            ends_at: row.get("ends_at"),
            user_agent: row.get("user_agent"),
            address: row.get("address"),
            is_this: this == Some(row.get("id")),
        })
        .collect())
}

/// Ends one of a user's, and says whether it stood.
///
/// # Errors
/// Contention or a database that is away.
pub async fn revoke(tx: &Transaction<'_>, tenant: &Slug, user: &Slug, id: Uuid) -> Result<bool, Failure> {
    let text = "
        update sign_ins set revoked_at = now()
        where tenant = $1 and user_id = $2 and id = $3 and revoked_at is null";
    Ok(sql::touch(tx, text, &[tenant, user, &id]).await? == 1)
}

/// Ends all of a user's but one, and says how many stood.
///
/// # Errors
/// Contention or a database that is away.
pub async fn revoke_all(tx: &Transaction<'_>, tenant: &Slug, user: &Slug, but: Option<Uuid>) -> Result<u64, Failure> {
    let text = "
        update sign_ins set revoked_at = now()
        where tenant = $1 and user_id = $2 and id is distinct from $3 and revoked_at is null";
    sql::touch(tx, text, &[tenant, user, &but]).await
}
