//! What `send_sms` says of a text: the same ids for the same asking, however often it is said.

use jiff::Timestamp;
use texthub::facts::envelope::{Fact, Message, Publication};
use texthub::facts::said::{SmsFailed, SmsHeld, SmsSubmitted, SmsUnanswered, SubmittedPart};
use texthub::sms::quiet;
use texthub::sms::sending::Sms;

use super::ToSend;

pub(super) fn failed(message: &Message<ToSend>, sms: &Sms, at: Timestamp, reason: &str) -> Publication {
    let fact = SmsFailed {
        id: message.id.derive(SmsFailed::NAME, 0),
        cause_id: message.id,
        at,
        tenant: sms.tenant.clone(),
        sms_id: sms.id,
        parts: Vec::new(),
        reason: Some(reason.to_owned()),
    };
    Publication::of(&fact, sms.scope()).traced(message.traceparent.as_deref())
}

/// With the parts that a carrier took, where it took some; the id of one of which nobody knows is empty.
pub(super) fn unanswered(
    message: &Message<ToSend>,
    sms: &Sms,
    at: Timestamp,
    parts: &[SubmittedPart],
    reason: &str,
) -> Publication {
    let fact = SmsUnanswered {
        id: message.id.derive(SmsUnanswered::NAME, 0),
        cause_id: message.id,
        at,
        tenant: sms.tenant.clone(),
        sms_id: sms.id,
        parts: parts.to_vec(),
        reason: Some(reason.to_owned()),
    };
    Publication::of(&fact, sms.scope()).traced(message.traceparent.as_deref())
}

pub(super) fn held(message: &Message<ToSend>, sms: &Sms, at: Timestamp, reason: &str) -> Publication {
    Publication::of(&waits(message, sms, at, reason), sms.scope()).traced(message.traceparent.as_deref())
}

/// For quiet hours.
pub(super) fn held_until(message: &Message<ToSend>, sms: &Sms, at: Timestamp, until: Timestamp) -> Publication {
    let fact = SmsHeld { until: Some(until), ..waits(message, sms, at, quiet::HELD) };
    Publication::of(&fact, sms.scope()).traced(message.traceparent.as_deref())
}

fn waits(message: &Message<ToSend>, sms: &Sms, at: Timestamp, reason: &str) -> SmsHeld {
    SmsHeld {
        id: message.id.derive(SmsHeld::NAME, 0),
        cause_id: message.id,
        at,
        tenant: sms.tenant.clone(),
        sms_id: sms.id,
        parts: Vec::new(),
        reason: Some(reason.to_owned()),
        until: None,
    }
}

pub(super) fn submitted(message: &Message<ToSend>, sms: &Sms, at: Timestamp, parts: Vec<SubmittedPart>) -> Publication {
    let fact = SmsSubmitted {
        id: message.id.derive(SmsSubmitted::NAME, 0),
        cause_id: message.id,
        at,
        tenant: sms.tenant.clone(),
        sms_id: sms.id,
        parts,
        reason: None,
    };
    Publication::of(&fact, sms.scope()).traced(message.traceparent.as_deref())
}
