//! The parameter `sig`: HMAC over all other parameters in the order of their names, each as `&name=value`, with `&` and `=`
//! within a value as `_`; in hex. Which hash is a setting of the account, and so of the connection. The older mode without
//! HMAC (a hash over parameters and secret) is not taken. Source: developer.vonage.com, Signing messages.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use ring::hmac as keyed;
use secrecy::{ExposeSecret, SecretString};

use super::super::reading::{fresh, parameter};

/// How the methods are called in the tenant file.
pub(super) const WORDS: &[&str] = &["md5", "sha1", "sha256", "sha512"];
/// How old a stamp may be, in seconds. Vonage sends again for a day, and does not say whether by a new stamp; what comes
/// again within that is the same fact.
const MOST_S: i64 = 25 * 3600;

/// A hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

impl Method {
    /// Of one of [`WORDS`]; SHA-256 where none is named.
    pub(super) fn of(word: Option<&str>) -> Self {
        match word {
            Some("md5") => Self::Md5,
            Some("sha1") => Self::Sha1,
            Some("sha512") => Self::Sha512,
            _ => Self::Sha256,
        }
    }

    /// In constant time.
    fn is_signature(self, secret: &SecretString, signed: &[u8], given: &[u8]) -> bool {
        let secret = secret.expose_secret().as_bytes();
        let algorithm = match self {
            Self::Md5 => {
                let mac = Hmac::<Md5>::new_from_slice(secret).map(|mac| mac.chain_update(signed));
                return mac.is_ok_and(|mac| mac.verify_slice(given).is_ok());
            }
            Self::Sha1 => keyed::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => keyed::HMAC_SHA256,
            Self::Sha512 => keyed::HMAC_SHA512,
        };
        keyed::verify(&keyed::Key::new(algorithm, secret), signed, given).is_ok()
    }
}

fn signed(parameters: &[(String, String)]) -> Vec<u8> {
    let mut sorted: Vec<&(String, String)> = parameters.iter().filter(|(name, _)| name != "sig").collect();
    sorted.sort();
    let each = |(name, value): &(String, String)| format!("&{name}={}", value.replace(['&', '='], "_"));
    sorted.into_iter().map(each).collect::<String>().into_bytes()
}

/// Whether one of these secrets signed the parameters.
///
/// # Errors
/// A stable word: `no_signature`, `no_timestamp`, `stale`, `bad_signature`.
pub(super) fn verify(
    parameters: &[(String, String)],
    method: Method,
    secrets: &[SecretString],
) -> Result<(), &'static str> {
    let given = parameter(parameters, "sig").and_then(octets).ok_or("no_signature")?;
    fresh(parameter(parameters, "timestamp"), MOST_S)?;
    let signed = signed(parameters);
    let is_theirs = secrets.iter().any(|secret| method.is_signature(secret, &signed, &given));
    if is_theirs { Ok(()) } else { Err("bad_signature") }
}

/// Octets of hex in either case.
fn octets(hex: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        hex.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect::<Option<_>>()?;
    digits.chunks(2).map(|pair| Some(pair[0] << 4 | *pair.get(1)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::clock;
    use crate::sms::carrier::heard::hex;

    fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_we_compute_is_what_vonages_sdk_computes() {
        // vonage 4.9.1 for Python: Auth(signature_secret="a-secret", signature_method=…).sign_params
        let parameters = pairs(&[
            ("timestamp", "1700000000"),
            ("text", "a=b&c – ü"),
            ("msisdn", "15550100100"),
            ("to", "15550100001"),
            ("empty", ""),
            ("sig", "is left out"),
        ]);
        for (method, expected) in [
            (Method::Md5, "4daa4d208b1a794f85a6c2c25fe4ba30"),
            (Method::Sha1, "29a3fea4c8ac25cbcc2e615020148420be1e47ba"),
            (Method::Sha256, "59f3a9374cb9492e7997a6d5bca6505b00de4d17ed499ffae2ebe61a8e04a340"),
            (
                Method::Sha512,
                "b557516770db8903f0ffcf5a40ef608aa92c4051caa27df460de75fc3500184c\
                 9c10dd4923d2b983f410a2657123577bf4f4756382cbf1a9a64f570764e90667",
            ),
        ] {
            let expected = octets(expected).unwrap();
            assert!(method.is_signature(&"a-secret".into(), &signed(&parameters), &expected), "{method:?}");
            assert!(!method.is_signature(&"secret".into(), &signed(&parameters), &expected), "{method:?}");
            assert!(!method.is_signature(&"a-secret".into(), &signed(&parameters), &expected[1..]), "{method:?}");
        }
    }

    fn signed_by(secret: &str, stamp: i64) -> Vec<(String, String)> {
        let mut parameters = pairs(&[("text", "hello"), ("timestamp", &stamp.to_string())]);
        let key = keyed::Key::new(keyed::HMAC_SHA256, secret.as_bytes());
        let sig = hex(keyed::sign(&key, &signed(&parameters)).as_ref());
        parameters.push(("sig".into(), sig.to_ascii_uppercase()));
        parameters
    }

    #[test]
    fn either_secret_counts_for_a_day_and_an_hour() {
        let now = clock::near().as_second();
        let secrets: Vec<SecretString> = ["now", "next"].map(SecretString::from).into();
        let good = signed_by("next", now - 24 * 3600);
        assert_eq!(verify(&good, Method::Sha256, &secrets), Ok(()));
        assert_eq!(verify(&good, Method::Sha256, &secrets[..1]), Err("bad_signature"));
        assert_eq!(verify(&good, Method::Sha512, &secrets), Err("bad_signature"));
        let mut more = good.clone();
        more.push(("to".into(), "1".into()));
        assert_eq!(verify(&more, Method::Sha256, &secrets), Err("bad_signature"));
        assert_eq!(verify(&signed_by("now", now - 26 * 3600), Method::Sha256, &secrets), Err("stale"));
        assert_eq!(verify(&good[..2], Method::Sha256, &secrets), Err("no_signature"));
        assert_eq!(verify(&pairs(&[("sig", "abc"), ("timestamp", "1")]), Method::Md5, &secrets), Err("no_signature"));
        assert_eq!(verify(&pairs(&[("sig", "ab")]), Method::Md5, &secrets), Err("no_timestamp"));
    }
}
