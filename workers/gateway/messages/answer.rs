//! What applications are answered, in Twilio's JSON.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use texthub::application::texts::Shown;
use texthub::application::twilio::{self, VERSION};
use texthub::facts::said::SmsStatus;

/// A refusal in Twilio's shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// HTTP's status.
    pub status: StatusCode,
    /// Twilio's number.
    pub code: i32,
    /// In place of the number's usual words.
    pub words: Option<String>,
}

impl Fault {
    /// A number with the status that goes with it.
    pub fn of(code: i32) -> Self {
        let status = match code {
            20003 => StatusCode::UNAUTHORIZED,
            20004 => StatusCode::METHOD_NOT_ALLOWED,
            20005 => StatusCode::FORBIDDEN,
            20404 => StatusCode::NOT_FOUND,
            20429 => StatusCode::TOO_MANY_REQUESTS,
            20503 => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        Self { status, code, words: None }
    }

    /// The number of a parameter that cannot be taken, saying which.
    pub fn parameter(words: impl Into<String>) -> Self {
        Self { words: Some(words.into()), ..Self::of(20001) }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let Self { status, code, words } = self;
        let words = words.unwrap_or_else(|| twilio::message(code).to_owned());
        let body = json!({
            "code": code, "message": words, "more_info": format!("https://www.twilio.com/docs/errors/{code}"),
            "status": status.as_u16(),
        });
        let mut response = (status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        if code == 20003 {
            headers.insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Basic realm=\"Twilio API\""));
        }
        if code == 20429 || code == 20503 {
            headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        }
        response
    }
}

/// A text as the API shows it.
pub fn message(account: &str, text: &Shown) -> Value {
    let sid = twilio::sid(text.id);
    let uri = format!("/{VERSION}/Accounts/{account}/Messages/{sid}");
    let (from, to) = if text.is_inbound() {
        (&text.customer_number, &text.our_number)
    } else {
        (&text.our_number, &text.customer_number)
    };
    let (status, error) = stands(text);
    let updated = [text.sent_at, text.over_at].into_iter().flatten().max().unwrap_or(text.at);
    json!({
        "account_sid": account,
        "api_version": VERSION,
        "body": text.text,
        "date_created": twilio::time(text.at),
        "date_sent": if text.is_inbound() { Some(text.at) } else { text.sent_at }.map(twilio::time),
        "date_updated": twilio::time(updated.max(text.at)),
        "direction": text.direction,
        "error_code": error,
        "error_message": error.map(twilio::message),
        "from": from,
        "messaging_service_sid": null,
        "num_media": text.media.to_string(),
        "num_segments": text.parts.to_string(),
        "price": null,
        "price_unit": "USD",
        "sid": sid,
        "status": status,
        "subresource_uris": {"media": format!("{uri}/Media.json")},
        "to": to,
        "uri": format!("{uri}.json"),
    })
}

/// Its status, and its error's number where it failed.
fn stands(text: &Shown) -> (&'static str, Option<i32>) {
    match (&text.refusal, &text.state) {
        (Some(word), _) => ("failed", Some(twilio::error(word))),
        (None, Some((state @ (SmsStatus::Failed | SmsStatus::Undelivered), why))) => {
            (twilio::status(*state), Some(twilio::error(why.as_deref().unwrap_or_default())))
        }
        (None, Some((state, _))) => (twilio::status(*state), None),
        (None, None) => ("received", None),
    }
}
