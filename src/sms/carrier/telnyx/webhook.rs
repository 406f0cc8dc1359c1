//! Telnyx's webhooks: `message.received`, and `message.sent` and `message.finalized` with what became of a text, for each
//! of its recipients; we have one. Events may come twice and in any order.

use ring::signature::UnparsedPublicKey;
use serde_json::{Map, Value};

use super::super::heard::{Heard, Rejected, Report, Request, Text};
use super::super::reading::{fresh, json, text, time, unreadable};
use crate::facts::heard::{Media, ReceiptStatus};
use crate::sms::carrier::base64;

/// Base64 of the signature's 64 octets.
const SIGNATURE: &str = "telnyx-signature-ed25519";
/// When it was signed, in seconds since 1970.
const TIMESTAMP: &str = "telnyx-timestamp";
/// How old a stamp may be, in seconds: as in Telnyx's own SDKs.
const MOST_S: i64 = 300;
/// Fields of a text that are read; the rest is kept as it came.
const READ: &[&str] = &["id", "from", "to", "text", "media", "received_at"];

/// Whether one of these keys signed the request.
///
/// # Errors
/// A stable word: `no_signature`, `no_timestamp`, `stale`, `bad_signature`.
pub(super) fn verify(request: &Request<'_>, keys: &[UnparsedPublicKey<Vec<u8>>]) -> Result<(), &'static str> {
    let signature = request.header(SIGNATURE).and_then(base64::decode).ok_or("no_signature")?;
    let stamp = request.header(TIMESTAMP);
    fresh(stamp, MOST_S)?;
    let signed = [stamp.unwrap_or_default().as_bytes(), b"|", request.body].concat();
    let is_theirs = keys.iter().any(|key| key.verify(&signed, &signature).is_ok());
    if is_theirs { Ok(()) } else { Err("bad_signature") }
}

/// Reads a request that was verified.
pub(crate) fn read(request: &Request<'_>) -> Result<Vec<Heard>, Rejected> {
    let event = json(request)?;
    match text(&event, "/data/event_type") {
        Some("message.received") => received(&event).map(|text| vec![Heard::Text(text)]),
        Some("message.sent" | "message.finalized") => reported(&event),
        Some(_) => Ok(vec![Heard::Other("unknown_event")]),
        None => Err(unreadable("there is no data.event_type")),
    }
}

fn received(event: &Value) -> Result<Text, Rejected> {
    let find = |pointer: &str| text(event, &format!("/data/payload{pointer}")).map(str::to_owned);
    let id = find("/id").ok_or_else(|| unreadable("there is no payload.id"))?;
    let payload = &event["data"]["payload"];
    // of a group's text the one that it was handed over for is ours
    let recipients = payload["to"].as_array().map_or(&[] as &[Value], Vec::as_slice);
    let ours = recipients.iter().find(|to| text(to, "/status") == Some("webhook_delivered")).or(recipients.first());
    let to = ours.and_then(|to| text(to, "/phone_number")).map(str::to_owned);
    let (Some(from), Some(to)) = (find("/from/phone_number"), to) else {
        return Err(unreadable("there is no payload.from or no payload.to"));
    };
    let media = payload["media"].as_array().into_iter().flatten().filter_map(|media| {
        let kind = text(media, "/content_type").unwrap_or("application/octet-stream").to_owned();
        Some(Media { url: text(media, "/url")?.to_owned(), kind })
    });
    let mut others: Map<String, Value> = payload.as_object().cloned().unwrap_or_default();
    others.retain(|name, value| !READ.contains(&name.as_str()) && !value.is_null());
    Ok(Text {
        carrier_sms_id: id,
        from,
        to,
        text: find("/text").unwrap_or_default(),
        media: media.take(10).collect(),
        received_at: time(event, "/data/payload/received_at"),
        others,
        ..Text::default()
    })
}

fn reported(event: &Value) -> Result<Vec<Heard>, Rejected> {
    let id = text(event, "/data/payload/id").ok_or_else(|| unreadable("there is no payload.id"))?;
    let recipients = event["data"]["payload"]["to"].as_array().map_or(&[] as &[Value], Vec::as_slice);
    let error = text(event, "/data/payload/errors/0/code");
    let reported_at = time(event, "/data/occurred_at");
    let heard = recipients.iter().map(|recipient| {
        let status = match text(recipient, "/status").unwrap_or_default() {
            "sent" => ReceiptStatus::Submitted,
            "delivered" | "read" => ReceiptStatus::Delivered,
            "delivery_failed" | "expired" => ReceiptStatus::Undelivered,
            "sending_failed" => ReceiptStatus::Failed,
            "queued" | "sending" => return Heard::Other("on_its_way"),
            // the carrier said nothing of it; it stays what it is
            "delivery_unconfirmed" => return Heard::Other("unconfirmed"),
            _ => return Heard::Other("unknown_status"),
        };
        let error = error.map(str::to_owned);
        Heard::Receipt(Report { carrier_sms_id: id.to_owned(), status, error, part: None, ends: None, reported_at })
    });
    Ok(heard.collect())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use proptest::prelude::*;
    use ring::signature::{ED25519, Ed25519KeyPair};

    use super::*;
    use crate::runtime::clock;

    /// The seed of octets 0 to 31, as in the vector.
    fn pair() -> Ed25519KeyPair {
        let seed: Vec<u8> = (0..32).collect();
        Ed25519KeyPair::from_seed_unchecked(&seed).unwrap()
    }

    fn key(text: &str) -> UnparsedPublicKey<Vec<u8>> {
        UnparsedPublicKey::new(&ED25519, base64::decode(text).unwrap())
    }

    const PUBLIC: &str = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";

    fn checked(
        stamp: &str,
        body: &[u8],
        signature: &str,
        keys: &[UnparsedPublicKey<Vec<u8>>],
    ) -> Result<(), &'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(SIGNATURE, signature.parse().unwrap());
        headers.insert(TIMESTAMP, stamp.parse().unwrap());
        verify(&Request { is_get: false, url: "https://hub.example/webhooks/a", headers: &headers, body }, keys)
    }

    #[test]
    fn what_we_compute_is_what_telnyxs_sdk_computes() {
        // telnyx 4.189.0 for Python; the stamp of the vector is of 2023
        let vector = "s+zz03T84b2uklZQ1rDgPx1Tv8KL+kTSIREoRYdNssP5WJCQhVeyHPhYQAMVY1nMDn0cs192kxvEvG6YQY1/Cw==";
        assert_eq!(base64::encode(pair().sign(b"1700000000|{}").as_ref()), vector);
        assert!(key(PUBLIC).verify(b"1700000000|{}", &base64::decode(vector).unwrap()).is_ok());
        assert_eq!(checked("1700000000", b"{}", vector, &[key(PUBLIC)]), Err("stale"));
    }

    #[test]
    fn either_key_counts_for_five_minutes() {
        let stranger = key("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
        let now = clock::near().as_second();
        let signed =
            |stamp: i64, body: &str| base64::encode(pair().sign(format!("{stamp}|{body}").as_bytes()).as_ref());
        let keys = [stranger.clone(), key(PUBLIC)];
        assert_eq!(checked(&now.to_string(), b"{}", &signed(now, "{}"), &keys), Ok(()));
        assert_eq!(checked(&now.to_string(), b"{}", &signed(now, "{}"), &[stranger]), Err("bad_signature"));
        assert_eq!(checked(&now.to_string(), b"{} ", &signed(now, "{}"), &keys), Err("bad_signature"));
        assert_eq!(checked(&(now - 1).to_string(), b"{}", &signed(now, "{}"), &keys), Err("bad_signature"));
        assert_eq!(checked(&(now - 400).to_string(), b"{}", &signed(now - 400, "{}"), &keys), Err("stale"));
        assert_eq!(checked("soon", b"{}", &signed(now, "{}"), &keys), Err("no_timestamp"));
        assert_eq!(checked(&now.to_string(), b"{}", "!", &keys), Err("no_signature"));
    }

    fn post(body: &str) -> Result<Vec<Heard>, Rejected> {
        let headers = HeaderMap::new();
        let url = "https://hub.example/webhooks/a";
        read(&Request { is_get: false, url, headers: &headers, body: body.as_bytes() })
    }

    #[test]
    fn a_text_with_media() {
        let heard = post(
            r#"{"data":{"event_type":"message.received","id":"e1","occurred_at":"2026-01-01T00:00:01.5+00:00","payload":{
            "id":"84cca175","direction":"inbound","encoding":"UCS-2","parts":2,"received_at":"2026-01-01T00:00:00.100+00:00",
            "from":{"carrier":"T","phone_number":"+15550100100"},"text":"look & see 🐻","subject":null,
            "to":[{"phone_number":"+15550100002","status":""},{"phone_number":"+15550100001","status":"webhook_delivered"}],
            "autoresponse_type":"opt_out",
            "media":[{"url":"https://m.example/1","content_type":"image/png","size":3},{"size":1}],"type":"MMS"}},"meta":{}}"#,
        )
        .unwrap();
        let [Heard::Text(text)] = heard.as_slice() else { panic!("{heard:?}") };
        assert_eq!((text.from.as_str(), text.to.as_str()), ("+15550100100", "+15550100001"));
        assert_eq!((text.carrier_sms_id.as_str(), text.text.as_str()), ("84cca175", "look & see 🐻"));
        assert_eq!(text.media, [Media { url: "https://m.example/1".into(), kind: "image/png".into() }]);
        assert_eq!(text.received_at, "2026-01-01T00:00:00.1Z".parse().ok());
        let kept: Vec<&str> = text.others.keys().map(String::as_str).collect();
        assert_eq!(kept, ["direction", "encoding", "parts", "autoresponse_type", "type"]);
    }

    #[test]
    fn a_status_is_a_receipt_and_an_unknown_one_says_nothing() {
        let of = |event: &str, status: &str| {
            let body = format!(
                r#"{{"data":{{"event_type":"{event}","occurred_at":"2026-01-01T00:00:00Z","payload":{{"id":"m1",
                "to":[{{"phone_number":"+15550100100","status":"{status}"}}],"errors":[{{"code":"40008"}}]}}}}}}"#
            );
            post(&body).unwrap()
        };
        for (word, status) in [
            ("sent", ReceiptStatus::Submitted),
            ("delivered", ReceiptStatus::Delivered),
            ("delivery_failed", ReceiptStatus::Undelivered),
            ("expired", ReceiptStatus::Undelivered),
            ("sending_failed", ReceiptStatus::Failed),
        ] {
            let heard = of("message.finalized", word);
            let [Heard::Receipt(report)] = heard.as_slice() else { panic!("{heard:?}") };
            assert_eq!((report.status, report.error.as_deref()), (status, Some("40008")), "{word}");
            assert_eq!((report.carrier_sms_id.as_str(), report.part), ("m1", None));
        }
        assert_eq!(of("message.sent", "queued"), [Heard::Other("on_its_way")]);
        assert_eq!(of("message.finalized", "delivery_unconfirmed"), [Heard::Other("unconfirmed")]);
        assert_eq!(of("message.finalized", "teleported"), [Heard::Other("unknown_status")]);
        assert_eq!(of("10dlc.brand.update", "sent"), [Heard::Other("unknown_event")]);
    }

    #[test]
    fn what_lacks_its_id_or_its_ends_is_kept_for_an_operator() {
        for body in [
            "",
            "[]",
            "{}",
            r#"{"data":{"event_type":"message.received","payload":{}}}"#,
            r#"{"data":{"event_type":"message.received","payload":{"id":"1","from":{"phone_number":"+1"},"to":[]}}}"#,
            r#"{"data":{"event_type":"message.sent","payload":{"to":[]}}}"#,
        ] {
            assert!(matches!(post(body), Err(Rejected::Unreadable(_))), "{body}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_read(
            body in "\\PC{0,200}|(\\{|\\}|\\[|\\]|:|,|\"|data|payload|event_type|message\\.received|id|to|from|media){0,40}",
            stamp in "[0-9-]{0,20}", signature in "[ -~]{0,100}",
        ) {
            let _ = post(&body);
            let _ = checked(&stamp, body.as_bytes(), &signature, &[key(PUBLIC)]);
        }
    }
}
