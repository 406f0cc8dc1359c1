//! Vonage's SDK signs. Long texts come in parts, here the second first; receipts are for parts.

use serde_json::{Value, json};

use super::{ANSWER, Line, Server, with};
use crate::sms::Stranger;

const BUSY: (u16, &str) = (200, r#"{"message-count":"1","messages":[{"status":"1","error-text":"Throttled"}]}"#);
const TAKEN: (u16, &str) =
    (200, r#"{"message-count":"2","messages":[{"status":"0","message-id":"v-1"},{"status":"0","message-id":"v-2"}]}"#);

fn received(id: &str, text: &str, more: &Value) -> Value {
    let said = json!({"msisdn": "15550100100", "to": "15550100001", "messageId": id, "text": text, "type": "unicode",
        "keyword": "IS", "api-key": "key", "message-timestamp": "2026-01-01 12:30:00", "empty": ""});
    with(said, more)
}

#[tokio::test(flavor = "multi_thread")]
async fn vonages_own_program_signs_and_we_take_its_word() {
    let server = Server::start(BUSY, TAKEN).await;
    let line = Line::open("vonage", &server, |stack| {
        format!(
            "key = \"abcd1234\"\nsecret_file = \"{}\"\nsignature_file = \"{}\"\nsignature_next_file = \"{}\"\n\
             signature_method = \"md5\"\n",
            stack.file("secret", "s-of-ours"),
            stack.file("now", "a-secret-of-ours"),
            stack.file("next", "the-next-secret\n")
        )
    })
    .await;
    let mut sdk = Stranger::python("sign_vonage.py");
    let mut post = |form: &str, parameters: &Value, more: Value| {
        let asked = json!({"do": "post", "url": line.webhook, "secret": "a-secret-of-ours", "method": "md5",
            "as": form, "parameters": parameters});
        sdk.ask(&with(asked, &more))
    };
    let none = json!({});
    let not_theirs = received("V0", "not theirs", &none);
    assert_eq!(post("form", &not_theirs, json!({"forged": true})), "403 no");
    for more in [json!({"secret": "a-stranger"}), json!({"method": "sha256"}), json!({"age": 26 * 3600})] {
        assert_eq!(post("json", &not_theirs, more), "403 yes", "signed, and not for us or not now");
    }
    line.heard_nothing().await;
    let (whole, long) = ("Is the porridge too hot? a=b&c £5 – ja/öé€", "a text so long that it comes in two parts 🐻");
    for form in ["form", "json", "query"] {
        assert_eq!(post(form, &received("V1", whole, &none), json!({"secret": "the-next-secret"})), "200 yes");
    }
    let (first, second) = long.split_at(20);
    for (part, text) in [(2, second), (2, second), (1, first), (1, first)] {
        let numbers =
            json!({"concat": "true", "concat-ref": "108", "concat-part": part.to_string(), "concat-total": "2"});
        assert_eq!(post("form", &received(&format!("V2-{part}"), text, &numbers), json!({})), "200 yes");
    }
    line.has([whole, long]).await;
    let room = line.answers("v-1").await;
    for (id, status) in
        [("v-2", "delivered"), ("v-1", "accepted"), ("v-1", "delivered"), ("v-2", "buffered"), ("v-1", "delivered")]
    {
        let receipt = json!({"msisdn": "15550100100", "to": "15550100001", "messageId": id, "status": status,
            "err-code": "0", "scts": "2601011230", "message-timestamp": "2026-01-01 12:30:00", "api-key": "key"});
        assert_eq!(post("json", &receipt, json!({})), "200 yes");
    }
    line.delivered(&room, [whole, long]).await;
    assert_eq!(line.count("select count(*) from sms_parts where status = 'delivered'").await, 2);
    assert_eq!(post("form", &json!({"text": "who?"}), json!({})), "200 yes");
    line.set_aside().await;

    let text = json!({"do": "send", "base": server.url, "account": "abcd1234", "secret": "s-of-ours", "from": "15550100001",
        "to": "15550100100", "text": ANSWER, "type": "unicode", "callback": line.signed, "id": line.sms_id().await});
    assert_eq!(sdk.ask(&text), "sent");
    let calls = server.calls();
    let [busy, ours, theirs] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!(busy.body, ours.body, "the text that was not wanted left once more, and once only");
    assert_eq!((&ours.path, ours.form()), (&theirs.path, theirs.form()));
    for header in ["authorization", "content-type"] {
        assert_eq!(ours.header(header), theirs.header(header));
    }
}
