//! Ids and slugs as types of their own, and the ids of publications: derived from the first fact's id, so that a
//! repeat says the same facts with the same ids.

use bytes::BytesMut;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

type SqlError = Box<dyn std::error::Error + Sync + Send>;

macro_rules! uuid_ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, utoipa::ToSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl ToSql for $name {
            fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, SqlError> {
                self.0.to_sql(ty, out)
            }
            fn accepts(ty: &Type) -> bool {
                <Uuid as ToSql>::accepts(ty)
            }
            to_sql_checked!();
        }

        impl<'a> FromSql<'a> for $name {
            fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, SqlError> {
                Uuid::from_sql(ty, raw).map($name)
            }
            fn accepts(ty: &Type) -> bool {
                <Uuid as FromSql>::accepts(ty)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map($name)
            }
        }
    )+};
}

uuid_ids! {
    /// Of a fact: the `id` of its body and its `message_id`.
    FactId,
    /// Of a room.
    RoomId,
    /// Of a contact.
    ContactId,
    /// Of an offer.
    OfferId,
    /// Of a session.
    SessionId,
    /// Of an entry of a transcript.
    EntryId,
    /// Of an outbound sms.
    SmsId,
    /// Of a call to a program, a flow's or one that tells an application.
    CallId,
    /// Of a medium that came with a text.
    MediaId,
}

/// Namespace of ids that are derived from carriers' ids.
const CARRIERS: Uuid = Uuid::from_u128(0x6d0f_5b0e_33c1_5a0c_9a4e_21a0_7c51_5f39);

/// Namespace of ids that are derived from applications' idempotency tokens.
const APPLICATIONS: Uuid = Uuid::from_u128(0x0c4d_6b7e_58a2_5f1d_8e33_b2f4_17d9_60ca);

impl FactId {
    /// The id of the `ordinal`-th publication of `fact` that this first fact leads to.
    #[must_use]
    pub fn derive(self, fact: &str, ordinal: u32) -> Self {
        Self(Uuid::new_v5(&self.0, format!("{fact}/{ordinal}").as_bytes()))
    }

    /// The id of the publication of `fact` about one thing, where this first fact may lead to several of that kind.
    #[must_use]
    pub fn derive_of(self, fact: &str, thing: Uuid) -> Self {
        Self(Uuid::new_v5(&self.0, format!("{fact}/{thing}").as_bytes()))
    }

    /// The id of a fact that a carrier reports: of carrier and carrier's id, so that its own repeat is the same fact.
    #[must_use]
    pub fn of_carrier(fact: &str, carrier: &Slug, carriers_id: &str) -> Self {
        Self(Uuid::new_v5(&CARRIERS, format!("{fact}/{carrier}/{carriers_id}").as_bytes()))
    }

    /// The id of what an application asks for under a token of its own, so that its own repeat is the same fact.
    #[must_use]
    pub fn of_application(fact: &str, account: &str, token: &str) -> Self {
        Self(Uuid::new_v5(&APPLICATIONS, format!("{fact}/{account}/{token}").as_bytes()))
    }

    /// The id of a row (`what`: room, contact, …) that this fact makes; the same on every try.
    #[must_use]
    pub fn row(self, what: &str, ordinal: u32) -> Uuid {
        Uuid::new_v5(&self.0, format!("row {what}/{ordinal}").as_bytes())
    }
}

/// A tenant, agent, skill, team, point of contact, carrier or code: 1 to 64 of `a-z 0-9 _ -`, beginning with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema, utoipa::ToSchema)]
#[serde(transparent)]
pub struct Slug(String);

/// What makes a slug.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no slug: use 1 to 64 of a-z, 0-9, _ and -, beginning with a letter or digit")]
pub struct NotASlug(String);

impl Slug {
    /// Checks the form.
    ///
    /// # Errors
    /// `NotASlug` where the form is another.
    pub fn new(text: &str) -> Result<Self, NotASlug> {
        let is_slug = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
            && !text.starts_with(['_', '-']);
        if is_slug { Ok(Self(text.to_owned())) } else { Err(NotASlug(text.chars().take(80).collect())) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Slug {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl std::fmt::Display for Slug {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Slug {
    type Err = NotASlug;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl ToSql for Slug {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, SqlError> {
        self.0.to_sql(ty, out)
    }
    fn accepts(ty: &Type) -> bool {
        <String as ToSql>::accepts(ty)
    }
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Slug {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, SqlError> {
        String::from_sql(ty, raw).map(Slug)
    }
    fn accepts(ty: &Type) -> bool {
        <String as FromSql>::accepts(ty)
    }
}
