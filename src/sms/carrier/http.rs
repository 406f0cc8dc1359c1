//! What adapters that speak HTTP share: a client that repeats nothing by itself, answers up to a bound, and what a call
//! that broke means. Never sent is only what never connected.

use std::time::Duration;

use reqwest::{Response, redirect};

use super::Sent;

/// Largest answer that is read, in bytes.
const MAX_ANSWER: usize = 256 * 1024;

/// A client of carriers: 3 s to connect, 15 s in all; no redirects, no repeats, no proxy.
///
/// # Errors
/// A sentence.
pub fn client() -> Result<reqwest::Client, String> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(3))
        .timeout(Duration::from_secs(15))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .user_agent("texthub")
        .build()
        .map_err(|error| format!("no HTTP client: {error}"))
}

/// What a call means that got no answer.
#[must_use]
pub fn not_answered(error: &reqwest::Error) -> Sent {
    if error.is_connect() || error.is_builder() {
        Sent::NotNow(None, "no_connection".to_owned())
    } else if error.is_timeout() {
        Sent::Unanswered("time_out".to_owned())
    } else {
        Sent::Unanswered("connection_broken".to_owned())
    }
}

/// The body of an answer.
///
/// # Errors
/// The line broke, or it is too large.
pub async fn body(mut response: Response) -> Result<Vec<u8>, ()> {
    let mut body = Vec::new();
    while let Some(some) = response.chunk().await.map_err(|_| ())? {
        if body.len() + some.len() > MAX_ANSWER {
            return Err(());
        }
        body.extend_from_slice(&some);
    }
    Ok(body)
}
