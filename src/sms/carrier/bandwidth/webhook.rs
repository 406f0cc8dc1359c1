//! Bandwidth's webhooks: lists of events, each a customer's text or what became of one of ours. They come at least once.

use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::super::heard::{Heard, Rejected, Report, Request, Text};
use super::super::reading::{json, text, time, unreadable};
use crate::facts::heard::{Media, ReceiptStatus};
use crate::sms::carrier::base64;

/// Fields of a text that are read; the rest is kept as it came.
const READ: &[&str] = &["id", "from", "text", "media", "time"];

/// Whether the request signs in as one of these (`user:password`).
///
/// # Errors
/// A stable word: `no_signature`, `bad_signature`.
pub(in super::super) fn verify(request: &Request<'_>, callers: &[SecretString]) -> Result<(), &'static str> {
    let basic = request.header("authorization").and_then(|header| {
        let (scheme, rest) = header.split_once(' ')?;
        scheme.eq_ignore_ascii_case("basic").then(|| base64::decode(rest.trim())).flatten()
    });
    let given = basic.ok_or("no_signature")?;
    if is_one_of(callers, &given) { Ok(()) } else { Err("bad_signature") }
}

/// Whether one of these secrets is what was given; in constant time.
fn is_one_of(secrets: &[SecretString], given: &[u8]) -> bool {
    // of both the same keyed hash is compared, which tells nothing of their length either
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"comparison");
    let given = hmac::sign(&key, given);
    let same = |secret: &SecretString| hmac::verify(&key, secret.expose_secret().as_bytes(), given.as_ref()).is_ok();
    secrets.iter().map(same).fold(false, |found, is| found | is)
}

/// Reads a request that was verified.
pub(crate) fn read(request: &Request<'_>) -> Result<Vec<Heard>, Rejected> {
    let Value::Array(events) = json(request)? else { return Err(unreadable("the body is no list")) };
    events.iter().map(event).collect()
}

fn event(event: &Value) -> Result<Heard, Rejected> {
    let id = || text(event, "/message/id").ok_or_else(|| unreadable("there is no message.id"));
    let status = match text(event, "/type") {
        Some("message-received") => return received(id()?, event).map(Heard::Text),
        Some("message-sending" | "message-sent") => ReceiptStatus::Submitted,
        Some("message-delivered" | "message-read") => ReceiptStatus::Delivered,
        Some("message-failed") => ReceiptStatus::Failed,
        Some(_) => return Ok(Heard::Other("unknown_event")),
        None => return Err(unreadable("there is no type")),
    };
    let error = event.get("errorCode").filter(|_| status == ReceiptStatus::Failed);
    Ok(Heard::Receipt(Report {
        carrier_sms_id: id()?.to_owned(),
        status,
        error: error.and_then(|code| code.as_i64().map(|n| n.to_string()).or_else(|| code.as_str().map(str::to_owned))),
        part: None,
        ends: None,
        reported_at: time(event, "/time"),
    }))
}

fn received(id: &str, event: &Value) -> Result<Text, Rejected> {
    let find = |pointer: &str| text(event, pointer).map(str::to_owned);
    // of a group's text each of our numbers gets an event, and `to` is the one
    let to = find("/to").or_else(|| find("/message/to/0"));
    let (Some(from), Some(to)) = (find("/message/from"), to) else {
        return Err(unreadable("there is no message.from or no to"));
    };
    let links = event["message"]["media"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let kind = "application/octet-stream";
    let mut others: Map<String, Value> = event["message"].as_object().cloned().unwrap_or_default();
    others.retain(|name, value| !READ.contains(&name.as_str()) && !value.is_null());
    Ok(Text {
        carrier_sms_id: id.to_owned(),
        from,
        to,
        text: find("/message/text").unwrap_or_default(),
        // the part of an MMS that says how it is laid out is nothing to look at
        media: links
            .filter(|url| url.to_ascii_lowercase().rsplit('.').next() != Some("smil"))
            .map(|url| Media { url: url.to_owned(), kind: kind.to_owned() })
            .take(10)
            .collect(),
        received_at: time(event, "/message/time").or_else(|| time(event, "/time")),
        others,
        ..Text::default()
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use proptest::prelude::*;

    use super::*;

    fn judged(authorization: &str) -> Result<(), &'static str> {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", authorization.parse().unwrap());
        let callers = ["bw:now", "bw:n:ext"].map(SecretString::from);
        verify(&Request { is_get: false, url: "/", headers: &headers, body: b"[]" }, &callers)
    }

    #[test]
    fn either_password_counts() {
        for good in ["bw:now", "bw:n:ext"] {
            assert_eq!(judged(&format!("Basic {}", base64::encode(good.as_bytes()))), Ok(()));
            assert_eq!(judged(&format!("basic {}", base64::encode(good.as_bytes()))), Ok(()));
        }
        for bad in ["bw:nox", "bw:no", "bw:noww", "wb:now", "", ":", "bw"] {
            assert_eq!(judged(&format!("Basic {}", base64::encode(bad.as_bytes()))), Err("bad_signature"), "{bad}");
        }
        for none in ["", "Basic", "Basic !", "Bearer YnI6bm93"] {
            assert_eq!(judged(none), Err("no_signature"), "{none}");
        }
    }

    fn post(body: &str) -> Result<Vec<Heard>, Rejected> {
        read(&Request { is_get: false, url: "/", headers: &HeaderMap::new(), body: body.as_bytes() })
    }

    #[test]
    fn a_text_with_media_in_a_group() {
        let heard = post(
            r#"[{"type":"message-received","time":"2026-01-01T12:30:01Z","description":"Incoming message received",
            "to":"+15550100001","message":{"id":"14762070468292kw2fuqty55yp2b2","time":"2026-01-01T12:30:00Z",
            "to":["+15550100002","+15550100001"],"from":"+15550100100","text":"look & see 🐻","applicationId":"93de2206",
            "media":["https://m.example/0.smil","https://m.example/1.png"],"owner":"+15550100001","direction":"in",
            "segmentCount":1}}]"#,
        )
        .unwrap();
        let [Heard::Text(text)] = heard.as_slice() else { panic!("{heard:?}") };
        assert_eq!((text.from.as_str(), text.to.as_str()), ("+15550100100", "+15550100001"));
        assert_eq!(
            (text.carrier_sms_id.as_str(), text.text.as_str()),
            ("14762070468292kw2fuqty55yp2b2", "look & see 🐻")
        );
        let media = Media { url: "https://m.example/1.png".into(), kind: "application/octet-stream".into() };
        assert_eq!(text.media, [media]);
        assert_eq!(text.received_at, "2026-01-01T12:30:00Z".parse().ok());
        let kept: Vec<&str> = text.others.keys().map(String::as_str).collect();
        assert_eq!(kept, ["to", "applicationId", "owner", "direction", "segmentCount"]);
    }

    #[test]
    fn each_event_of_a_list_is_heard() {
        let of = |kind: &str, code: &str| {
            format!(r#"{{"type":"{kind}","time":"2026-01-01T12:30:01Z","errorCode":{code},"message":{{"id":"m1"}}}}"#)
        };
        let events = [
            of("message-delivered", "null"),
            of("message-failed", "4405"),
            of("message-failed", "\"9902\""),
            of("message-sending", "null"),
            of("message-teleported", "1"),
        ];
        let heard = post(&format!("[{}]", events.join(","))).unwrap();
        let told: Vec<_> = heard
            .iter()
            .map(|heard| match heard {
                Heard::Receipt(report) => Some((report.status, report.error.as_deref())),
                _ => None,
            })
            .collect();
        let expected = [
            Some((ReceiptStatus::Delivered, None)),
            Some((ReceiptStatus::Failed, Some("4405"))),
            Some((ReceiptStatus::Failed, Some("9902"))),
            Some((ReceiptStatus::Submitted, None)),
            None,
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_lacks_its_id_or_its_ends_is_kept_for_an_operator() {
        for body in [
            "",
            "{}",
            "[{}]",
            r#"[{"type":"message-received","message":{}}]"#,
            r#"[{"type":"message-received","to":"+1","message":{"id":"1"}}]"#,
            r#"[{"type":"message-failed"}]"#,
        ] {
            assert!(matches!(post(body), Err(Rejected::Unreadable(_))), "{body}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_read(
            body in "\\PC{0,200}|(\\{|\\}|\\[|\\]|:|,|\"|type|message|message-received|id|to|from|media|text){0,40}",
            authorization in "[ -~]{0,60}|Basic [A-Za-z0-9=]{0,20}",
        ) {
            let _ = post(&body);
            let _ = judged(&authorization);
        }
    }
}
