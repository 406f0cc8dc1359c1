//! Bandwidth signs nothing: its callbacks sign in. There is nothing of its SDK's to ask.

use serde_json::{Value, json};

use super::{ANSWER, CUSTOMER, Line, OURS, Server};

const BUSY: (u16, &str) = (500, r#"{"type":"internal-server-error","description":"try later"}"#);
const TAKEN: (u16, &str) = (202, r#"{"id":"bw-1","owner":"+15550100001","direction":"out","segmentCount":2}"#);

fn received(id: &str, text: &str) -> Value {
    json!([{"type": "message-received", "time": "2026-01-01T12:30:01Z", "to": OURS, "description": "Incoming message received",
        "message": {"id": id, "time": "2026-01-01T12:30:00Z", "owner": OURS, "to": [OURS], "from": CUSTOMER, "text": text,
            "direction": "in", "applicationId": "app-1", "segmentCount": 1}}])
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
    let post = async |body: &Value, user: &str, password: &str| {
        let request = line.stack.http.post(&line.webhook).basic_auth(user, Some(password)).json(body);
        request.send().await.unwrap().status().as_u16()
    };
    let good = "a-password-of-ours";
    let not_theirs = received("B0", "not theirs");
    for (user, password) in [("bw", "a-stranger"), ("stranger", good), ("api", "p-of-ours"), ("", "")] {
        assert_eq!(post(&not_theirs, user, password).await, 403);
    }
    assert_eq!(line.stack.http.post(&line.webhook).json(&not_theirs).send().await.unwrap().status().as_u16(), 403);
    line.heard_nothing().await;
    let texts = ["Is the porridge too hot? £5 – ja/öé€", "second\nline 🐻"];
    for (id, text, password) in [("B1", texts[0], good), ("B2", texts[1], "the-next-password")] {
        for _ in 0..2 {
            assert_eq!(post(&received(id, text), "bw", password).await, 200);
        }
    }
    line.has(texts).await;
    let room = line.answers("bw-1").await;
    for kind in ["message-delivered", "message-sending", "message-delivered", "message-new"] {
        let event = json!([{"type": kind, "time": "2026-01-01T12:31:00Z", "to": CUSTOMER, "message": {"id": "bw-1"}}]);
        assert_eq!(post(&event, "bw", good).await, 200);
    }
    line.delivered(&room, texts).await;
    assert_eq!(post(&json!([{"what": "else"}]), "bw", good).await, 200);
    line.set_aside().await;

    let calls = server.calls();
    let [busy, ours] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!(busy.body, ours.body, "the text that was not wanted left once more, and once only");
    assert_eq!(ours.path, "/api/v2/users/9900000/messages");
    assert_eq!(ours.header("authorization"), "Basic YXBpOnAtb2Ytb3Vycw==");
    let expected =
        json!({"applicationId": "app-1", "from": OURS, "to": [CUSTOMER], "text": ANSWER, "tag": line.sms_id().await});
    assert_eq!(ours.json(), expected);
}
