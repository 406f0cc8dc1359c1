//! Sends through the simulator. What never left (no connection, 429, 5xx: it answers those before taking a text) is
//! "not now"; whatever breaks after the request may have left is unanswered. No redirects, no repeats of its own.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::record::Submission;
use super::{Refusal, Submit, Submitted};
use crate::facts::said::SubmittedPart;
use crate::sms::carrier::http::{self, Answer};
use crate::sms::carrier::{Carrier, Outgoing, Sent};
use crate::sms::doubt::Found;
use crate::sms::encoding;

/// How long a send may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// To connect.
    pub connect: Duration,
    /// In all.
    pub total: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(2), total: Duration::from_secs(10) }
    }
}

/// A client of one simulator; clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    messages: reqwest::Url,
    record: reqwest::Url,
}

impl Client {
    /// A client for the simulator at `url`.
    ///
    /// # Errors
    /// A sentence, where `url` is no address.
    pub fn new(url: &str, limits: Limits) -> Result<Self, String> {
        let messages = format!("{}/messages", url.trim_end_matches('/'));
        let messages =
            reqwest::Url::parse(&messages).map_err(|error| format!("the simulator's address {url:?}: {error}"))?;
        let record = messages.join("record").map_err(|error| error.to_string())?;
        let http = http::client_within(limits.connect, limits.total)?;
        Ok(Self { http, messages, record })
    }
}

impl Carrier for Client {
    const TAKES_OUR_ID: bool = false;

    async fn send(&self, text: &Outgoing) -> Sent {
        let submit = Submit {
            carrier: text.carrier.clone(),
            sms_id: text.sms_id,
            from: text.from.clone(),
            from_country: text.from_country.clone(),
            to: text.to.clone(),
            text: text.text.clone(),
            parts: encoding::parts(&text.text).parts.len(),
        };
        match http::call(self.http.post(self.messages.clone()).json(&submit)).await {
            Ok(answer) => told(&answer),
            Err(sent) => sent,
        }
    }

    async fn find(&self, text: &Outgoing, _since: Timestamp) -> Found {
        #[derive(Deserialize)]
        struct Page {
            submissions: Vec<Submission>,
        }
        let mut page = self.record.clone();
        page.query_pairs_mut().append_pair("sms_id", &text.sms_id.to_string());
        let Ok(answer) = http::call(self.http.get(page)).await else { return Found::NotTold };
        match answer.json::<Page>().filter(|_| answer.status.is_success()) {
            Some(page) if page.submissions.is_empty() => Found::None,
            Some(page) => Found::These(page.submissions.into_iter().map(|s| numbered(s.carrier_sms_ids)).collect()),
            None => Found::NotTold,
        }
    }
}

fn numbered(ids: Vec<String>) -> Vec<SubmittedPart> {
    (1..).zip(ids).map(|(part, carrier_sms_id)| SubmittedPart { part, carrier_sms_id }).collect()
}

fn told(answer: &Answer) -> Sent {
    if answer.status.is_success() {
        return answer
            .json()
            .map_or_else(|| answer.unreadable(), |submitted: Submitted| Sent::Accepted(submitted.parts));
    }
    let status = answer.status;
    let code = answer.json().map_or_else(|| format!("http_{}", status.as_u16()), |refusal: Refusal| refusal.code);
    if status.as_u16() == 429 {
        Sent::TooFast(answer.wait, code)
    } else if status.is_server_error() {
        Sent::NotNow(answer.wait, code)
    } else if status.is_client_error() {
        Sent::Refused(code)
    } else {
        Sent::Unanswered(code)
    }
}
