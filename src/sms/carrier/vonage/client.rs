//! Sends by Vonage's SMS API. The status of HTTP is 200 whatever came of it: each part has an entry of its own, with its
//! own status and id.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::super::heard::{Heard, Rejected, Request};
use super::super::http::{self, Answer};
use super::super::kind::Settings;
use super::super::reading::without_plus;
use super::super::{Carrier, Outgoing, Sent, Surroundings};
use super::signature::{self, Method};
use super::webhook;
use crate::facts::said::SubmittedPart;
use crate::sms::encoding::Encoding;

/// Where Vonage is.
const HOME: &str = "https://rest.nexmo.com";

/// One connection; clones share their HTTP connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    messages: reqwest::Url,
    key: String,
    secret: SecretString,
    method: Method,
    signatures: Vec<SecretString>,
    callback: Option<String>,
}

impl Client {
    /// A client by its settings.
    ///
    /// # Errors
    /// A sentence: what is missing or no address.
    pub fn new(url: Option<&str>, settings: &Settings, around: &Surroundings) -> Result<Self, String> {
        settings.required_secret("signature_file")?;
        Ok(Self {
            http: http::client()?,
            messages: http::address(url.unwrap_or(HOME), "/sms/json")?,
            key: settings.required("key")?.to_owned(),
            secret: settings.required_secret("secret_file")?.clone(),
            method: Method::of(settings.text("signature_method")),
            signatures: settings.secrets(&["signature_file", "signature_next_file"]),
            callback: around.webhook(&settings.carrier),
        })
    }
}

impl Carrier for Client {
    const TAKES_OUR_ID: bool = false;

    async fn send(&self, text: &Outgoing) -> Sent {
        let alphabet = match Encoding::of(&text.text) {
            Encoding::Gsm7 => "text",
            Encoding::Ucs2 => "unicode",
        };
        let id = text.sms_id.to_string();
        let mut form = vec![
            ("from", without_plus(&text.from)),
            ("to", without_plus(&text.to)),
            ("text", &text.text),
            ("type", alphabet),
            // it comes back with the receipts, for people who look there
            ("client-ref", &id),
        ];
        form.extend(self.callback.as_deref().map(|callback| ("callback", callback)));
        let request =
            self.http.post(self.messages.clone()).basic_auth(&self.key, Some(self.secret.expose_secret())).form(&form);
        match http::call(request).await {
            Ok(answer) => told(&answer),
            Err(sent) => sent,
        }
    }

    async fn receive(&self, request: &Request<'_>) -> Result<Vec<Heard>, Rejected> {
        let parameters = webhook::parameters(request)?;
        signature::verify(&parameters, self.method, &self.signatures).map_err(Rejected::NotTheirs)?;
        webhook::read(&parameters)
    }
}

#[derive(Deserialize)]
struct Told {
    messages: Vec<Entry>,
}

/// What became of one part.
#[derive(Deserialize)]
struct Entry {
    status: String,
    #[serde(rename = "message-id")]
    id: Option<String>,
}

fn told(answer: &Answer) -> Sent {
    if !answer.status.is_success() {
        return answer.by_status(None);
    }
    let Some(Told { messages }) = answer.json() else { return answer.unreadable() };
    let mut parts = Vec::new();
    for (entry, part) in messages.into_iter().zip(1..) {
        match entry.id {
            Some(carrier_sms_id) if entry.status == "0" => parts.push(SubmittedPart { part, carrier_sms_id }),
            None if entry.status == "0" => return answer.unreadable(),
            _ if parts.is_empty() => return meaning(entry.status),
            // some of it has left
            _ => return Sent::Unanswered(format!("part_refused_{}", entry.status)),
        }
    }
    if parts.is_empty() { answer.unreadable() } else { Sent::Accepted(parts) }
}

/// What a status of Vonage's means for a text.
fn meaning(status: String) -> Sent {
    match status.as_str() {
        // throttled, and too many binds
        "1" | "10" => Sent::TooFast(None, status),
        // sign-in, barred, no funds, not enabled, signature
        "4" | "8" | "9" | "11" | "14" | "32" => Sent::Account(status),
        // an error of its platform, which may have taken the text
        "5" => Sent::Unanswered(status),
        // on its list of numbers that want nothing
        "7" => Sent::OptedOut(status),
        _ => Sent::Refused(status),
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
        let entries = |entries: &str| told(200, &format!(r#"{{"message-count":"9","messages":[{entries}]}}"#));
        let refused = |status: &str| entries(&format!(r#"{{"status":"{status}","error-text":"x"}}"#));
        let part = |part, id: &str| SubmittedPart { part, carrier_sms_id: id.to_owned() };
        let (a, b) = (r#"{"status":"0","message-id":"A","to":"1"}"#, r#"{"status":"0","message-id":"B","to":"1"}"#);
        assert_eq!(entries(a), Sent::Accepted(vec![part(1, "A")]));
        assert_eq!(entries(&format!("{a},{b}")), Sent::Accepted(vec![part(1, "A"), part(2, "B")]));
        assert_eq!(entries(&format!(r#"{a},{{"status":"9"}}"#)), Sent::Unanswered("part_refused_9".into()));
        assert_eq!(refused("1"), Sent::TooFast(None, "1".into()));
        assert_eq!(refused("4"), Sent::Account("4".into()));
        assert_eq!(refused("5"), Sent::Unanswered("5".into()));
        assert_eq!(refused("7"), Sent::OptedOut("7".into()));
        assert_eq!(refused("15"), Sent::Refused("15".into()));
        assert_eq!(refused("0"), Sent::Unanswered("answer_unreadable".into()), "it has no id");
        assert_eq!(entries(""), Sent::Unanswered("answer_unreadable".into()));
        assert_eq!(told(200, "<html>"), Sent::Unanswered("answer_unreadable".into()));
        assert_eq!(told(503, ""), Sent::Unanswered("http_503".into()));
        assert_eq!(told(401, ""), Sent::Account("http_401".into()));
    }
}
