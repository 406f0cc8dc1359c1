//! What carriers say, beneath their signatures: whoever holds a secret, or a carrier whose own program is broken, may say
//! anything. The first byte chooses the carrier.

use std::sync::LazyLock;

use axum::http::HeaderMap;
use jiff::Timestamp;
use serde_json::json;

use super::choice;
use crate::facts::ids::Slug;
use crate::sms::carrier::aws::certificate::Certificate;
use crate::sms::carrier::aws::sns::Notification;
use crate::sms::carrier::heard::{Heard, Rejected, Request, facts};
use crate::sms::carrier::http::Answer;
use crate::sms::carrier::kind::Settings;
use crate::sms::carrier::smpp::plan::Plan;
use crate::sms::carrier::smpp::{inbound, pdu};
use crate::sms::carrier::{Sent, aws, bandwidth, base64, kannel, plivo, smpp, telnyx, twilio, vonage};

type Read = fn(&Request<'_>) -> Result<Vec<Heard>, Rejected>;

const READ: &[Read] = &[
    twilio::webhook::read,
    telnyx::webhook::read,
    |request| vonage::webhook::read(&vonage::webhook::parameters(request)?),
    plivo::webhook::read,
    bandwidth::webhook::read,
    |request| {
        let message = String::from_utf8_lossy(request.body).into_owned();
        aws::webhook::read(&Notification { message, at: Timestamp::UNIX_EPOCH })
    },
    kannel::webhook::read,
];

/// A body as POST, and the same as the query of a GET.
pub(super) fn webhooks(bytes: &[u8]) {
    let (which, body) = choice(bytes);
    let Ok(carrier) = Slug::new("c") else { return };
    let query = format!("https://hub.example/webhooks/c?{}", String::from_utf8_lossy(body));
    let headers = HeaderMap::new();
    for (is_get, url, body) in [(false, "https://hub.example/webhooks/c", body), (true, query.as_str(), b"".as_slice())]
    {
        let request = Request { is_get, url, headers: &headers, body };
        if let Ok(heard) = READ[which % READ.len()](&request) {
            let _ = facts(&carrier, Timestamp::UNIX_EPOCH, &heard);
        }
    }
    let _ = base64::decode(&String::from_utf8_lossy(body));
}

/// The second byte chooses the status.
pub(super) fn answers(bytes: &[u8]) {
    const TOLD: &[fn(&Answer) -> Sent] = &[
        twilio::client::told,
        telnyx::client::told,
        vonage::client::told,
        plivo::client::told,
        bandwidth::client::told,
        aws::client::told,
        |answer| kannel::client::told(answer, "ours".to_owned()),
    ];
    const STATUS: [u16; 8] = [200, 201, 202, 400, 401, 429, 500, 503];
    let (which, rest) = choice(bytes);
    let (status, body) = choice(rest);
    let Ok(status) = STATUS[status % STATUS.len()].try_into() else { return };
    let _ = TOLD[which % TOLD.len()](&Answer { status, wait: None, body: Some(body.to_vec()) });
}

static PLAN: LazyLock<Option<Plan>> = LazyLock::new(|| {
    let values = json!({"system_id": "hub", "country": "US"}).as_object().cloned()?;
    let settings = Settings::read(&smpp::KIND, &Slug::new("c").ok()?, &values).ok()?;
    Plan::new(Some("smpp://smsc"), &settings.with_secret("password_file", "secret")).ok()
});

/// The body of a `deliver_sm` or a `data_sm`, and of an answer.
pub(super) fn smpp(bytes: &[u8]) {
    const COMMANDS: [u32; 2] = [0x0000_0005, 0x0000_0103];
    let (which, body) = choice(bytes);
    let _ = pdu::message_id(body);
    if let (Some(plan), Some(deliver)) = (&*PLAN, pdu::Deliver::read(COMMANDS[which % 2], body)) {
        let _ = inbound::read(plan, &deliver);
    }
}

pub(super) fn certificates(bytes: &[u8]) {
    let _ = Certificate::read(bytes, &["sns.amazonaws.com".to_owned()]);
}
