//! SNS over HTTP(S): what of a request counts before anything is believed. The topic is one that is configured; the stamp
//! is at most two hours old (SNS tries for one); the certificate lies at SNS' host in the topic's region, over HTTPS; the
//! signature (version 1 or 2) holds. A subscription is confirmed at that same host, and only then. Raw delivery carries no
//! signature and is not taken. Source: docs.aws.amazon.com/sns, Verifying the signatures of Amazon SNS messages.

use jiff::Timestamp;
use reqwest::Url;
use serde_json::Value;

use super::super::heard::{Rejected, Request};
use super::super::http;
use super::super::reading::text;
use super::certificate::{Certificates, Version};
use crate::runtime::clock;
use crate::sms::carrier::base64;

/// How old a stamp may be, in seconds.
const MOST_S: i64 = 2 * 3600;
/// How far it may go ahead, in seconds.
const AHEAD_S: i64 = 300;

/// A notification that was verified.
#[derive(Clone, Debug)]
pub(super) struct Notification {
    /// As it was published.
    pub message: String,
    /// When it was published.
    pub at: Timestamp,
}

/// The topics of a connection, and what is known of their certificates.
#[derive(Clone, Debug)]
pub(super) struct Topics {
    topics: Vec<Topic>,
    certificates: Certificates,
    http: reqwest::Client,
}

#[derive(Clone, Debug)]
struct Topic {
    arn: String,
    /// Where its certificates lie and its subscriptions are confirmed, without path.
    home: Url,
    /// To whom its certificates are made out.
    names: Vec<String>,
}

impl Topic {
    fn new(arn: &str, peer: Option<&str>) -> Result<Self, String> {
        let parts: Vec<&str> = arn.split(':').collect();
        let [_, partition @ ("aws" | "aws-us-gov"), "sns", region, _, _] = parts.as_slice() else {
            return Err(format!("{arn:?} is no topic's ARN; write it as arn:aws:sns:REGION:ACCOUNT:NAME"));
        };
        if region.is_empty() || !region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return Err(format!("{arn:?} names no region"));
        }
        let home = format!("https://sns.{region}.amazonaws.com");
        let home = Url::parse(peer.unwrap_or(&home)).map_err(|error| format!("where SNS is: {error}"))?;
        if peer.is_some() && !matches!(home.host_str(), Some("127.0.0.1" | "[::1]" | "localhost")) {
            return Err("sns_url is for tests on this machine: 127.0.0.1, [::1] or localhost".to_owned());
        }
        let mut names = vec![format!("sns.{region}.amazonaws.com"), format!("sns-signing.{region}.amazonaws.com")];
        // older regions share a name, and so do both of the government's
        names
            .push(if *partition == "aws" { "sns.amazonaws.com" } else { "sns-us-gov-west-1.amazonaws.com" }.to_owned());
        Ok(Self { arn: arn.to_owned(), home, names })
    }

    /// The address, where it is at this topic's SNS.
    fn its(&self, url: &str) -> Option<Url> {
        let at = Url::parse(url).ok()?;
        let is_its = at.scheme() == self.home.scheme()
            && at.host_str() == self.home.host_str()
            && at.port_or_known_default() == self.home.port_or_known_default()
            && at.username().is_empty()
            && at.password().is_none();
        is_its.then_some(at)
    }

    /// The certificate's address, where it may be one.
    fn certificate(&self, url: &str) -> Option<Url> {
        let at = self.its(url)?;
        let name = at.path().strip_prefix("/SimpleNotificationService-")?.strip_suffix(".pem")?;
        let is_plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && at.query().is_none();
        is_plain.then_some(at)
    }
}

impl Topics {
    /// # Errors
    /// A sentence: no topic's ARN; a peer that is not on this machine.
    pub(super) fn new<'a>(
        arns: impl Iterator<Item = &'a str>,
        peer: Option<&str>,
        http: reqwest::Client,
    ) -> Result<Self, String> {
        let topics = arns.map(|arn| Topic::new(arn, peer)).collect::<Result<_, _>>()?;
        Ok(Self { topics, certificates: Certificates::new(http.clone()), http })
    }

    /// What a request brings, once it is known to be SNS'; none where it was about the subscription, which is confirmed.
    ///
    /// # Errors
    /// Not SNS'; or not now: its certificate or the confirmation could not be fetched, and it tries again.
    pub(super) async fn verified(&self, request: &Request<'_>) -> Result<Option<Notification>, Rejected> {
        let theirs = Rejected::NotTheirs;
        let said: Value = serde_json::from_slice(request.body).map_err(|_| theirs("no_signature"))?;
        let find = |name: &str| said.get(name).and_then(Value::as_str);
        let arn = find("TopicArn").ok_or(theirs("no_signature"))?;
        let topic = self.topics.iter().find(|topic| topic.arn == arn).ok_or(theirs("unknown_topic"))?;
        let at = at(find("Timestamp")).map_err(theirs)?;
        let version = match find("SignatureVersion") {
            Some("1") => Version::One,
            Some("2") => Version::Two,
            _ => return Err(theirs("unknown_algorithm")),
        };
        let signature = find("Signature").and_then(base64::decode).ok_or(theirs("no_signature"))?;
        let signed = signed(&said).ok_or(theirs("bad_signature"))?;
        let url = find("SigningCertURL").and_then(|url| topic.certificate(url)).ok_or(theirs("foreign_certificate"))?;
        let certificate =
            self.certificates.at(url.as_str(), &topic.names).await.ok_or(Rejected::NotNow("no_certificate"))?;
        if !certificate.is_signature(version, clock::near(), signed.as_bytes(), &signature) {
            return Err(theirs("bad_signature"));
        }
        match find("Type") {
            Some("Notification") => {
                Ok(Some(Notification { message: find("Message").unwrap_or_default().to_owned(), at }))
            }
            Some("SubscriptionConfirmation") => self.confirm(topic, text(&said, "/SubscribeURL")).await.map(|()| None),
            _ => Ok(None),
        }
    }

    /// Confirms a subscription, even where SNS does not wait for it.
    async fn confirm(&self, topic: &Topic, url: Option<&str>) -> Result<(), Rejected> {
        let url = url.and_then(|url| topic.its(url)).ok_or(Rejected::NotTheirs("foreign_address"))?;
        let call = http::call(self.http.get(url));
        let answer = tokio::spawn(call).await.ok().and_then(Result::ok);
        if !answer.is_some_and(|answer| answer.status.is_success()) {
            return Err(Rejected::NotNow("not_confirmed"));
        }
        tracing::info!(topic = topic.arn, "a subscription of SNS is confirmed");
        Ok(())
    }
}

fn at(stamp: Option<&str>) -> Result<Timestamp, &'static str> {
    let at: Timestamp = stamp.and_then(|stamp| stamp.parse().ok()).ok_or("no_timestamp")?;
    let age = clock::near().as_second() - at.as_second();
    if (-AHEAD_S..=MOST_S).contains(&age) { Ok(at) } else { Err("stale") }
}

/// What is signed: names and values a line each, in the order of the names.
fn signed(said: &Value) -> Option<String> {
    let names: &[&str] = match said.get("Type")?.as_str()? {
        "Notification" => &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
        "SubscriptionConfirmation" | "UnsubscribeConfirmation" => {
            &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        }
        _ => return None,
    };
    let mut text = String::new();
    for name in names {
        match said.get(*name) {
            None | Some(Value::Null) if *name == "Subject" => {}
            Some(Value::String(value)) => text.extend([*name, "\n", value, "\n"]),
            _ => return None,
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use axum::http::HeaderMap;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:sns:us-east-1:123456789012:texts";
    const PEM: &str = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0a1b.pem";

    fn topics(peer: Option<&str>) -> Result<Topics, String> {
        Topics::new([ARN].into_iter(), peer, http::client()?)
    }

    async fn judged(body: &str) -> Result<Option<Notification>, Rejected> {
        static TOPICS: LazyLock<Topics> = LazyLock::new(|| topics(Some("http://127.0.0.1:9")).unwrap());
        let headers = HeaderMap::new();
        TOPICS.verified(&Request { is_get: false, url: "/", headers: &headers, body: body.as_bytes() }).await
    }

    #[test]
    fn certificates_lie_at_the_topics_own_sns_and_nowhere_else() {
        let topic = Topic::new(ARN, None).unwrap();
        assert!(topic.certificate(PEM).is_some());
        assert!(topic.certificate(&PEM.replace(".com/", ".com:443/")).is_some());
        for bad in [
            PEM.replace("https", "http"),
            PEM.replace("us-east-1", "eu-west-1"),
            PEM.replace(".com/", ".com.evil.example/"),
            PEM.replace("https://", "https://evil.example/"),
            PEM.replace("https://", "https://evil.example@"),
            PEM.replace("https://", "https://evil.example\\@"),
            PEM.replace(".com/", ".com:8443/"),
            PEM.replace("Simple", "x/../Simple").replace("0a1b", "../a"),
            PEM.replace("SimpleNotificationService-", ""),
            PEM.replace(".pem", ".pem?x=.pem"),
            PEM.replace("0a1b", "0a%2f1b"),
            String::new(),
        ] {
            assert!(topic.certificate(&bad).is_none(), "{bad}");
        }
        assert!(topic.its("https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=1").is_some());
    }

    #[test]
    fn a_peer_for_tests_is_on_this_machine_and_an_arn_is_a_topics() {
        assert!(
            topics(None).is_ok()
                && topics(Some("http://localhost:1")).is_ok()
                && topics(Some("http://[::1]:1")).is_ok()
        );
        for bad in ["http://192.0.2.1", "https://sns.example", "http://127.0.0.1.example", "http://localhost.example"] {
            assert!(topics(Some(bad)).is_err(), "{bad}");
        }
        for bad in [
            "",
            "texts",
            "arn:aws:sqs:us-east-1:1:q",
            "arn:aws:sns::1:q",
            "arn:aws:sns:a/b:1:q",
            "arn:aws-cn:sns:cn-north-1:1:q",
        ] {
            assert!(Topic::new(bad, None).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_sns_is_told_before_anything_is_fetched() {
        let now = clock::near();
        let stamp = |ago: i64| (now - jiff::SignedDuration::from_secs(ago)).to_string();
        let good = json!({
            "Type": "Notification", "MessageId": "1", "TopicArn": ARN, "Message": "m", "Timestamp": stamp(0),
            "SignatureVersion": "2", "Signature": "AAAA",
            "SigningCertURL": "http://127.0.0.1:9/SimpleNotificationService-1.pem",
        });
        let with = |name: &str, value: Value| {
            let mut changed = good.clone();
            changed[name] = value;
            changed.to_string()
        };
        assert_eq!(judged(&good.to_string()).await.unwrap_err(), Rejected::NotNow("no_certificate"));
        assert_eq!(
            judged(&with("Timestamp", stamp(7100).into())).await.unwrap_err(),
            Rejected::NotNow("no_certificate")
        );
        for (name, value, why) in [
            ("TopicArn", json!("arn:aws:sns:us-east-1:123456789012:others"), "unknown_topic"),
            ("TopicArn", Value::Null, "no_signature"),
            ("Timestamp", json!(stamp(7300)), "stale"),
            ("Timestamp", json!(stamp(-400)), "stale"),
            ("Timestamp", json!("yesterday"), "no_timestamp"),
            ("SignatureVersion", json!("3"), "unknown_algorithm"),
            ("Signature", json!("!"), "no_signature"),
            ("Message", json!({"a": 1}), "bad_signature"),
            ("Type", json!("SomethingElse"), "bad_signature"),
            ("SigningCertURL", json!("http://127.0.0.1:10/SimpleNotificationService-1.pem"), "foreign_certificate"),
        ] {
            assert_eq!(judged(&with(name, value)).await.unwrap_err(), Rejected::NotTheirs(why), "{name}");
        }
        // raw delivery: what was published, and nothing else
        for raw in [r#"{"originationNumber":"+1"}"#, "hello", ""] {
            assert_eq!(judged(raw).await.unwrap_err(), Rejected::NotTheirs("no_signature"));
        }
    }

    #[test]
    fn a_subject_is_signed_where_there_is_one() {
        let mut said =
            json!({"Type": "Notification", "Message": "m", "MessageId": "i", "Timestamp": "t", "TopicArn": "a"});
        assert_eq!(signed(&said).unwrap(), "Message\nm\nMessageId\ni\nTimestamp\nt\nTopicArn\na\nType\nNotification\n");
        said["Subject"] = json!("s");
        assert!(signed(&said).unwrap().contains("MessageId\ni\nSubject\ns\nTimestamp"));
        said["Subject"] = Value::Null;
        assert!(!signed(&said).unwrap().contains("Subject"));
        said["Type"] = json!("SubscriptionConfirmation");
        assert_eq!(signed(&said), None, "it lacks its token");
        (said["Token"], said["SubscribeURL"]) = (json!("k"), json!("u"));
        assert_eq!(
            signed(&said).unwrap(),
            "Message\nm\nMessageId\ni\nSubscribeURL\nu\nTimestamp\nt\nToken\nk\nTopicArn\na\nType\nSubscriptionConfirmation\n"
        );
    }

    proptest! {
        #[test]
        fn anything_is_judged(
            body in "\\PC{0,200}|(\\{|\\}|\\[|:|,|\"|Type|Notification|TopicArn|Timestamp|Signature|SigningCertURL|[0-9]){0,40}",
            url in "[ -~]{0,80}|https://sns\\.us-east-1\\.amazonaws\\.com/[ -~]{0,30}",
        ) {
            let _ = Topic::new(ARN, None).unwrap().certificate(&url);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let _ = runtime.block_on(judged(&body));
        }
    }
}
