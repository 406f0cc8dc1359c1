//! What an application is told: a form of Twilio's names, signed as Twilio signs.

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderValue};
use secrecy::ExposeSecret;
use serde_json::Value;
use texthub::application::calls::{Call, RECEIVED};
use texthub::application::twilio::{self, VERSION};
use texthub::outside::form::Form;
use texthub::sms::carrier::twilio::signature::{Hash, sign};

use super::ANSWERS;

/// The form of a call, signed; or a stable word why there is none: `bad_url`, `no_token`.
pub fn of(call: &Call, url: &str) -> Result<Form, &'static str> {
    let tokens = call.application.tokens().map_err(|why| {
        let application = &call.application;
        tracing::error!(tenant = %application.tenant, application = %application.id, why, "no token to sign with");
        "no_token"
    })?;
    let token = tokens.first().ok_or("no_token")?;
    let mut url = Url::parse(url).map_err(|_| "bad_url")?;
    url.set_fragment(None);
    let pairs = pairs(call);
    let signature = sign(Hash::Sha1, token.expose_secret(), &as_called(&url), &pairs);
    let mut headers = HeaderMap::new();
    for (name, value) in [("x-twilio-signature", signature), ("i-twilio-idempotency-token", call.id.to_string())] {
        headers.insert(name, HeaderValue::from_str(&value).map_err(|_| "bad_url")?);
    }
    Ok(Form { url: url.into(), pairs, headers, within: ANSWERS })
}

/// The address as the application sees it called: who signs in stands in a header of its own.
fn as_called(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    url.into()
}

fn pairs(call: &Call) -> Vec<(String, String)> {
    let sid = twilio::sid(call.sid.0);
    let mut pairs = vec![
        ("MessageSid", sid.clone()),
        ("SmsSid", sid.clone()),
        ("AccountSid", call.application.account.clone()),
        ("ApiVersion", VERSION.to_owned()),
    ];
    let (ours, customers) = (call.our_number.clone(), call.customer_number.clone());
    if call.status == RECEIVED {
        pairs.extend([("SmsMessageSid", sid), ("From", customers), ("To", ours), ("SmsStatus", RECEIVED.to_owned())]);
        if !call.our_country.is_empty() {
            pairs.push(("ToCountry", call.our_country.clone()));
        }
        pairs.extend(call.opt_out_type.clone().map(|word| ("OptOutType", word)));
        let (text, media, parts) = call.text.clone().unwrap_or_default();
        pairs.extend([("Body", text), ("NumSegments", parts.to_string())]);
        let mut pairs = owned(pairs);
        pairs.extend(links(media.as_ref()));
        return pairs;
    }
    pairs.extend([("From", ours), ("To", customers)]);
    pairs.extend([("MessageStatus", call.status.clone()), ("SmsStatus", call.status.clone())]);
    if let Some(error) = call.error {
        pairs.extend([("ErrorCode", error.to_string()), ("ErrorMessage", twilio::message(error).to_owned())]);
    }
    owned(pairs)
}

fn owned(pairs: Vec<(&str, String)>) -> Vec<(String, String)> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn links(media: Option<&Value>) -> Vec<(String, String)> {
    let links: Vec<&Value> = media.and_then(Value::as_array).into_iter().flatten().collect();
    let text = |link: &Value, name: &str| link[name].as_str().unwrap_or_default().to_owned();
    let mut pairs = vec![("NumMedia".to_owned(), links.len().to_string())];
    for (nr, link) in links.into_iter().enumerate() {
        pairs.push((format!("MediaUrl{nr}"), text(link, "url")));
        pairs.push((format!("MediaContentType{nr}"), text(link, "type")));
    }
    pairs
}
