//! Where a request came from: the site whose page made it, the address of the caller, and the cookie that only our own
//! pages send.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};

use super::api::Api;
use super::problem::{Problem, Reason};

/// How long a browser keeps the cookie, in seconds: a sign-in's longest life.
const KEPT_S: u32 = 7 * 24 * 3600;

/// The cookie's name. `__Host-` keeps other hosts of the domain from setting it (RFC 6265bis 4.1.3), and needs HTTPS.
#[must_use]
pub fn cookie_name(api: &Api) -> &'static str {
    if api.is_https() { "__Host-texthub_session" } else { "texthub_session" }
}

/// The `Set-Cookie` that holds a secret; an empty one takes the cookie away.
#[must_use]
pub fn cookie(api: &Api, secret: &str) -> String {
    let secure = if api.is_https() { "; Secure" } else { "" };
    let age = if secret.is_empty() { 0 } else { KEPT_S };
    format!("{}={secret}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}", cookie_name(api))
}

/// What a request's cookie of this name holds.
#[must_use]
pub fn cookie_value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// A request that is made by cookie must come from our own pages: by `Sec-Fetch-Site` where the browser sends it, else by
/// `Origin`.
///
/// # Errors
/// `other_site`.
pub fn must_be_ours(api: &Api, headers: &HeaderMap) -> Result<(), Problem> {
    if is_ours(api, headers) == Some(true) { Ok(()) } else { Err(Reason::OtherSite.into()) }
}

/// The same for requests without a cookie, as a sign-in: who says nothing is no browser.
///
/// # Errors
/// `other_site`.
pub fn must_not_be_others(api: &Api, headers: &HeaderMap) -> Result<(), Problem> {
    if is_ours(api, headers) == Some(false) { Err(Reason::OtherSite.into()) } else { Ok(()) }
}

fn is_ours(api: &Api, headers: &HeaderMap) -> Option<bool> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = headers.get("sec-fetch-site") {
        return Some(site == "same-origin");
    }
    let origin = headers.get(header::ORIGIN)?;
    let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    let Some(theirs) = origin.as_ref().and_then(Uri::authority) else { return Some(false) };
    let public = api.public_url().parse::<Uri>().ok();
    let ours = [text("host"), public.as_ref().and_then(Uri::authority).map(axum::http::uri::Authority::as_str)];
    Some(ours.into_iter().flatten().any(|ours| ours.eq_ignore_ascii_case(theirs.as_str())))
}

/// The caller's address: the peer's, or what a proxy that is trusted says last in `X-Forwarded-For`.
#[must_use]
pub fn address(api: &Api, parts: &Parts) -> Option<IpAddr> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical())?;
    let said = parts.headers.get_all("x-forwarded-for").into_iter().filter_map(|value| value.to_str().ok());
    let said: Vec<&str> = said.flat_map(|value| value.split(',')).map(str::trim).collect();
    let mut address = peer;
    for hop in said.into_iter().rev() {
        if !api.proxies().names(address) {
            break;
        }
        let Ok(next) = hop.parse::<IpAddr>() else { break };
        address = next.to_canonical();
    }
    Some(address)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, Request};

    use super::*;
    use crate::config::Config;

    fn api(more: &[(&'static str, &str)]) -> Api {
        let mut settings =
            vec![("TEXTHUB_DATABASE_URL", "postgres://-".to_owned()), ("TEXTHUB_AMQP_URL", "amqp://-".to_owned())];
        settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Api::new(&Config::of(&settings).unwrap())
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn only_our_own_pages_are_ours() {
        let api = api(&[("TEXTHUB_PUBLIC_URL", "https://hub.example.com")]);
        let ours = |pairs: &[(&'static str, &str)]| is_ours(&api, &headers(pairs));
        assert_eq!(ours(&[("sec-fetch-site", "same-origin")]), Some(true));
        for site in ["cross-site", "same-site", "none", ""] {
            assert_eq!(ours(&[("sec-fetch-site", site), ("origin", "https://hub.example.com")]), Some(false), "{site}");
        }
        assert_eq!(ours(&[("host", "10.0.0.1:8080"), ("origin", "http://10.0.0.1:8080")]), Some(true));
        assert_eq!(ours(&[("host", "10.0.0.1:8080"), ("origin", "https://hub.example.com")]), Some(true));
        for origin in
            ["null", "https://evil.example", "https://hub.example.com.evil.example", "https://hub.example.com:8443"]
        {
            assert_eq!(ours(&[("host", "hub.example.com"), ("origin", origin)]), Some(false), "{origin}");
        }
        assert_eq!(ours(&[("host", "hub.example.com")]), None);
        assert!(must_be_ours(&api, &headers(&[])).is_err() && must_not_be_others(&api, &headers(&[])).is_ok());
    }

    #[test]
    fn a_proxy_is_believed_where_it_is_trusted_and_no_further() {
        let whence = |proxies: &str, peer: &str, said: &str| {
            let api = api(&[("TEXTHUB_TRUSTED_PROXIES", proxies)]);
            let mut request = Request::builder();
            if !said.is_empty() {
                request = request.header("x-forwarded-for", said);
            }
            let mut request = request.body(()).unwrap();
            request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
            address(&api, &request.into_parts().0).unwrap().to_string()
        };
        assert_eq!(whence("", "10.0.0.1", "1.2.3.4"), "10.0.0.1");
        assert_eq!(whence("10.0.0.0/8", "10.0.0.1", ""), "10.0.0.1");
        assert_eq!(whence("10.0.0.0/8", "::ffff:10.0.0.1", "9.9.9.9, 1.2.3.4"), "1.2.3.4");
        assert_eq!(whence("10.0.0.0/8", "10.0.0.1", "9.9.9.9, 1.2.3.4, 10.0.0.2"), "1.2.3.4");
        assert_eq!(whence("10.0.0.0/8", "10.0.0.1", "nonsense"), "10.0.0.1");
    }

    #[test]
    fn the_cookie_is_for_our_pages_alone_and_by_https_for_our_host_alone() {
        assert_eq!(cookie(&api(&[]), "x"), "texthub_session=x; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict");
        assert_eq!(
            cookie(&api(&[("TEXTHUB_PUBLIC_URL", "https://hub.example.com")]), ""),
            "__Host-texthub_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure"
        );
    }
}
