//! Spans across queues, as W3C Trace Context has them (<https://www.w3.org/TR/trace-context/>). A message without a
//! `traceparent` begins a trace whose id is the message's own; what a worker says of a message carries the trace on, with
//! the worker's span as parent. All ids follow from the message's, so that a repeat stands in the same trace.

use sha2::{Digest, Sha256};

use crate::facts::ids::FactId;

/// A valid `traceparent` of version 00: lower-case hex, neither id all zeros.
#[must_use]
pub fn is_valid(traceparent: &str) -> bool {
    let parts: Vec<&str> = traceparent.split('-').collect();
    let [version, trace, span, flags] = parts[..] else { return false };
    let is_hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    version == "00"
        && is_hex(trace, 32)
        && is_hex(span, 16)
        && is_hex(flags, 2)
        && [trace, span].iter().all(|id| id.bytes().any(|b| b != b'0'))
}

/// The trace that a message begins when its producer sent none.
#[must_use]
pub fn begin(id: FactId) -> String {
    format!("00-{}-{}-01", id.0.simple(), span_id("said", id))
}

/// One handling of one message by one worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Of the trace: 32 hex digits.
    pub trace_id: String,
    /// Of this handling: 16 hex digits.
    pub id: String,
    /// Of whoever said the message.
    pub parent_id: String,
    flags: String,
}

impl Span {
    /// The span in which `worker` handles the message `id` that came with this valid `traceparent`.
    #[must_use]
    pub fn of(worker: &str, id: FactId, traceparent: &str) -> Self {
        let part = |nth: usize| traceparent.split('-').nth(nth).unwrap_or_default().to_owned();
        Self { trace_id: part(1), id: span_id(worker, id), parent_id: part(2), flags: part(3) }
    }

    /// The `traceparent` of what is said in this span; `own` is that of another trace which it continues (a contact's,
    /// where a freed agent made its offer possible).
    #[must_use]
    pub fn carried(&self, own: Option<&str>) -> String {
        let of = |nth: usize| own.and_then(|own| own.split('-').nth(nth));
        let (trace, flags) = (of(1).unwrap_or(&self.trace_id), of(3).unwrap_or(&self.flags));
        format!("00-{trace}-{}-{flags}", self.id)
    }
}

fn span_id(who: &str, id: FactId) -> String {
    let digest = Sha256::new().chain_update(who).chain_update(id.0).finalize();
    let number = u64::from_be_bytes(digest[..8].try_into().unwrap_or([1; 8]));
    format!("{:016x}", number.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn only_what_the_standard_allows_is_valid() {
        assert!(is_valid(GIVEN));
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
    }

    #[test]
    fn what_is_said_stays_in_the_trace_with_the_worker_as_parent() {
        let id = FactId(Uuid::from_u128(7));
        let span = Span::of("receive_sms", id, GIVEN);
        assert_eq!((span.trace_id.as_str(), span.parent_id.as_str()), (&GIVEN[3..35], &GIVEN[36..52]));
        let carried = span.carried(None);
        assert!(is_valid(&carried));
        assert_eq!(Span::of("route_contact", FactId(Uuid::from_u128(8)), &carried).parent_id, span.id);
        assert_eq!(Span::of("receive_sms", id, GIVEN), span, "a repeat is the same span");
        assert_ne!(Span::of("route_contact", id, GIVEN).id, span.id);
    }

    #[test]
    fn another_trace_is_continued_as_itself() {
        let span = Span::of("route_contact", FactId(Uuid::from_u128(7)), &begin(FactId(Uuid::from_u128(9))));
        let carried = span.carried(Some(GIVEN));
        assert_eq!((&carried[3..35], &carried[36..52]), (&GIVEN[3..35], span.id.as_str()));
    }

    #[test]
    fn a_message_without_a_trace_begins_one_by_its_own_id() {
        let begun = begin(FactId(Uuid::from_u128(0x019a_c5a0)));
        assert!(is_valid(&begun));
        assert_eq!(&begun[3..35], "000000000000000000000000019ac5a0");
    }
}
