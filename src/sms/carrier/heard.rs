//! What carriers say by webhook: verified, then read into a closed set, then made into facts. The ids of facts are made of
//! the carrier's own, so that its repeat is the same fact. Pure but for a carrier that has to fetch a certificate.

use axum::http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::facts::envelope::{Publication, conversation};
use crate::facts::heard::{Media, PartReceived, ReceiptReceived, ReceiptStatus, SmsReceived};
use crate::facts::ids::{FactId, Slug};
use crate::sms::encoding::Encoding;

/// A request to a carrier's webhook.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// GET, else POST.
    pub is_get: bool,
    /// As the carrier called it: the configured public URL, with path and query.
    pub url: &'a str,
    /// As they came.
    pub headers: &'a HeaderMap,
    /// At most a megabyte.
    pub body: &'a [u8],
}

impl Request<'_> {
    /// The text of a header, where it is one.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Names and values of the query, decoded, in their order.
    #[must_use]
    pub fn query(&self) -> Vec<(String, String)> {
        let query = self.url.split_once('?').map_or("", |(_, query)| query);
        form(query.split('#').next().unwrap_or("").as_bytes())
    }

    /// Names and values of a body that is a form, decoded, in their order.
    #[must_use]
    pub fn form(&self) -> Vec<(String, String)> {
        form(self.body)
    }
}

fn form(bytes: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(bytes).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// Why a request is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// Not the carrier's: 403, and nothing is written. A stable word.
    NotTheirs(&'static str),
    /// The carrier's, but not understood: kept where an operator sees it. What is wrong, without what was written.
    Unreadable(String),
    /// Not known yet whether it is theirs, as something has to be fetched first: 503, and nothing is written; it tries
    /// again. A stable word.
    NotNow(&'static str),
}

/// One thing that a carrier says.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// A customer's text, whole.
    Text(Text),
    /// A part of a customer's text, of a carrier that does not join them.
    Part(Part),
    /// What became of a text of ours.
    Receipt(Report),
    /// Nothing that concerns us; its name.
    Other(&'static str),
}

/// A customer's text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Text {
    /// The carrier's own id.
    pub carrier_sms_id: String,
    /// The customer's number, E.164 or a short code's digits.
    pub from: String,
    /// Of a short code in `from`.
    pub from_country: Option<String>,
    /// Our number.
    pub to: String,
    /// Of a short code in `to`.
    pub to_country: Option<String>,
    /// What was written.
    pub text: String,
    /// Links of an MMS.
    pub media: Vec<Media>,
    /// When the carrier took it, where it says so.
    pub received_at: Option<Timestamp>,
    /// Fields beside these, as they came.
    pub others: Map<String, Value>,
}

/// A part of a customer's text: what joins it with the others, and its octets.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The part's own id, numbers, time and fields; its `text` and `media` are empty.
    pub text: Text,
    /// The number that holds the parts together.
    pub reference: u16,
    /// Which, from 1.
    pub part: u8,
    /// Of how many.
    pub total: u8,
    /// How the octets are read.
    pub encoding: Encoding,
    /// Without header, GSM unpacked; at most 1,024.
    pub octets: Vec<u8>,
}

/// What became of a text of ours, or of one of its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The id under which the carrier took it.
    pub carrier_sms_id: String,
    /// Its word, in ours.
    pub status: ReceiptStatus,
    /// Its error code.
    pub error: Option<String>,
    /// From 1, where it says so.
    pub part: Option<i32>,
    /// Our number and the customer's, where it says so: they tell whose it is where its id is not known.
    pub ends: Option<(String, String)>,
    /// When, where it says so.
    pub reported_at: Option<Timestamp>,
}

/// The facts that follow, in their order.
#[must_use]
pub fn facts(carrier: &Slug, now: Timestamp, heard: &[Heard]) -> Vec<Publication> {
    heard
        .iter()
        .filter_map(|heard| match heard {
            Heard::Text(text) => Some(received(carrier, now, text)),
            Heard::Part(part) => Some(part_received(carrier, now, part)),
            Heard::Receipt(report) => Some(reported(carrier, now, report)),
            Heard::Other(_) => None,
        })
        .collect()
}

fn received(carrier: &Slug, now: Timestamp, text: &Text) -> Publication {
    // small carriers restart their counters: the same id with other content is a text of its own
    let content = fingerprint(&[&text.from, &text.to, &text.text]);
    let fact = SmsReceived {
        id: FactId::of_carrier("sms.received", carrier, &format!("{}/{content}", text.carrier_sms_id)),
        carrier: carrier.clone(),
        carrier_sms_id: Some(text.carrier_sms_id.clone()),
        from: text.from.clone(),
        to: text.to.clone(),
        from_country: text.from_country.clone(),
        to_country: text.to_country.clone(),
        text: text.text.clone(),
        media: Some(text.media.clone()).filter(|media| !media.is_empty()),
        received_at: at_most(now, text.received_at),
    };
    let scope = conversation(&text.to, text.to_country.as_deref().unwrap_or(""), &text.from);
    read_from_a_request(Publication::to_the_hub(&fact, scope), &text.others)
}

fn part_received(carrier: &Slug, now: Timestamp, part: &Part) -> Publication {
    let (text, octets) = (&part.text, hex(&part.octets));
    let place = format!("{}/{}/{}", part.reference, part.part, part.total);
    let content = fingerprint(&[&text.from, &text.to, &place, &octets]);
    let fact = PartReceived {
        id: FactId::of_carrier("part.received", carrier, &format!("{}/{content}", text.carrier_sms_id)),
        carrier: carrier.clone(),
        carrier_sms_id: Some(text.carrier_sms_id.clone()).filter(|id| !id.is_empty()),
        from: text.from.clone(),
        to: text.to.clone(),
        from_country: text.from_country.clone(),
        to_country: text.to_country.clone(),
        reference: part.reference,
        part: part.part,
        total: part.total,
        alphabet: part.encoding.into(),
        octets,
        received_at: at_most(now, text.received_at),
    };
    let scope = conversation(&text.to, text.to_country.as_deref().unwrap_or(""), &text.from);
    read_from_a_request(Publication::to_the_hub(&fact, scope), &text.others)
}

fn reported(carrier: &Slug, now: Timestamp, report: &Report) -> Publication {
    let status = match report.status {
        ReceiptStatus::Submitted => "submitted",
        ReceiptStatus::Delivered => "delivered",
        ReceiptStatus::Undelivered => "undelivered",
        ReceiptStatus::Failed => "failed",
    };
    let (error, part) = (report.error.as_deref().unwrap_or(""), report.part.unwrap_or(0));
    let key = format!("{}/{status}/{error}/{part}", report.carrier_sms_id);
    let fact = ReceiptReceived {
        id: FactId::of_carrier("receipt.received", carrier, &key),
        carrier: carrier.clone(),
        carrier_sms_id: report.carrier_sms_id.clone(),
        status: report.status,
        error: report.error.clone(),
        part: report.part,
        id_rules: None,
        our_number: report.ends.as_ref().map(|(ours, _)| ours.clone()),
        customer_number: report.ends.as_ref().map(|(_, customer)| customer.clone()),
        reported_at: at_most(now, report.reported_at),
    };
    read_from_a_request(Publication::to_the_hub(&fact, carrier.as_str()), &Map::new())
}

/// Marks a fact as read from a carrier's request: its times do not count in telling a repeat.
fn read_from_a_request(mut publication: Publication, others: &Map<String, Value>) -> Publication {
    publication.add("carrier_fields", Value::Object(others.clone()));
    publication
}

/// A request of the carrier's that could not be read: a fact that the worker sets aside, with the request as it came.
#[must_use]
pub fn unreadable(carrier: &Slug, request: &Request<'_>, why: &str) -> Publication {
    let digest = Sha256::new().chain_update(request.url).chain_update(request.body).finalize();
    let id = FactId::of_carrier("unreadable", carrier, &hex(&digest));
    let body = serde_json::json!({
        "id": id, "carrier": carrier, "unreadable": why, "url": request.url,
        // the fact's own bounds hold for what is kept of it
        "request": String::from_utf8_lossy(&request.body[..request.body.len().min(32 * 1024)]),
    });
    set_aside(carrier, id, &body)
}

/// The same of a carrier that does not speak HTTP: octets, kept in hex.
#[must_use]
pub fn unreadable_octets(carrier: &Slug, octets: &[u8], why: &str) -> Publication {
    let id = FactId::of_carrier("unreadable", carrier, &hex(&Sha256::digest(octets)));
    let kept = hex(&octets[..octets.len().min(16 * 1024)]);
    set_aside(carrier, id, &serde_json::json!({ "id": id, "carrier": carrier, "unreadable": why, "octets": kept }))
}

fn set_aside(carrier: &Slug, id: FactId, body: &Value) -> Publication {
    Publication {
        id,
        fact: "sms.received".into(),
        scope: carrier.as_str().to_owned(),
        body: body.to_string().into_bytes(),
        to: crate::facts::envelope::To::Announce,
        due: None,
        cause: id,
        traceparent: None,
    }
}

/// A carrier's clock that goes ahead tells nothing; years out of range are its mistake.
fn at_most(now: Timestamp, at: Option<Timestamp>) -> Timestamp {
    at.filter(|at| *at <= now && at.as_second() >= 946_684_800).unwrap_or(now)
}

fn fingerprint(of: &[&str]) -> Uuid {
    let mut digest = Sha256::new();
    for text in of {
        digest.update(text.len().to_le_bytes());
        digest.update(text);
    }
    let mut first = [0; 16];
    first.copy_from_slice(&digest.finalize()[..16]);
    Uuid::from_bytes(first)
}

/// Lower-case hex.
#[must_use]
pub fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or('0');
        text.push(digit(octet >> 4));
        text.push(digit(octet & 15));
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::envelope::digest;
    use crate::facts::heard::parse;

    fn carrier() -> Slug {
        Slug::new("wire").unwrap()
    }

    fn text(body: &str) -> Heard {
        let mut others = Map::new();
        others.insert("FromCity".into(), "Lyme".into());
        Heard::Text(Text {
            carrier_sms_id: "SM1".into(),
            from: "+15550100100".into(),
            to: "+15550100001".into(),
            text: body.into(),
            others,
            ..Text::default()
        })
    }

    #[test]
    fn a_carriers_repeat_is_the_same_fact_whenever_it_comes() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let report = Heard::Receipt(Report {
            carrier_sms_id: "SM1".into(),
            status: ReceiptStatus::Delivered,
            error: None,
            part: None,
            ends: None,
            reported_at: None,
        });
        let said = [text("hello"), report];
        let (first, again) = (facts(&carrier(), at(0), &said), facts(&carrier(), at(60), &said));
        for (first, again) in first.iter().zip(&again) {
            assert_eq!(first.id, again.id);
            assert_ne!(first.body, again.body);
            assert_eq!(digest(&first.body), digest(&again.body));
        }
        let other = facts(&carrier(), at(0), &[text("goodbye")]);
        assert_ne!(other[0].id, first[0].id, "the same carrier's id with other content is a text of its own");
    }

    #[test]
    fn what_a_carrier_adds_is_kept() {
        let said = facts(&carrier(), Timestamp::from_second(1_800_000_000).unwrap(), &[text("hello")]);
        let (fact, extra) = parse::<SmsReceived>(&said[0].body).unwrap();
        assert_eq!(fact.text, "hello");
        assert_eq!(extra["carrier_fields"]["FromCity"], "Lyme");
    }

    #[test]
    fn a_clock_that_goes_ahead_or_is_unset_tells_nothing() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let before = Timestamp::from_second(1_799_999_000).unwrap();
        assert_eq!(at_most(now, Some(before)), before);
        assert_eq!(at_most(now, Timestamp::from_second(1_900_000_000).ok()), now);
        assert_eq!(at_most(now, Some(Timestamp::UNIX_EPOCH)), now);
    }
}
