//! What adapters that speak HTTP share: a client that repeats nothing by itself, answers up to a bound, what a call that
//! broke means, and what an answer means by its status alone. Never sent is only what never connected, or what an answer
//! says so of.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{RequestBuilder, Response, StatusCode, redirect};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Outgoing, Sent};

/// Largest answer that is read, in bytes.
const MAX_ANSWER: usize = 256 * 1024;

/// A client of carriers: 3 s to connect, 15 s in all; no redirects, no repeats, no proxy.
///
/// # Errors
/// A sentence.
pub fn client() -> Result<reqwest::Client, String> {
    client_within(Duration::from_secs(3), Duration::from_secs(15))
}

/// The same with other bounds: to connect, and in all.
///
/// # Errors
/// A sentence.
pub fn client_within(connect: Duration, total: Duration) -> Result<reqwest::Client, String> {
    // reqwest takes the crypto of the whole process; whoever was first has set the same one
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(connect)
        .timeout(total)
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .user_agent("texthub")
        .build()
        .map_err(|error| format!("no HTTP client: {error}"))
}

/// An address under a carrier's.
///
/// # Errors
/// A sentence.
pub fn address(base: &str, path: &str) -> Result<reqwest::Url, String> {
    let whole = format!("{}{path}", base.trim_end_matches('/'));
    reqwest::Url::parse(&whole).map_err(|error| format!("{whole:?} is no address: {error}"))
}

/// Adds the links of a text's media under a name; what is media alone says no text.
pub fn add_media(body: &mut Value, name: &str, text: &Outgoing) {
    if text.media.is_empty() {
        return;
    }
    body[name] = text.media.iter().map(|media| media.url.as_str()).collect();
    if let Some(fields) = body.as_object_mut().filter(|_| text.text.is_empty()) {
        fields.shift_remove("text");
    }
}

/// What a carrier answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// How long it asks us to wait: `Retry-After` in seconds. A date there is passed over.
    pub wait: Option<Duration>,
    /// None: the line broke within it, or it is too large.
    pub body: Option<Vec<u8>>,
}

/// Calls a carrier and reads its answer.
///
/// # Errors
/// What it means that there is none.
pub async fn call(request: RequestBuilder) -> Result<Answer, Sent> {
    let response = request.send().await.map_err(|error| not_answered(&error))?;
    let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let status = response.status();
    Ok(Answer { status, wait: wait.map(Duration::from_secs), body: body(response).await.ok() })
}

impl Answer {
    /// The body, where it is of that shape.
    #[must_use]
    pub fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(self.body.as_ref()?).ok()
    }

    /// Why a success cannot be used, which leaves open whether the text was taken.
    #[must_use]
    pub fn unreadable(&self) -> Sent {
        let why = if self.body.is_some() { "answer_unreadable" } else { "connection_broken" };
        Sent::Unanswered(why.to_owned())
    }

    /// What it means by its status alone: 429 is "too fast", 503 with a wait "not now"; 401 to 404 the account; 400 to 499
    /// for good; whatever else may have been taken. The carrier's own code, or else `http_` with the status.
    #[must_use]
    pub fn by_status(&self, code: Option<String>) -> Sent {
        let status = self.status.as_u16();
        let word = code.unwrap_or_else(|| format!("http_{status}"));
        match status {
            429 => Sent::TooFast(self.wait, word),
            503 if self.wait.is_some() => Sent::NotNow(self.wait, word),
            401..=404 => Sent::Account(word),
            408 => Sent::Unanswered(word),
            400..=499 => Sent::Refused(word),
            // it may have been taken before the error
            _ => Sent::Unanswered(word),
        }
    }

    /// Whether a code of the carrier's own counts more than the status.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.status.is_client_error() && !matches!(self.status.as_u16(), 408 | 429)
    }
}

/// What a call means that got no answer.
#[must_use]
fn not_answered(error: &reqwest::Error) -> Sent {
    if error.is_connect() || error.is_builder() {
        Sent::NotNow(None, "no_connection".to_owned())
    } else if error.is_timeout() {
        Sent::Unanswered("time_out".to_owned())
    } else {
        Sent::Unanswered("connection_broken".to_owned())
    }
}

/// The body of an answer; none where the line broke, or it is too large.
async fn body(mut response: Response) -> Result<Vec<u8>, ()> {
    let mut body = Vec::new();
    while let Some(some) = response.chunk().await.map_err(|_| ())? {
        if body.len() + some.len() > MAX_ANSWER {
            return Err(());
        }
        body.extend_from_slice(&some);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::facts::heard::Media;
    use crate::facts::ids::{Slug, SmsId};
    use crate::runtime::clock;

    #[test]
    fn media_alone_say_no_text() {
        let mut text = Outgoing {
            carrier: Slug::new("line").unwrap(),
            sms_id: SmsId(clock::new_id()),
            from: "+15550100001".into(),
            from_country: None,
            to: "+15550100100".into(),
            text: "look".into(),
            media: Vec::new(),
        };
        let body = |text: &Outgoing| {
            let mut body = json!({"text": text.text, "to": text.to});
            add_media(&mut body, "media_urls", text);
            body
        };
        assert_eq!(body(&text), json!({"text": "look", "to": "+15550100100"}));
        text.media = ["https://m.example/1", "https://m.example/2"]
            .map(|url| Media { url: url.into(), kind: "image/png".into() })
            .into();
        let links = ["https://m.example/1", "https://m.example/2"];
        assert_eq!(body(&text), json!({"text": "look", "to": "+15550100100", "media_urls": links}));
        text.text.clear();
        assert_eq!(body(&text), json!({"to": "+15550100100", "media_urls": links}));
    }

    #[test]
    fn a_status_alone_is_one_of_the_closed_set() {
        let told = |status: u16, wait: Option<u64>| {
            let status = StatusCode::from_u16(status).unwrap();
            Answer { status, wait: wait.map(Duration::from_secs), body: None }.by_status(None)
        };
        let word = |status: u16| format!("http_{status}");
        assert_eq!(told(429, Some(7)), Sent::TooFast(Some(Duration::from_secs(7)), word(429)));
        assert_eq!(told(503, Some(7)), Sent::NotNow(Some(Duration::from_secs(7)), word(503)));
        for status in [302, 408, 500, 502, 503, 504] {
            assert_eq!(told(status, None), Sent::Unanswered(word(status)), "it may have left");
        }
        for status in [401, 402, 403, 404] {
            assert_eq!(told(status, None), Sent::Account(word(status)));
        }
        for status in [400, 409, 413, 422] {
            assert_eq!(told(status, None), Sent::Refused(word(status)));
        }
    }

    #[tokio::test]
    async fn only_what_never_connected_was_certainly_not_sent() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = format!("http://{}/", listener.local_addr().unwrap());
        let http = client_within(Duration::from_secs(3), Duration::from_secs(10)).unwrap();
        let broken = |said: &'static [u8]| {
            let (listener, call) = (&listener, call(http.post(&at).body("x")));
            async move {
                let peer = async {
                    let (mut line, _) = listener.accept().await.unwrap();
                    let mut heard = Vec::new();
                    while !heard.ends_with(b"\r\n\r\nx") {
                        assert!(line.read_buf(&mut heard).await.unwrap() > 0);
                    }
                    line.write_all(said).await.unwrap();
                };
                tokio::join!(call, peer).0
            }
        };
        assert_eq!(broken(b"").await.unwrap_err(), Sent::Unanswered("connection_broken".into()));
        let cut = broken(b"HTTP/1.1 201 Created\r\ncontent-length: 9\r\nretry-after: 3\r\n\r\n{\"a\"").await.unwrap();
        assert_eq!(
            (cut.wait, cut.unreadable()),
            (Some(Duration::from_secs(3)), Sent::Unanswered("connection_broken".into()))
        );
        drop(listener);
        assert_eq!(call(http.post(&at)).await.unwrap_err(), Sent::NotNow(None, "no_connection".into()));
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hasty = client_within(Duration::from_secs(3), Duration::from_millis(100)).unwrap();
        let at = format!("http://{}/", silent.local_addr().unwrap());
        assert_eq!(call(hasty.post(at)).await.unwrap_err(), Sent::Unanswered("time_out".into()));
    }
}
