//! What an smsbox asks for: the address of a customer's text, and of what became of one of ours. Both are ours to lay out
//! (docs/carriers.md); Kannel fills in the values. Texts are UTF-8, as smsbox's `mo-recode` makes them.

use jiff::Timestamp;

use super::super::heard::{Heard, Part, Rejected, Report, Request, Text};
use super::super::reading::{others, parameter, unreadable, with_plus};
use crate::facts::heard::ReceiptStatus;
use crate::sms::encoding::Encoding;
use crate::sms::header;

/// Parameters that are read; the rest is kept as it came.
const READ: &[&str] = &["id", "from", "to", "at", "charset", "udh", "text"];
/// Most octets of a part.
const MOST: usize = 1024;

/// Reads a request that was verified.
pub(crate) fn read(request: &Request<'_>) -> Result<Vec<Heard>, Rejected> {
    let parameters = request.query();
    let find = |name: &str| parameter(&parameters, name);
    if let Some(ours) = find("sms") {
        return Ok(vec![receipt(ours, find)]);
    }
    let (Some(id), Some(from), Some(to)) = (find("id"), find("from"), find("to")) else {
        return Err(unreadable("there is no id, no from or no to"));
    };
    match find("charset") {
        None | Some("UTF-8") => {}
        Some("binary") => return Err(unreadable("a binary message")),
        Some(_) => return Err(unreadable("the text is not UTF-8; smsbox lacks mo-recode = true")),
    }
    let text = Text {
        carrier_sms_id: id.to_owned(),
        from: with_plus(from),
        to: with_plus(to),
        text: find("text").unwrap_or_default().to_owned(),
        received_at: find("at").and_then(at),
        others: others(&parameters, |name| READ.contains(&name)),
        ..Text::default()
    };
    match header::parse(&octets(request.url)).concatenation {
        Some(which) if which.total > 1 => part(text, which).map(|part| vec![Heard::Part(part)]),
        _ => Ok(vec![Heard::Text(text)]),
    }
}

fn part(mut text: Text, which: header::Concatenation) -> Result<Part, Rejected> {
    // what was written is said by its octets; Kannel has read the alphabet already
    let octets: Vec<u8> = std::mem::take(&mut text.text).encode_utf16().flat_map(u16::to_be_bytes).collect();
    if octets.len() > MOST {
        return Err(unreadable("a part is too long"));
    }
    let header::Concatenation { reference, total, part, .. } = which;
    Ok(Part { text, reference, part, total, encoding: Encoding::Ucs2, octets })
}

/// The octets of `udh`, which are no text.
fn octets(url: &str) -> Vec<u8> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let value = query.split('&').find_map(|pair| pair.strip_prefix("udh=")).unwrap_or_default().as_bytes();
    let digit = |at: usize| value.get(at).and_then(|digit| char::from(*digit).to_digit(16));
    let mut octets = Vec::new();
    let mut next = 0;
    while let Some(&octet) = value.get(next) {
        match (octet, digit(next + 1), digit(next + 2)) {
            (b'%', Some(high), Some(low)) => {
                octets.extend(u8::try_from(high * 16 + low));
                next += 3;
            }
            _ => {
                octets.push(if octet == b'+' { b' ' } else { octet });
                next += 1;
            }
        }
    }
    octets
}

fn receipt<'a>(ours: &str, find: impl Fn(&str) -> Option<&'a str>) -> Heard {
    let status = match find("status") {
        Some("1") => ReceiptStatus::Delivered,
        Some("2") => ReceiptStatus::Undelivered,
        Some("4" | "8") => ReceiptStatus::Submitted,
        Some("16") => ReceiptStatus::Failed,
        _ => return Heard::Other("unknown_status"),
    };
    let is_bad = matches!(status, ReceiptStatus::Undelivered | ReceiptStatus::Failed);
    Heard::Receipt(Report {
        carrier_sms_id: ours.to_owned(),
        status,
        error: find("answer").filter(|_| is_bad).map(|answer| answer.chars().take(100).collect()),
        part: None,
        ends: None,
        reported_at: find("at").and_then(at),
    })
}

/// Seconds since 1970.
fn at(text: &str) -> Option<Timestamp> {
    Timestamp::from_second(text.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use proptest::prelude::*;

    use super::*;

    fn get(query: &str) -> Result<Vec<Heard>, Rejected> {
        let url = format!("https://hub.example/webhooks/line?{query}");
        read(&Request { is_get: true, url: &url, headers: &HeaderMap::new(), body: b"" })
    }

    #[test]
    fn a_text_is_read_as_an_smsbox_fills_it_in() {
        let heard =
            get("id=e8e6f7fb&from=%2B15550100100&to=15550100001&at=1767270600&coding=0&charset=UTF-8&udh=&smsc=A\
             &text=hello+%2526+%E2%82%AC+%F0%9F%98%80")
            .unwrap();
        let [Heard::Text(text)] = heard.as_slice() else { panic!("{heard:?}") };
        assert_eq!((text.from.as_str(), text.to.as_str()), ("+15550100100", "+15550100001"));
        assert_eq!((text.carrier_sms_id.as_str(), text.text.as_str()), ("e8e6f7fb", "hello %26 € 😀"));
        assert_eq!(text.received_at, "2026-01-01T12:30:00Z".parse().ok());
        assert_eq!(text.others.keys().collect::<Vec<_>>(), ["coding", "smsc"]);
    }

    #[test]
    fn a_part_that_kannel_gave_up_on_is_joined_here() {
        let heard = get("id=a&from=%2B15550100100&to=15550100001&udh=%05%00%03%C8%02%01&text=part+one").unwrap();
        let [Heard::Part(part)] = heard.as_slice() else { panic!("{heard:?}") };
        assert_eq!((part.reference, part.part, part.total, part.text.text.as_str()), (0xc8, 1, 2, ""));
        assert_eq!(part.octets, "part one".encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>());
    }

    #[test]
    fn receipts_go_by_our_own_id() {
        let told = |status: &str| {
            let heard = get(&format!("sms=ours&status={status}&answer=NACK%2F11&at=1767270600")).unwrap();
            match heard.as_slice() {
                [Heard::Receipt(report)] => Some((report.status, report.error.clone())),
                _ => None,
            }
        };
        let nack = || Some("NACK/11".to_owned());
        assert_eq!(told("1"), Some((ReceiptStatus::Delivered, None)));
        assert_eq!(told("2"), Some((ReceiptStatus::Undelivered, nack())));
        assert_eq!(told("4"), Some((ReceiptStatus::Submitted, None)));
        assert_eq!(told("8"), Some((ReceiptStatus::Submitted, None)));
        assert_eq!(told("16"), Some((ReceiptStatus::Failed, nack())));
        assert_eq!(told("64"), None);
    }

    #[test]
    fn what_is_no_text_is_kept_for_an_operator() {
        for query in
            ["", "id=1&from=1", "id=1&from=1&to=2&charset=UTF-16BE&text=%04%4f", "id=1&from=1&to=2&charset=binary"]
        {
            assert!(matches!(get(query), Err(Rejected::Unreadable(_))), "{query}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_read(query in "\\PC{0,200}|((id|from|to|sms|status|udh|text|charset)=(%[0-9A-F]{2}|[0-9a-z]){0,9}&){0,9}") {
            let _ = get(&query);
        }
    }
}
