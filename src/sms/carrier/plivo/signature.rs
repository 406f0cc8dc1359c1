//! `X-Plivo-Signature-V3` and `-V2`, and the same of the main account (`-Ma-`): HMAC-SHA256 by the auth token, in base64.
//! V2 is over the address without its query, and the nonce. V3 is over the address with its query in the order of the
//! names, the form in the same order, and the nonce. V2 is looked at only where there is no V3.

use ring::hmac::{self, HMAC_SHA256, Key};
use secrecy::{ExposeSecret, SecretString};

use super::super::heard::Request;
use crate::sms::carrier::base64;

/// Signatures and nonce of a version; a header may hold several, with commas.
const V3: (&[&str], &str) = (&["x-plivo-signature-v3", "x-plivo-signature-ma-v3"], "x-plivo-signature-v3-nonce");
const V2: (&[&str], &str) = (&["x-plivo-signature-v2", "x-plivo-signature-ma-v2"], "x-plivo-signature-v2-nonce");

fn given(request: &Request<'_>, headers: &[&str]) -> Vec<Vec<u8>> {
    let texts = headers.iter().filter_map(|header| request.header(header));
    texts.flat_map(|text| text.split(',')).filter_map(|one| base64::decode(one.trim())).collect()
}

/// Whether one of these tokens signed the request.
///
/// # Errors
/// A stable word: `no_signature`, `no_nonce`, `bad_signature`.
pub(super) fn verify(request: &Request<'_>, tokens: &[SecretString], needs_v3: bool) -> Result<(), &'static str> {
    let (v3, v2) = (given(request, V3.0), given(request, V2.0));
    let is_v3 = !v3.is_empty() || needs_v3;
    let (given, nonce) = if is_v3 { (v3, V3.1) } else { (v2, V2.1) };
    if given.is_empty() {
        return Err("no_signature");
    }
    let nonce = request.header(nonce).filter(|nonce| !nonce.is_empty()).ok_or("no_nonce")?;
    let signed = if is_v3 { signed_v3(request) + "." + nonce } else { address(request).to_owned() + nonce };
    let is_theirs = tokens.iter().any(|token| {
        let key = Key::new(HMAC_SHA256, token.expose_secret().as_bytes());
        // ring compares in constant time
        given.iter().any(|given| hmac::verify(&key, signed.as_bytes(), given).is_ok())
    });
    if is_theirs { Ok(()) } else { Err("bad_signature") }
}

/// Scheme, host and path.
fn address<'a>(request: &Request<'a>) -> &'a str {
    request.url.split(['?', '#']).next().unwrap_or_default()
}

fn signed_v3(request: &Request<'_>) -> String {
    let (query, form) = (sorted(request.query()), sorted(if request.is_get { Vec::new() } else { request.form() }));
    let mut signed = address(request).to_owned();
    if !query.is_empty() || !form.is_empty() {
        signed.push('?');
    }
    signed += &query.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    if !query.is_empty() && !form.is_empty() {
        signed.push('.');
    }
    signed.extend(form.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]));
    signed
}

/// By name, then by value.
fn sorted(mut parameters: Vec<(String, String)>) -> Vec<(String, String)> {
    parameters.sort();
    parameters
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::*;

    const NONCE: &str = "05429567804466091622";
    const URL: &str = "https://hub.example/webhooks/a";
    const FORM: &str = "To=15550100001&From=15550100100&Text=a%3Db%26c+%E2%80%93+%C3%BC&Empty=&MessageUUID=u1";

    struct Case {
        is_get: bool,
        url: String,
        form: &'static str,
        headers: Vec<(&'static str, &'static str)>,
    }

    impl Case {
        fn judged(&self, tokens: &[&str], needs_v3: bool) -> Result<(), &'static str> {
            let mut headers = HeaderMap::new();
            for (name, value) in &self.headers {
                headers.insert(*name, value.parse().unwrap());
            }
            let tokens: Vec<SecretString> = tokens.iter().map(|token| SecretString::from(*token)).collect();
            let body = self.form.as_bytes();
            verify(&Request { is_get: self.is_get, url: &self.url, headers: &headers, body }, &tokens, needs_v3)
        }
    }

    fn v3(is_get: bool, query: &str, form: &'static str, signature: &'static str) -> Case {
        let headers = vec![(V3.0[0], signature), (V3.1, NONCE)];
        Case { is_get, url: format!("{URL}{query}"), form, headers }
    }

    #[test]
    fn what_we_compute_is_what_plivos_sdk_computes() {
        // plivo 4.63.0 for Python: construct_post_url, construct_get_url, get_signature_v3 with the token a-token
        let cases = [
            v3(false, "", FORM, "PQtAL6+9zUBImPAOGfJd/1Iw/j//zXXSAWkL/d2EpTI="),
            v3(false, "?b=2&a=1", FORM, "UX+no+6/+Hxz4k1sV8i4aErFuf9oSR5eBfPc5AblMmg="),
            v3(false, "?b=2&a=1", "", "RvO1HRQ679sx9pRRHV8VFCU0DWjIyJSChIW21dIqYWM="),
            v3(true, "?To=1&From=2&Text=x%20y", "", "i4bwRvnNi7OunGblRvZGREB5hvrccM5B73jGHaDuhzA="),
        ];
        for case in cases {
            assert_eq!(case.judged(&["now", "a-token"], true), Ok(()), "{}", case.url);
            assert_eq!(case.judged(&["now"], false), Err("bad_signature"), "{}", case.url);
            assert_eq!(Case { url: case.url.clone() + "1", ..case }.judged(&["a-token"], true), Err("bad_signature"));
        }
    }

    #[test]
    fn v2_counts_where_there_is_no_v3_and_none_is_asked_for() {
        let signature = "gSQklKQlXYeYhfM8zW7FtVkj6Zw/7yhYhSep/w62Cvs=";
        let mut case = Case { headers: vec![(V2.0[1], signature), (V2.1, NONCE)], ..v3(false, "?a=1", FORM, "") };
        assert_eq!(case.judged(&["a-token"], false), Ok(()));
        assert_eq!(case.judged(&["a-token"], true), Err("no_signature"));
        assert_eq!(case.judged(&["b-token"], false), Err("bad_signature"));
        case.headers.push((V3.0[0], signature));
        assert_eq!(case.judged(&["a-token"], false), Err("no_nonce"), "a V3 that is there counts");
        case.headers.push((V3.1, NONCE));
        assert_eq!(case.judged(&["a-token"], false), Err("bad_signature"));
        case.headers.clear();
        assert_eq!(case.judged(&["a-token"], false), Err("no_signature"));
    }
}
