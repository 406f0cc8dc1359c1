//! What adapters need to read webhooks: fields of JSON, numbers as carriers write them that leave out the plus,
//! stamps that are too old, and whose sign-in a link may see.

use jiff::Timestamp;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::base64;
use super::heard::{Rejected, Request};
use crate::runtime::clock;
use crate::sms::number::plan;

/// A body that is JSON.
///
/// # Errors
/// Unreadable.
pub fn json(request: &Request<'_>) -> Result<Value, Rejected> {
    serde_json::from_slice(request.body).map_err(|_| unreadable("the body is not JSON"))
}

/// What the carrier sent, and is not understood.
pub fn unreadable(why: &str) -> Rejected {
    Rejected::Unreadable(why.to_owned())
}

/// A text in JSON by its pointer (RFC 6901), where it is there and not empty.
#[must_use]
pub fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A time in JSON by its pointer, RFC 3339.
#[must_use]
pub fn time(value: &Value, pointer: &str) -> Option<Timestamp> {
    text(value, pointer)?.parse().ok()
}

/// The value of a parameter, where it is there and not empty.
#[must_use]
pub fn parameter<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    parameters
        .iter()
        .find(|(given, _)| given == name)
        .map(|(_, value)| value.as_str())
        .filter(|value| !value.is_empty())
}

/// The parameters that were not read.
#[must_use]
pub fn others(parameters: &[(String, String)], is_read: impl Fn(&str) -> bool) -> Map<String, Value> {
    parameters
        .iter()
        .filter(|(name, _)| !is_read(name))
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect()
}

/// A number as a carrier writes it that leaves out the plus: E.164, or as it came where it is a short code, or a word.
/// Seven and eight digits are either: a number where a numbering plan has it.
#[must_use]
pub fn with_plus(number: &str) -> String {
    let is_international = match number.len() {
        0..7 => false,
        7..9 => plan::of(&format!("+{number}")).is_some_and(|plan| plan.is_valid),
        _ => true,
    };
    if is_international && number.bytes().all(|digit| digit.is_ascii_digit()) {
        format!("+{number}")
    } else {
        number.to_owned()
    }
}

/// The other way round.
#[must_use]
pub fn without_plus(number: &str) -> &str {
    number.strip_prefix('+').unwrap_or(number)
}

/// The basic sign-in for a link that lies where the carrier's API is, below this path; none for any other.
#[must_use]
pub fn login(url: &Url, api: &Url, below: &str, user: &str, password: &SecretString) -> Option<SecretString> {
    let is_its = url.origin() == api.origin() && url.path().starts_with(below);
    let plain = || format!("{user}:{}", password.expose_secret());
    is_its.then(|| format!("Basic {}", base64::encode(plain().as_bytes())).into())
}

/// Whether a stamp in seconds since 1970 is at most so old, and at most five minutes ahead of our clock.
///
/// # Errors
/// A stable word: `no_timestamp`, `stale`.
pub fn fresh(stamp: Option<&str>, most_s: i64) -> Result<(), &'static str> {
    let stamp: i64 = stamp.and_then(|stamp| stamp.parse().ok()).ok_or("no_timestamp")?;
    let age = clock::near().as_second().saturating_sub(stamp);
    if (-AHEAD_S..=most_s).contains(&age) { Ok(()) } else { Err("stale") }
}

/// How far clocks of carriers may go ahead, in seconds.
const AHEAD_S: i64 = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_without_a_plus_are_told_from_short_codes() {
        for (given, is) in [
            ("447700900001", "+447700900001"),
            ("15550100100", "+15550100100"),
            ("+15550100100", "+15550100100"),
            ("12345", "12345"),
            ("6778512345", "+6778512345"),
            ("6777412", "6777412"),
            ("29022222", "+29022222"),
            ("19912345", "19912345"),
            ("InfoBank", "InfoBank"),
            ("", ""),
        ] {
            assert_eq!(with_plus(given), is, "{given}");
        }
        assert_eq!((without_plus("+44"), without_plus("12345")), ("44", "12345"));
    }

    #[test]
    fn the_sign_in_is_for_the_carriers_own_links_alone() {
        let url = |text: &str| Url::parse(text).unwrap();
        let told = |link: &str| {
            let api = url("https://api.example/v2/users/99/messages");
            login(&url(link), &api, "/v2/users/99/", "u", &"p".into()).map(|secret| secret.expose_secret().to_owned())
        };
        assert_eq!(told("https://api.example/v2/users/99/media/1.png").as_deref(), Some("Basic dTpw"));
        for other in [
            "http://api.example/v2/users/99/media/1.png",
            "https://api.example:8443/v2/users/99/media/1.png",
            "https://api.example.evil.example/v2/users/99/media/1.png",
            "https://api.example/v2/users/98/media/1.png",
            "https://api.example/v2/users/99/../98/media/1.png",
        ] {
            assert_eq!(told(other), None, "{other}");
        }
    }

    #[test]
    fn a_stamp_is_neither_old_nor_ahead() {
        let at = |ago: i64| (clock::near().as_second() - ago).to_string();
        assert_eq!(fresh(Some(&at(299)), 300), Ok(()));
        assert_eq!(fresh(Some(&at(-290)), 300), Ok(()));
        for stale in [at(302), at(-310), i64::MIN.to_string(), i64::MAX.to_string()] {
            assert_eq!(fresh(Some(&stale), 300), Err("stale"), "{stale}");
        }
        assert_eq!((fresh(None, 300), fresh(Some("now"), 300)), (Err("no_timestamp"), Err("no_timestamp")));
    }
}
