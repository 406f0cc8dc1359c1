//! A form posted to an address that a tenant chose, with headers of ours, and the answer as it comes.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, Url};
use tokio::time::timeout;

use super::{MAX_ANSWER, Outside, Word};

/// A form to post.
#[derive(Clone, Debug)]
pub struct Form {
    /// `http` or `https`.
    pub url: String,
    /// Names and values.
    pub pairs: Vec<(String, String)>,
    /// Beside the usual ones.
    pub headers: HeaderMap,
    /// For everything from the look-up of the name to the last byte.
    pub within: Duration,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP's status.
    pub status: u16,
    /// Its content type, without parameters.
    pub kind: String,
    /// Its text.
    pub body: String,
}

impl Outside {
    /// Posts a form; whatever status the answer has.
    ///
    /// # Errors
    /// `bad_url`, `unknown_host`, `not_allowed`, `time_out`, `no_connection`, `too_large`.
    pub async fn post(&self, form: &Form) -> Result<Answer, Word> {
        timeout(form.within, self.posted(form)).await.unwrap_or(Err("time_out"))
    }

    async fn posted(&self, form: &Form) -> Result<Answer, Word> {
        let url = Url::parse(&form.url).map_err(|_| "bad_url")?;
        let client = self.client(&url, form.within).await?;
        let request = client.request(Method::POST, url).headers(form.headers.clone()).form(&form.pairs);
        let mut answer =
            request.send().await.map_err(|error| if error.is_timeout() { "time_out" } else { "no_connection" })?;
        let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let (status, mut bytes) = (answer.status().as_u16(), Vec::new());
        while let Some(some) = answer.chunk().await.map_err(|_| "no_connection")? {
            if bytes.len() + some.len() > MAX_ANSWER {
                return Err("too_large");
            }
            bytes.extend_from_slice(&some);
        }
        Ok(Answer { status, kind, body: String::from_utf8_lossy(&bytes).into_owned() })
    }
}
