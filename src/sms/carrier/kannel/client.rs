//! Sends by an smsbox, and says what its answers mean for us. 202 alone is "taken", and its text says how.

use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::super::heard::{Heard, Rejected, Request};
use super::super::http::{self, Answer};
use super::super::kind::Settings;
use super::super::{Carrier, Outgoing, Sent, Surroundings, bandwidth};
use super::webhook;
use crate::facts::said::SubmittedPart;
use crate::sms::encoding::Encoding;

/// What Kannel is to tell of: delivered (1), not delivered (2), queued (4), taken (8) or refused (16) by the SMSC.
const ALL_RECEIPTS: &str = "31";
/// What Kannel fills in; our id stands before it.
const RECEIPT: &str = "status=%d&answer=%A&at=%T";

/// One connection; clones share their HTTP connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    sendsms: Url,
    user: String,
    password: SecretString,
    /// `id:token` of webhooks.
    callers: Vec<SecretString>,
    /// The address of receipts, signed in; none where no public one is known.
    receipts: Option<SecretString>,
}

impl Client {
    /// A client by its settings.
    ///
    /// # Errors
    /// A sentence: what is missing or no address, or a token that Kannel would read as something else.
    pub fn new(url: Option<&str>, settings: &Settings, around: &Surroundings) -> Result<Self, String> {
        let id = settings.carrier.as_str();
        let token = settings.required_secret("token_file")?;
        let tokens = settings.secrets(&["token_file", "token_next_file"]);
        // in an address Kannel takes a percent sign for a field of its own, so nothing may have to be escaped
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
        if !tokens.iter().all(|token| token.expose_secret().chars().all(is_plain)) {
            return Err(format!("the carrier {id}: a token holds more than letters, digits, - _ . ~"));
        }
        let url = url.ok_or_else(|| format!("the carrier {id} lacks url; write it in the tenant file"))?;
        let receipts = around.webhook(&settings.carrier).map(|at| signed_in(&at, id, token)).transpose()?;
        let caller = |token: &SecretString| SecretString::from(format!("{id}:{}", token.expose_secret()));
        Ok(Self {
            http: http::client()?,
            sendsms: http::address(url, "/cgi-bin/sendsms")?,
            user: settings.required("user")?.to_owned(),
            password: settings.required_secret("password_file")?.clone(),
            callers: tokens.iter().map(caller).collect(),
            receipts,
        })
    }
}

/// An address with user and token in it.
fn signed_in(address: &str, user: &str, token: &SecretString) -> Result<SecretString, String> {
    let mut url = Url::parse(address).map_err(|error| format!("{address:?} is no address: {error}"))?;
    let is_set = url.set_username(user).is_ok() && url.set_password(Some(token.expose_secret())).is_ok();
    if is_set { Ok(String::from(url).into()) } else { Err(format!("{address:?} takes no user")) }
}

impl Carrier for Client {
    const TAKES_OUR_ID: bool = false;

    async fn send(&self, text: &Outgoing) -> Sent {
        let coding = match Encoding::of(&text.text) {
            Encoding::Gsm7 => "0",
            Encoding::Ucs2 => "2",
        };
        let mut request = self
            .http
            .post(self.sendsms.clone())
            .header(CONTENT_TYPE, "text/plain; charset=UTF-8")
            .header("X-Kannel-Username", &self.user)
            .header("X-Kannel-Password", secret(self.password.expose_secret()))
            .header("X-Kannel-From", &text.from)
            .header("X-Kannel-To", &text.to)
            .header("X-Kannel-Coding", coding);
        let id = text.sms_id.to_string();
        if let Some(receipts) = &self.receipts {
            let at = format!("{}?sms={id}&{RECEIPT}", receipts.expose_secret());
            request = request.header("X-Kannel-DLR-Mask", ALL_RECEIPTS).header("X-Kannel-DLR-URL", secret(&at));
        }
        match http::call(request.body(text.text.clone())).await {
            Ok(answer) => told(&answer, id),
            Err(sent) => sent,
        }
    }

    async fn receive(&self, request: &Request<'_>) -> Result<Vec<Heard>, Rejected> {
        bandwidth::webhook::verify(request, &self.callers).map_err(Rejected::NotTheirs)?;
        webhook::read(request)
    }
}

/// A header that is not shown. One that is none is empty, and refused at the sign-in.
fn secret(text: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// What an answer means for the text of this id.
pub(crate) fn told(answer: &Answer, carrier_sms_id: String) -> Sent {
    let begins = |with: &str| answer.body.as_deref().is_some_and(|body| body.starts_with(with.as_bytes()));
    match answer.status.as_u16() {
        // 0: handed to the SMSC's connection; 3: waits for it
        202 if begins("0:") || begins("3:") => Sent::Accepted(vec![SubmittedPart { part: 1, carrier_sms_id }]),
        // no connection of Kannel's is for this text
        403 if begins("Not routable") => Sent::Refused("not_routable".to_owned()),
        503 => Sent::NotNow(answer.wait, "temporal_failure".to_owned()),
        200..=299 => answer.unreadable(),
        _ => answer.by_status(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_is_one_of_the_closed_set() {
        let told = |status: u16, body: &str| {
            let body = Some(body.as_bytes().to_vec());
            super::told(&Answer { status: status.try_into().unwrap(), wait: None, body }, "ours".to_owned())
        };
        let taken = Sent::Accepted(vec![SubmittedPart { part: 1, carrier_sms_id: "ours".into() }]);
        assert_eq!(told(202, "0: Accepted for delivery"), taken);
        assert_eq!(told(202, "3: Queued for later delivery"), taken);
        assert_eq!(told(202, "Sent."), Sent::Unanswered("answer_unreadable".into()));
        assert_eq!(told(200, "<html>"), Sent::Unanswered("answer_unreadable".into()));
        assert_eq!(told(403, "Authorization failed for sendsms"), Sent::Account("http_403".into()));
        assert_eq!(told(403, "Not routable. Do not try again."), Sent::Refused("not_routable".into()));
        assert_eq!(told(400, "Sender missing and no global set, rejected"), Sent::Refused("http_400".into()));
        assert_eq!(told(404, ""), Sent::Account("http_404".into()));
        assert_eq!(told(503, "Temporal failure, try again later."), Sent::NotNow(None, "temporal_failure".into()));
        assert_eq!(told(500, "Sending failed."), Sent::Unanswered("http_500".into()), "it may have left");
    }

    #[test]
    fn the_address_of_receipts_signs_in() {
        let token = SecretString::from("a-t_o.k~n");
        let at = signed_in("https://hub.example.com:8443/hub/webhooks/line", "line", &token).unwrap();
        assert_eq!(at.expose_secret(), "https://line:a-t_o.k~n@hub.example.com:8443/hub/webhooks/line");
        assert!(signed_in("hub", "line", &token).is_err());
    }
}
