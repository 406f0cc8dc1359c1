//! Plivo's webhooks: a customer's text, or what became of one of ours. `PartInfo` is reserved and passed over; a receipt
//! goes by `ParentMessageUUID`, the id under which the whole text was taken. Parameters that are not known are kept.

use super::super::heard::{Heard, Rejected, Report, Request, Text};
use super::super::reading::{others, parameter, unreadable, with_plus};
use crate::facts::heard::{Media, ReceiptStatus};

/// Parameters that are read; the rest is kept as it came.
const READ: &[&str] = &["MessageUUID", "From", "To", "Text"];

/// Reads a request that was verified.
pub(crate) fn read(request: &Request<'_>) -> Result<Vec<Heard>, Rejected> {
    let parameters = if request.is_get { request.query() } else { request.form() };
    let find = |name: &str| parameter(&parameters, name);
    let id = find("MessageUUID").ok_or_else(|| unreadable("there is no MessageUUID"))?;
    if let Some(status) = find("Status").filter(|status| *status != "received") {
        return Ok(vec![receipt(find("ParentMessageUUID").unwrap_or(id), status, find("ErrorCode"))]);
    }
    let (Some(from), Some(to)) = (find("From"), find("To")) else {
        return Err(unreadable("there is no From or no To"));
    };
    let media = (0..10).filter_map(|n| {
        let kind = find(&format!("MediaContentType{n}")).unwrap_or("application/octet-stream").to_owned();
        Some(Media { url: find(&format!("Media{n}"))?.to_owned(), kind })
    });
    Ok(vec![Heard::Text(Text {
        carrier_sms_id: id.to_owned(),
        from: with_plus(from),
        to: with_plus(to),
        text: find("Text").unwrap_or_default().to_owned(),
        media: media.collect(),
        others: others(&parameters, |name| READ.contains(&name) || name.starts_with("Media")),
        ..Text::default()
    })])
}

fn receipt(id: &str, status: &str, error: Option<&str>) -> Heard {
    let status = match status {
        "sent" => ReceiptStatus::Submitted,
        "delivered" | "read" => ReceiptStatus::Delivered,
        "undelivered" => ReceiptStatus::Undelivered,
        "failed" | "rejected" => ReceiptStatus::Failed,
        "queued" => return Heard::Other("on_its_way"),
        _ => return Heard::Other("unknown_status"),
    };
    Heard::Receipt(Report {
        carrier_sms_id: id.to_owned(),
        status,
        error: error.filter(|code| *code != "000").map(str::to_owned),
        part: None,
        ends: None,
        reported_at: None,
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use proptest::prelude::*;

    use super::*;

    fn heard(is_get: bool, url: &str, body: &str) -> Result<Vec<Heard>, Rejected> {
        read(&Request { is_get, url, headers: &HeaderMap::new(), body: body.as_bytes() })
    }

    fn post(body: &str) -> Result<Vec<Heard>, Rejected> {
        heard(false, "https://hub.example/webhooks/a", body)
    }

    #[test]
    fn a_text_with_media_as_a_form_and_in_the_query() {
        let form = "From=15550100100&To=12345&MessageUUID=u1&Text=look+%26+see&Type=mms&Units=2&Media0=https%3A%2F%2Fm.example%2F1\
                    &MediaCount=1&ANewOne=1";
        for heard in [post(form), heard(true, &format!("https://hub.example/webhooks/a?{form}"), "")] {
            let heard = heard.unwrap();
            let [Heard::Text(text)] = heard.as_slice() else { panic!("{heard:?}") };
            assert_eq!(
                (text.from.as_str(), text.to.as_str(), text.text.as_str()),
                ("+15550100100", "12345", "look & see")
            );
            assert_eq!(
                text.media,
                [Media { url: "https://m.example/1".into(), kind: "application/octet-stream".into() }]
            );
            let kept: Vec<&str> = text.others.keys().map(String::as_str).collect();
            assert_eq!(kept, ["Type", "Units", "ANewOne"]);
        }
    }

    #[test]
    fn a_status_is_a_receipt_of_the_whole_and_an_unknown_one_says_nothing() {
        let of = |status: &str| {
            post(&format!("MessageUUID=p2&ParentMessageUUID=u1&PartInfo=2+of+2&Status={status}&ErrorCode=30")).unwrap()
        };
        for (word, status) in [
            ("sent", ReceiptStatus::Submitted),
            ("delivered", ReceiptStatus::Delivered),
            ("undelivered", ReceiptStatus::Undelivered),
            ("failed", ReceiptStatus::Failed),
            ("rejected", ReceiptStatus::Failed),
        ] {
            let heard = of(word);
            let [Heard::Receipt(report)] = heard.as_slice() else { panic!("{heard:?}") };
            assert_eq!((report.status, report.error.as_deref(), report.part), (status, Some("30"), None), "{word}");
            assert_eq!(report.carrier_sms_id, "u1");
        }
        assert_eq!(of("queued"), [Heard::Other("on_its_way")]);
        assert_eq!(of("teleported"), [Heard::Other("unknown_status")]);
    }

    #[test]
    fn what_lacks_its_id_or_its_ends_is_kept_for_an_operator() {
        for body in ["", "From=1&To=2", "MessageUUID=&From=1&To=2", "MessageUUID=u1&From=1"] {
            assert!(matches!(post(body), Err(Rejected::Unreadable(_))), "{body}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_read(
            body in "\\PC{0,200}|(MessageUUID|From|To|Text|Status|Media[0-9]|=|&|%|[0-9+]){0,40}",
            is_get: bool, url in "[ -~]{0,60}", signature in "[ -~]{0,60}",
        ) {
            let _ = heard(is_get, &url, &body);
            let mut headers = HeaderMap::new();
            headers.insert("x-plivo-signature-v3", signature.parse().unwrap());
            headers.insert("x-plivo-signature-v3-nonce", signature.parse().unwrap());
            let request = Request { is_get, url: &url, headers: &headers, body: body.as_bytes() };
            let _ = super::super::signature::verify(&request, &["token".into()], false);
        }
    }
}
