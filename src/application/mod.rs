//! Applications: programs of a tenant that text by the gateway in Twilio's shape, and are told of customers' texts and of
//! what became of their own. Secrets are files, read where they are used.

pub mod calls;
pub mod texts;
pub mod twilio;
pub mod twiml;

use deadpool_postgres::Transaction;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio_postgres::Row;

use crate::facts::ids::Slug;
use crate::facts::purpose::Purpose;
use crate::failure::Failure;
use crate::hub::sql;

/// An application as its row.
#[derive(Clone, Debug)]
pub struct Application {
    /// Whose.
    pub tenant: Slug,
    /// Its slug.
    pub id: Slug,
    /// What it signs in with.
    pub account: String,
    /// Slugs of the points of contact that it may use; none: all of the tenant's.
    pub numbers: Option<Vec<String>>,
    /// What its texts are for.
    pub purpose: Purpose,
    /// Where it hears customers' texts.
    pub inbound_url: Option<String>,
    /// Where it hears what became of its own.
    pub status_url: Option<String>,
    token_file: String,
    token_next_file: Option<String>,
}

/// The columns of [`Application::of_row`], of `applications a`.
pub(crate) const COLUMNS: &str =
    "a.tenant, a.id, a.account, a.numbers, a.purpose, a.inbound_url, a.status_url, a.token_file, a.token_next_file";

impl Application {
    /// From the columns of [`COLUMNS`], beginning at `at`.
    pub(crate) fn of_row(row: &Row, at: usize) -> Self {
        let numbers: Option<Value> = row.get(at + 3);
        Self {
            tenant: row.get(at),
            id: row.get(at + 1),
            account: row.get(at + 2),
            numbers: numbers.and_then(|numbers| serde_json::from_value(numbers).ok()),
            purpose: Purpose::of(row.get(at + 4)).unwrap_or(Purpose::Promotional),
            inbound_url: row.get(at + 5),
            status_url: row.get(at + 6),
            token_file: row.get(at + 7),
            token_next_file: row.get(at + 8),
        }
    }

    /// Whether it may use a point of contact.
    #[must_use]
    pub fn may_use(&self, point: &Slug) -> bool {
        self.numbers.as_ref().is_none_or(|numbers| numbers.iter().any(|number| number == point.as_str()))
    }

    /// Its tokens: the one in use, and the next one where there is one.
    ///
    /// # Errors
    /// A sentence: a file that cannot be read or is empty.
    pub fn tokens(&self) -> Result<Vec<SecretString>, String> {
        let files = [Some(&self.token_file), self.token_next_file.as_ref()];
        files.into_iter().flatten().map(|path| secret(path)).collect()
    }

    /// Whether one of its tokens was given; in a time that tells nothing of them.
    ///
    /// # Errors
    /// A sentence: a file that cannot be read or is empty.
    pub fn knows(&self, given: &str) -> Result<bool, String> {
        // compared by keyed hashes: ring's comparison takes the same time wherever two differ
        let tag = |secret: &str| ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
        let given = ring::hmac::sign(&tag(given), b"token");
        let is_it = |token: &SecretString| ring::hmac::verify(&tag(token.expose_secret()), b"token", given.as_ref());
        Ok(self.tokens()?.iter().any(|token| is_it(token).is_ok()))
    }
}

fn secret(path: &str) -> Result<SecretString, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() { Err(format!("{path} is empty")) } else { Ok(SecretString::from(text)) }
}

/// The one that stands under an account, of a tenant whose messaging is on.
///
/// # Errors
/// Contention or a database that is away.
pub async fn of_account(tx: &Transaction<'_>, account: &str) -> Result<Option<Application>, Failure> {
    let text = format!(
        "select {COLUMNS} from applications a join tenants t on t.id = a.tenant
         where a.account = $1 and a.ended_at is null and t.sms_messaging"
    );
    Ok(sql::row(tx, &text, &[&account]).await?.map(|row| Application::of_row(&row, 0)))
}

/// The one that stands under a slug.
///
/// # Errors
/// Contention or a database that is away.
pub async fn of_slug(tx: &Transaction<'_>, tenant: &Slug, id: &Slug) -> Result<Option<Application>, Failure> {
    let text = format!("select {COLUMNS} from applications a where a.tenant = $1 and a.id = $2 and a.ended_at is null");
    Ok(sql::row(tx, &text, &[tenant, id]).await?.map(|row| Application::of_row(&row, 0)))
}
