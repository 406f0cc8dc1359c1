//! What leaves of a claimed text: by its connection's manner, as its row keeps it and as the carrier gets it.

use std::collections::HashMap;

use texthub::facts::envelope::Message;
use texthub::facts::ids::{Slug, SmsId};
use texthub::facts::said::SmsRequested;
use texthub::sms::carrier::Outgoing;
use texthub::sms::leaving::Leaving;
use texthub::sms::sending::Sms;
use texthub::sms::turn::Turn;

use super::{ToSend, Usable, body};

/// How a text leaves that is to be sent; none of one with media, which is no SMS.
pub(super) fn leaves(
    found: (&Message<ToSend>, &Sms),
    turn: &Turn,
    lines: &HashMap<Slug, Usable>,
) -> Option<(SmsId, Leaving)> {
    let ((message, sms), (line, _)) = (found, lines.get(&found.1.carrier)?);
    let is_text = body(message).media.as_ref().is_none_or(Vec::is_empty);
    let is_leaving = matches!(turn, Turn::Send) && is_text;
    is_leaving.then(|| (sms.id, line.manner.leaving(&body(message).text, &sms.customer_number)))
}

pub(super) fn outgoing(fact: &SmsRequested, sent: Option<String>) -> Outgoing {
    Outgoing {
        carrier: fact.carrier.clone(),
        sms_id: fact.sms_id,
        from: fact.from.clone(),
        from_country: fact.from_country.clone(),
        to: fact.to.clone(),
        text: sent.unwrap_or_else(|| fact.text.clone()),
        media: fact.media.clone().unwrap_or_default(),
    }
}
