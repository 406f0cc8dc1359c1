//! Twilio's webhooks: a customer's text, or what became of one of ours. A sender may be a short code or a word; a status
//! that is not known says nothing; parameters that are not known are kept.

use serde_json::{Map, Value};

use super::super::heard::{Heard, Rejected, Report, Request, Text};
use crate::facts::heard::{Media, ReceiptStatus};
use crate::sms::number::is_short_code;

/// Parameters that are read; the rest is kept as it came.
const READ: &[&str] =
    &["MessageSid", "SmsSid", "SmsMessageSid", "From", "To", "Body", "NumMedia", "AccountSid", "ApiVersion"];

/// Reads a request that was verified.
pub(crate) fn read(request: &Request<'_>) -> Result<Vec<Heard>, Rejected> {
    let parameters = if request.is_get { request.query() } else { request.form() };
    let find = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| parameters.iter().find(|(given, _)| given == name))
            .map(|(_, value)| value.as_str())
    };
    let id = find(&["MessageSid", "SmsSid", "SmsMessageSid"]).filter(|id| !id.is_empty());
    let Some(id) = id else { return Err(Rejected::Unreadable("there is no MessageSid".to_owned())) };
    match find(&["MessageStatus", "SmsStatus"]).filter(|status| !matches!(*status, "received" | "receiving" | "")) {
        Some(status) => {
            let number = |name: &str| find(&[name]).filter(|number| number.starts_with('+')).map(str::to_owned);
            Ok(vec![receipt(id, status, find(&["ErrorCode"]), number("From").zip(number("To")))])
        }
        None => text(id, &parameters, find),
    }
}

fn receipt(id: &str, status: &str, error: Option<&str>, ends: Option<(String, String)>) -> Heard {
    let status = match status {
        "sent" => ReceiptStatus::Submitted,
        "delivered" | "read" => ReceiptStatus::Delivered,
        "undelivered" => ReceiptStatus::Undelivered,
        "failed" | "canceled" => ReceiptStatus::Failed,
        "accepted" | "scheduled" | "queued" | "sending" | "partially_delivered" => return Heard::Other("on_its_way"),
        _ => return Heard::Other("unknown_status"),
    };
    Heard::Receipt(Report {
        carrier_sms_id: id.to_owned(),
        status,
        error: error.filter(|code| !code.is_empty() && *code != "0").map(str::to_owned),
        part: None,
        ends,
        reported_at: None,
    })
}

fn text<'a>(
    id: &str,
    parameters: &[(String, String)],
    find: impl Fn(&[&str]) -> Option<&'a str>,
) -> Result<Vec<Heard>, Rejected> {
    let (Some(from), Some(to)) = (find(&["From"]), find(&["To"])) else {
        return Err(Rejected::Unreadable("there is no From or no To".to_owned()));
    };
    let count: usize = find(&["NumMedia"]).and_then(|count| count.parse().ok()).unwrap_or(0).min(10);
    let media = (0..count)
        .filter_map(|n| {
            let url = find(&[&format!("MediaUrl{n}")])?.to_owned();
            let kind = find(&[&format!("MediaContentType{n}")]).unwrap_or("application/octet-stream").to_owned();
            Some(Media { url, kind })
        })
        .collect();
    let country =
        |number: &str, name: &str| find(&[name]).filter(|c| c.len() == 2 && is_short_code(number)).map(str::to_owned);
    let others: Map<String, Value> = parameters
        .iter()
        .filter(|(name, _)| !READ.contains(&name.as_str()) && !name.starts_with("Media"))
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    Ok(vec![Heard::Text(Text {
        carrier_sms_id: id.to_owned(),
        from: from.to_owned(),
        from_country: country(from, "FromCountry"),
        to: to.to_owned(),
        to_country: country(to, "ToCountry"),
        text: find(&["Body"]).unwrap_or("").to_owned(),
        media,
        received_at: None,
        others,
    })])
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use proptest::prelude::*;

    use super::*;

    fn post(body: &str) -> Result<Vec<Heard>, Rejected> {
        let headers = HeaderMap::new();
        read(&Request {
            is_get: false,
            url: "https://hub.example/webhooks/a",
            headers: &headers,
            body: body.as_bytes(),
        })
    }

    #[test]
    fn a_text_with_media_from_a_short_code() {
        let heard = post(
            "MessageSid=SM1&AccountSid=AC1&From=12345&FromCountry=US&To=%2B15550100001&Body=look+%26+see&NumMedia=1\
             &MediaUrl0=https%3A%2F%2Fm.example%2F1&MediaContentType0=image%2Fpng&OptOutType=STOP&ANewOne=1&SmsStatus=received",
        )
        .unwrap();
        let [Heard::Text(text)] = heard.as_slice() else { panic!("{heard:?}") };
        assert_eq!((text.from.as_str(), text.from_country.as_deref()), ("12345", Some("US")));
        assert_eq!(
            (text.text.as_str(), text.to.as_str(), text.to_country.as_deref()),
            ("look & see", "+15550100001", None)
        );
        assert_eq!(text.media, [Media { url: "https://m.example/1".into(), kind: "image/png".into() }]);
        assert_eq!((text.others["OptOutType"].as_str(), text.others["ANewOne"].as_str()), (Some("STOP"), Some("1")));
    }

    #[test]
    fn a_status_is_a_receipt_and_an_unknown_one_says_nothing() {
        let of = |status: &str| {
            let body =
                format!("MessageSid=SM1&MessageStatus={status}&ErrorCode=30003&From=%2B15550100001&To=%2B15550100100");
            post(&body).unwrap()
        };
        let ends = Some(("+15550100001".to_owned(), "+15550100100".to_owned()));
        for (word, status) in [
            ("sent", ReceiptStatus::Submitted),
            ("delivered", ReceiptStatus::Delivered),
            ("read", ReceiptStatus::Delivered),
            ("undelivered", ReceiptStatus::Undelivered),
            ("failed", ReceiptStatus::Failed),
        ] {
            let heard = of(word);
            let [Heard::Receipt(report)] = heard.as_slice() else { panic!("{heard:?}") };
            assert_eq!((report.status, report.error.as_deref()), (status, Some("30003")), "{word}");
            assert_eq!(report.ends, ends, "whose it is where its id is not known");
        }
        assert_eq!(of("queued"), [Heard::Other("on_its_way")]);
        assert_eq!(of("teleported"), [Heard::Other("unknown_status")]);
    }

    #[test]
    fn what_lacks_its_id_or_its_ends_is_kept_for_an_operator() {
        for body in ["", "From=1&To=2", "MessageSid=&From=1&To=2", "MessageSid=SM1&From=%2B1"] {
            assert!(matches!(post(body), Err(Rejected::Unreadable(_))), "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_body_is_read(body in "\\PC{0,200}|(MessageSid|From|To|Body|NumMedia|SmsStatus|=|&|%|[0-9+]){0,40}") {
            let _ = post(&body);
        }
    }
}
