//! What a text is for: the law asks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// An answer to a customer who wrote.
    Conversational,
    /// What the customer asked to be told: an appointment, a delivery.
    Informational,
    /// It sells something, or may be taken for that.
    Promotional,
}

impl Purpose {
    /// All of them, the mildest first.
    pub const ALL: [Self; 3] = [Self::Conversational, Self::Informational, Self::Promotional];

    /// As in SQL and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Conversational => "conversational",
            Self::Informational => "informational",
            Self::Promotional => "promotional",
        }
    }

    /// Of its word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == word)
    }
}
