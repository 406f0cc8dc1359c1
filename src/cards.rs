//! Customers' cards: a name, fields that a tenant makes up, and notes, by the customer's number or the visitor's id. The
//! gateway's own; a customer without a card has an empty one. Notes are append-only; forgetting a customer erases all of it.

use std::collections::BTreeMap;

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::facts::ids::Slug;
use crate::failure::Failure;
use crate::hub::entry::words;
use crate::hub::sql;

/// Most fields of a card.
pub const MOST_FIELDS: usize = 50;
/// Most characters of a name and of a field's value.
pub const LONGEST: usize = 500;
/// Most characters of a field's name.
pub const LONGEST_KEY: usize = 60;
/// Most characters of a note.
pub const LONGEST_NOTE: usize = 2_000;
/// Notes that are shown, newest first.
const NOTES: i64 = 200;

/// A card.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Card {
    /// The number, or the visitor's id.
    pub customer_number: String,
    /// On screen.
    pub name: Option<String>,
    /// What the tenant keeps of the customer.
    pub fields: BTreeMap<String, String>,
    /// Newest first.
    pub notes: Vec<Note>,
    /// When it was changed last; none: it never was.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub updated_at: Option<Timestamp>,
    /// By whom.
    pub updated_by: Option<String>,
}

/// A note on a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Note {
    /// Its id.
    pub id: Uuid,
    /// What was noted.
    pub text: String,
    /// By whom: a user's slug, or `token:ID`.
    pub author: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// What becomes of a card: what is left out stays.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The new name, up to 500 characters; an empty one takes it away.
    #[serde(default)]
    pub name: Option<String>,
    /// Fields to set, names up to 60 characters, values up to 500; null takes one away. 50 altogether at most.
    #[serde(default)]
    pub fields: BTreeMap<String, Option<String>>,
}

/// Whether this can be a customer: a number, a short code's digits or a visitor's id.
#[must_use]
pub fn is_customer(text: &str) -> bool {
    let rest = text.strip_prefix('+').unwrap_or(text);
    let is_number = rest.len() < text.len();
    (1..=64).contains(&rest.len())
        && rest.bytes().all(|b| b.is_ascii_digit() || !is_number && (b.is_ascii_alphanumeric() || b"_-".contains(&b)))
}

/// A customer's card.
///
/// # Errors
/// Contention or a database that is away.
pub async fn read(tx: &Transaction<'_>, tenant: &Slug, customer: &str) -> Result<Card, Failure> {
    let card = "select name, fields, updated_at, updated_by from customers where tenant = $1 and customer_number = $2";
    let row = sql::row(tx, card, &[tenant, &customer]).await?;
    let rows = sql::rows(
        tx,
        "select id, text, author, at from customer_notes where tenant = $1 and customer_number = $2
         order by at desc, id limit $3",
        &[tenant, &customer, &NOTES],
    )
    .await?;
    let note =
        |row: &tokio_postgres::Row| Note { id: row.get(0), text: row.get(1), author: row.get(2), at: row.get(3) };
    Ok(Card {
        customer_number: customer.to_owned(),
        name: row.as_ref().and_then(|row| row.get(0)),
        fields: row.as_ref().map(|row| fields_of(row.get(1))).unwrap_or_default(),
        notes: rows.iter().map(note).collect(),
        updated_at: row.as_ref().map(|row| row.get(2)),
        updated_by: row.as_ref().map(|row| row.get(3)),
    })
}

fn fields_of(value: Value) -> BTreeMap<String, String> {
    serde_json::from_value(value).unwrap_or_default()
}

/// What is wrong with a change, by its field.
#[must_use]
pub fn mistake(change: &Change) -> Option<(&'static str, &'static str)> {
    let is_long = |text: &str, most: usize| text.chars().count() > most;
    if change.name.as_ref().is_some_and(|name| is_long(name, LONGEST)) {
        return Some(("name", "at most 500 characters"));
    }
    if change.fields.len() > MOST_FIELDS {
        return Some(("fields", "at most 50"));
    }
    for (key, value) in &change.fields {
        if key.trim().is_empty() || is_long(key, LONGEST_KEY) {
            return Some(("fields", "each name has 1 to 60 characters"));
        }
        if value.as_ref().is_some_and(|value| is_long(value, LONGEST)) {
            return Some(("fields", "each value has at most 500 characters"));
        }
    }
    None
}

/// Changes a card; false where it would have too many fields, and the caller rolls back.
///
/// # Errors
/// Contention or a database that is away.
pub async fn change(
    tx: &Transaction<'_>,
    tenant: &Slug,
    customer: &str,
    change: &Change,
    by: &str,
) -> Result<bool, Failure> {
    // the row is there, and held, before its fields are read
    let hold = "insert into customers as c (tenant, customer_number, updated_at, updated_by) values ($1, $2, now(), $3)
         on conflict (tenant, customer_number) do update set updated_at = now(), updated_by = excluded.updated_by
         returning fields";
    let row = sql::row(tx, hold, &[tenant, &customer, &by]).await?;
    let mut fields = row.map(|row| fields_of(row.get(0))).unwrap_or_default();
    for (key, value) in &change.fields {
        match value {
            Some(value) => fields.insert(words(key.trim()), words(value)),
            None => fields.remove(&words(key.trim())),
        };
    }
    if fields.len() > MOST_FIELDS {
        return Ok(false);
    }
    let name = change.name.as_ref().map(|name| words(name.trim()));
    let write = "update customers set fields = $3, name = case when $4::text is null then name else nullif($4, '') end
         where tenant = $1 and customer_number = $2";
    sql::touch(tx, write, &[tenant, &customer, &serde_json::to_value(&fields).unwrap_or_default(), &name]).await?;
    Ok(true)
}

/// Adds a note; the same id with the same text again is the same note. None where the id stands for another.
///
/// # Errors
/// Contention or a database that is away.
pub async fn note(
    tx: &Transaction<'_>,
    tenant: &Slug,
    customer: &str,
    (id, text): (Uuid, &str),
    by: &str,
) -> Result<Option<Note>, Failure> {
    let text = words(text.trim());
    let add =
        "insert into customer_notes (id, tenant, customer_number, text, author, at) values ($1, $2, $3, $4, $5, now())
         on conflict (id) do nothing";
    sql::touch(tx, add, &[&id, tenant, &customer, &text, &by]).await?;
    let found = "select author, at from customer_notes
         where id = $1 and tenant = $2 and customer_number = $3 and text = $4 and author = $5";
    let row = sql::row(tx, found, &[&id, tenant, &customer, &text, &by]).await?;
    Ok(row.map(|row| Note { id, text, author: row.get(0), at: row.get(1) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_is_a_number_a_short_code_or_a_visitor() {
        for (text, is_one) in [
            ("+15550100100", true),
            ("55501", true),
            ("0190b6c2-7c1e-7000-8000-000000000001", true),
            ("", false),
            ("+", false),
            ("+1555-0100", false),
            ("a b", false),
            ("né", false),
        ] {
            assert_eq!(is_customer(text), is_one, "{text}");
        }
        assert!(!is_customer(&"x".repeat(65)));
    }

    #[test]
    fn a_change_that_is_too_much_is_named() {
        let of = |text: Value| mistake(&serde_json::from_value(text).unwrap()).map(|(field, _)| field);
        assert_eq!(of(serde_json::json!({"name": "Goldilocks", "fields": {"bowl": "small", "chair": null}})), None);
        assert_eq!(of(serde_json::json!({"name": "x".repeat(501)})), Some("name"));
        assert_eq!(of(serde_json::json!({"fields": {" ": "x"}})), Some("fields"));
        assert_eq!(of(serde_json::json!({"fields": {"x": "x".repeat(501)}})), Some("fields"));
        let many: BTreeMap<String, String> = (0..51).map(|nr| (nr.to_string(), String::new())).collect();
        assert_eq!(of(serde_json::json!({"fields": many})), Some("fields"));
    }
}
