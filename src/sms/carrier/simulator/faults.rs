//! What goes wrong on demand: probabilities from 0 (never) to 1 (always), and waits in milliseconds. All at 0 is a
//! network without faults. Set by `PUT /faults`, kept over a restart.

use serde::{Deserialize, Serialize};

/// Faults of submissions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Every answer waits this long.
    pub delay_ms: u64,
    /// Answered 429, not taken.
    pub throttled: f64,
    /// `Retry-After` of a 429, in seconds; 0 says nothing.
    pub retry_after_s: u64,
    /// Answered 503, not taken.
    pub unavailable: f64,
    /// Taken and recorded, but the connection breaks instead of an answer.
    pub answer_dropped: f64,
    /// Taken and recorded, but nothing is ever answered: the sender runs into its time-out.
    pub answer_withheld: f64,
    /// Answered 422 `invalid_number`, not taken.
    pub refused: f64,
    /// Numbers that are always refused so.
    pub refused_numbers: Vec<String>,
    /// What goes wrong with receipts.
    pub receipts: ReceiptFaults,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            delay_ms: 0,
            throttled: 0.0,
            retry_after_s: 0,
            unavailable: 0.0,
            answer_dropped: 0.0,
            answer_withheld: 0.0,
            refused: 0.0,
            refused_numbers: Vec::new(),
            receipts: ReceiptFaults::default(),
        }
    }
}

/// Faults of receipts; one receipt per part, `delivered` unless said otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReceiptFaults {
    /// How long a receipt takes.
    pub delay_ms: u64,
    /// And up to this much longer, at random.
    pub spread_ms: u64,
    /// `undelivered` instead of `delivered`.
    pub undelivered: f64,
    /// `failed` instead of `delivered`.
    pub failed: f64,
    /// Never sent.
    pub dropped: f64,
    /// Sent before the submission is answered.
    pub early: f64,
    /// A `submitted` comes after the final one.
    pub reordered: f64,
    /// Sent twice.
    pub duplicated: f64,
}

impl Default for ReceiptFaults {
    fn default() -> Self {
        Self {
            delay_ms: 300,
            spread_ms: 500,
            undelivered: 0.0,
            failed: 0.0,
            dropped: 0.0,
            early: 0.0,
            reordered: 0.0,
            duplicated: 0.0,
        }
    }
}

impl Faults {
    /// Every field that is no probability.
    #[must_use]
    pub fn mistakes(&self) -> Vec<String> {
        let receipts = &self.receipts;
        [
            ("throttled", self.throttled),
            ("unavailable", self.unavailable),
            ("answer_dropped", self.answer_dropped),
            ("answer_withheld", self.answer_withheld),
            ("refused", self.refused),
            ("receipts.undelivered", receipts.undelivered),
            ("receipts.failed", receipts.failed),
            ("receipts.dropped", receipts.dropped),
            ("receipts.early", receipts.early),
            ("receipts.reordered", receipts.reordered),
            ("receipts.duplicated", receipts.duplicated),
        ]
        .into_iter()
        .filter(|(_, value)| !(0.0..=1.0).contains(value))
        .map(|(name, value)| format!("{name} is {value}; give 0 to 1"))
        .collect()
    }
}

/// True with this probability.
#[must_use]
pub fn happens(probability: f64) -> bool {
    probability > 0.0 && fastrand::f64() < probability
}
