//! Words and small shapes that facts said to the hub share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A link to media that came with a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, utoipa::ToSchema)]
pub struct Media {
    /// Where it lies.
    pub url: String,
    /// MIME type.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct By {
    /// In what part.
    pub kind: ByKind,
    /// Slug of the agent, or a name.
    pub name: String,
}

/// In what part somebody asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words speak for themselves")]
pub enum ByKind {
    Agent,
    Supervisor,
    Customer,
    Program,
}

/// What a carrier says became of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words speak for themselves")]
pub enum ReceiptStatus {
    Submitted,
    Delivered,
    Undelivered,
    Failed,
}

/// An agent's answer to an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words speak for themselves")]
pub enum Answer {
    Accept,
    Refuse,
}

/// An agent's own state; working follows from contacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words speak for themselves")]
pub enum AgentState {
    Available,
    Unavailable,
    LoggedOut,
}

impl AgentState {
    /// As in SQL and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Unavailable => "unavailable",
            Self::LoggedOut => "logged_out",
        }
    }
}

/// When a move of an agent takes effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// At once: live contacts stay.
    #[default]
    Now,
    /// With the last slot that is freed; nothing new is offered until then.
    Free,
}

/// The alphabet of a part's octets (3GPP TS 23.038).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Alphabet {
    /// GSM 03.38.
    Gsm7,
    /// UTF-16 in network order.
    Ucs2,
}
