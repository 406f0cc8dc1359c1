//! What `send_sms` says of a text: the same ids for the same asking, however often it is said.

use jiff::Timestamp;
use texthub::facts::envelope::{Fact, Message, Publication};
use texthub::facts::said::{SmsFailed, SmsHeld, SmsStatus, SmsSubmitted, SmsUnanswered, SubmittedPart};
use texthub::runtime::worker::Outcome;
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

/// Until its time: for quiet hours, or its pace.
pub(super) fn held_until(
    message: &Message<ToSend>,
    sms: &Sms,
    at: Timestamp,
    until: Timestamp,
    why: &str,
) -> Publication {
    let fact = SmsHeld { until: Some(until), ..waits(message, sms, at, why) };
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

/// What a text that is further already comes to for this message: the same as the first time.
pub(super) fn say_again(
    message: &Message<ToSend>,
    sms: &Sms,
    parts: Option<&Vec<SubmittedPart>>,
    now: Timestamp,
) -> Outcome {
    let reason = sms.reason.as_deref().unwrap_or_default();
    let publication = match (sms.submitted_at, sms.state) {
        (Some(at), _) => submitted(message, sms, at, parts.cloned().unwrap_or_default()),
        (None, SmsStatus::Held) => match sms.not_before {
            Some(until) => held_until(message, sms, now, until, reason),
            None => held(message, sms, now, reason),
        },
        (None, SmsStatus::Failed) => failed(message, sms, sms.final_at.unwrap_or(now), reason),
        (None, _) => {
            let parts = parts.map_or(&[][..], Vec::as_slice);
            unanswered(message, sms, sms.claimed_at.unwrap_or(now), parts, reason)
        }
    };
    Outcome::Done(vec![publication])
}
