//! Every parser of bytes from outside, by name: what fuzzing (`./dev fuzz`) and the standing test at the foot run on bytes
//! of any kind. None may panic or take memory that its input does not account for; what each comes to is its own tests'
//! business. A new parser is a line here.

mod carriers;
pub mod seeds;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use lapin::message::Delivery;
use serde_json::Value;

use crate::application::{twilio, twiml};
use crate::facts::envelope::{Reason, digest};
use crate::facts::heard::{self, Hearable, parse};
use crate::facts::ids::Slug;
use crate::flow::check::{self, Known};
use crate::flow::condition::{Language, with_room};
use crate::flow::template::Texts;
use crate::hub::consent::import;
use crate::media::kinds;
use crate::outside::addresses::Allowed;
use crate::simulation::day::Day;
use crate::sms::encoding::{self, Encoding, Reference};
use crate::sms::joining::{Bounds, Collector, Key, Piece};
use crate::sms::number::address::Address;
use crate::sms::number::{plan, recipient};
use crate::sms::price::Price;
use crate::sms::{header, keywords, octets, smart};
use crate::{amqp, runtime, tenant};

/// Reads bytes of any kind.
pub type Run = fn(&[u8]);

/// A parser.
#[derive(Clone, Copy, Debug)]
pub struct Parser {
    /// As `./dev fuzz` is told it.
    pub name: &'static str,
    /// Most bytes that it is given: a little more than it takes.
    pub longest: usize,
    /// Reads them.
    pub run: Run,
}

macro_rules! parsers {
    ($($name:literal, $longest:literal, $run:expr;)+) => {
        /// All of them.
        pub const PARSERS: &[Parser] = &[$(Parser { name: $name, longest: $longest, run: $run }),+];
    };
}

parsers! {
    "facts", 4096, facts;
    "deliveries", 4096, deliveries;
    "webhooks", 8192, carriers::webhooks;
    "answers", 4096, carriers::answers;
    "smpp", 1024, carriers::smpp;
    "certificates", 4096, carriers::certificates;
    "headers", 300, headers;
    "octets", 512, texts_of_octets;
    "joining", 2048, joining;
    "texts", 2048, texts;
    "numbers", 128, numbers;
    "flows", 8192, flows;
    "conditions", 1024, conditions;
    "templates", 1024, templates;
    "tenant_files", 8192, tenant_files;
    "consent_lists", 4096, consent_lists;
    "days", 4096, days;
    "twiml", 2048, twiml;
    "media", 1024, media;
    "settings", 128, settings;
}

/// The first byte chooses, the rest is read.
fn choice(bytes: &[u8]) -> (usize, &[u8]) {
    bytes.split_first().map_or((0, bytes), |(first, rest)| (usize::from(*first), rest))
}

fn words(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn fact<F: Hearable>(bytes: &[u8]) {
    let _ = parse::<F>(bytes);
}

/// Facts that are said to the hub, with their readers.
const FACTS: &[(&str, Run)] = &[
    (<heard::SmsReceived as Hearable>::NAME, fact::<heard::SmsReceived>),
    (<heard::PartReceived as Hearable>::NAME, fact::<heard::PartReceived>),
    (<heard::ChatReceived as Hearable>::NAME, fact::<heard::ChatReceived>),
    (<heard::ChatLeft as Hearable>::NAME, fact::<heard::ChatLeft>),
    (<heard::ReceiptReceived as Hearable>::NAME, fact::<heard::ReceiptReceived>),
    (<heard::ReplyWritten as Hearable>::NAME, fact::<heard::ReplyWritten>),
    (<heard::NoteWritten as Hearable>::NAME, fact::<heard::NoteWritten>),
    (<heard::OutreachWritten as Hearable>::NAME, fact::<heard::OutreachWritten>),
    (<heard::NoticeWritten as Hearable>::NAME, fact::<heard::NoticeWritten>),
    (<heard::OfferAnswered as Hearable>::NAME, fact::<heard::OfferAnswered>),
    (<heard::TransferAsked as Hearable>::NAME, fact::<heard::TransferAsked>),
    (<heard::ParkAsked as Hearable>::NAME, fact::<heard::ParkAsked>),
    (<heard::UnparkAsked as Hearable>::NAME, fact::<heard::UnparkAsked>),
    (<heard::TakeoverAsked as Hearable>::NAME, fact::<heard::TakeoverAsked>),
    (<heard::ContactEnded as Hearable>::NAME, fact::<heard::ContactEnded>),
    (<heard::WrapUpFinished as Hearable>::NAME, fact::<heard::WrapUpFinished>),
    (<heard::AgentMoved as Hearable>::NAME, fact::<heard::AgentMoved>),
    (<heard::AgentSeen as Hearable>::NAME, fact::<heard::AgentSeen>),
];

fn facts(bytes: &[u8]) {
    let (which, body) = choice(bytes);
    FACTS[which % FACTS.len()].1(body);
    let _ = digest(body);
}

crate::heard! {
    /// Some of what is heard, for deliveries.
    pub enum Delivered {
        SmsReceived(heard::SmsReceived),
        AgentMoved(heard::AgentMoved),
    }
}

/// Lines: key, type, message id, trace; then the body.
fn deliveries(bytes: &[u8]) {
    let mut lines = bytes.splitn(5, |byte| *byte == b'\n');
    let mut line = || words(lines.next().unwrap_or_default()).into_owned();
    let (key, kind, id, trace) = (line(), line(), line(), line());
    let mut fields = lapin::types::FieldTable::default();
    fields.insert("traceparent".into(), lapin::types::AMQPValue::LongString(trace.as_str().into()));
    fields.insert("due_at".into(), lapin::types::AMQPValue::LongString(id.as_str().into()));
    // AMQP's own bound of short strings
    let short = |text: &str| lapin::types::ShortString::from(&text[..text.floor_char_boundary(255)]);
    let mut delivery = Delivery::mock(1, "".into(), short(&key), false, lines.next().unwrap_or_default().to_vec());
    delivery.properties = delivery.properties.with_type(short(&kind)).with_message_id(short(&id)).with_headers(fields);
    let scope = amqp::delivery::decode::<Delivered>(&delivery).map(|message| message.scope).unwrap_or(key);
    let reason = Reason::new("undecodable", "what is wrong");
    let wires = [
        amqp::wire::moved(&delivery),
        amqp::wire::later(
            Timestamp::UNIX_EPOCH,
            Duration::ZERO,
            "record_receipt",
            &scope,
            "sms.received",
            0,
            &delivery,
        ),
        amqp::wire::dead(Timestamp::UNIX_EPOCH, "record_receipt", None, &reason, &delivery),
    ];
    assert!(wires.iter().all(|wire| wire.key.len() <= 255), "a key that AMQP takes");
    let _ = amqp::delivery::delivery_count(&delivery);
    let _ = amqp::wire::header_number(&delivery.properties, "due_at");
    let _ = runtime::trace::is_valid(&trace);
}

fn headers(bytes: &[u8]) {
    let read = header::parse(bytes);
    let _ = read;
    let (count, rest) = choice(bytes);
    let _ = octets::unpack(rest, count % 8, count);
}

fn texts_of_octets(bytes: &[u8]) {
    for encoding in [Encoding::Gsm7, Encoding::Ucs2] {
        let decoded = octets::decode(bytes, encoding);
        // what was read can be written again, or has characters that stand for what could not be
        let _ = octets::encode(&decoded.text, encoding);
    }
}

/// Parts of eight bytes and their text: which sender, reference, total, part, encoding, length.
fn joining(bytes: &[u8]) {
    let bounds = Bounds { octets_each: 600, octets: 2_000, texts: 8, ..Bounds::default() };
    let mut joiner: Collector<u32> = Collector::new(bounds);
    let (mut rest, mut now, mut mark) = (bytes, Timestamp::UNIX_EPOCH, 0);
    while let [who, reference, total, part, encoding, length, later, tail @ ..] = rest {
        let (octets, after) = tail.split_at(usize::from(*length).min(tail.len()));
        let key = Key {
            connector: "c".to_owned(),
            source: (who % 4).to_string(),
            destination: "d".to_owned(),
            reference: u16::from(reference % 4),
            total: *total,
        };
        let encoding = if encoding % 2 == 0 { Encoding::Gsm7 } else { Encoding::Ucs2 };
        mark += 1;
        now = now.saturating_add(jiff::SignedDuration::from_secs(i64::from(*later))).unwrap_or(now);
        joiner.take(now, key, Piece { part: *part, encoding, octets: octets.to_vec(), mark });
        joiner.due(now);
        assert!(joiner.octets() <= 2_000 && joiner.texts() <= 8, "bounds of memory");
        rest = after;
    }
}

fn texts(bytes: &[u8]) {
    let text = words(bytes);
    for reference in [Reference::Narrow, Reference::Wide] {
        let cut = encoding::parts_by(&text, reference);
        assert_eq!(cut.parts.concat(), text, "cutting loses nothing");
    }
    let _ = smart::smart(&text);
    for number in ["+12125552368", "+34600000000"] {
        let _ = keywords::keyword(&text, number);
        let _ = keywords::is_near_miss(&text, number);
    }
}

fn numbers(bytes: &[u8]) {
    let text = words(bytes);
    for country in [None, Some("US"), Some("DE"), Some(&*text)] {
        let _ = (Address::of(&text, country), Address::written(&text, country), plan::of_written(&text, country));
    }
    let _ = (plan::of(&text), recipient::unfit(&text), recipient::never(&text), Slug::new(&text));
}

fn flows(bytes: &[u8]) {
    let _ = check::flow(&words(bytes), &Known::default());
}

fn conditions(bytes: &[u8]) {
    let (source, values) = split(bytes);
    with_room(|| {
        let Ok((condition, _)) = Language::default().compile(&words(source)) else { return };
        if let Ok(Value::Object(values)) = serde_json::from_slice(values) {
            let _ = condition.evaluate(&values);
        }
    });
}

fn templates(bytes: &[u8]) {
    let (source, values) = split(bytes);
    let mut texts = Texts::default();
    if texts.add("t", &words(source)).is_ok()
        && let Ok(Value::Object(values)) = serde_json::from_slice(values)
    {
        let _ = texts.render("t", &values);
    }
}

/// At the first line's end.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let at = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    (&bytes[..at], bytes.get(at + 1..).unwrap_or_default())
}

fn tenant_files(bytes: &[u8]) {
    if let Ok(file) = tenant::check::read(&words(bytes)) {
        let _ = tenant::check::check(&file);
    }
}

fn consent_lists(bytes: &[u8]) {
    let Ok(tenant) = Slug::new("bears") else { return };
    let ours = ["+15550100001".to_owned()];
    let _ = import::read(&words(bytes), &tenant, &ours, Timestamp::UNIX_EPOCH);
}

fn days(bytes: &[u8]) {
    let _ = Day::read(&words(bytes), 1);
}

fn media(bytes: &[u8]) {
    let (told, contents) = split(bytes);
    let _ = kinds::judge(&words(told), None, contents);
}

/// What a program answers as if we were Twilio, and the ids that it gives us.
fn twiml(bytes: &[u8]) {
    let text = words(bytes);
    let _ = (twiml::read(&text), twilio::of_sid(&text));
}

fn settings(bytes: &[u8]) {
    let text = words(bytes);
    let _ = (text.parse::<Allowed>(), text.parse::<Price>());
}
