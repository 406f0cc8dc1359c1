//! Receipts: the optional parameters where they are there, else the text, read leniently: fields may be missing, in any
//! order, in any case, and whatever is around them is passed over. Source: SMPP 3.4, 5.2.28, 5.3.2.35 and appendix B,
//! which leaves the text to the SMSC.

use jiff::civil::DateTime;
use jiff::{Timestamp, tz::TimeZone};

use super::super::heard::Report;
use super::pdu::{Deliver, tag};
use super::plan::Plan;
use crate::facts::heard::ReceiptStatus;

/// What a receipt says; none where its state says nothing.
///
/// # Errors
/// It tells no id or no state.
pub fn read(plan: &Plan, deliver: &Deliver) -> Result<Option<Report>, &'static str> {
    let text = String::from_utf8_lossy(&deliver.message);
    let fields = Fields::of(&text);
    let id = deliver.text(tag::RECEIPTED_MESSAGE_ID).or_else(|| fields.first("id"));
    let carrier_sms_id = id.filter(|id| id.len() <= 255).ok_or("a receipt without an id")?;
    let of_number = deliver.number(tag::MESSAGE_STATE).map(of_state);
    let state =
        of_number.or_else(|| fields.first("stat").map(|word| of_word(&word))).ok_or("a receipt without a state")?;
    let Some(status) = state else { return Ok(None) };
    let is_good = matches!(status, ReceiptStatus::Submitted | ReceiptStatus::Delivered);
    let error = network_error(deliver).or_else(|| fields.first("err")).filter(|error| error.bytes().any(|b| b != b'0'));
    let reported_at = fields.first("done date").and_then(|date| moment(&date, plan.receipt_zone.as_ref()?));
    let error = error.filter(|_| !is_good).map(|error| error.chars().take(100).collect());
    Ok(Some(Report { carrier_sms_id, status, error, part: None, ends: None, reported_at }))
}

/// By 5.2.28; "unknown" and what is none say nothing.
fn of_state(state: u16) -> Option<ReceiptStatus> {
    Some(match state {
        0 | 1 | 6 => ReceiptStatus::Submitted,
        2 => ReceiptStatus::Delivered,
        3..=5 => ReceiptStatus::Undelivered,
        8 | 9 => ReceiptStatus::Failed,
        _ => return None,
    })
}

/// By appendix B, of which many SMSCs write the whole words.
fn of_word(word: &str) -> Option<ReceiptStatus> {
    let word = word.to_ascii_uppercase();
    let begins = |ways: &[&str]| ways.iter().any(|way| word.starts_with(way));
    if begins(&["DELIV"]) {
        Some(ReceiptStatus::Delivered)
    } else if begins(&["ACCEPT", "ENROUTE", "SCHEDUL", "BUFFER"]) {
        Some(ReceiptStatus::Submitted)
    } else if begins(&["EXPIR", "UNDEL", "DELET"]) {
        Some(ReceiptStatus::Undelivered)
    } else if begins(&["REJECT", "FAIL", "SKIP"]) {
        Some(ReceiptStatus::Failed)
    } else {
        None
    }
}

/// Its network's type and code (5.3.2.31).
fn network_error(deliver: &Deliver) -> Option<String> {
    match *deliver.tlv(tag::NETWORK_ERROR_CODE)? {
        [kind, high, low] if (high, low) != (0, 0) => Some(format!("{kind}/{}", u16::from_be_bytes([high, low]))),
        _ => None,
    }
}

/// `YYMMDDhhmm`, or with seconds.
fn moment(date: &str, zone: &TimeZone) -> Option<Timestamp> {
    if !matches!(date.len(), 10 | 12) || !date.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let pair = |at: usize| date.get(at..at + 2).and_then(|pair| pair.parse::<i8>().ok());
    let second = pair(10).unwrap_or(0);
    let local = DateTime::new(2000 + i16::from(pair(0)?), pair(2)?, pair(4)?, pair(6)?, pair(8)?, second, 0).ok()?;
    zone.to_timestamp(local).ok()
}

/// Where the keys of a text stand.
struct Fields<'a> {
    text: &'a str,
    lower: String,
}

/// Whatever ends a value: the next of these.
const KEYS: &[&str] = &["id", "sub", "dlvrd", "submit date", "done date", "stat", "err", "text"];

impl<'a> Fields<'a> {
    fn of(text: &'a str) -> Self {
        Self { text, lower: text.to_ascii_lowercase() }
    }

    /// The value of a key, which stands behind its first `key:` at the beginning of a word; what the customer was sent
    /// comes last, and is not looked into.
    fn first(&self, key: &str) -> Option<String> {
        let end = self.place("text").map_or(self.lower.len(), |(at, _)| at);
        let (_, from) = self.place(key).filter(|(at, _)| *at <= end)?;
        let rest = &self.text[from..end.max(from)];
        let rest = rest.trim_start();
        let value = rest.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '\0')).next()?;
        let is_key = KEYS.iter().any(|key| value.to_ascii_lowercase().starts_with(&format!("{key}:")));
        Some(value.to_owned()).filter(|value| !value.is_empty() && !is_key)
    }

    /// Where the key begins and where its value does.
    fn place(&self, key: &str) -> Option<(usize, usize)> {
        let written = format!("{key}:");
        self.lower.match_indices(&written).map(|(at, _)| (at, at + written.len())).find(|(at, _)| {
            self.lower[..*at].chars().next_back().is_none_or(|before| !before.is_ascii_alphanumeric() && before != '_')
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::plan::tests::plan;
    use super::*;
    use ReceiptStatus::{Delivered, Failed, Submitted, Undelivered};

    fn of(text: &str) -> Result<Option<Report>, &'static str> {
        with(text, Vec::new())
    }

    fn with(text: &str, tlvs: Vec<(u16, Vec<u8>)>) -> Result<Option<Report>, &'static str> {
        let deliver = Deliver { esm_class: 4, message: text.as_bytes().to_vec(), tlvs, ..Deliver::default() };
        read(&plan(&json!({"receipt_zone": "Europe/Berlin"})).unwrap(), &deliver)
    }

    fn told(text: &str) -> (String, ReceiptStatus, Option<String>) {
        let report = of(text).unwrap().unwrap();
        (report.carrier_sms_id, report.status, report.error)
    }

    #[test]
    fn a_text_by_the_book_is_read() {
        let report = of("id:0123456789 sub:001 dlvrd:001 submit date:2607151200 done date:2607151201 stat:DELIVRD err:000 text:hello")
            .unwrap()
            .unwrap();
        assert_eq!((report.carrier_sms_id.as_str(), report.status, report.error), ("0123456789", Delivered, None));
        assert_eq!(report.reported_at, "2026-07-15T10:01:00Z".parse().ok());
    }

    #[test]
    fn fields_may_be_missing_reordered_and_in_any_case() {
        assert_eq!(told("stat:UNDELIV id:a-1 err:0A1"), ("a-1".into(), Undelivered, Some("0A1".into())));
        assert_eq!(told("ID:7 STAT:rejectd Err:12"), ("7".into(), Failed, Some("12".into())));
        assert_eq!(told("id: 7 stat: ACCEPTD"), ("7".into(), Submitted, None));
        assert_eq!(told("id:7,stat:EXPIRED,err:"), ("7".into(), Undelivered, None));
        assert_eq!(told("Message id:9 delivered. stat:Delivered"), ("9".into(), Delivered, None));
        assert_eq!(
            told("stat:DELIVRD id:1 text:id:2 stat:UNDELIV"),
            ("1".into(), Delivered, None),
            "not the customer's words"
        );
        assert_eq!(told("paid:5 id:1 stat:DELIVRD"), ("1".into(), Delivered, None), "a key begins a word");
    }

    #[test]
    fn without_id_or_state_it_is_none_and_an_unknown_state_says_nothing() {
        for wrong in ["", "stat:DELIVRD", "id:7", "id: stat:DELIVRD", "text:id:7 stat:DELIVRD"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
        assert_eq!(of("id:7 stat:UNKNOWN"), Ok(None));
        assert_eq!(of("id:7 stat:SIDEWAYS"), Ok(None));
    }

    #[test]
    fn optional_parameters_come_before_the_text() {
        let id = (tag::RECEIPTED_MESSAGE_ID, b"tlv-1\0".to_vec());
        let report = with(
            "id:text-1 stat:DELIVRD",
            vec![id.clone(), (tag::MESSAGE_STATE, vec![5]), (tag::NETWORK_ERROR_CODE, vec![3, 1, 2])],
        );
        let report = report.unwrap().unwrap();
        assert_eq!(
            (report.carrier_sms_id.as_str(), report.status, report.error.as_deref()),
            ("tlv-1", Undelivered, Some("3/258"))
        );
        assert_eq!(
            with("stat:DELIVRD", vec![id.clone()]).unwrap().unwrap().status,
            Delivered,
            "the one by TLV, the other by text"
        );
        assert_eq!(with("", vec![id, (tag::MESSAGE_STATE, vec![2])]).unwrap().unwrap().status, Delivered);
    }

    #[test]
    fn dates_have_ten_digits_or_twelve() {
        let at = |date: &str| of(&format!("id:1 done date:{date} stat:DELIVRD")).unwrap().unwrap().reported_at;
        assert_eq!(at("260115120000"), "2026-01-15T11:00:00Z".parse().ok());
        assert_eq!(at("2601151200"), at("260115120000"));
        for wrong in ["26011512", "2613151200", "26-01-15", "2601151260"] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_not(text in "(id:|stat:|err:|text:|done date:|[a-zA-Z0-9 ,:é]){0,30}") {
            if let Ok(Some(report)) = of(&text) {
                prop_assert!(!report.carrier_sms_id.is_empty() && report.carrier_sms_id.len() <= text.len());
            }
        }
    }
}
