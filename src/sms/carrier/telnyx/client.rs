//! Sends by Telnyx's API, and says what its answers mean for us. Our sms id goes along as `Idempotency-Key`; since Telnyx
//! knows it for a day only, and only with the same body, what was not answered is not sent again by it.

use std::time::Duration;

use ring::signature::{ED25519, UnparsedPublicKey};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::super::heard::{Heard, Rejected, Request};
use super::super::http::{self, Answer};
use super::super::kind::Settings;
use super::super::{Carrier, Outgoing, Sent, Surroundings, base64};
use super::webhook;
use crate::facts::said::SubmittedPart;

/// Where Telnyx is.
const HOME: &str = "https://api.telnyx.com";
/// About the account, not about the text, like all that begin with 20 (keys, funds): sign-in, permission, its level.
const ACCOUNT: &[&str] = &["10009", "10010", "10039"];
/// Too many requests; a queue is full, or the rate of the number or its campaign is used up.
const TOO_FAST: &[&str] = &["10011", "40011", "40318"];
/// The day's count of the campaign is used up.
const NOT_TODAY: &[&str] = &["40333"];
/// The recipient sent STOP.
const OPTED_OUT: &str = "40300";

/// One connection; clones share their HTTP connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    messages: reqwest::Url,
    key: SecretString,
    public_keys: Vec<UnparsedPublicKey<Vec<u8>>>,
    profile: Option<String>,
    callback: Option<String>,
}

impl Client {
    /// A client by its settings.
    ///
    /// # Errors
    /// A sentence: what is missing, no key or no address.
    pub fn new(url: Option<&str>, settings: &Settings, around: &Surroundings) -> Result<Self, String> {
        settings.required("public_key")?;
        let public_key = |name: &&str| settings.text(name).map(|text| public_key(name, text));
        Ok(Self {
            http: http::client()?,
            messages: http::address(url.unwrap_or(HOME), "/v2/messages")?,
            key: settings.required_secret("key_file")?.clone(),
            public_keys: ["public_key", "public_key_next"].iter().filter_map(public_key).collect::<Result<_, _>>()?,
            profile: settings.text("profile").map(str::to_owned),
            callback: around.webhook(&settings.carrier),
        })
    }

    fn body(&self, text: &Outgoing) -> serde_json::Value {
        let mut body = json!({"from": text.from, "to": text.to, "text": text.text});
        http::add_media(&mut body, "media_urls", text);
        for (name, value) in [("messaging_profile_id", &self.profile), ("webhook_url", &self.callback)] {
            if let Some(value) = value {
                body[name] = value.as_str().into();
            }
        }
        body
    }
}

fn public_key(name: &str, text: &str) -> Result<UnparsedPublicKey<Vec<u8>>, String> {
    let key = base64::decode(text).filter(|key| key.len() == 32);
    key.map(|key| UnparsedPublicKey::new(&ED25519, key))
        .ok_or_else(|| format!("{name} is no public key of Telnyx's: 32 octets in base64"))
}

impl Carrier for Client {
    const TAKES_OUR_ID: bool = false;
    const SENDS_MEDIA: bool = true;

    async fn send(&self, text: &Outgoing) -> Sent {
        let request = self
            .http
            .post(self.messages.clone())
            .bearer_auth(self.key.expose_secret())
            .header("Idempotency-Key", text.sms_id.to_string())
            .json(&self.body(text));
        match http::call(request).await {
            Ok(answer) => told(&answer),
            Err(sent) => sent,
        }
    }

    async fn receive(&self, request: &Request<'_>) -> Result<Vec<Heard>, Rejected> {
        webhook::verify(request, &self.public_keys).map_err(Rejected::NotTheirs)?;
        webhook::read(request)
    }
}

/// What we need of a message as the API shows it.
#[derive(Deserialize)]
struct Taken {
    data: Message,
}

#[derive(Deserialize)]
struct Message {
    id: String,
    #[serde(default)]
    errors: Vec<Fault>,
}

/// An error as the API shows it.
#[derive(Deserialize)]
struct Refusal {
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    code: String,
}

pub(crate) fn told(answer: &Answer) -> Sent {
    if answer.status.is_success() {
        return answer.json().map_or_else(|| answer.unreadable(), |taken: Taken| took(taken.data));
    }
    let code = answer.json().and_then(|refusal: Refusal| refusal.errors.into_iter().next()).map(|fault| fault.code);
    match code {
        Some(code) if answer.is_refusal() => meaning(code, answer.wait),
        code => answer.by_status(code),
    }
}

fn took(message: Message) -> Sent {
    match message.errors.into_iter().next() {
        Some(fault) => meaning(fault.code, None),
        None => Sent::Accepted(vec![SubmittedPart { part: 1, carrier_sms_id: message.id }]),
    }
}

/// What a code of Telnyx's means for a text.
fn meaning(code: String, wait: Option<Duration>) -> Sent {
    match code.as_str() {
        OPTED_OUT => Sent::OptedOut(code),
        of if ACCOUNT.contains(&of) || of.starts_with("20") => Sent::Account(code),
        of if TOO_FAST.contains(&of) => Sent::TooFast(wait, code),
        of if NOT_TODAY.contains(&of) => Sent::NotNow(wait.or(Some(Duration::from_hours(1))), code),
        _ => Sent::Refused(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_is_one_of_the_closed_set() {
        let told = |status: u16, body: &str| {
            let body = Some(body.as_bytes().to_vec());
            super::told(&Answer { status: status.try_into().unwrap(), wait: None, body })
        };
        let refused = |status: u16, code: &str| {
            told(status, &format!(r#"{{"errors":[{{"code":"{code}","title":"t"}},{{"code":"1","title":"t"}}]}}"#))
        };
        let part = SubmittedPart { part: 1, carrier_sms_id: "40385f64".into() };
        assert_eq!(
            told(200, r#"{"data":{"id":"40385f64","errors":[],"parts":2}}"#),
            Sent::Accepted(vec![part.clone()])
        );
        assert_eq!(told(200, r#"{"data":{"id":"40385f64"}}"#), Sent::Accepted(vec![part]));
        assert_eq!(told(200, "{}"), Sent::Unanswered("answer_unreadable".into()));
        assert_eq!(refused(400, "40300"), Sent::OptedOut("40300".into()));
        assert_eq!(refused(403, "40318"), Sent::TooFast(None, "40318".into()));
        assert_eq!(refused(400, "40333"), Sent::NotNow(Some(Duration::from_hours(1)), "40333".into()));
        assert_eq!(refused(401, "10009"), Sent::Account("10009".into()));
        assert_eq!(refused(403, "20100"), Sent::Account("20100".into()));
        assert_eq!(refused(422, "10002"), Sent::Refused("10002".into()));
        assert_eq!(refused(429, "10011"), Sent::TooFast(None, "10011".into()));
        assert_eq!(refused(500, "10007"), Sent::Unanswered("10007".into()), "it may have left");
        assert_eq!(told(401, "no JSON"), Sent::Account("http_401".into()));
    }

    #[test]
    fn a_public_key_is_32_octets() {
        assert!(public_key("public_key", "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=").is_ok());
        assert!(public_key("public_key", "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMQ==").is_err());
        assert!(public_key("public_key", "not base64").is_err());
    }
}
