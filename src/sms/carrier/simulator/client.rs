//! Sends through the simulator. What never left (no connection, 429, 5xx: it answers those before taking a text) is
//! "not now"; whatever breaks after the request may have left is unanswered. No redirects, no repeats of its own.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Response, StatusCode, redirect};

use super::{Refusal, Submit, Submitted};
use crate::sms::carrier::{Carrier, Outgoing, Sent};
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
        install_tls();
        let http = reqwest::Client::builder()
            .connect_timeout(limits.connect)
            .timeout(limits.total)
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .build()
            .map_err(|error| format!("no HTTP client: {error}"))?;
        Ok(Self { http, messages })
    }
}

/// reqwest takes the crypto of the whole process; whoever was first has set the same one.
pub(super) fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
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
        match self.http.post(self.messages.clone()).json(&submit).send().await {
            Ok(response) => answer(response).await,
            Err(error) if error.is_connect() || error.is_builder() => Sent::NotNow(None, "no_connection".to_owned()),
            Err(error) if error.is_timeout() => Sent::Unanswered("time_out".to_owned()),
            Err(_) => Sent::Unanswered("connection_broken".to_owned()),
        }
    }
}

async fn answer(response: Response) -> Sent {
    let status = response.status();
    let wait = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    if status.is_success() {
        return match response.json::<Submitted>().await {
            Ok(submitted) => Sent::Accepted(submitted.parts),
            Err(_) => Sent::Unanswered("answer_unreadable".to_owned()),
        };
    }
    let code =
        response.json::<Refusal>().await.map_or_else(|_| format!("http_{}", status.as_u16()), |refusal| refusal.code);
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        Sent::NotNow(wait, code)
    } else if status.is_client_error() {
        Sent::Refused(code)
    } else {
        Sent::Unanswered(code)
    }
}
