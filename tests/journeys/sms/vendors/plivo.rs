//! Plivo's SDK signs by V3, and judges V2 before we do.

use serde_json::{Value, json};

use super::{ANSWER, Line, Server, with};
use crate::sms::Stranger;

const TOKEN: &str = "a-token-of-ours";
const BUSY: (u16, &str) = (429, r#"{"api_id":"a","error":"too many requests"}"#);
const TAKEN: (u16, &str) = (202, r#"{"message":"message(s) queued","message_uuid":["p-1"],"api_id":"a"}"#);

fn received(id: &str, text: &str) -> Value {
    json!({"From": "15550100100", "To": "15550100001", "MessageUUID": id, "Text": text, "Type": "sms", "Units": "1", "Empty": ""})
}

#[tokio::test(flavor = "multi_thread")]
async fn plivos_own_program_signs_and_we_take_its_word() {
    let server = Server::start(BUSY, TAKEN).await;
    let line = Line::open("plivo", &server, |stack| {
        format!(
            "account = \"MAXXXXXXXXXXXXXXXXXX\"\ntoken_file = \"{}\"\ntoken_next_file = \"{}\"\n",
            stack.file("token", TOKEN),
            stack.file("next", "the-next-token\n")
        )
    })
    .await;
    let mut sdk = Stranger::python("sign_plivo.py");
    let mut post = |version: i32, parameters: &Value, more: Value| {
        let asked = json!({"do": "post", "url": line.webhook, "signed_url": line.signed, "token": TOKEN,
            "version": version, "parameters": parameters});
        sdk.ask(&with(asked, &more))
    };
    for version in [2, 3] {
        for more in [json!({"forged": true}), json!({"token": "a-stranger"})] {
            assert_eq!(post(version, &received("P0", "not theirs"), more), "403 no");
        }
        let elsewhere = json!({"signed_url": "https://hub.example.com/webhooks/other"});
        assert_eq!(post(version, &received("P0", "not theirs"), elsewhere), "403 yes", "signed for another address");
    }
    line.heard_nothing().await;
    let texts = ["Is the porridge too hot? £5 – ja/öé€", "second\nline 🐻"];
    for version in [3, 2] {
        assert_eq!(post(version, &received("P1", texts[0]), json!({})), "200 yes");
    }
    for _ in 0..2 {
        // the SDK is asked about the token in use only
        assert_eq!(post(3, &received("P2", texts[1]), json!({"token": "the-next-token"})), "200 no");
    }
    line.has(texts).await;
    let room = line.answers("p-1").await;
    for status in ["delivered", "queued", "sent", "delivered"] {
        let receipt = json!({"From": "15550100001", "To": "15550100100", "MessageUUID": "p-1", "ParentMessageUUID": "p-1",
            "PartInfo": "1 of 1", "Status": status, "ErrorCode": "000", "Units": "2"});
        assert_eq!(post(3, &receipt, json!({})), "200 yes");
    }
    line.delivered(&room, texts).await;
    assert_eq!(post(3, &json!({"Text": "who?"}), json!({})), "200 yes");
    line.set_aside().await;

    let text = json!({"do": "send", "base": server.url, "account": "MAXXXXXXXXXXXXXXXXXX", "secret": TOKEN,
        "from": "15550100001", "to": "15550100100", "text": ANSWER, "callback": line.signed});
    assert_eq!(sdk.ask(&text), "sent");
    let calls = server.calls();
    let [busy, ours, theirs] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!(busy.body, ours.body, "the text that was not wanted left once more, and once only");
    assert_eq!((&ours.path, ours.header("authorization")), (&theirs.path, theirs.header("authorization")));
    let (mut ours, theirs) = (ours.json(), theirs.json());
    // it says its defaults
    for (name, value) in
        theirs.as_object().unwrap().iter().filter(|(name, _)| ["log", "trackable"].contains(&name.as_str()))
    {
        ours[name] = value.clone();
    }
    assert_eq!(ours, theirs);
}
