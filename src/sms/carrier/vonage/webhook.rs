//! Vonage's webhooks: a customer's text, a part of one, or what became of a part of ours; as a form, as JSON or in the
//! query. Numbers come without plus, times in UTC without saying so.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::super::heard::{Heard, Part, Rejected, Report, Request, Text};
use super::super::reading::{json, others, parameter, unreadable, with_plus};
use crate::facts::heard::ReceiptStatus;
use crate::sms::encoding::Encoding;

/// Parameters that are read, or that are only of the request; the rest is kept as it came.
const READ: &[&str] = &[
    "api-key",
    "concat",
    "concat-part",
    "concat-ref",
    "concat-total",
    "message-timestamp",
    "messageId",
    "msisdn",
    "nonce",
    "sig",
    "text",
    "timestamp",
    "to",
];
/// Most octets of a part.
const MOST: usize = 1024;

/// Names and values, however they came.
///
/// # Errors
/// Unreadable: JSON that is none, or of several levels.
pub(crate) fn parameters(request: &Request<'_>) -> Result<Vec<(String, String)>, Rejected> {
    if request.is_get || request.body.is_empty() {
        return Ok(request.query());
    }
    if !request.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
        return Ok(request.form());
    }
    let not_flat = || unreadable("the body is no flat object");
    let Value::Object(fields) = json(request)? else { return Err(not_flat()) };
    let flat = |(name, value)| match value {
        Value::String(text) => Ok((name, text)),
        Value::Number(number) => Ok((name, number.to_string())),
        Value::Bool(is) => Ok((name, is.to_string())),
        Value::Null => Ok((name, String::new())),
        _ => Err(not_flat()),
    };
    fields.into_iter().map(flat).collect()
}

/// Reads parameters that were verified.
pub(crate) fn read(parameters: &[(String, String)]) -> Result<Vec<Heard>, Rejected> {
    let find = |name: &str| parameter(parameters, name);
    let id = find("messageId").or_else(|| find("message-id")).ok_or_else(|| unreadable("there is no messageId"))?;
    if let Some(status) = find("status") {
        return Ok(vec![receipt(id, status, parameters)]);
    }
    let (Some(from), Some(to)) = (find("msisdn"), find("to")) else {
        return Err(unreadable("there is no msisdn or no to"));
    };
    if find("type") == Some("binary") {
        return Err(unreadable("a binary message"));
    }
    let text = Text {
        carrier_sms_id: id.to_owned(),
        from: with_plus(from),
        to: with_plus(to),
        text: find("text").unwrap_or_default().to_owned(),
        received_at: find("message-timestamp").and_then(in_utc),
        others: others(parameters, |name| READ.contains(&name)),
        ..Text::default()
    };
    if find("concat") != Some("true") {
        return Ok(vec![Heard::Text(text)]);
    }
    part(text, find).map(|part| vec![Heard::Part(part)])
}

fn part<'a>(mut text: Text, find: impl Fn(&str) -> Option<&'a str>) -> Result<Part, Rejected> {
    let wrong = || unreadable("concat-ref, concat-part or concat-total is no such number");
    let number = |name: &str| find(name).and_then(|value| value.parse::<u8>().ok()).ok_or_else(wrong);
    let (part, total) = (number("concat-part")?, number("concat-total")?);
    let reference = find("concat-ref").and_then(|value| value.parse::<u16>().ok()).ok_or_else(wrong)?;
    // what was written is said by its octets; Vonage has read the alphabet already
    let octets: Vec<u8> = std::mem::take(&mut text.text).encode_utf16().flat_map(u16::to_be_bytes).collect();
    if part == 0 || part > total || octets.len() > MOST {
        return Err(wrong());
    }
    Ok(Part { text, reference, part, total, encoding: Encoding::Ucs2, octets })
}

fn receipt(id: &str, status: &str, parameters: &[(String, String)]) -> Heard {
    let status = match status {
        "accepted" | "buffered" => ReceiptStatus::Submitted,
        "delivered" => ReceiptStatus::Delivered,
        "expired" => ReceiptStatus::Undelivered,
        "failed" | "rejected" => ReceiptStatus::Failed,
        _ => return Heard::Other("unknown_status"),
    };
    let find = |name: &str| parameter(parameters, name);
    Heard::Receipt(Report {
        carrier_sms_id: id.to_owned(),
        status,
        error: find("err-code").filter(|code| *code != "0").map(str::to_owned),
        part: None,
        ends: None,
        // when the network said so, to the minute; else when Vonage did
        reported_at: find("scts").and_then(minute).or_else(|| find("message-timestamp").and_then(in_utc)),
    })
}

/// `2026-01-31 12:00:00`.
fn in_utc(text: &str) -> Option<Timestamp> {
    let at: DateTime = text.replace(' ', "T").parse().ok()?;
    at.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp())
}

/// `YYMMDDhhmm`, sometimes with seconds.
fn minute(text: &str) -> Option<Timestamp> {
    let pairs: Vec<i8> =
        text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok()?.parse().ok()).collect::<Option<_>>()?;
    let [year, month, day, hour, minute, rest @ ..] = pairs.as_slice() else { return None };
    let second = rest.first().copied().unwrap_or(0);
    let at = DateTime::new(2000 + i16::from(*year), *month, *day, *hour, *minute, second, 0).ok()?;
    at.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use proptest::prelude::*;

    use super::*;

    fn heard(is_get: bool, kind: &str, url: &str, body: &str) -> Result<Vec<Heard>, Rejected> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", kind.parse().unwrap());
        parameters(&Request { is_get, url, headers: &headers, body: body.as_bytes() }).and_then(|found| read(&found))
    }

    fn post(body: &str) -> Result<Vec<Heard>, Rejected> {
        heard(false, "application/x-www-form-urlencoded", "https://hub.example/webhooks/a", body)
    }

    #[test]
    fn a_text_as_a_form_as_json_and_in_the_query() {
        let form = "msisdn=15550100100&to=15550100001&messageId=0A0&text=look+%26+see+%F0%9F%90%BB&type=unicode&keyword=LOOK\
                    &message-timestamp=2026-01-01+12%3A30%3A00&timestamp=1&nonce=n&sig=s&api-key=k";
        let json = r#"{"msisdn":"15550100100","to":"15550100001","messageId":"0A0","text":"look & see 🐻","type":"unicode",
            "keyword":"LOOK","message-timestamp":"2026-01-01 12:30:00","timestamp":1,"nonce":"n","sig":"s","api-key":"k"}"#;
        let url = "https://hub.example/webhooks/a";
        for heard in [
            post(form),
            heard(false, "application/json; charset=utf-8", url, json),
            heard(true, "", &format!("{url}?{form}"), ""),
        ] {
            let heard = heard.unwrap();
            let [Heard::Text(text)] = heard.as_slice() else { panic!("{heard:?}") };
            assert_eq!((text.from.as_str(), text.to.as_str()), ("+15550100100", "+15550100001"));
            assert_eq!((text.carrier_sms_id.as_str(), text.text.as_str()), ("0A0", "look & see 🐻"));
            assert_eq!(text.received_at, "2026-01-01T12:30:00Z".parse().ok());
            let kept: Vec<&str> = text.others.keys().map(String::as_str).collect();
            assert_eq!(kept, ["type", "keyword"]);
        }
    }

    #[test]
    fn a_part_is_its_octets() {
        let of = |numbers: &str| {
            post(&format!("msisdn=15550100100&to=12345&messageId=P2&text=a+%F0%9F%90%BB&concat=true{numbers}"))
        };
        let heard = of("&concat-ref=700&concat-part=2&concat-total=3").unwrap();
        let [Heard::Part(part)] = heard.as_slice() else { panic!("{heard:?}") };
        assert_eq!((part.reference, part.part, part.total, part.encoding), (700, 2, 3, Encoding::Ucs2));
        assert_eq!(part.octets, [0, b'a', 0, b' ', 0xd8, 0x3d, 0xdc, 0x3b]);
        assert_eq!((part.text.text.as_str(), part.text.to.as_str()), ("", "12345"));
        for bad in ["", "&concat-ref=1&concat-part=4&concat-total=3", "&concat-ref=1&concat-part=0&concat-total=3"] {
            assert!(matches!(of(bad), Err(Rejected::Unreadable(_))), "{bad}");
        }
    }

    #[test]
    fn a_status_is_a_receipt_and_an_unknown_one_says_nothing() {
        let of = |status: &str, code: &str| {
            let body = format!(
                "msisdn=15550100100&to=15550100001&messageId=A&status={status}&err-code={code}&scts=2601011230"
            );
            post(&body).unwrap()
        };
        for (word, code, status, error) in [
            ("accepted", "0", ReceiptStatus::Submitted, None),
            ("buffered", "0", ReceiptStatus::Submitted, None),
            ("delivered", "0", ReceiptStatus::Delivered, None),
            ("expired", "1", ReceiptStatus::Undelivered, Some("1")),
            ("failed", "6", ReceiptStatus::Failed, Some("6")),
            ("rejected", "7", ReceiptStatus::Failed, Some("7")),
        ] {
            let heard = of(word, code);
            let [Heard::Receipt(report)] = heard.as_slice() else { panic!("{heard:?}") };
            assert_eq!((report.status, report.error.as_deref()), (status, error), "{word}");
            assert_eq!(report.reported_at, "2026-01-01T12:30:00Z".parse().ok());
        }
        assert_eq!(of("unknown", "99"), [Heard::Other("unknown_status")]);
    }

    #[test]
    fn what_lacks_its_id_or_its_ends_is_kept_for_an_operator() {
        for body in ["", "text=a&msisdn=1&to=2", "messageId=A&to=2", "messageId=A&msisdn=1&to=2&type=binary&data=00"] {
            assert!(matches!(post(body), Err(Rejected::Unreadable(_))), "{body}");
        }
        for body in ["", "[1]", r#"{"messageId":["A"]}"#] {
            assert!(
                matches!(heard(false, "application/json", "/", body.trim()), Err(Rejected::Unreadable(_))),
                "{body}"
            );
        }
    }

    proptest! {
        #[test]
        fn anything_is_read(
            body in "\\PC{0,200}|(messageId|msisdn|to|text|status|scts|concat(-ref|-part|-total)?|true|=|&|%|[0-9]){0,40}|\
                     (\\{|\\}|\\[|:|,|\"|messageId|[0-9]){0,30}",
            kind in "application/(json|x-www-form-urlencoded)|[ -~]{0,20}", is_get: bool, url in "[ -~]{0,60}",
        ) {
            let _ = heard(is_get, &kind, &url, &body);
            let _ = minute(&body);
        }
    }
}
