//! The one HTTP client for addresses that a tenant chose. A name is resolved once, every address of it is judged, and the
//! connection goes to an address that was judged: a name that changes between the two gains nothing. No proxy, no cookies,
//! no redirect that is not judged like the first address; a time-out over all, and a largest answer.

pub mod addresses;
pub mod exchange;
pub mod fetch;
pub mod form;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use addresses::Allowed;
use reqwest::{Client, Method, Url, redirect};
use serde_json::{Map, Value};
use tokio::time::timeout;

/// Largest answer, in bytes.
pub const MAX_ANSWER: usize = 64 * 1024;

/// What went wrong, as a stable word.
pub type Word = &'static str;

/// A call to the outside.
#[derive(Clone, Debug)]
pub struct Ask {
    /// `http` or `https`.
    pub url: String,
    /// GET carries the body as a query.
    pub is_get: bool,
    /// Names and values.
    pub body: Map<String, Value>,
    /// For everything from the look-up of the name to the last byte.
    pub within: Duration,
}

/// Whether a text is an address to call: `http` or `https`, a host, at most 2,000 characters.
#[must_use]
pub fn is_address(text: &str) -> bool {
    let url = Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
    url.is_some() && text.len() <= 2_000
}

/// The client.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    allowed: Allowed,
}

impl Outside {
    /// A client that may also reach what the operator allows.
    #[must_use]
    pub fn new(allowed: Allowed) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { allowed }
    }

    /// Calls; the answer of 2xx as JSON (null where it is empty).
    ///
    /// # Errors
    /// `bad_url`, `unknown_host`, `not_allowed`, `time_out`, `no_connection`, `status`, `too_large`, `no_json`.
    pub async fn call(&self, ask: &Ask) -> Result<Value, Word> {
        timeout(ask.within, self.called(ask)).await.unwrap_or(Err("time_out"))
    }

    async fn called(&self, ask: &Ask) -> Result<Value, Word> {
        let mut url = Url::parse(&ask.url).map_err(|_| "bad_url")?;
        let client = self.client(&url, ask.within).await?;
        let request = if ask.is_get {
            for (name, value) in &ask.body {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                url.query_pairs_mut().append_pair(name, &text);
            }
            client.request(Method::GET, url)
        } else {
            client.request(Method::POST, url).json(&ask.body)
        };
        let mut answer =
            request.send().await.map_err(|error| if error.is_timeout() { "time_out" } else { "no_connection" })?;
        if !answer.status().is_success() {
            return Err("status");
        }
        let mut bytes: Vec<u8> = Vec::new();
        while let Some(some) = answer.chunk().await.map_err(|_| "no_connection")? {
            if bytes.len() + some.len() > MAX_ANSWER {
                return Err("too_large");
            }
            bytes.extend_from_slice(&some);
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).map_err(|_| "no_json")
    }

    /// A client for one call to this address, whose host's addresses were judged.
    async fn client(&self, url: &Url, within: Duration) -> Result<Client, Word> {
        if !["http", "https"].contains(&url.scheme()) {
            return Err("bad_url");
        }
        let (host, addresses) = self.resolve(url).await?;
        Client::builder()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .timeout(within)
            .resolve_to_addrs(&host, &addresses)
            .user_agent("texthub")
            .build()
            .map_err(|_| "no_connection")
    }

    /// The host's addresses, all of them allowed.
    async fn resolve(&self, url: &Url) -> Result<(String, Vec<SocketAddr>), Word> {
        let port = url.port_or_known_default().ok_or("bad_url")?;
        let host = url.host_str().ok_or("bad_url")?.to_owned();
        let literal: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        let addresses: Vec<SocketAddr> = match literal {
            Some(address) => vec![SocketAddr::new(address, port)],
            None => tokio::net::lookup_host((host.as_str(), port)).await.map_err(|_| "unknown_host")?.collect(),
        };
        self.judge(&addresses)?;
        Ok((host, addresses))
    }

    /// All of them must be allowed: one that is not among many is a trap, not an accident.
    fn judge(&self, addresses: &[SocketAddr]) -> Result<(), Word> {
        if addresses.is_empty() {
            return Err("unknown_host");
        }
        let is_fine = addresses.iter().all(|address| self.allowed.reaches(address.ip()));
        if is_fine { Ok(()) } else { Err("not_allowed") }
    }
}

#[cfg(test)]
mod tests;
