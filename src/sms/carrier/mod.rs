//! What a carrier must do, and the closed sets of what it can say: what became of a send, and what comes by its webhook.
//! One file (or folder) per carrier; each says what keys it needs in the tenant file, whether it takes our sms id as its
//! idempotency key, and what of a broken exchange still counts as "not sent". Nothing here touches the database or the
//! broker; texts and full numbers are never logged.

use std::future::Future;
use std::time::Duration;

use heard::{Heard, Rejected, Request};
use jiff::Timestamp;
use kind::Kind;
use reqwest::Url;
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::facts::heard::Media;
use crate::facts::ids::{Slug, SmsId};
use crate::facts::said::SubmittedPart;
use crate::sms::doubt::Found;

#[cfg(test)]
mod any_request;
pub mod aws;
pub mod bandwidth;
pub(crate) mod base64;
mod connection;
pub mod heard;
pub(crate) mod http;
pub mod kannel;
pub mod kind;
pub mod lines;
pub mod pause;
pub mod plivo;
mod reading;
pub mod simulator;
pub mod smpp;
pub mod telnyx;
pub mod twilio;
pub mod vonage;

pub use connection::Connection;

/// Every kind there is an adapter for.
pub const KINDS: &[&Kind] = &[
    &simulator::KIND,
    &twilio::KIND,
    &smpp::KIND,
    &telnyx::KIND,
    &vonage::KIND,
    &plivo::KIND,
    &bandwidth::KIND,
    &aws::KIND,
    &kannel::KIND,
];

/// The kind of a name.
#[must_use]
pub fn kind_of(name: &str) -> Option<&'static Kind> {
    KINDS.iter().copied().find(|kind| kind.name == name)
}

/// Whether a kind of carrier sends media along.
#[must_use]
pub fn sends_media(kind: &str) -> bool {
    match kind {
        "twilio" => twilio::Client::SENDS_MEDIA,
        "telnyx" => telnyx::Client::SENDS_MEDIA,
        "plivo" => plivo::Client::SENDS_MEDIA,
        "bandwidth" => bandwidth::Client::SENDS_MEDIA,
        _ => false,
    }
}

/// A text on its way to a carrier.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Slug of the carrier's connection.
    pub carrier: Slug,
    /// Ours.
    pub sms_id: SmsId,
    /// Our number, E.164 or a short code's digits.
    pub from: String,
    /// Of a short code in `from`.
    pub from_country: Option<String>,
    /// The customer's number.
    pub to: String,
    /// What was written.
    pub text: String,
    /// Links to send along.
    pub media: Vec<Media>,
}

/// What became of a send.
#[derive(Clone, Debug, PartialEq)]
pub enum Sent {
    /// The carrier took it, every part under its own id.
    Accepted(Vec<SubmittedPart>),
    /// It took some parts, and of the others nobody knows or they were refused: an empty id. It is never sent again by
    /// itself. Why not all.
    Partly(Vec<SubmittedPart>, String),
    /// Never: a bad number, blocked, too long. The carrier's code.
    Refused(String),
    /// Never: the carrier knows that the recipient opted out. Its code.
    OptedOut(String),
    /// Not now, and certainly not sent: away, or its day's count is used up. The carrier's wish, if it had one, and its code.
    NotNow(Option<Duration>, String),
    /// The same because texts come too fast: the pace of the carrier is halved.
    TooFast(Option<Duration>, String),
    /// Not this text but the account is refused (sign-in, suspension): nothing goes by this connection until somebody
    /// has looked. Certainly not sent. The carrier's code.
    Account(String),
    /// The line broke after the text may have left: it is never sent again by itself. Why.
    Unanswered(String),
}

impl Sent {
    /// The parts that are to be kept under their ids.
    #[must_use]
    pub fn taken(&self) -> &[SubmittedPart] {
        if let Self::Accepted(parts) | Self::Partly(parts, _) = self { parts } else { &[] }
    }
}

/// What every carrier does.
pub trait Carrier: Send + Sync {
    /// The same sms id twice is one text for this carrier, so an unanswered one may be sent again.
    const TAKES_OUR_ID: bool;
    /// It sends media along.
    const SENDS_MEDIA: bool = false;

    /// Hands over one text, under a time-out of its own.
    fn send(&self, text: &Outgoing) -> impl Future<Output = Sent> + Send;

    /// Looks for a text whose answer was lost: what the carrier took since then that is like it.
    fn find(&self, _text: &Outgoing, _since: Timestamp) -> impl Future<Output = Found> + Send {
        std::future::ready(Found::NotTold)
    }

    /// Verifies a request to the carrier's webhook and reads it.
    fn receive(&self, _request: &Request<'_>) -> impl Future<Output = Result<Vec<Heard>, Rejected>> + Send {
        std::future::ready(Err(Rejected::NotTheirs("no_webhook")))
    }

    /// The `Authorization` to fetch a medium with, where its link is this connection's own and needs one.
    fn authorization(&self, _url: &Url) -> Option<SecretString> {
        None
    }

    /// What the webhook answers: content type and body.
    fn answer(&self) -> (&'static str, &'static str) {
        ("text/plain", "")
    }
}

/// What connections need to know of their surroundings.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Where the simulator is.
    pub simulator_url: String,
    /// Under which carriers call us, without a slash at its end; empty: not set.
    pub public_url: String,
    /// The SMPP binds of this process.
    pub smpp: smpp::Registry,
}

impl Surroundings {
    /// The address of a carrier's webhook, where the public one is known.
    #[must_use]
    pub fn webhook(&self, carrier: &Slug) -> Option<String> {
        (!self.public_url.is_empty()).then(|| format!("{}/webhooks/{carrier}", self.public_url))
    }
}

/// A connection as its row says.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Slug.
    pub id: Slug,
    /// One of [`KINDS`].
    pub kind: String,
    /// Where it is, other than by default.
    pub url: Option<String>,
    /// Under the other keys.
    pub settings: Map<String, Value>,
}
