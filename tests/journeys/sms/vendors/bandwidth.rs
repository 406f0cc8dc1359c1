//! Bandwidth signs nothing: its callbacks sign in. Its SDK's models judge events before we do.

use serde_json::{Value, json};

use super::{ANSWER, CUSTOMER, Line, OURS, Server, with};
use crate::sms::Stranger;

const BUSY: (u16, &str) = (500, r#"{"type":"internal-server-error","description":"try later"}"#);
const TAKEN: (u16, &str) = (202, r#"{"id":"bw-1","owner":"+15550100001","direction":"out","segmentCount":2}"#);

fn received(id: &str, text: &str) -> Value {
    json!({"type": "message-received", "time": "2026-01-01T12:30:01Z", "to": OURS, "description": "Incoming message received",
        "message": {"id": id, "time": "2026-01-01T12:30:00Z", "owner": OURS, "to": [OURS], "from": CUSTOMER, "text": text,
            "direction": "in", "applicationId": "app-1", "segmentCount": 1}})
}

fn told(kind: &str) -> Value {
    json!({"type": kind, "time": "2026-01-01T12:31:00Z", "to": CUSTOMER, "description": "d",
        "message": {"id": "bw-1", "time": "2026-01-01T12:30:30Z", "owner": OURS, "to": [CUSTOMER], "from": OURS, "text": "",
            "direction": "out", "applicationId": "app-1", "segmentCount": 2}})
}

#[tokio::test(flavor = "multi_thread")]
async fn bandwidths_callbacks_are_taken_by_their_password() {
    let server = Server::start(BUSY, TAKEN).await;
    let line = Line::open("bandwidth", &server, |stack| {
        format!(
            "account = \"9900000\"\napplication = \"app-1\"\nuser = \"api\"\npassword_file = \"{}\"\ncallback_user = \"bw\"\n\
             callback_password_file = \"{}\"\ncallback_password_next_file = \"{}\"\n",
            stack.file("password", "p-of-ours"),
            stack.file("now", "a-password-of-ours"),
            stack.file("next", "the-next-password\n")
        )
    })
    .await;
    let mut sdk = Stranger::python("sign_bandwidth.py");
    let mut post = |events: &[Value], more: Value| {
        let asked = json!({"do": "post", "url": line.webhook, "user": "bw", "password": "a-password-of-ours", "events": events});
        sdk.ask(&with(asked, &more))
    };
    let not_theirs = [received("B0", "not theirs")];
    for (user, password) in [("bw", "a-stranger"), ("stranger", "a-password-of-ours"), ("api", "p-of-ours"), ("", "")] {
        assert_eq!(post(&not_theirs, json!({"user": user, "password": password})), "403 yes");
    }
    assert_eq!(line.stack.http.post(&line.webhook).json(&not_theirs).send().await.unwrap().status().as_u16(), 403);
    line.heard_nothing().await;
    let texts = ["Is the porridge too hot? £5 – ja/öé€", "second\nline 🐻"];
    for _ in 0..2 {
        assert_eq!(post(&[received("B1", texts[0])], json!({})), "200 yes");
        let both = [received("B1", texts[0]), received("B2", texts[1])];
        assert_eq!(post(&both, json!({"password": "the-next-password"})), "200 yes");
    }
    line.has(texts).await;
    let room = line.answers("bw-1").await;
    for kind in ["message-delivered", "message-sending", "message-sent", "message-delivered"] {
        assert_eq!(post(&[told(kind)], json!({})), "200 yes", "{kind}");
    }
    assert_eq!(post(&[told("message-new")], json!({})), "200 no");
    line.delivered(&room, texts).await;
    assert_eq!(post(&[json!({"what": "else"})], json!({})), "200 no");
    line.set_aside().await;

    let text = json!({"do": "send", "base": server.url, "account": "9900000", "user": "api", "secret": "p-of-ours",
        "application": "app-1", "from": OURS, "to": CUSTOMER, "text": ANSWER, "id": line.sms_id().await});
    assert_eq!(sdk.ask(&text), "sent");
    let calls = server.calls();
    let [busy, ours, theirs] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!(busy.body, ours.body, "the text that was not wanted left once more, and once only");
    assert_eq!((&ours.path, ours.json()), (&theirs.path, theirs.json()));
    for header in ["authorization", "content-type"] {
        assert_eq!(ours.header(header), theirs.header(header));
    }
}
