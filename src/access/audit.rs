//! The audit log: who did what, on what, when, from where. Append-only, in the transaction that does it. Details hold no
//! texts, and numbers only as `number::masked` leaves them.

use std::net::IpAddr;

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::caller::Caller;
use crate::facts::ids::Slug;
use crate::failure::Failure;
use crate::hub::sql;

/// A deed as docs/access.md shows it: its stable word and what it means.
pub type Described = (&'static str, &'static str);

/// What is noted: add, never rename.
pub const DEEDS: &[Described] = &[
    ("sign_in", "somebody signed in, by password or by a provider"),
    ("sign_in_failed", "a password was wrong"),
    ("sign_out", "somebody signed out"),
    ("sign_in_revoked", "a sign-in was ended, one's own or all of a user's"),
    ("password_changed", "somebody chose a new password; other sign-ins ended"),
    ("password_reset", "a user was given a one-time password; their sign-ins ended"),
    ("profile_changed", "somebody changed their own name or language"),
    ("user_added", "a user was added"),
    ("user_changed", "a user's name, roles, agent or language were changed"),
    ("user_ended", "a user was ended; their sign-ins too"),
    ("user_restored", "a user who had ended is one again"),
    ("token_made", "an API token was made"),
    ("token_revoked", "an API token was revoked"),
    ("audit_log_read", "the audit log was read"),
    ("customer_changed", "a customer's name or fields were changed"),
    ("customer_noted", "a note on a customer was added"),
    ("transcript_read", "a transcript was read"),
];

/// One line to write.
#[derive(Clone, Debug)]
pub struct Note<'a> {
    /// A word of [`DEEDS`].
    pub what: &'static str,
    /// The kind of what it was done to, as `user`, and its id.
    pub on: Option<(&'static str, &'a str)>,
    /// What else there is to say: no texts, no whole numbers.
    pub detail: Option<Value>,
}

/// Notes what a caller does.
///
/// # Errors
/// Contention or a database that is away.
pub async fn note(tx: &Transaction<'_>, caller: &Caller, note: &Note<'_>) -> Result<(), Failure> {
    note_of(tx, &caller.tenant, &caller.user.to_string(), caller.address, note).await
}

/// The same of somebody who is no caller: an operator, or nobody yet.
///
/// # Errors
/// Contention or a database that is away.
pub async fn note_of(
    tx: &Transaction<'_>,
    tenant: &Slug,
    who: &str,
    address: Option<IpAddr>,
    note: &Note<'_>,
) -> Result<(), Failure> {
    debug_assert!(DEEDS.iter().any(|(word, _)| *word == note.what), "{} is no deed", note.what);
    let (kind, id) = note.on.unzip();
    let address = address.map(|address| address.to_string());
    sql::touch(
        tx,
        "insert into audit_log (tenant, who, what, on_kind, on_id, address, detail) values ($1, $2, $3, $4, $5, $6, $7)",
        &[tenant, &who, &note.what, &kind, &id, &address, &note.detail],
    )
    .await?;
    Ok(())
}

/// Notes that a caller does one thing to each of several of a kind.
///
/// # Errors
/// Contention or a database that is away.
pub async fn note_each(
    tx: &Transaction<'_>,
    caller: &Caller,
    what: &'static str,
    kind: &str,
    ids: &[String],
) -> Result<(), Failure> {
    debug_assert!(DEEDS.iter().any(|(word, _)| *word == what), "{what} is no deed");
    if ids.is_empty() {
        return Ok(());
    }
    let address = caller.address.map(|address| address.to_string());
    sql::touch(
        tx,
        "insert into audit_log (tenant, who, what, on_kind, on_id, address)
         select $1, $2, $3, $4, id, $6 from unnest($5::text[]) as i (id)",
        &[&caller.tenant, &caller.user.to_string(), &what, &kind, &ids, &address],
    )
    .await?;
    Ok(())
}

/// One line as it is read.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Line {
    /// Its number: `before` for the lines that are older.
    pub nr: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// A user's slug, `token:ID`, `operator:NAME`, or `nobody`.
    pub who: String,
    /// A stable word.
    #[schema(example = "user_added")]
    pub what: String,
    /// The kind of what it was done to.
    #[schema(example = "user")]
    pub on_kind: Option<String>,
    /// Its id.
    pub on_id: Option<String>,
    /// From which address of the network.
    pub address: Option<String>,
    /// What else there is to say.
    #[schema(value_type = Option<Object>)]
    pub detail: Option<Value>,
}

/// The newest lines of a tenant before a number, newest first.
///
/// # Errors
/// Contention or a database that is away.
pub async fn lines(tx: &Transaction<'_>, tenant: &Slug, before: Option<i64>, limit: i64) -> Result<Vec<Line>, Failure> {
    let text = "
        select nr, at, who, what, on_kind, on_id, address, detail from audit_log
        where tenant = $1 and nr < $2 order by nr desc limit $3";
    let rows = sql::rows(tx, text, &[tenant, &before.unwrap_or(i64::MAX), &limit]).await?;
    Ok(rows
        .iter()
        .map(|row| Line {
            nr: row.get("nr"),
            at: row.get("at"),
            who: row.get("who"),
            what: row.get("what"),
            on_kind: row.get("on_kind"),
            on_id: row.get("on_id"),
            address: row.get("address"),
            detail: row.get("detail"),
        })
        .collect())
}
