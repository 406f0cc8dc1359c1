//! API tokens: programs' secrets with the scopes that they were given, shown once and kept as a hash.

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Serialize;
use uuid::Uuid;

use super::problem::Problem;
use super::rights::{Right, Scopes};
use super::secret;
use crate::facts::ids::Slug;
use crate::failure::Failure;
use crate::hub::sql;
use crate::runtime::clock;

/// A token as its tenant sees it: without its secret.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Token {
    /// To revoke it by.
    pub id: Uuid,
    /// What it is for.
    #[schema(example = "Shop")]
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// As which agent it works.
    #[schema(value_type = Option<String>)]
    pub agent: Option<Slug>,
    /// Who made it.
    pub created_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it is over; null: not by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When it was used last, to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub used_at: Option<Timestamp>,
    /// Since when it is revoked.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
}

/// A token to make.
#[derive(Debug)]
pub struct New<'a> {
    /// What it is for.
    pub name: &'a str,
    /// What it may do.
    pub scopes: &'a Scopes,
    /// As which agent it works; needed for the scope `work`.
    pub agent: Option<&'a Slug>,
    /// Who makes it.
    pub by: &'a str,
    /// When it is over.
    pub expires_at: Option<Timestamp>,
}

/// All tokens of a tenant, newest first.
///
/// # Errors
/// Contention or a database that is away.
pub async fn all(tx: &Transaction<'_>, tenant: &Slug) -> Result<Vec<Token>, Failure> {
    let text = "
        select id, name, scopes, agent, created_by, created_at, expires_at, used_at, revoked_at from api_tokens
        where tenant = $1 order by created_at desc, id";
    let rows = sql::rows(tx, text, &[tenant]).await?;
    Ok(rows
        .iter()
        .map(|row| {
            let scopes: Vec<String> = row.get("scopes");
            Token {
                id: row.get("id"),
                name: row.get("name"),
                scopes: Scopes::of(&scopes),
                agent: row.get("agent"),
                created_by: row.get("created_by"),
                created_at: row.get("created_at"),
                expires_at: row.get("expires_at"),
                used_at: row.get("used_at"),
                revoked_at: row.get("revoked_at"),
            }
        })
        .collect())
}

/// Makes one: its id and its secret.
///
/// # Errors
/// `invalid`; a database that is away, a machine without randomness.
pub async fn make(tx: &Transaction<'_>, tenant: &Slug, new: &New<'_>) -> Result<(Uuid, SecretString), Problem> {
    if !super::users::NAME.contains(&new.name.chars().count()) || new.name.chars().any(char::is_control) {
        return Err(Problem::field("name", "has 1 to 100 characters"));
    }
    if new.scopes.0.is_empty() || new.scopes.0.iter().any(|right| !right.is_scope()) {
        return Err(Problem::field("scopes", "name at least one of work, live, interfere, transcripts, customers"));
    }
    match new.agent {
        None if new.scopes.0.contains(&Right::Work) => {
            return Err(Problem::field("agent", "say as which agent a token with the scope work works"));
        }
        Some(agent) => super::users::must_be_agent(tx, tenant, agent).await?,
        None => {}
    }
    let (id, minted) = (clock::new_id(), secret::mint(secret::TOKEN, tenant)?);
    let text = "
        insert into api_tokens (tenant, id, name, token_sha256, scopes, agent, created_by, expires_at)
        select $1, $2, $3, $4, $5, $6, $7, $8 where $8::timestamptz is null or $8 > now()";
    let words = new.scopes.words();
    let made =
        sql::touch(tx, text, &[tenant, &id, &new.name, &minted.sha256, &words, &new.agent, &new.by, &new.expires_at])
            .await?;
    if made == 1 { Ok((id, minted.secret)) } else { Err(Problem::field("expires_at", "lies in the future")) }
}

/// Revokes one, and says whether it stood.
///
/// # Errors
/// Contention or a database that is away.
pub async fn revoke(tx: &Transaction<'_>, tenant: &Slug, id: Uuid) -> Result<bool, Failure> {
    let text = "update api_tokens set revoked_at = now() where tenant = $1 and id = $2 and revoked_at is null";
    Ok(sql::touch(tx, text, &[tenant, &id]).await? == 1)
}
