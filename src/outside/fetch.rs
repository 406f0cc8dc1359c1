//! Fetches what a stranger's link leads to, under the guard: every hop's addresses are judged anew, credentials go to
//! whom they are for and not along a redirect to anybody else, and what is larger than asked for is cut off as it comes.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Response, Url};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use super::{Outside, Word};

/// Most redirects that are followed: carriers' links lead to a store of theirs.
const MOST_HOPS: usize = 3;

/// A fetch.
pub struct Fetch<'a> {
    /// `http` or `https`.
    pub url: &'a str,
    /// For everything, redirects too.
    pub within: Duration,
    /// Most bytes.
    pub most: usize,
    /// The `Authorization` for an address, where it is meant for that; asked anew at each hop.
    pub authorization: &'a (dyn Fn(&Url) -> Option<SecretString> + Sync),
}

/// What was there.
#[derive(Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The contents.
    pub bytes: Vec<u8>,
    /// As the server says.
    pub content_type: Option<String>,
}

/// Why nothing came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// A stable word: `bad_url`, `unknown_host`, `not_allowed`, `time_out`, `no_connection`, `too_large`, `redirects`, or
    /// `status_` and the number.
    pub word: String,
    /// Another try may do.
    pub may_pass: bool,
}

impl From<Word> for Miss {
    fn from(word: Word) -> Self {
        Self { word: word.to_owned(), may_pass: ["unknown_host", "time_out", "no_connection"].contains(&word) }
    }
}

impl Outside {
    /// Gets what a link leads to.
    ///
    /// # Errors
    /// See [`Miss`].
    pub async fn fetch(&self, fetch: &Fetch<'_>) -> Result<Fetched, Miss> {
        timeout(fetch.within, self.fetched(fetch)).await.unwrap_or_else(|_| Err("time_out".into()))
    }

    async fn fetched(&self, fetch: &Fetch<'_>) -> Result<Fetched, Miss> {
        let mut url = Url::parse(fetch.url).map_err(|_| "bad_url")?;
        for _ in 0..=MOST_HOPS {
            let answer = self.hop(&url, fetch).await?;
            let status = answer.status();
            if status.is_success() {
                return Ok(whole(answer, fetch.most).await?);
            }
            let Some(next) = answer.headers().get(LOCATION).filter(|_| status.is_redirection()) else {
                return Err(refused(status.as_u16()));
            };
            let next = next.to_str().ok().and_then(|next| url.join(next).ok()).ok_or("bad_url")?;
            if url.scheme() == "https" && next.scheme() != "https" {
                return Err("bad_url".into());
            }
            url = next;
        }
        Err("redirects".into())
    }

    async fn hop(&self, url: &Url, fetch: &Fetch<'_>) -> Result<Response, Word> {
        // a name and password in a link would be sent on our behalf
        if !url.username().is_empty() || url.password().is_some() {
            return Err("bad_url");
        }
        let client = self.client(url, fetch.within).await?;
        let mut request = client.get(url.clone());
        if let Some(secret) = (fetch.authorization)(url) {
            let mut value = HeaderValue::from_str(secret.expose_secret()).map_err(|_| "no_connection")?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request.send().await.map_err(|error| if error.is_timeout() { "time_out" } else { "no_connection" })
    }
}

/// 404 may pass: carriers tell of a medium before they have it.
fn refused(status: u16) -> Miss {
    Miss { word: format!("status_{status}"), may_pass: status >= 500 || [404, 408, 425, 429].contains(&status) }
}

async fn whole(mut answer: Response, most: usize) -> Result<Fetched, Word> {
    let content_type = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let told = answer.content_length().and_then(|told| usize::try_from(told).ok()).unwrap_or(0);
    if told > most {
        return Err("too_large");
    }
    let mut bytes = Vec::with_capacity(told);
    while let Some(some) = answer.chunk().await.map_err(|_| "no_connection")? {
        if bytes.len() + some.len() > most {
            return Err("too_large");
        }
        bytes.extend_from_slice(&some);
    }
    Ok(Fetched { bytes, content_type })
}
