//! Sends by `SendTextMessage`, and says what its answers mean for us. Our sms id goes along in the context, which comes back
//! with every event.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::super::heard::{Heard, Rejected, Request};
use super::super::http::{self, Answer};
use super::super::kind::Settings;
use super::super::{Carrier, Outgoing, Sent, Surroundings};
use super::sigv4::{Signer, stamp};
use super::{sns::Topics, webhook};
use crate::facts::said::SubmittedPart;
use crate::runtime::clock;

const CONTENT: &str = "application/x-amz-json-1.0";
const TARGET: &str = "PinpointSMSVoiceV2.SendTextMessage";

/// One connection; clones share their HTTP connections and certificates.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    api: reqwest::Url,
    /// As in the header.
    host: String,
    signer: Signer,
    session: Option<SecretString>,
    configuration_set: Option<String>,
    message_type: String,
    topics: Topics,
}

impl Client {
    /// A client by its settings.
    ///
    /// # Errors
    /// A sentence: what is missing, no topic or no address.
    pub fn new(url: Option<&str>, settings: &Settings, _: &Surroundings) -> Result<Self, String> {
        let region = settings.required("region")?;
        if !region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return Err(format!("{region:?} is no region; write it as us-east-1"));
        }
        let home = format!("https://sms-voice.{region}.amazonaws.com");
        let api = http::address(url.unwrap_or(&home), "/")?;
        let host = api.host_str().ok_or("the address has no host")?;
        let http = http::client()?;
        let arns = [Some(settings.required("topic")?), settings.text("events_topic")];
        Ok(Self {
            host: api.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
            topics: Topics::new(arns.into_iter().flatten(), settings.text("sns_url"), http.clone())?,
            api,
            http,
            signer: Signer {
                key: settings.required("key")?.to_owned(),
                secret: settings.required_secret("secret_file")?.clone(),
                region: region.to_owned(),
                service: "sms-voice",
            },
            session: settings.secret("session_file").cloned(),
            configuration_set: settings.text("configuration_set").map(str::to_owned),
            message_type: settings.text("message_type").unwrap_or("transactional").to_uppercase(),
        })
    }

    fn body(&self, text: &Outgoing) -> String {
        let mut body = json!({
            "DestinationPhoneNumber": text.to, "OriginationIdentity": text.from, "MessageBody": text.text,
            "MessageType": self.message_type, "Context": {"sms_id": text.sms_id},
        });
        if let Some(name) = &self.configuration_set {
            body["ConfigurationSetName"] = name.as_str().into();
        }
        body.to_string()
    }

    fn request(&self, body: String, stamp: &str) -> reqwest::RequestBuilder {
        let mut headers = vec![("content-type", CONTENT), ("host", &self.host), ("x-amz-date", stamp)];
        headers.extend(self.session.as_ref().map(|token| ("x-amz-security-token", token.expose_secret())));
        headers.push(("x-amz-target", TARGET));
        let authorization = self.signer.authorization("POST", stamp, &headers, body.as_bytes());
        let request = self.http.post(self.api.clone()).header("authorization", authorization).body(body);
        // the host is said by whoever connects
        headers
            .into_iter()
            .filter(|(name, _)| *name != "host")
            .fold(request, |request, (name, value)| request.header(name, value))
    }
}

impl Carrier for Client {
    const TAKES_OUR_ID: bool = false;

    async fn send(&self, text: &Outgoing) -> Sent {
        match http::call(self.request(self.body(text), &stamp(clock::near()))).await {
            Ok(answer) => told(&answer),
            Err(sent) => sent,
        }
    }

    async fn receive(&self, request: &Request<'_>) -> Result<Vec<Heard>, Rejected> {
        match self.topics.verified(request).await? {
            Some(notification) => webhook::read(&notification),
            None => Ok(vec![Heard::Other("subscription")]),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Taken {
    message_id: String,
}

#[derive(Deserialize)]
struct Refusal {
    /// Perhaps with a name space before `#`, and a place behind `:`.
    #[serde(rename = "__type")]
    kind: String,
    #[serde(rename = "Reason")]
    reason: Option<String>,
}

fn told(answer: &Answer) -> Sent {
    if answer.status.is_success() {
        let part = |taken: Taken| SubmittedPart { part: 1, carrier_sms_id: taken.message_id };
        return answer.json().map_or_else(|| answer.unreadable(), |taken| Sent::Accepted(vec![part(taken)]));
    }
    let Some(Refusal { kind, reason }) = answer.json() else { return answer.by_status(None) };
    let kind = kind.rsplit('#').next().unwrap_or_default().split(':').next().unwrap_or_default();
    let word = reason.clone().unwrap_or_else(|| kind.to_owned());
    match (kind, reason.as_deref().unwrap_or_default()) {
        ("ThrottlingException" | "TooManyRequestsException", _) => Sent::TooFast(answer.wait, word),
        (_, "DESTINATION_PHONE_NUMBER_OPTED_OUT") => Sent::OptedOut(word),
        // somebody has to raise it
        (_, reason) if reason.starts_with("MONTHLY_SPEND_LIMIT") => Sent::Account(word),
        ("ServiceQuotaExceededException", _) => Sent::NotNow(Some(Duration::from_hours(1)), word),
        (
            "AccessDeniedException"
            | "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "IncompleteSignatureException"
            | "MissingAuthenticationTokenException"
            | "ExpiredTokenException"
            | "RequestExpired"
            | "SignatureDoesNotMatch"
            | "InvalidClientTokenId"
            | "OptInRequired",
            _,
        ) => Sent::Account(word),
        ("ConflictException" | "ValidationException" | "ResourceNotFoundException", _) => Sent::Refused(word),
        _ => answer.by_status(Some(word)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_is_one_of_the_closed_set() {
        let told = |status: u16, body: &str| {
            let body = Some(body.as_bytes().to_vec());
            super::told(&Answer { status: status.try_into().unwrap(), wait: None, body })
        };
        let refused = |status: u16, kind: &str, reason: &str| {
            told(
                status,
                &format!(r#"{{"__type":"com.amazonaws.pinpointsmsvoicev2#{kind}","Message":"m","Reason":"{reason}"}}"#),
            )
        };
        let part = SubmittedPart { part: 1, carrier_sms_id: "862a8790".into() };
        assert_eq!(told(200, r#"{"MessageId":"862a8790"}"#), Sent::Accepted(vec![part]));
        assert_eq!(told(200, "{}"), Sent::Unanswered("answer_unreadable".into()));
        let bare = r#"{"__type":"ThrottlingException:http://internal/","message":"Rate exceeded"}"#;
        assert_eq!(told(400, bare), Sent::TooFast(None, "ThrottlingException".into()));
        assert_eq!(
            refused(409, "ConflictException", "DESTINATION_PHONE_NUMBER_OPTED_OUT"),
            Sent::OptedOut("DESTINATION_PHONE_NUMBER_OPTED_OUT".into())
        );
        for (status, kind, reason) in [
            (409, "ConflictException", "RESOURCE_NOT_ACTIVE"),
            (400, "ValidationException", "DESTINATION_COUNTRY_BLOCKED"),
            (404, "ResourceNotFoundException", "X"),
        ] {
            assert_eq!(refused(status, kind, reason), Sent::Refused(reason.into()));
        }
        let spent = "MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT";
        assert_eq!(refused(402, "ServiceQuotaExceededException", spent), Sent::Account(spent.into()));
        assert_eq!(
            refused(402, "ServiceQuotaExceededException", "A_NEW_ONE"),
            Sent::NotNow(Some(Duration::from_hours(1)), "A_NEW_ONE".into())
        );
        assert_eq!(refused(403, "AccessDeniedException", "ACCOUNT_DISABLED"), Sent::Account("ACCOUNT_DISABLED".into()));
        let expired = r#"{"__type":"ExpiredTokenException","message":"m"}"#;
        assert_eq!(told(400, expired), Sent::Account("ExpiredTokenException".into()));
        assert_eq!(refused(500, "InternalServerException", "X"), Sent::Unanswered("X".into()), "it may have left");
        assert_eq!(told(403, "no JSON"), Sent::Account("http_403".into()));
    }
}
