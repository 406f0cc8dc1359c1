//! Sends by Twilio's API, and says what its answers mean for us.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::super::heard::{Heard, Rejected, Request};
use super::super::http::{self, Answer};
use super::super::kind::Settings;
use super::super::{Carrier, Outgoing, Sent, Surroundings};
use super::{signature, webhook};
use crate::facts::said::SubmittedPart;

/// Where Twilio is.
const HOME: &str = "https://api.twilio.com";
/// Codes that are about the account, not about the text: sign-in, no such account, suspended.
const ACCOUNT: &[i64] = &[20003, 20005, 20404, 30002];
/// The queue is full, or the rate of the number or its campaign is used up.
const NOT_NOW: &[i64] = &[20429, 21611, 30001, 30022];
/// The day's count is used up.
const NOT_TODAY: &[i64] = &[30023, 30027];
/// The recipient opted out.
const OPTED_OUT: i64 = 21610;

/// One connection; clones share their HTTP connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    messages: reqwest::Url,
    user: String,
    password: SecretString,
    tokens: Vec<SecretString>,
    service: Option<String>,
    callback: Option<String>,
}

impl Client {
    /// A client by its settings.
    ///
    /// # Errors
    /// A sentence: what is missing or no address.
    pub fn new(url: Option<&str>, settings: &Settings, around: &Surroundings) -> Result<Self, String> {
        let account = settings.required("account")?;
        let token = settings.required_secret("token_file")?;
        let (user, password) = match settings.text("key") {
            Some(key) => (key, settings.required_secret("key_secret_file")?),
            None => (account, token),
        };
        let path = settings.text("path").map_or(String::new(), |path| format!("/{}", path.trim_matches('/')));
        let path = format!("{path}/2010-04-01/Accounts/{account}/Messages.json");
        Ok(Self {
            http: http::client()?,
            messages: http::address(url.unwrap_or(HOME), &path)?,
            user: user.to_owned(),
            password: password.clone(),
            tokens: settings.secrets(&["token_file", "token_next_file"]),
            service: settings.text("messaging_service").map(str::to_owned),
            callback: around.webhook(&settings.carrier),
        })
    }

    fn form<'a>(&'a self, text: &'a Outgoing) -> Vec<(&'static str, &'a str)> {
        let mut form = vec![("To", text.to.as_str()), ("From", text.from.as_str()), ("Body", text.text.as_str())];
        form.extend(text.media.iter().map(|media| ("MediaUrl", media.url.as_str())));
        form.extend(self.service.as_deref().map(|service| ("MessagingServiceSid", service)));
        form.extend(self.callback.as_deref().map(|callback| ("StatusCallback", callback)));
        form
    }
}

impl Carrier for Client {
    const TAKES_OUR_ID: bool = false;

    async fn send(&self, text: &Outgoing) -> Sent {
        let request = self
            .http
            .post(self.messages.clone())
            .basic_auth(&self.user, Some(self.password.expose_secret()))
            .form(&self.form(text));
        match http::call(request).await {
            Ok(answer) => told(&answer),
            Err(sent) => sent,
        }
    }

    async fn receive(&self, request: &Request<'_>) -> Result<Vec<Heard>, Rejected> {
        signature::verify(request, &self.tokens).map_err(Rejected::NotTheirs)?;
        webhook::read(request)
    }

    fn answer(&self) -> (&'static str, &'static str) {
        ("text/xml", "<Response/>")
    }
}

/// A message as the API shows it; what we need of it.
#[derive(Deserialize)]
struct Message {
    sid: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    error_code: Option<i64>,
}

/// An error as the API shows it.
#[derive(Deserialize)]
struct Refusal {
    code: i64,
}

fn told(answer: &Answer) -> Sent {
    if answer.status.is_success() {
        return answer.json().map_or_else(|| answer.unreadable(), taken);
    }
    match answer.json().map(|refusal: Refusal| refusal.code) {
        Some(code) if answer.is_refusal() => meaning(code, answer.wait),
        code => answer.by_status(code.map(|code| code.to_string())),
    }
}

fn taken(message: Message) -> Sent {
    match (message.status.as_deref(), message.error_code) {
        (Some("failed" | "undelivered"), code) => meaning(code.unwrap_or(30008), None),
        _ => Sent::Accepted(vec![SubmittedPart { part: 1, carrier_sms_id: message.sid }]),
    }
}

/// What a code of Twilio's means for a text.
fn meaning(code: i64, wait: Option<Duration>) -> Sent {
    let word = code.to_string();
    match code {
        OPTED_OUT => Sent::OptedOut(word),
        code if ACCOUNT.contains(&code) => Sent::Account(word),
        code if NOT_NOW.contains(&code) => Sent::NotNow(wait, word),
        code if NOT_TODAY.contains(&code) => Sent::NotNow(wait.or(Some(Duration::from_hours(1))), word),
        _ => Sent::Refused(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, code: Option<i64>) -> Sent {
        let body = code.map(|code| format!("{{\"code\": {code}}}").into_bytes());
        super::told(&Answer { status: status.try_into().unwrap(), wait: None, body })
    }

    #[test]
    fn each_answer_is_one_of_the_closed_set() {
        assert_eq!(told(400, Some(21211)), Sent::Refused("21211".into()));
        assert_eq!(told(400, Some(21610)), Sent::OptedOut("21610".into()));
        assert_eq!(told(401, Some(20003)), Sent::Account("20003".into()));
        assert_eq!(told(404, Some(20404)), Sent::Account("20404".into()));
        assert_eq!(told(403, None), Sent::Account("http_403".into()), "a refusal is one even where its words are lost");
        assert_eq!(told(429, Some(20429)), Sent::NotNow(None, "20429".into()));
        assert_eq!(told(400, Some(21611)), Sent::NotNow(None, "21611".into()));
        assert_eq!(told(400, Some(30027)), Sent::NotNow(Some(Duration::from_hours(1)), "30027".into()));
        assert_eq!(told(500, None), Sent::Unanswered("http_500".into()), "it may have left");
        assert_eq!(told(302, None), Sent::Unanswered("http_302".into()));
        let message = |status: &str, error_code| Message { sid: "SM1".into(), status: Some(status.into()), error_code };
        let part = SubmittedPart { part: 1, carrier_sms_id: "SM1".into() };
        assert_eq!(taken(message("queued", None)), Sent::Accepted(vec![part.clone()]));
        assert_eq!(taken(message("a_new_word", None)), Sent::Accepted(vec![part]));
        assert_eq!(taken(message("failed", Some(30007))), Sent::Refused("30007".into()));
    }
}
