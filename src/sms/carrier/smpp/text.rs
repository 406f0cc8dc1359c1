//! A text as the `submit_sm`s of its parts: its alphabet, its cuts by `sms::encoding`, its octets, and how the parts are
//! held together. A receipt is asked for with every part.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, PoisonError};

use rusmpp_core::pdus::owned::SubmitSm;
use rusmpp_core::tlvs::owned::MessageSubmissionRequestTlvValue as Tlv;
use rusmpp_core::types::owned::{AnyOctetString, COctetString, EmptyOrFullCOctetString, OctetString};
use rusmpp_core::values::owned::{MessagePayload, ServiceType};
use rusmpp_core::values::{DataCoding, EsmClass, Npi, RegisteredDelivery, Ton};

use super::super::Outgoing;
use super::plan::{Concatenation, Numbering, Plan, Zero};
use crate::sms::encoding::{self, Encoding, Reference};
use crate::sms::header;
use crate::sms::number::Address;
use crate::sms::octets;

/// In `esm_class`: a header stands before the text (5.2.12).
const HAS_HEADER: u8 = 0x40;
/// A receipt for success and failure (5.2.17).
const RECEIPT: u8 = 0x01;
/// Destinations whose last reference is remembered, twice over.
const REMEMBERED: usize = 50_000;

/// References of long texts: each destination counts from a start of its own, so that no two of its texts that are
/// under way share one (of 8 bits: of the last 256).
#[derive(Debug, Default)]
pub struct References(Mutex<[HashMap<String, u16>; 2]>);

impl References {
    /// The next one of a destination.
    pub fn next(&self, destination: &str) -> u16 {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let [young, old] = &mut *kept;
        let last = young.get(destination).or_else(|| old.get(destination)).copied();
        let next = last.map_or_else(|| fastrand::u16(..), |last| last.wrapping_add(1));
        if young.len() >= REMEMBERED {
            *old = mem::take(young);
        }
        young.insert(destination.to_owned(), next);
        next
    }
}

/// The submissions of a text, in the order of its parts.
///
/// # Errors
/// A word: why it can never be sent by this connection.
pub fn submissions(plan: &Plan, references: &References, text: &Outgoing) -> Result<Vec<SubmitSm>, &'static str> {
    let mut whole = submission(plan, text)?;
    let (coding, parts) = cut(plan, &text.text);
    whole.data_coding = coding;
    if plan.concatenation == Concatenation::Payload {
        let payload = MessagePayload::new(AnyOctetString::from_vec(parts.concat()));
        whole.set_tlvs(vec![Tlv::MessagePayload(payload)]);
        return Ok(vec![whole]);
    }
    let total = u8::try_from(parts.len()).map_err(|_| "too_many_parts")?;
    let reference = if total > 1 { references.next(&text.to) } else { 0 };
    (1..=total)
        .zip(parts)
        .map(|(part, octets)| {
            let mut one = whole.clone();
            let message = match (total, plan.concatenation) {
                (1, _) => octets,
                (_, Concatenation::Sar) => {
                    one.set_tlvs(vec![
                        Tlv::SarMsgRefNum(reference),
                        Tlv::SarTotalSegments(total),
                        Tlv::SarSegmentSeqnum(part),
                    ]);
                    octets
                }
                (_, way) => {
                    one.esm_class = EsmClass::from(HAS_HEADER);
                    let width = width(way);
                    let mut message = header::Concatenation { reference, width, total, part }.header();
                    message.extend(octets);
                    message
                }
            };
            one.set_short_message(OctetString::from_vec(message).map_err(|_| "too_long")?);
            Ok(one)
        })
        .collect()
}

fn width(way: Concatenation) -> Reference {
    if way == Concatenation::Udh16 { Reference::Wide } else { Reference::Narrow }
}

/// The octets of the parts, and their data coding. What the SMSC's own alphabet lacks goes as UTF-16.
fn cut(plan: &Plan, text: &str) -> (DataCoding, Vec<Vec<u8>>) {
    let reads = |c: char| match plan.zero {
        Zero::Gsm => true,
        Zero::Latin1 => u32::from(c) < 256,
        Zero::Ascii => c.is_ascii(),
    };
    let is_plain = Encoding::of(text) == Encoding::Gsm7 && text.chars().all(reads);
    let encoding = if is_plain { Encoding::Gsm7 } else { Encoding::Ucs2 };
    let whole = [text];
    let parts = match plan.concatenation {
        Concatenation::Payload => whole.to_vec(),
        way => encoding::parts_in(text, encoding, width(way)).parts,
    };
    let octets = |part: &&str| match (encoding, plan.zero) {
        (Encoding::Gsm7, Zero::Latin1 | Zero::Ascii) => part.chars().filter_map(|c| u8::try_from(c).ok()).collect(),
        _ => octets::encode(part, encoding).unwrap_or_default(),
    };
    let coding = if is_plain { DataCoding::McSpecific } else { DataCoding::Ucs2 };
    (coding, parts.iter().map(octets).collect())
}

/// Everything but the text.
fn submission(plan: &Plan, text: &Outgoing) -> Result<SubmitSm, &'static str> {
    let [long, short, customers] = plan.numbering;
    let (from, from_as) = place(&Address::of(&text.from, text.from_country.as_deref()), long, short);
    let (to, to_as) = place(&Address::of(&text.to, None), customers, short);
    let validity = plan.validity_period().map(EmptyOrFullCOctetString::from_string).transpose();
    let mut one = SubmitSm::default();
    one.service_type = ServiceType::new(plan.service_type.clone());
    (one.source_addr_ton, one.source_addr_npi) = (Ton::from(from_as.ton), Npi::from(from_as.npi));
    one.source_addr = COctetString::from_string(from).map_err(|_| "bad_source")?;
    (one.dest_addr_ton, one.dest_addr_npi) = (Ton::from(to_as.ton), Npi::from(to_as.npi));
    one.destination_addr = COctetString::from_string(to).map_err(|_| "bad_destination")?;
    one.esm_class = EsmClass::from(0);
    one.validity_period = validity.ok().flatten().unwrap_or_default();
    one.registered_delivery = RegisteredDelivery::from(RECEIPT);
    Ok(one)
}

/// Digits or name, with type and plan; names have a type of their own (5.2.5).
fn place(address: &Address, long: Numbering, short: Numbering) -> (String, Numbering) {
    match address {
        Address::E164(number) => (number.trim_start_matches('+').to_owned(), long),
        Address::ShortCode { digits, .. } => (digits.clone(), short),
        Address::Alphanumeric(name) => (name.clone(), Numbering { ton: 5, npi: 0 }),
        Address::Raw(raw) => (raw.clone(), Numbering { ton: 0, npi: 0 }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::plan::tests::plan;
    use super::*;
    use crate::facts::ids::{Slug, SmsId};

    fn outgoing(text: &str) -> Outgoing {
        Outgoing {
            carrier: Slug::new("line").unwrap(),
            sms_id: SmsId(uuid::Uuid::nil()),
            from: "+15550100001".into(),
            from_country: None,
            to: "+15550100100".into(),
            text: text.into(),
            media: Vec::new(),
        }
    }

    fn made(settings: &serde_json::Value, text: &str) -> Vec<SubmitSm> {
        submissions(&plan(settings).unwrap(), &References::default(), &outgoing(text)).unwrap()
    }

    fn message(one: &SubmitSm) -> Vec<u8> {
        one.short_message().clone().into_vec()
    }

    #[test]
    fn a_short_text_is_one_submission_with_a_receipt_asked_for() {
        let [one] = &made(&json!({}), "hi {€}")[..] else { panic!("one part") };
        assert_eq!(message(one), [b'h', b'i', b' ', 0x1B, 0x28, 0x1B, 0x65, 0x1B, 0x29]);
        assert_eq!((u8::from(one.esm_class), u8::from(one.data_coding), u8::from(one.registered_delivery)), (0, 0, 1));
        assert_eq!((one.source_addr.as_str(), u8::from(one.source_addr_ton)), ("15550100001", 1));
        assert_eq!((one.destination_addr.as_str(), u8::from(one.dest_addr_npi)), ("15550100100", 1));
        assert!(one.validity_period.is_empty() && one.tlvs().is_empty());
    }

    #[test]
    fn long_texts_are_cut_with_a_header_and_one_reference() {
        let parts = made(&json!({}), &format!("{}€{}", "a".repeat(152), "b".repeat(100)));
        assert_eq!(parts.len(), 2);
        let (first, second) = (message(&parts[0]), message(&parts[1]));
        assert_eq!((first[..3].to_vec(), first[4..6].to_vec()), (vec![5, 0, 3], vec![2, 1]));
        assert_eq!((first[3], second[5]), (second[3], 2));
        assert_eq!((first.len(), second.len()), (6 + 152, 6 + 102), "the escape goes with its character");
        assert!(parts.iter().all(|part| u8::from(part.esm_class) == 0x40 && u8::from(part.registered_delivery) == 1));
        let wide = message(&made(&json!({"concatenation": "udh16"}), &"я".repeat(67 * 2))[2]);
        assert_eq!((wide[..3].to_vec(), wide.len()), (vec![6, 8, 4], 7 + 4));
    }

    #[test]
    fn sar_and_payload_have_no_header() {
        let sar = made(&json!({"concatenation": "sar"}), &"a".repeat(200));
        assert_eq!((message(&sar[0]).len(), u8::from(sar[0].esm_class), sar[1].tlvs().len()), (153, 0, 3));
        let [one] = &made(&json!({"concatenation": "payload"}), &"я".repeat(1000))[..] else { panic!("one part") };
        assert_eq!((one.sm_length(), one.tlvs()[0].value_length(), u8::from(one.data_coding)), (0, 2000, 8));
    }

    #[test]
    fn what_the_smsc_s_own_alphabet_lacks_goes_as_utf_16() {
        let coding = |zero: &str, text: &str| {
            let one = &made(&json!({"data_coding": zero}), text)[0];
            (u8::from(one.data_coding), message(one))
        };
        assert_eq!(coding("latin1", "é{"), (0, vec![0xE9, b'{']));
        assert_eq!(coding("latin1", "Δ").0, 8);
        assert_eq!(coding("ascii", "é").0, 8);
        assert_eq!(coding("gsm", "é"), (0, vec![5]));
        assert_eq!(coding("gsm", "ç"), (8, vec![0, 0xE7]));
        let long = made(&json!({"data_coding": "ascii"}), &"é".repeat(71));
        assert_eq!(long.len(), 2, "as UTF-16 it is long");
    }

    #[test]
    fn every_destination_counts_by_itself() {
        let references = References::default();
        let first = references.next("a");
        references.next("b");
        assert_eq!(references.next("a"), first.wrapping_add(1));
        for n in 0..2 * REMEMBERED {
            references.next(&n.to_string());
        }
        let kept = references.0.lock().unwrap();
        assert!(kept.iter().map(HashMap::len).sum::<usize>() <= 2 * REMEMBERED);
    }

    #[test]
    fn names_and_short_codes_have_types_of_their_own() {
        let plan = plan(&json!({"short_ton": 6})).unwrap();
        let from = |from: &str| {
            let text = Outgoing { from: from.into(), ..outgoing("x") };
            let one = &submissions(&plan, &References::default(), &text).unwrap()[0];
            (one.source_addr.as_str().to_owned(), u8::from(one.source_addr_ton), u8::from(one.source_addr_npi))
        };
        assert_eq!(from("THREEBEARS"), ("THREEBEARS".into(), 5, 0));
        assert_eq!(from("12345"), ("12345".into(), 6, 0));
    }
}
