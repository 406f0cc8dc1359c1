//! AWS: texts and events by a stand-in for SNS, which signs by a certificate of its own; a stranger's package judges what it
//! signs before we do.

use serde_json::{Value, json};

use super::{ANSWER, CUSTOMER, Line, OURS, Server, with};
use crate::sms::Stranger;

const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:texts";
const EVENTS: &str = "arn:aws:sns:us-east-1:123456789012:events";
const BUSY: (u16, &str) =
    (400, r#"{"__type":"com.amazonaws.pinpointsmsvoicev2#ThrottlingException","Message":"slower"}"#);
const TAKEN: (u16, &str) = (200, r#"{"MessageId":"aws-1"}"#);

fn received(id: &str, text: &str) -> String {
    json!({"originationNumber": CUSTOMER, "destinationNumber": OURS, "messageKeyword": "KEYWORD", "messageBody": text,
        "inboundMessageId": id, "previousPublishedMessageId": "m-0"})
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sns_signs_is_taken_and_its_subscription_confirmed() {
    let server = Server::start(BUSY, TAKEN).await;
    let mut sns = Stranger::python("sign_sns.py");
    let home = format!("http://127.0.0.1:{}", sns.line());
    let line = Line::open("aws", &server, |stack| {
        format!(
            "region = \"us-east-1\"\nkey = \"AKIDEXAMPLE\"\nsecret_file = \"{}\"\ntopic = \"{TOPIC}\"\nevents_topic = \"{EVENTS}\"\n\
             configuration_set = \"hub\"\nsns_url = \"{home}\"\n",
            stack.file("secret", "s-of-ours")
        )
    })
    .await;
    let mut post = |topic: &str, message: &str, more: Value| {
        let asked = json!({"do": "post", "url": line.webhook, "topic": topic, "message": message, "version": "2"});
        sns.ask(&with(asked, &more))
    };
    // only a topic that is ours, and only by SNS' word, is subscribed to
    let confirmation = |more: Value| with(json!({"kind": "SubscriptionConfirmation"}), &more);
    let not_theirs = received("A0", "not theirs");
    assert_eq!(post("arn:aws:sns:us-east-1:123456789012:others", "subscribe?", confirmation(json!({}))), "403 yes 0");
    assert_eq!(post(TOPIC, "subscribe?", confirmation(json!({"forged": true}))), "403 no 0");
    // a certificate that is not SNS' may be one that cannot be read just now: SNS is asked to try again
    assert_eq!(post(TOPIC, "subscribe?", confirmation(json!({"key": "stranger"}))), "503 yes 0");
    for more in [json!({"forged": true}), json!({"forged": true, "version": "1"})] {
        assert_eq!(post(TOPIC, &not_theirs, more), "403 no 0");
    }
    let elsewhere = format!("{home}@evil.example/SimpleNotificationService-ours.pem");
    for more in [json!({"age": 7300}), json!({"age": -310}), json!({"certificate": elsewhere})] {
        assert_eq!(post(TOPIC, &not_theirs, more), "403 yes 0");
    }
    // raw delivery, without anything that could be checked
    let raw = line.stack.http.post(&line.webhook).body(not_theirs.clone()).send().await.unwrap();
    assert_eq!(raw.status().as_u16(), 403);
    line.heard_nothing().await;
    for (topic, before) in [(TOPIC, 1), (EVENTS, 2)] {
        assert_eq!(post(topic, "subscribe?", confirmation(json!({}))), format!("200 yes {before}"));
    }

    let texts = ["Is the porridge too hot? £5 – ja/öé€", "second\nline 🐻"];
    for (id, text) in [("A1", texts[0]), ("A2", texts[1])] {
        for (version, age) in [("1", 3600), ("2", 0)] {
            let more = json!({"version": version, "age": age});
            assert_eq!(post(TOPIC, &received(id, text), more), "200 yes 2");
        }
    }
    line.has(texts).await;
    let room = line.answers("aws-1").await;
    for (kind, is_final) in
        [("TEXT_DELIVERED", true), ("TEXT_SENT", false), ("TEXT_DELIVERED", true), ("TEXT_NEW", true)]
    {
        let event = json!({"eventType": kind, "eventVersion": "1.0", "isFinal": is_final, "messageId": "aws-1",
            "eventTimestamp": 1_767_270_600_000_i64, "messageStatus": "DELIVERED"});
        assert_eq!(post(EVENTS, &event.to_string(), json!({})), "200 yes 2");
    }
    line.delivered(&room, texts).await;
    assert_eq!(post(TOPIC, "not JSON", json!({})), "200 yes 2");
    line.set_aside().await;
    left_once(&line, &server).await;
}

/// What left for the customer: refused for now at first, then taken.
async fn left_once(line: &Line, server: &Server) {
    let calls = server.calls();
    let [busy, ours] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!(busy.body, ours.body, "the text that was not wanted left once more, and once only");
    assert_eq!(ours.header("x-amz-target"), "PinpointSMSVoiceV2.SendTextMessage");
    assert_eq!(ours.header("content-type"), "application/x-amz-json-1.0");
    let signed = "content-type;host;x-amz-date;x-amz-target";
    assert!(ours.header("authorization").contains(&format!("SignedHeaders={signed}, Signature=")), "{ours:?}");
    let expected = json!({"DestinationPhoneNumber": CUSTOMER, "OriginationIdentity": OURS, "MessageBody": ANSWER,
        "MessageType": "TRANSACTIONAL", "ConfigurationSetName": "hub", "Context": {"sms_id": line.sms_id().await}});
    assert_eq!(ours.json(), expected);
}
