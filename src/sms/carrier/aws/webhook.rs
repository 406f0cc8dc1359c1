//! What SNS brings: a customer's text (two-way messaging), or an event of a text of ours.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::super::heard::{Heard, Rejected, Report, Text};
use super::super::reading::{text, unreadable};
use super::sns::Notification;
use crate::facts::heard::ReceiptStatus;

/// Fields of a text that are read; the rest is kept as it came.
const READ: &[&str] = &["originationNumber", "destinationNumber", "messageBody", "inboundMessageId"];

/// Reads a notification that was verified.
pub(crate) fn read(notification: &Notification) -> Result<Vec<Heard>, Rejected> {
    let said: Value = serde_json::from_str(&notification.message)
        .map_err(|_| unreadable("the notification's Message is not JSON"))?;
    if text(&said, "/eventType").is_some() {
        return event(&said).map(|heard| vec![heard]);
    }
    let find = |pointer: &str| text(&said, pointer).map(str::to_owned);
    let id = find("/inboundMessageId").ok_or_else(|| unreadable("there is no inboundMessageId and no eventType"))?;
    let (Some(from), Some(to)) = (find("/originationNumber"), find("/destinationNumber")) else {
        return Err(unreadable("there is no originationNumber or no destinationNumber"));
    };
    let mut others: Map<String, Value> = said.as_object().cloned().unwrap_or_default();
    others.retain(|name, value| !READ.contains(&name.as_str()) && !value.is_null());
    Ok(vec![Heard::Text(Text {
        carrier_sms_id: id,
        from,
        to,
        text: find("/messageBody").unwrap_or_default(),
        received_at: Some(notification.at),
        others,
        ..Text::default()
    })])
}

fn event(said: &Value) -> Result<Heard, Rejected> {
    let is_final = said.get("isFinal").and_then(Value::as_bool).unwrap_or(true);
    let status = match text(said, "/eventType").unwrap_or_default() {
        // which of both comes depends on the country; one that is not the last is the network's word only
        "TEXT_DELIVERED" | "TEXT_SUCCESSFUL" if is_final => ReceiptStatus::Delivered,
        "TEXT_SENT" | "TEXT_DELIVERED" | "TEXT_SUCCESSFUL" => ReceiptStatus::Submitted,
        "TEXT_UNREACHABLE" | "TEXT_CARRIER_UNREACHABLE" | "TEXT_TTL_EXPIRED" => ReceiptStatus::Undelivered,
        "TEXT_BLOCKED"
        | "TEXT_CARRIER_BLOCKED"
        | "TEXT_INVALID"
        | "TEXT_INVALID_MESSAGE"
        | "TEXT_SPAM"
        | "TEXT_PROTECT_BLOCKED" => ReceiptStatus::Failed,
        "TEXT_PENDING" | "TEXT_QUEUED" => return Ok(Heard::Other("on_its_way")),
        // nothing came within 72 hours, or it is about something else
        "TEXT_UNKNOWN" => return Ok(Heard::Other("unconfirmed")),
        _ => return Ok(Heard::Other("unknown_event")),
    };
    let id = text(said, "/messageId").ok_or_else(|| unreadable("there is no messageId"))?;
    let is_good = matches!(status, ReceiptStatus::Submitted | ReceiptStatus::Delivered);
    let at = said.get("eventTimestamp").and_then(Value::as_i64).and_then(|ms| Timestamp::from_millisecond(ms).ok());
    Ok(Heard::Receipt(Report {
        carrier_sms_id: id.to_owned(),
        status,
        error: text(said, "/messageStatus").filter(|_| !is_good).map(str::to_owned),
        part: None,
        ends: None,
        reported_at: at,
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(message: &str) -> Result<Vec<Heard>, Rejected> {
        read(&Notification { message: message.to_owned(), at: "2026-01-01T12:30:00Z".parse().unwrap() })
    }

    #[test]
    fn a_text() {
        let heard = said(
            r#"{"originationNumber":"+15550100100","destinationNumber":"+15550100001","messageKeyword":"KEYWORD_1",
            "messageBody":"look & see 🐻","inboundMessageId":"cae173d2","previousPublishedMessageId":"wJalrXUtnFEMI"}"#,
        )
        .unwrap();
        let [Heard::Text(text)] = heard.as_slice() else { panic!("{heard:?}") };
        assert_eq!((text.from.as_str(), text.to.as_str()), ("+15550100100", "+15550100001"));
        assert_eq!((text.carrier_sms_id.as_str(), text.text.as_str()), ("cae173d2", "look & see 🐻"));
        assert_eq!(text.received_at, "2026-01-01T12:30:00Z".parse().ok());
        let kept: Vec<&str> = text.others.keys().map(String::as_str).collect();
        assert_eq!(kept, ["messageKeyword", "previousPublishedMessageId"]);
    }

    #[test]
    fn an_event_is_a_receipt_and_an_unknown_one_says_nothing() {
        let of = |event: &str, is_final: bool| {
            let message = format!(
                r#"{{"eventType":"{event}","isFinal":{is_final},"eventTimestamp":1686975103470,"messageId":"m1",
                "messageStatus":"THE_WORD","context":{{"sms_id":"x"}}}}"#
            );
            said(&message).unwrap()
        };
        for (word, is_final, status, error) in [
            ("TEXT_SENT", false, ReceiptStatus::Submitted, None),
            ("TEXT_SUCCESSFUL", false, ReceiptStatus::Submitted, None),
            ("TEXT_SUCCESSFUL", true, ReceiptStatus::Delivered, None),
            ("TEXT_DELIVERED", true, ReceiptStatus::Delivered, None),
            ("TEXT_UNREACHABLE", true, ReceiptStatus::Undelivered, Some("THE_WORD")),
            ("TEXT_CARRIER_BLOCKED", true, ReceiptStatus::Failed, Some("THE_WORD")),
        ] {
            let heard = of(word, is_final);
            let [Heard::Receipt(report)] = heard.as_slice() else { panic!("{heard:?}") };
            assert_eq!((report.status, report.error.as_deref()), (status, error), "{word}");
            assert_eq!(report.reported_at, "2023-06-17T04:11:43.47Z".parse().ok());
        }
        assert_eq!(of("TEXT_QUEUED", false), [Heard::Other("on_its_way")]);
        assert_eq!(of("TEXT_UNKNOWN", true), [Heard::Other("unconfirmed")]);
        assert_eq!(of("VOICE_INITIATED", true), [Heard::Other("unknown_event")]);
    }

    #[test]
    fn what_lacks_its_id_or_its_ends_is_kept_for_an_operator() {
        for message in ["", "hello", "{}", "[]", r#"{"inboundMessageId":"1"}"#, r#"{"eventType":"TEXT_SENT"}"#] {
            assert!(matches!(said(message), Err(Rejected::Unreadable(_))), "{message}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_read(
            message in "\\PC{0,200}|(\\{|\\}|\\[|:|,|\"|eventType|TEXT_SENT|messageId|inboundMessageId|[0-9]){0,40}"
        ) {
            let _ = said(&message);
        }
    }
}
