//! `X-Twilio-Signature`: HMAC over the public URL, followed by each parameter's name and value in the order of their
//! bytes, repeated ones once. A JSON body is signed by its hash in the query (`bodySHA256`). A port may be in the signed
//! URL or not. Source: twilio.com/docs/usage/security; how repeated parameters go is as Twilio's own SDKs do it.

use std::collections::{BTreeMap, BTreeSet};

use ring::hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256, Key};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::super::heard::{Request, hex};
use crate::sms::carrier::base64;

/// The header.
pub const HEADER: &str = "x-twilio-signature";
/// Names the hash where it is not SHA-1: `key=…,algorithm=HMAC_SHA256`.
pub const SETTINGS: &str = "x-twilio-webhooks-signature-settings";

/// Which hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// The usual one.
    Sha1,
    /// Where the settings header says so.
    Sha256,
}

/// The signature of a URL with parameters, in base64.
#[must_use]
pub fn sign(hash: Hash, secret: &str, url: &str, parameters: &[(String, String)]) -> String {
    base64::encode(hmac::sign(&key(hash, secret), &signed(url, parameters)).as_ref())
}

fn key(hash: Hash, secret: &str) -> Key {
    let algorithm = match hash {
        Hash::Sha1 => HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha256 => HMAC_SHA256,
    };
    Key::new(algorithm, secret.as_bytes())
}

fn signed(url: &str, parameters: &[(String, String)]) -> Vec<u8> {
    let mut sorted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, value) in parameters {
        sorted.entry(name).or_default().insert(value);
    }
    let mut text = url.as_bytes().to_vec();
    for (name, values) in sorted {
        for value in values {
            text.extend(name.as_bytes());
            text.extend(value.as_bytes());
        }
    }
    text
}

/// Whether one of these secrets signed the request.
///
/// # Errors
/// A stable word: `no_signature`, `unknown_algorithm`, `body_changed`, `bad_signature`.
pub fn verify(request: &Request<'_>, secrets: &[SecretString]) -> Result<(), &'static str> {
    let given = request.header(HEADER).and_then(base64::decode).ok_or("no_signature")?;
    let hash = match request.header(SETTINGS) {
        None => Hash::Sha1,
        Some(settings) => settings
            .split(',')
            .find_map(|setting| match setting.trim().strip_prefix("algorithm=")? {
                "HMAC_SHA1" => Some(Hash::Sha1),
                "HMAC_SHA256" => Some(Hash::Sha256),
                _ => None,
            })
            .ok_or("unknown_algorithm")?,
    };
    let body_hash = request.query().into_iter().find(|(name, _)| name == "bodySHA256").map(|(_, hash)| hash);
    let parameters = match body_hash {
        Some(expected) if !expected.eq_ignore_ascii_case(&hex(&Sha256::digest(request.body))) => {
            return Err("body_changed");
        }
        Some(_) => Vec::new(),
        None if request.is_get => Vec::new(),
        None => request.form(),
    };
    let is_theirs = secrets.iter().any(|secret| {
        let key = key(hash, secret.expose_secret());
        // ring compares in constant time
        spellings(request.url).iter().any(|url| hmac::verify(&key, &signed(url, &parameters), &given).is_ok())
    });
    if is_theirs { Ok(()) } else { Err("bad_signature") }
}

/// The URL as it is, with the port of its scheme, and without one.
fn spellings(url: &str) -> Vec<String> {
    let mut all = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else { return all };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host_begins = authority.rfind('@').map_or(0, |at| at + 1);
    let bare = authority[host_begins..].rfind(':').map_or(authority, |colon| &authority[..host_begins + colon]);
    let is_port =
        authority[bare.len()..].strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()));
    if is_port {
        all.push(format!("{scheme}://{bare}{path}"));
    } else {
        let port = if scheme == "https" { 443 } else { 80 };
        all.push(format!("{scheme}://{authority}:{port}{path}"));
    }
    all
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::*;

    fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn published_and_recomputed_vectors() {
        let parameters = pairs(&[
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+14158675309"),
            ("Digits", "1234"),
            ("From", "+14158675309"),
            ("To", "+18005551212"),
        ]);
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        assert_eq!(sign(Hash::Sha1, "12345", url, &parameters), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
        let repeated = pairs(&[("A", "b"), ("A", "a"), ("A", "b"), ("Z", "")]);
        assert_eq!(sign(Hash::Sha1, "12345", "https://x/", &repeated), "iM02Qh8/gg4opNTRiffDTlkznWQ=");
        let one = pairs(&[("A", "1")]);
        assert_eq!(sign(Hash::Sha256, "12345", "https://x/", &one), "SclOvnx6r51qTTbt1qLHJ8O0dqjxu2rdugPKOSDxVyI=");
    }

    fn secrets(of: &[&str]) -> Vec<SecretString> {
        of.iter().map(|secret| SecretString::from(*secret)).collect()
    }

    #[test]
    fn either_secret_and_either_spelling_of_the_port_count() {
        let body = b"Body=hello+there&From=%2B15550100100";
        let parameters = pairs(&[("Body", "hello there"), ("From", "+15550100100")]);
        for (signed, called) in [
            ("https://hub.example/webhooks/a", "https://hub.example/webhooks/a"),
            ("https://hub.example:443/webhooks/a?x=1", "https://hub.example/webhooks/a?x=1"),
            ("https://hub.example/webhooks/a", "https://hub.example:8443/webhooks/a"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, sign(Hash::Sha1, "next", signed, &parameters).parse().unwrap());
            let request = Request { is_get: false, url: called, headers: &headers, body };
            assert_eq!(verify(&request, &secrets(&["now", "next"])), Ok(()), "{signed}");
            assert_eq!(verify(&request, &secrets(&["now"])), Err("bad_signature"));
            let changed = Request { body: b"Body=hello&From=%2B15550100100", ..request };
            assert_eq!(verify(&changed, &secrets(&["now", "next"])), Err("bad_signature"));
        }
    }

    #[test]
    fn a_json_body_counts_by_its_hash_and_an_unknown_hash_does_not() {
        let body = br#"{"a":1}"#;
        let url = format!("https://hub.example/webhooks/a?bodySHA256={}", hex(&Sha256::digest(body)));
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, sign(Hash::Sha256, "s", &url, &[]).parse().unwrap());
        headers.insert(SETTINGS, "key=k,algorithm=HMAC_SHA256".parse().unwrap());
        let request = Request { is_get: false, url: &url, headers: &headers, body };
        assert_eq!(verify(&request, &secrets(&["s"])), Ok(()));
        assert_eq!(verify(&Request { body: b"{}", ..request }, &secrets(&["s"])), Err("body_changed"));
        let mut other = headers.clone();
        other.insert(SETTINGS, "key=k,algorithm=HMAC_MD5".parse().unwrap());
        assert_eq!(verify(&Request { headers: &other, ..request }, &secrets(&["s"])), Err("unknown_algorithm"));
        let none = HeaderMap::new();
        assert_eq!(verify(&Request { headers: &none, ..request }, &secrets(&["s"])), Err("no_signature"));
    }
}
