//! Sends by Plivo's API, and says what its answers mean for us. An error is told by its status and a sentence, no code.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::super::heard::{Heard, Rejected, Request};
use super::super::http::{self, Answer};
use super::super::kind::Settings;
use super::super::reading::{login, without_plus};
use super::super::{Carrier, Outgoing, Sent, Surroundings};
use super::{signature, webhook};
use crate::facts::said::SubmittedPart;

/// Where Plivo is.
const HOME: &str = "https://api.plivo.com";

/// One connection; clones share their HTTP connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    messages: reqwest::Url,
    account: String,
    token: SecretString,
    tokens: Vec<SecretString>,
    needs_v3: bool,
    powerpack: Option<String>,
    callback: Option<String>,
}

impl Client {
    /// A client by its settings.
    ///
    /// # Errors
    /// A sentence: what is missing or no address.
    pub fn new(url: Option<&str>, settings: &Settings, around: &Surroundings) -> Result<Self, String> {
        let account = settings.required("account")?;
        Ok(Self {
            http: http::client()?,
            messages: http::address(url.unwrap_or(HOME), &format!("/v1/Account/{account}/Message/"))?,
            account: account.to_owned(),
            token: settings.required_secret("token_file")?.clone(),
            tokens: settings.secrets(&["token_file", "token_next_file"]),
            needs_v3: settings.text("signature") == Some("v3"),
            powerpack: settings.text("powerpack").map(str::to_owned),
            callback: around.webhook(&settings.carrier),
        })
    }

    fn body(&self, text: &Outgoing) -> serde_json::Value {
        let mut body = json!({"dst": without_plus(&text.to), "text": text.text, "type": "sms"});
        match &self.powerpack {
            Some(powerpack) => body["powerpack_uuid"] = powerpack.as_str().into(),
            None => body["src"] = without_plus(&text.from).into(),
        }
        if let Some(callback) = &self.callback {
            body["url"] = callback.as_str().into();
            body["method"] = "POST".into();
        }
        if !text.media.is_empty() {
            body["type"] = "mms".into();
        }
        http::add_media(&mut body, "media_urls", text);
        body
    }
}

impl Carrier for Client {
    const TAKES_OUR_ID: bool = false;
    const SENDS_MEDIA: bool = true;

    async fn send(&self, text: &Outgoing) -> Sent {
        let request = self
            .http
            .post(self.messages.clone())
            .basic_auth(&self.account, Some(self.token.expose_secret()))
            .json(&self.body(text));
        match http::call(request).await {
            Ok(answer) => told(&answer),
            Err(sent) => sent,
        }
    }

    fn authorization(&self, url: &reqwest::Url) -> Option<SecretString> {
        let below = self.messages.path().trim_end_matches("Message/");
        login(url, &self.messages, below, &self.account, &self.token)
    }

    async fn receive(&self, request: &Request<'_>) -> Result<Vec<Heard>, Rejected> {
        signature::verify(request, &self.tokens, self.needs_v3).map_err(Rejected::NotTheirs)?;
        webhook::read(request)
    }

    fn answer(&self) -> (&'static str, &'static str) {
        ("text/xml", "<Response/>")
    }
}

#[derive(Deserialize)]
struct Taken {
    message_uuid: Vec<String>,
}

pub(crate) fn told(answer: &Answer) -> Sent {
    if !answer.status.is_success() {
        return answer.by_status(None);
    }
    match answer.json().and_then(|taken: Taken| taken.message_uuid.into_iter().next()) {
        Some(carrier_sms_id) => Sent::Accepted(vec![SubmittedPart { part: 1, carrier_sms_id }]),
        None => answer.unreadable(),
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
        let taken = r#"{"message":"message(s) queued","message_uuid":["db3ce55a"],"api_id":"a"}"#;
        let part = SubmittedPart { part: 1, carrier_sms_id: "db3ce55a".into() };
        assert_eq!(told(202, taken), Sent::Accepted(vec![part]));
        assert_eq!(told(202, r#"{"message_uuid":[]}"#), Sent::Unanswered("answer_unreadable".into()));
        let error = r#"{"api_id":"a","error":"src parameter not present"}"#;
        assert_eq!(told(400, error), Sent::Refused("http_400".into()));
        assert_eq!(told(401, error), Sent::Account("http_401".into()));
        assert_eq!(told(429, error), Sent::TooFast(None, "http_429".into()));
        assert_eq!(told(500, error), Sent::Unanswered("http_500".into()), "it may have left");
    }
}
