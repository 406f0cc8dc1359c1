//! What a carrier must do, and the closed sets of what it can say: what became of a send, and what comes by its webhook.
//! One file (or folder) per carrier; each says what keys it needs in the tenant file, whether it takes our sms id as its
//! idempotency key, and what of a broken exchange still counts as "not sent". Nothing here touches the database or the
//! broker; texts and full numbers are never logged.

use std::future::Future;
use std::time::Duration;

use heard::{Heard, Rejected, Request};
use kind::{Kind, Settings};
use serde_json::{Map, Value};

use crate::facts::heard::Media;
use crate::facts::ids::{Slug, SmsId};
use crate::facts::said::SubmittedPart;

mod base64;
pub mod heard;
mod http;
pub mod kind;
pub mod lines;
pub mod pause;
pub mod simulator;
pub mod smpp;
pub mod twilio;

/// Every kind there is an adapter for.
pub const KINDS: &[&Kind] = &[&simulator::KIND, &twilio::KIND, &smpp::KIND];

/// The kind of a name.
#[must_use]
pub fn kind_of(name: &str) -> Option<&'static Kind> {
    KINDS.iter().copied().find(|kind| kind.name == name)
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

    /// Hands over one text, under a time-out of its own.
    fn send(&self, text: &Outgoing) -> impl Future<Output = Sent> + Send;

    /// Verifies a request to the carrier's webhook and reads it.
    fn receive(&self, _request: &Request<'_>) -> impl Future<Output = Result<Vec<Heard>, Rejected>> + Send {
        std::future::ready(Err(Rejected::NotTheirs("no_webhook")))
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

/// A connection of any kind.
#[derive(Clone, Debug)]
pub enum Connection {
    /// The simulated mobile network.
    Simulator(simulator::Client),
    /// Twilio, and whoever speaks as it does.
    Twilio(twilio::Client),
    /// An SMSC.
    Smpp(smpp::Client),
}

impl Connection {
    /// Makes ready to send and to receive; connects only on the first send.
    ///
    /// # Errors
    /// A sentence: an unknown kind, an address that is none, a setting that is missing.
    pub fn open(row: &Row, settings: &Settings, around: &Surroundings) -> Result<Self, String> {
        match row.kind.as_str() {
            "smpp" => smpp::Client::new(row.url.as_deref(), settings, around).map(Self::Smpp),
            "twilio" => twilio::Client::new(row.url.as_deref(), settings, around).map(Self::Twilio),
            "simulator" => {
                let url = row.url.as_deref().unwrap_or(&around.simulator_url);
                simulator::Client::new(url, simulator::Limits::default()).map(Self::Simulator)
            }
            name => Err(format!("no adapter for the kind {name:?}")),
        }
    }

    /// See [`Carrier::TAKES_OUR_ID`].
    #[must_use]
    pub fn takes_our_id(&self) -> bool {
        fn of<C: Carrier>(_: &C) -> bool {
            C::TAKES_OUR_ID
        }
        match self {
            Self::Simulator(carrier) => of(carrier),
            Self::Twilio(carrier) => of(carrier),
            Self::Smpp(carrier) => of(carrier),
        }
    }

    /// Hands over one text.
    pub async fn send(&self, text: &Outgoing) -> Sent {
        sound(match self {
            Self::Simulator(carrier) => carrier.send(text).await,
            Self::Twilio(carrier) => carrier.send(text).await,
            Self::Smpp(carrier) => carrier.send(text).await,
        })
    }

    /// Verifies and reads a request to the carrier's webhook.
    ///
    /// # Errors
    /// Not the carrier's, or not understood.
    pub async fn receive(&self, request: &Request<'_>) -> Result<Vec<Heard>, Rejected> {
        match self {
            Self::Simulator(carrier) => carrier.receive(request).await,
            Self::Twilio(carrier) => carrier.receive(request).await,
            Self::Smpp(carrier) => carrier.receive(request).await,
        }
    }

    /// What the webhook answers: content type and body.
    #[must_use]
    pub fn answer(&self) -> (&'static str, &'static str) {
        match self {
            Self::Simulator(carrier) => carrier.answer(),
            Self::Twilio(carrier) => carrier.answer(),
            Self::Smpp(carrier) => carrier.answer(),
        }
    }
}

/// What a carrier says comes from outside: words are cut, and an id that cannot be kept is no answer.
fn sound(sent: Sent) -> Sent {
    let word = |code: String| code.chars().filter(|c| !c.is_control()).take(100).collect();
    let is_id = |id: &str| !id.is_empty() && id.len() <= 255 && !id.contains('\0');
    match sent {
        Sent::Accepted(parts) if parts.iter().all(|part| is_id(&part.carrier_sms_id)) => Sent::Accepted(parts),
        Sent::Accepted(_) => Sent::Unanswered("answer_unreadable".to_owned()),
        Sent::Partly(parts, why) => {
            let keep = |part: SubmittedPart| {
                let id = Some(part.carrier_sms_id).filter(|id| is_id(id)).unwrap_or_default();
                SubmittedPart { carrier_sms_id: id, ..part }
            };
            Sent::Partly(parts.into_iter().map(keep).collect(), word(why))
        }
        Sent::Refused(code) => Sent::Refused(word(code)),
        Sent::OptedOut(code) => Sent::OptedOut(word(code)),
        Sent::Account(code) => Sent::Account(word(code)),
        Sent::NotNow(wait, code) => Sent::NotNow(wait, word(code)),
        Sent::TooFast(wait, code) => Sent::TooFast(wait, word(code)),
        Sent::Unanswered(why) => Sent::Unanswered(word(why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_kept_is_cut_or_no_answer() {
        let part = |id: &str| Sent::Accepted(vec![SubmittedPart { part: 1, carrier_sms_id: id.to_owned() }]);
        assert_eq!(sound(part("a")), part("a"));
        for bad in ["", "a\0b", &"x".repeat(300)] {
            assert_eq!(sound(part(bad)), Sent::Unanswered("answer_unreadable".to_owned()));
        }
        assert_eq!(sound(Sent::Refused("a\0b".to_owned())), Sent::Refused("ab".to_owned()));
    }
}
