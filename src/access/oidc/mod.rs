//! Sign-in by OpenID Connect: the tenant's providers, sign-ins by them that are under way, and which user somebody is whom
//! a provider vouches for. Users are made by administrators; a provider makes none.

pub mod talk;
pub mod user;

use deadpool_postgres::Transaction;
use serde::Serialize;
use tokio_postgres::Row;

use super::secret::sha256;
use crate::facts::ids::Slug;
use crate::failure::Failure;
use crate::hub::sql;

/// A provider as a sign-in page shows it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Shown {
    /// A slug.
    #[schema(value_type = String, example = "company")]
    pub id: Slug,
    /// On screen.
    #[schema(example = "Company login")]
    pub name: String,
}

/// A provider as the tenant's file has it.
#[derive(Clone, Debug)]
pub struct Provider {
    /// A slug.
    pub id: Slug,
    /// Its address.
    pub issuer: String,
    /// What it knows us by.
    pub client_id: String,
    /// The file with the secret that goes with it.
    pub client_secret_file: Option<String>,
    /// Domains of e-mail addresses that may sign in; empty: any.
    pub domains: Vec<String>,
    /// The claim that names the user.
    pub user_claim: Option<String>,
}

fn of_row(row: &Row) -> Provider {
    Provider {
        id: row.get("id"),
        issuer: row.get("issuer"),
        client_id: row.get("client_id"),
        client_secret_file: row.get("client_secret_file"),
        domains: row.get("domains"),
        user_claim: row.get("user_claim"),
    }
}

/// The providers of a tenant, by their names.
///
/// # Errors
/// Contention or a database that is away.
pub async fn all(tx: &Transaction<'_>, tenant: &Slug) -> Result<Vec<Shown>, Failure> {
    let text = "select id, name from oidc_providers where tenant = $1 and ended_at is null order by name, id";
    let rows = sql::rows(tx, text, &[tenant]).await?;
    Ok(rows.iter().map(|row| Shown { id: row.get("id"), name: row.get("name") }).collect())
}

/// One of them.
///
/// # Errors
/// Contention or a database that is away.
pub async fn one(tx: &Transaction<'_>, tenant: &Slug, id: &Slug) -> Result<Option<Provider>, Failure> {
    let text = "
        select id, issuer, client_id, client_secret_file, domains, user_claim from oidc_providers
        where tenant = $1 and id = $2 and ended_at is null";
    Ok(sql::row(tx, text, &[tenant, id]).await?.as_ref().map(of_row))
}

/// A sign-in that has gone to its provider.
#[derive(Clone, Debug)]
pub struct Start {
    /// Which.
    pub provider: Slug,
    /// Comes back in the ID token.
    pub nonce: String,
    /// Of PKCE.
    pub verifier: String,
}

/// Keeps one under the hashes of its state and of its browser's cookie; what is older than ten minutes is forgotten.
///
/// # Errors
/// Contention or a database that is away.
pub async fn keep(
    tx: &Transaction<'_>,
    tenant: &Slug,
    state: &str,
    browser: &str,
    start: &Start,
) -> Result<(), Failure> {
    let old = "delete from oidc_starts where tenant = $1 and created_at < now() - interval '10 minutes'";
    sql::touch(tx, old, &[tenant]).await?;
    let text = "
        insert into oidc_starts (tenant, state_sha256, browser_sha256, provider, nonce, verifier)
        values ($1, $2, $3, $4, $5, $6)";
    let (state, browser) = (sha256(state), sha256(browser));
    sql::touch(tx, text, &[tenant, &state, &browser, &start.provider, &start.nonce, &start.verifier]).await?;
    Ok(())
}

/// Takes one, once: of this state, from the browser that began it, within ten minutes.
///
/// # Errors
/// Contention or a database that is away.
pub async fn take(tx: &Transaction<'_>, tenant: &Slug, state: &str, browser: &str) -> Result<Option<Start>, Failure> {
    let text = "
        delete from oidc_starts where tenant = $1 and state_sha256 = $2 and browser_sha256 = $3
        returning provider, nonce, verifier, created_at > now() - interval '10 minutes' as is_fresh";
    let row = sql::row(tx, text, &[tenant, &sha256(state), &sha256(browser)]).await?;
    Ok(row.filter(|row| row.get("is_fresh")).map(|row| Start {
        provider: row.get("provider"),
        nonce: row.get("nonce"),
        verifier: row.get("verifier"),
    }))
}
