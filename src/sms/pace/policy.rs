//! A tenant's paces, as its file and its row have them.

use serde::{Deserialize, Serialize};

/// The pace of a carrier without one that said "too fast".
pub const OF_CARRIER: &str = "~";

/// How fast texts may leave that it holds for. Without `carrier` and `numbers`: all of the tenant's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// Slug.
    pub id: String,
    /// By this connection alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// From these numbers alone: those of a campaign.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<String>,
    /// Each number by itself; else all of them together.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub each: bool,
    /// Segments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<i32>,
    /// Segments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_day: Option<i32>,
    /// IANA name of where the day begins; else the tenant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_zone: Option<String>,
}

impl Pace {
    /// Whether it holds for a text.
    #[must_use]
    pub fn holds_for(&self, carrier: &str, number: &str) -> bool {
        self.carrier.as_deref().is_none_or(|name| name == carrier)
            && (self.numbers.is_empty() || self.numbers.iter().any(|own| own == number))
    }
}
