//! A connection of any kind: what is asked of it, its own adapter does.

use jiff::Timestamp;
use reqwest::Url;
use secrecy::SecretString;

use super::heard::{Heard, Rejected, Request};
use super::kind::Settings;
use super::{Carrier, Outgoing, Row, Sent, Surroundings};
use super::{aws, bandwidth, kannel, plivo, simulator, smpp, telnyx, twilio, vonage};
use crate::facts::said::SubmittedPart;
use crate::sms::doubt::Found;

/// The same of whichever adapter.
macro_rules! each {
    ($connection:expr, $carrier:ident => $asked:expr) => {
        match $connection {
            Self::Simulator($carrier) => $asked,
            Self::Twilio($carrier) => $asked,
            Self::Smpp($carrier) => $asked,
            Self::Telnyx($carrier) => $asked,
            Self::Vonage($carrier) => $asked,
            Self::Plivo($carrier) => $asked,
            Self::Bandwidth($carrier) => $asked,
            Self::Aws($carrier) => $asked,
            Self::Kannel($carrier) => $asked,
        }
    };
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
    /// Telnyx.
    Telnyx(telnyx::Client),
    /// Vonage's SMS API.
    Vonage(vonage::Client),
    /// Plivo.
    Plivo(plivo::Client),
    /// Bandwidth.
    Bandwidth(bandwidth::Client),
    /// AWS End User Messaging SMS.
    Aws(aws::Client),
    /// Kannel.
    Kannel(kannel::Client),
}

impl Connection {
    /// Makes ready to send and to receive; connects only on the first send.
    ///
    /// # Errors
    /// A sentence: an unknown kind, an address that is none, a setting that is missing.
    pub fn open(row: &Row, settings: &Settings, around: &Surroundings) -> Result<Self, String> {
        match row.kind.as_str() {
            "twilio" => twilio::Client::new(row.url.as_deref(), settings, around).map(Self::Twilio),
            "smpp" => smpp::Client::new(row.url.as_deref(), settings, around).map(Self::Smpp),
            "telnyx" => telnyx::Client::new(row.url.as_deref(), settings, around).map(Self::Telnyx),
            "vonage" => vonage::Client::new(row.url.as_deref(), settings, around).map(Self::Vonage),
            "plivo" => plivo::Client::new(row.url.as_deref(), settings, around).map(Self::Plivo),
            "bandwidth" => bandwidth::Client::new(row.url.as_deref(), settings, around).map(Self::Bandwidth),
            "aws" => aws::Client::new(row.url.as_deref(), settings, around).map(Self::Aws),
            "kannel" => kannel::Client::new(row.url.as_deref(), settings, around).map(Self::Kannel),
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
        each!(self, carrier => of(carrier))
    }

    /// See [`Carrier::authorization`].
    #[must_use]
    pub fn authorization(&self, url: &Url) -> Option<SecretString> {
        each!(self, carrier => carrier.authorization(url))
    }

    /// See [`Carrier::SENDS_MEDIA`].
    #[must_use]
    pub fn sends_media(&self) -> bool {
        fn of<C: Carrier>(_: &C) -> bool {
            C::SENDS_MEDIA
        }
        each!(self, carrier => of(carrier))
    }

    /// Hands over one text; media that the carrier does not send are no text without them.
    pub async fn send(&self, text: &Outgoing) -> Sent {
        if !text.media.is_empty() && !self.sends_media() {
            return Sent::Refused("no_media".to_owned());
        }
        sound(each!(self, carrier => carrier.send(text).await))
    }

    /// Looks for a text whose answer was lost.
    pub async fn find(&self, text: &Outgoing, since: Timestamp) -> Found {
        each!(self, carrier => carrier.find(text, since).await)
    }

    /// Verifies and reads a request to the carrier's webhook.
    ///
    /// # Errors
    /// Not the carrier's, or not understood.
    pub async fn receive(&self, request: &Request<'_>) -> Result<Vec<Heard>, Rejected> {
        each!(self, carrier => carrier.receive(request).await)
    }

    /// What the webhook answers: content type and body.
    #[must_use]
    pub fn answer(&self) -> (&'static str, &'static str) {
        each!(self, carrier => carrier.answer())
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
