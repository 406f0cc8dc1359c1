//! Sends by Twilio's API, and says what its answers mean for us.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::super::heard::{Heard, Rejected, Request};
use super::super::http::{self, Answer};
use super::super::kind::Settings;
use super::super::{Carrier, Outgoing, Sent, Surroundings, base64};
use super::{signature, webhook};
use crate::facts::said::SubmittedPart;
use crate::sms::doubt::Found;

/// Where Twilio is.
const HOME: &str = "https://api.twilio.com";
/// Codes that are about the account, not about the text: sign-in, no such account, suspended.
const ACCOUNT: &[i64] = &[20003, 20005, 20404, 30002];
/// The queue is full, or the rate of the number or its campaign is used up.
const TOO_FAST: &[i64] = &[20429, 21611, 30001, 30022];
/// The day's count is used up.
const NOT_TODAY: &[i64] = &[30023, 30027];
/// The recipient opted out.
const OPTED_OUT: i64 = 21610;

/// One connection; clones share their HTTP connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    messages: Url,
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
        let mut form = vec![("To", text.to.as_str()), ("From", text.from.as_str())];
        // a picture may go without a word
        form.extend(Some(("Body", text.text.as_str())).filter(|(_, body)| !body.is_empty() || text.media.is_empty()));
        form.extend(text.media.iter().map(|media| ("MediaUrl", media.url.as_str())));
        form.extend(self.service.as_deref().map(|service| ("MessagingServiceSid", service)));
        form.extend(self.callback.as_deref().map(|callback| ("StatusCallback", callback)));
        form
    }
}

impl Carrier for Client {
    const TAKES_OUR_ID: bool = false;
    const SENDS_MEDIA: bool = true;

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

    async fn find(&self, text: &Outgoing, since: Timestamp) -> Found {
        let mut page = self.messages.clone();
        page.query_pairs_mut().append_pair("To", &text.to).append_pair("PageSize", "200");
        let request = self.http.get(page);
        let Ok(answer) = http::call(request.basic_auth(&self.user, Some(self.password.expose_secret()))).await else {
            return Found::NotTold;
        };
        match answer.json::<Listed>().filter(|_| answer.status.is_success()) {
            Some(listed) => listed.like(text, since),
            None => Found::NotTold,
        }
    }

    async fn receive(&self, request: &Request<'_>) -> Result<Vec<Heard>, Rejected> {
        signature::verify(request, &self.tokens).map_err(Rejected::NotTheirs)?;
        webhook::read(request)
    }

    fn authorization(&self, url: &Url) -> Option<SecretString> {
        // media lie below the account's messages; the store that they redirect to gets nothing
        let account = self.messages.path().trim_end_matches("Messages.json");
        let is_ours = url.origin() == self.messages.origin() && url.path().starts_with(account);
        let plain = || format!("{}:{}", self.user, self.password.expose_secret());
        is_ours.then(|| format!("Basic {}", base64::encode(plain().as_bytes())).into())
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

/// Messages as the API lists them, the newest first.
#[derive(Deserialize)]
struct Listed {
    messages: Vec<Listing>,
    #[serde(default)]
    next_page_uri: Option<String>,
}

/// One of them; what tells whether it is ours.
#[derive(Deserialize)]
struct Listing {
    sid: String,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    direction: Option<String>,
    #[serde(default)]
    date_created: Option<String>,
}

impl Listed {
    fn like(&self, text: &Outgoing, since: Timestamp) -> Found {
        let at = |message: &Listing| jiff::fmt::rfc2822::parse(message.date_created.as_deref()?).ok();
        let is_in_time =
            |message: &Listing| at(message).is_some_and(|at| at.timestamp().as_second() >= since.as_second());
        let is_like = |message: &&Listing| {
            message.direction.as_deref().is_none_or(|direction| direction.starts_with("outbound"))
                && message.body.as_deref() == Some(text.text.as_str())
                // a messaging service chooses the number itself
                && message.from.as_deref().is_none_or(|from| from == text.from)
                && is_in_time(message)
        };
        let mut found: Vec<Vec<SubmittedPart>> =
            self.messages.iter().filter(is_like).map(|message| one(message.sid.clone())).collect();
        found.reverse();
        // what is left out of a page is older than what is on it
        let is_all = self.next_page_uri.is_none() || self.messages.last().is_some_and(|oldest| !is_in_time(oldest));
        match (found.is_empty(), is_all) {
            (true, true) => Found::None,
            (true, false) => Found::NotTold,
            (false, _) => Found::These(found),
        }
    }
}

fn one(carrier_sms_id: String) -> Vec<SubmittedPart> {
    vec![SubmittedPart { part: 1, carrier_sms_id }]
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
        _ => Sent::Accepted(one(message.sid)),
    }
}

/// What a code of Twilio's means for a text.
fn meaning(code: i64, wait: Option<Duration>) -> Sent {
    let word = code.to_string();
    match code {
        OPTED_OUT => Sent::OptedOut(word),
        code if ACCOUNT.contains(&code) => Sent::Account(word),
        code if TOO_FAST.contains(&code) => Sent::TooFast(wait, word),
        code if NOT_TODAY.contains(&code) => Sent::NotNow(wait.or(Some(Duration::from_hours(1))), word),
        _ => Sent::Refused(word),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::facts::ids::SmsId;

    fn told(status: u16, code: Option<i64>) -> Sent {
        let body = code.map(|code| format!("{{\"code\": {code}}}").into_bytes());
        super::told(&Answer { status: status.try_into().unwrap(), wait: None, body })
    }

    #[test]
    fn a_lost_text_is_known_by_its_words_its_numbers_and_its_time() {
        let message = |sid: &str, body: &str, from: &str, direction: &str, at: &str| json!({"sid": sid, "body": body, "from": from, "direction": direction, "date_created": at, "to": "+15550100100"});
        let (ours, in_time) = ("+15550100001", "Fri, 15 Jan 2027 08:00:05 +0000");
        let listed = json!({"next_page_uri": null, "messages": [
            message("SM5", "hello", ours, "outbound-api", "Fri, 15 Jan 2027 08:01:00 +0000"),
            message("SM4", "hello", ours, "outbound-api", in_time),
            message("SM3", "hullo", ours, "outbound-api", in_time),
            message("SM2", "hello", ours, "inbound", in_time),
            message("SM1", "hello", "+15550100002", "outbound-api", in_time),
            message("SM0", "hello", ours, "outbound-api", "Fri, 15 Jan 2027 07:59:00 +0000"),
        ]});
        let since = Timestamp::from_second(1_800_000_000).unwrap();
        let text = Outgoing {
            carrier: "wire".parse().unwrap(),
            sms_id: SmsId(uuid::Uuid::nil()),
            from: ours.into(),
            from_country: None,
            to: "+15550100100".into(),
            text: "hello".into(),
            media: Vec::new(),
        };
        let found = |listed: serde_json::Value| serde_json::from_value::<Listed>(listed).unwrap().like(&text, since);
        assert_eq!(found(listed), Found::These(vec![one("SM4".into()), one("SM5".into())]));
        assert_eq!(found(json!({"messages": []})), Found::None);
        assert_eq!(found(json!({"messages": [], "next_page_uri": "/x"})), Found::NotTold);
    }

    #[test]
    fn each_answer_is_one_of_the_closed_set() {
        assert_eq!(told(400, Some(21211)), Sent::Refused("21211".into()));
        assert_eq!(told(400, Some(21610)), Sent::OptedOut("21610".into()));
        assert_eq!(told(401, Some(20003)), Sent::Account("20003".into()));
        assert_eq!(told(404, Some(20404)), Sent::Account("20404".into()));
        assert_eq!(told(403, None), Sent::Account("http_403".into()), "a refusal is one even where its words are lost");
        assert_eq!(told(429, Some(20429)), Sent::TooFast(None, "20429".into()));
        assert_eq!(told(400, Some(21611)), Sent::TooFast(None, "21611".into()));
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
