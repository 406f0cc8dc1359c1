//! Sends by Bandwidth's API, and says what its answers mean for us. What Bandwidth refuses, by 4xx or by 5xx, it has not
//! taken, as its documentation says; 502 and 504 are said by something before it, and so leave that open.

use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::super::heard::{Heard, Rejected, Request};
use super::super::http::{self, Answer};
use super::super::kind::Settings;
use super::super::reading::login;
use super::super::{Carrier, Outgoing, Sent, Surroundings};
use super::webhook;
use crate::facts::said::SubmittedPart;

/// Where Bandwidth is.
const HOME: &str = "https://messaging.bandwidth.com";

/// One connection; clones share their HTTP connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    messages: reqwest::Url,
    application: String,
    user: String,
    password: SecretString,
    /// `user:password` of callbacks.
    callers: Vec<SecretString>,
}

impl Client {
    /// A client by its settings.
    ///
    /// # Errors
    /// A sentence: what is missing or no address.
    pub fn new(url: Option<&str>, settings: &Settings, _: &Surroundings) -> Result<Self, String> {
        let account = settings.required("account")?;
        let caller = settings.required("callback_user")?;
        settings.required_secret("callback_password_file")?;
        let passwords = settings.secrets(&["callback_password_file", "callback_password_next_file"]);
        Ok(Self {
            http: http::client()?,
            messages: http::address(url.unwrap_or(HOME), &format!("/api/v2/users/{account}/messages"))?,
            application: settings.required("application")?.to_owned(),
            user: settings.required("user")?.to_owned(),
            password: settings.required_secret("password_file")?.clone(),
            callers: passwords
                .iter()
                .map(|password| SecretString::from(format!("{caller}:{}", password.expose_secret())))
                .collect(),
        })
    }
}

impl Carrier for Client {
    const TAKES_OUR_ID: bool = false;
    const SENDS_MEDIA: bool = true;

    async fn send(&self, text: &Outgoing) -> Sent {
        let mut body = json!({
            "applicationId": self.application, "from": text.from, "to": [text.to], "text": text.text,
            // it comes back with the receipts, for people who look there
            "tag": text.sms_id,
        });
        http::add_media(&mut body, "media", text);
        let request = self
            .http
            .post(self.messages.clone())
            .basic_auth(&self.user, Some(self.password.expose_secret()))
            .json(&body);
        match http::call(request).await {
            Ok(answer) => told(&answer),
            Err(sent) => sent,
        }
    }

    fn authorization(&self, url: &reqwest::Url) -> Option<SecretString> {
        let below = self.messages.path().trim_end_matches("messages");
        login(url, &self.messages, below, &self.user, &self.password)
    }

    async fn receive(&self, request: &Request<'_>) -> Result<Vec<Heard>, Rejected> {
        webhook::verify(request, &self.callers).map_err(Rejected::NotTheirs)?;
        webhook::read(request)
    }
}

#[derive(Deserialize)]
struct Taken {
    id: String,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "type")]
    word: String,
}

pub(crate) fn told(answer: &Answer) -> Sent {
    if answer.status.is_success() {
        let part = |taken: Taken| SubmittedPart { part: 1, carrier_sms_id: taken.id };
        return answer.json().map_or_else(|| answer.unreadable(), |taken| Sent::Accepted(vec![part(taken)]));
    }
    let word = answer.json().map(|refusal: Refusal| refusal.word);
    match answer.status {
        StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => answer.by_status(word),
        status if status.is_server_error() => {
            Sent::NotNow(answer.wait, word.unwrap_or_else(|| format!("http_{}", status.as_u16())))
        }
        _ => answer.by_status(word),
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
        let refused = |status: u16, word: &str| told(status, &format!(r#"{{"type":"{word}","description":"d"}}"#));
        let part = SubmittedPart { part: 1, carrier_sms_id: "1589228074636lm4k2je7j7jklbn2".into() };
        let taken =
            r#"{"id":"1589228074636lm4k2je7j7jklbn2","owner":"+15550100001","segmentCount":2,"direction":"out"}"#;
        assert_eq!(told(202, taken), Sent::Accepted(vec![part]));
        assert_eq!(told(202, "{}"), Sent::Unanswered("answer_unreadable".into()));
        assert_eq!(refused(400, "request-validation"), Sent::Refused("request-validation".into()));
        assert_eq!(refused(401, "unauthorized"), Sent::Account("unauthorized".into()));
        assert_eq!(refused(403, "forbidden"), Sent::Account("forbidden".into()));
        assert_eq!(refused(415, "unsupported-media-type"), Sent::Refused("unsupported-media-type".into()));
        assert_eq!(refused(429, "too-many-requests"), Sent::TooFast(None, "too-many-requests".into()));
        assert_eq!(refused(500, "internal-server-error"), Sent::NotNow(None, "internal-server-error".into()));
        assert_eq!(told(503, ""), Sent::NotNow(None, "http_503".into()));
        for status in [502, 504] {
            assert_eq!(told(status, ""), Sent::Unanswered(format!("http_{status}")), "it may have left");
        }
    }
}
