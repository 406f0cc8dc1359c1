//! The simulated mobile network: a client that sends through it, and the role that stands for it, with its own record
//! of every submission, faults on demand, receipts and a simulated phone. It speaks plain HTTP and JSON of its own.
//! It does not take our sms id as its idempotency key: a text sent twice is two texts, so that the record proves "once".

mod client;
mod faults;
mod http;
mod line;
mod phone;
mod receipts;
mod record;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use client::{Client, Limits};
pub use faults::{Faults, ReceiptFaults};
pub use http::{Running, Settings, start};
pub use receipts::Said;
pub use record::{Inbound, Submission};

use crate::facts::ids::{Slug, SmsId};
use crate::facts::said::SubmittedPart;

use super::kind::{Can, Kind};

/// The kind.
pub const KIND: Kind = Kind {
    name: "simulator",
    title: "Simulator",
    keys: &[],
    can: Can {
        texts_in: "whole, said on AMQP",
        receipts: "per part, with faults on demand",
        signature: "none: said on AMQP",
        media: "no",
    },
};

/// Body of `POST /messages`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Submit {
    /// Under which connection's slug receipts come back.
    pub carrier: Slug,
    /// The sender's own id; recorded, not used against repeats.
    pub sms_id: SmsId,
    /// Our number.
    pub from: String,
    /// Of a short code in `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_country: Option<String>,
    /// The phone's number.
    pub to: String,
    /// What was written.
    pub text: String,
    /// Into how many parts the sender cut it.
    pub parts: usize,
}

/// Answer to `POST /messages` (201).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Submitted {
    /// Each part under its id.
    pub parts: Vec<SubmittedPart>,
}

/// Answer where something was refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Refusal {
    /// A stable word: `invalid_number`, `throttled`, `unavailable`, `bad_request`.
    pub code: String,
    /// For people.
    pub message: String,
}
