//! What a carrier must do, and the closed set of what can become of a send. One file (or folder) per carrier; each says
//! whether it takes our sms id as its idempotency key, and what of a broken exchange still counts as "not sent".
//! Nothing here touches the database or the broker; texts and full numbers are never logged.

use std::future::Future;
use std::time::Duration;

use crate::facts::ids::{Slug, SmsId};
use crate::facts::said::SubmittedPart;

pub mod pause;
pub mod simulator;

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
}

/// What became of a send.
#[derive(Clone, Debug, PartialEq)]
pub enum Sent {
    /// The carrier took it, every part under its own id.
    Accepted(Vec<SubmittedPart>),
    /// Never: a bad number, blocked, too long. The carrier's code.
    Refused(String),
    /// Not now, and certainly not sent: throttled, or away. The carrier's wish, if it had one, and its code.
    NotNow(Option<Duration>, String),
    /// The line broke after the text may have left: it is never sent again by itself. Why.
    Unanswered(String),
}

/// What every carrier does. Receiving (verify, parse a text, parse a receipt) joins with the gateway's webhooks.
pub trait Carrier: Send + Sync {
    /// As in `carriers.kind`.
    const KIND: &'static str;
    /// The same sms id twice is one text for this carrier, so an unanswered one may be sent again.
    const TAKES_OUR_ID: bool;
    /// Hands over one text, under a time-out of its own.
    fn send(&self, text: &Outgoing) -> impl Future<Output = Sent> + Send;
}

/// A connection of any kind.
#[derive(Clone, Debug)]
pub enum Connection {
    /// The simulated mobile network.
    Simulator(simulator::Client),
}

impl Connection {
    /// Makes ready to send; connects only on the first send.
    ///
    /// # Errors
    /// A sentence: an unknown kind, an address that is none.
    pub fn open(kind: &str, url: Option<&str>, simulator_url: &str) -> Result<Self, String> {
        match kind {
            simulator::Client::KIND => {
                simulator::Client::new(url.unwrap_or(simulator_url), simulator::Limits::default()).map(Self::Simulator)
            }
            other => Err(format!("no carrier of the kind {other:?} is known")),
        }
    }

    /// See [`Carrier::TAKES_OUR_ID`].
    #[must_use]
    pub fn takes_our_id(&self) -> bool {
        match self {
            Self::Simulator(_) => simulator::Client::TAKES_OUR_ID,
        }
    }

    /// Hands over one text.
    pub async fn send(&self, text: &Outgoing) -> Sent {
        sound(match self {
            Self::Simulator(client) => client.send(text).await,
        })
    }
}

/// What a carrier says comes from outside: words are cut, and an id that cannot be kept is no answer.
fn sound(sent: Sent) -> Sent {
    let word = |code: String| code.chars().filter(|c| !c.is_control()).take(100).collect();
    let is_id = |id: &str| !id.is_empty() && id.len() <= 255 && !id.contains('\0');
    match sent {
        Sent::Accepted(parts) if parts.iter().all(|part| is_id(&part.carrier_sms_id)) => Sent::Accepted(parts),
        Sent::Accepted(_) => Sent::Unanswered("answer_unreadable".to_owned()),
        Sent::Refused(code) => Sent::Refused(word(code)),
        Sent::NotNow(wait, code) => Sent::NotNow(wait, word(code)),
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
