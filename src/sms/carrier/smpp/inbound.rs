//! What an SMSC says, read into a closed set: a customer's text, one part of one, a receipt. Ids of texts come from
//! `repeats`. Handing over is somebody else's (`Hands`): only what they took is answered with success.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::timeout;

use super::super::heard::{Part, Report, Text};
use super::pdu::{Deliver, Head, Place, tag};
use super::plan::{Plan, Zero};
use super::receipt;
use super::repeats::{self, Key, Repeats};
use super::status;
use crate::facts::ids::Slug;
use crate::runtime::clock;
use crate::sms::encoding::Encoding;
use crate::sms::header::{self, Concatenation};
use crate::sms::number::{Address, is_e164, is_short_code};
use crate::sms::octets::{self, Decoded};
use crate::sms::receipt::spelling::Rule;

/// How long taking may take.
const TAKES: Duration = Duration::from_secs(8);
/// In `esm_class`: which kind of message, of which the lowest two bits say nothing (5.2.12).
const KIND: u8 = 0x3C;
/// A header stands before the text.
const HAS_HEADER: u8 = 0x40;

/// One thing that came.
#[derive(Clone, Debug, PartialEq)]
pub enum Came {
    /// A text, whole.
    Text(Text),
    /// One of several parts of a text.
    Part(Part),
    /// What became of a text of ours.
    Receipt {
        /// Under which id, and what.
        report: Report,
        /// How the id may be spelled.
        rules: Vec<Rule>,
        /// The text's ends: ours and the customer's.
        ends: (String, String),
    },
    /// Nothing that concerns us; its name.
    Nothing(&'static str),
    /// The SMSC's, but not understood: kept where an operator sees it.
    Unreadable {
        /// The PDU, up to a bound.
        octets: Vec<u8>,
        /// What is wrong, without what was written.
        why: &'static str,
    },
}

impl Came {
    /// For counting.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Part(_) => "part",
            Self::Receipt { .. } => "receipt",
            Self::Nothing(name) => name,
            Self::Unreadable { .. } => "unreadable",
        }
    }
}

/// Who takes what came: true once it is safe.
pub type Hands = Arc<dyn Fn(Slug, Vec<Came>) -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// A PDU to be taken and answered.
pub struct Item {
    /// Of the PDU.
    pub head: Head,
    /// The status of the answer, once it is taken.
    pub then: u32,
    /// Of a text or part, to tell a repeat.
    pub key: Option<Key>,
    /// What it says.
    pub came: Came,
}

/// The way in of one connection.
pub struct Inbound {
    /// Of the connection.
    pub plan: Arc<Plan>,
    /// What came of late, of all its binds.
    pub repeats: Arc<Repeats>,
    /// None while nobody takes anything.
    pub hands: Arc<Mutex<Option<Hands>>>,
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl Inbound {
    /// A PDU that was read.
    #[must_use]
    pub fn item(&self, head: Head, body: &[u8], deliver: &Deliver) -> Item {
        let came = match read(&self.plan, deliver) {
            Came::Unreadable { why, .. } => Came::Unreadable { octets: [head.octets().as_slice(), body].concat(), why },
            came => came,
        };
        let key = matches!(came, Came::Text(_) | Came::Part(_)).then(|| repeats::key(body));
        Item { head, then: status::OK, key, came }
    }

    /// Has these taken; whether they are safe.
    pub async fn take(&self, session: u64, items: Vec<Item>) -> bool {
        let now = clock::near();
        let came: Vec<Came> = items
            .into_iter()
            .map(|mut item| {
                if let (Some(key), Came::Text(text) | Came::Part(Part { text, .. })) = (&item.key, &mut item.came) {
                    text.carrier_sms_id = self.repeats.id(key, session, now);
                }
                item.came
            })
            .collect();
        let names: Vec<&'static str> = came.iter().map(Came::name).collect();
        let is_taken = self.hand(came).await;
        for name in names {
            let outcome = if is_taken { name } else { "not_confirmed" };
            let carrier = self.plan.carrier.to_string();
            metrics::counter!("texthub_smpp_heard_total", "carrier" => carrier, "outcome" => outcome).increment(1);
        }
        is_taken
    }

    /// Octets that no answer is possible to.
    pub async fn unreadable(&self, octets: &[u8], why: &'static str) {
        let carrier = self.plan.carrier.to_string();
        metrics::counter!("texthub_smpp_heard_total", "carrier" => carrier, "outcome" => "unreadable").increment(1);
        self.hand(vec![Came::Unreadable { octets: octets.to_vec(), why }]).await;
    }

    async fn hand(&self, came: Vec<Came>) -> bool {
        let hands = self.hands.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(hands) = hands else { return false };
        timeout(TAKES, hands(self.plan.carrier.clone(), came)).await.unwrap_or(false)
    }
}

/// What a message says. Its text has no id yet.
#[must_use]
pub fn read(plan: &Plan, deliver: &Deliver) -> Came {
    let kind = deliver.esm_class & KIND;
    let is_receipt =
        kind == 0 && deliver.tlv(tag::RECEIPTED_MESSAGE_ID).is_some() && deliver.tlv(tag::MESSAGE_STATE).is_some();
    match kind {
        0 if !is_receipt => text(plan, deliver),
        0 | 0x04 | 0x20 => match receipt::read(plan, deliver) {
            Ok(Some(report)) => {
                // it comes the other way
                let ends = (number(plan, &deliver.destination).0, number(plan, &deliver.source).0);
                Came::Receipt { report, rules: plan.receipt_ids.clone(), ends }
            }
            Ok(None) => Came::Nothing("unknown_state"),
            Err(why) => Came::Unreadable { octets: Vec::new(), why },
        },
        _ => Came::Nothing("acknowledgement"),
    }
}

fn text(plan: &Plan, deliver: &Deliver) -> Came {
    let (octets, concatenation) = parts(deliver);
    let (from, from_country) = number(plan, &deliver.source);
    let (to, to_country) = number(plan, &deliver.destination);
    let mut others = Map::new();
    others.insert("data_coding".into(), deliver.data_coding.into());
    let mut text = Text { from, from_country, to, to_country, others, ..Text::default() };
    let alphabet = Alphabet::of(deliver.data_coding, plan.zero);
    if let Some(Concatenation { reference, total, part, .. }) = concatenation.filter(|it| it.total > 1) {
        let (encoding, octets) = alphabet.for_joining(octets);
        return Came::Part(Part { text, reference, part, total, encoding, octets });
    }
    let Decoded { text: written, is_exact } = alphabet.decode(octets);
    if !is_exact || !alphabet.is_known {
        text.others.insert("is_exact".into(), Value::Bool(false));
    }
    text.text = written;
    Came::Text(text)
}

/// The octets behind the header, and which part they are: by header, else by the SAR parameters.
fn parts(deliver: &Deliver) -> (&[u8], Option<Concatenation>) {
    if deliver.esm_class & HAS_HEADER != 0 {
        let header = header::parse(&deliver.message);
        return (&deliver.message[header.octets..], header.concatenation);
    }
    let sar = || {
        let reference = deliver.number(tag::SAR_MSG_REF_NUM)?;
        let [total, part] = [tag::SAR_TOTAL_SEGMENTS, tag::SAR_SEGMENT_SEQNUM].map(|tag| deliver.number(tag));
        let (total, part) = (u8::try_from(total?).ok()?, u8::try_from(part?).ok()?);
        let width = crate::sms::encoding::Reference::Wide;
        (1..=total).contains(&part).then_some(Concatenation { reference, width, total, part })
    };
    (&deliver.message, sar())
}

/// How octets are read.
#[derive(Clone, Copy, Debug)]
struct Alphabet {
    script: Script,
    /// Whether the data coding says so; else it is our guess.
    is_known: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    Gsm,
    Utf16,
    Latin1,
    Ascii,
}

impl Alphabet {
    /// By 5.2.19; and by TS 23.038, 4, where the coding is the mobile network's own.
    fn of(coding: u8, zero: Zero) -> Self {
        let script = match (coding, zero) {
            (0, Zero::Latin1) | (3, _) => Script::Latin1,
            (0, Zero::Ascii) | (1, _) => Script::Ascii,
            // beside those two a class of message, in the network's own default alphabet or UTF-16
            (0, Zero::Gsm) | (0x10..=0x13 | 0xF0..=0xF3, _) => Script::Gsm,
            (8 | 0x18..=0x1B, _) => Script::Utf16,
            _ => return Self { script: Script::Latin1, is_known: false },
        };
        Self { script, is_known: true }
    }

    fn decode(self, octets: &[u8]) -> Decoded {
        match self.script {
            Script::Gsm => octets::decode(octets, Encoding::Gsm7),
            Script::Utf16 => octets::decode(octets, Encoding::Ucs2),
            Script::Latin1 => decode_by(octets, |octet| (octet != 0).then(|| char::from(octet))),
            Script::Ascii => decode_by(octets, |octet| (octet != 0 && octet.is_ascii()).then(|| char::from(octet))),
        }
    }

    /// The octets in an alphabet that parts are joined in.
    fn for_joining(self, octets: &[u8]) -> (Encoding, Vec<u8>) {
        match self.script {
            Script::Gsm => (Encoding::Gsm7, octets.to_vec()),
            Script::Utf16 => (Encoding::Ucs2, octets.to_vec()),
            Script::Latin1 | Script::Ascii => {
                (Encoding::Ucs2, octets::encode(&self.decode(octets).text, Encoding::Ucs2).unwrap_or_default())
            }
        }
    }
}

fn decode_by(octets: &[u8], character: impl Fn(u8) -> Option<char>) -> Decoded {
    let read: Vec<Option<char>> = octets.iter().map(|octet| character(*octet)).collect();
    let is_exact = read.iter().all(Option::is_some);
    Decoded { text: read.into_iter().map(|c| c.unwrap_or('\u{fffd}')).collect(), is_exact }
}

/// A number as facts have it, and the country of a short code. Types are not to be trusted: many SMSCs say "unknown".
fn number(plan: &Plan, place: &Place) -> (String, Option<String>) {
    let address = place.address.trim();
    let digits = address
        .strip_prefix('+')
        .or_else(|| address.strip_prefix("00").filter(|rest| rest.len() > 8))
        .unwrap_or(address);
    let international = format!("+{digits}");
    match place.ton {
        5 => return (address.to_owned(), None),
        2 => {
            if let Address::E164(number) = Address::written(address, plan.country.as_deref()) {
                return (number, None);
            }
        }
        _ => {}
    }
    if place.ton != 1 && is_short_code(address) {
        return (address.to_owned(), plan.country.clone());
    }
    if is_e164(&international) { (international, None) } else { (address.to_owned(), None) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::pdu::id;
    use super::super::plan::tests::plan;
    use super::*;

    fn deliver(coding: u8, message: &[u8]) -> Deliver {
        Deliver {
            source: Place { ton: 1, npi: 1, address: "15550100100".into() },
            destination: Place { ton: 0, npi: 1, address: "15550100001".into() },
            data_coding: coding,
            message: message.to_vec(),
            ..Deliver::default()
        }
    }

    fn came(settings: &Value, deliver: &Deliver) -> Came {
        read(&plan(settings).unwrap(), deliver)
    }

    fn written(settings: &Value, coding: u8, message: &[u8]) -> (String, bool) {
        let Came::Text(text) = came(settings, &deliver(coding, message)) else { panic!("a text") };
        (text.text, !text.others.contains_key("is_exact"))
    }

    #[test]
    fn each_data_coding_is_read_as_it_says() {
        let plain = json!({});
        assert_eq!(written(&plain, 0, b"\x00\x1b\x65\x11"), ("@€_".into(), true));
        assert_eq!(written(&json!({"data_coding": "latin1"}), 0, b"\xE9"), ("é".into(), true));
        assert_eq!(written(&json!({"data_coding": "ascii"}), 0, b"a\xE9"), ("a\u{fffd}".into(), false));
        assert_eq!(written(&plain, 1, b"[a]"), ("[a]".into(), true));
        assert_eq!(written(&plain, 3, b"\xA3"), ("£".into(), true));
        assert_eq!(written(&plain, 8, b"\x04\x4F\xD8\x3D\xDE\x00"), ("я😀".into(), true));
        assert_eq!(written(&plain, 0xF1, b"\x00"), ("@".into(), true));
        assert_eq!(written(&plain, 4, b"\xE9"), ("é".into(), false), "binary: a guess, and told");
        assert_eq!(written(&plain, 3, b"a\0b"), ("a\u{fffd}b".into(), false));
    }

    #[test]
    fn parts_come_by_either_header_and_by_sar() {
        let part = |deliver: &Deliver| match came(&json!({}), deliver) {
            Came::Part(part) if part.text.text.is_empty() => part,
            other => panic!("{other:?}"),
        };
        let udh = Deliver { esm_class: 0x40, ..deliver(0, b"\x05\x00\x03\x42\x02\x01a\x1b") };
        let first = part(&udh);
        assert_eq!((first.reference, first.part, first.total, first.encoding), (0x42, 1, 2, Encoding::Gsm7));
        assert_eq!((first.octets.as_slice(), first.text.from.as_str()), (&b"a\x1b"[..], "+15550100100"));
        let wide = Deliver { esm_class: 0x43, ..deliver(8, b"\x06\x08\x04\x12\x34\x02\x02\0b") };
        assert_eq!((part(&wide).reference, part(&wide).octets), (0x1234, b"\0b".to_vec()));
        let tlvs = vec![
            (tag::SAR_MSG_REF_NUM, vec![1, 2]),
            (tag::SAR_TOTAL_SEGMENTS, vec![3]),
            (tag::SAR_SEGMENT_SEQNUM, vec![2]),
        ];
        let sar = Deliver { tlvs, ..deliver(3, b"\xE9") };
        assert_eq!((part(&sar).reference, part(&sar).part, part(&sar).total), (0x0102, 2, 3));
        assert_eq!((part(&sar).encoding, part(&sar).octets), (Encoding::Ucs2, vec![0, 0xE9]), "joined as UTF-16");
        let alone = Deliver { esm_class: 0x40, ..deliver(0, b"\x05\x00\x03\x42\x01\x01a") };
        assert!(matches!(came(&json!({}), &alone), Came::Text(text) if text.text == "a"), "one of one is whole");
    }

    #[test]
    fn numbers_are_e164_or_short_codes_whatever_their_type() {
        let plan = plan(&json!({"country": "us"})).unwrap();
        let read = |ton, address: &str| number(&plan, &Place { ton, npi: 1, address: address.into() });
        for (ton, address) in
            [(1, "15550100100"), (0, "15550100100"), (0, "+15550100100"), (0, "0015550100100"), (1, "0015550100100")]
        {
            assert_eq!(read(ton, address), ("+15550100100".into(), None), "{ton} {address}");
        }
        assert_eq!(read(2, "2125552368"), ("+12125552368".into(), None));
        for ton in [0, 3, 6] {
            assert_eq!(read(ton, "12345"), ("12345".into(), Some("US".into())));
        }
        assert_eq!(read(5, "BANK"), ("BANK".into(), None));
        assert_eq!(read(1, ""), (String::new(), None));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_one_of_the_closed_set(octets in proptest::collection::vec(any::<u8>(), 0..400), esm: u8, coding: u8, zero in 0_usize..3) {
            let zero = ["gsm", "latin1", "ascii"][zero];
            let plan = plan(&json!({"data_coding": zero})).unwrap();
            let made = Deliver { esm_class: esm, ..deliver(coding, &octets) };
            for deliver in [Deliver::read(id::DELIVER_SM, &octets), Some(made)].into_iter().flatten() {
                match read(&plan, &deliver) {
                    Came::Text(text) => prop_assert!(!text.text.contains('\0') && text.text.chars().count() <= octets.len()),
                    Came::Part(part) => prop_assert!((1..=part.total).contains(&part.part) && part.octets.len() <= 2 * octets.len()),
                    _ => {}
                }
            }
        }
    }
}
