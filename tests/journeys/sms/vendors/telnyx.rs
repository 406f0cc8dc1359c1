//! Telnyx's SDK only checks signatures: it judges what is signed here before we do.

use serde_json::{Value, json};

use super::{ANSWER, CUSTOMER, Line, OURS, Server, with};
use crate::sms::Stranger;

const BUSY: (u16, &str) = (429, r#"{"errors":[{"code":"10011","title":"Too many requests"}]}"#);
const TAKEN: (u16, &str) = (200, r#"{"data":{"id":"tx-1","to":[{"status":"queued"}],"errors":[],"parts":2}}"#);

/// Of octets 0 to 31, and of 32 ones.
fn seed(is_account: bool) -> String {
    (0..32).map(|n| if is_account { format!("{n:02x}") } else { "01".to_owned() }).collect()
}

fn received(id: &str, text: &str) -> Value {
    json!({"data": {"event_type": "message.received", "id": format!("event-{id}"), "record_type": "event",
        "payload": {"id": id, "direction": "inbound", "text": text, "from": {"phone_number": CUSTOMER, "carrier": "C"},
            "to": [{"phone_number": OURS, "status": "webhook_delivered"}], "received_at": "2026-01-01T00:00:00.1+00:00"}}})
}

fn told(event: &str, status: &str) -> Value {
    json!({"data": {"event_type": event, "payload": {"id": "tx-1", "errors": [],
        "to": [{"phone_number": CUSTOMER, "status": status}]}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn telnyxs_own_program_judges_as_we_do() {
    let server = Server::start(BUSY, TAKEN).await;
    let line = Line::open("telnyx", &server, |stack| {
        format!(
            "key_file = \"{}\"\npublic_key = \"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n\
             public_key_next = \"A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\"\n",
            stack.file("key", "KEY-of-ours\n")
        )
    })
    .await;
    let mut sdk = Stranger::python("sign_telnyx.py");
    let mut post = |event: &Value, more: Value| {
        let asked = json!({"do": "post", "url": line.webhook, "seed": seed(true), "event": event});
        sdk.ask(&with(asked, &more))
    };
    for more in [json!({"forged": true}), json!({"seed": seed(false)}), json!({"age": 310}), json!({"age": -310})] {
        assert_eq!(post(&received("t-0", "not theirs"), more), "403 no");
    }
    line.heard_nothing().await;
    let texts = ["Is the porridge too hot? £5 – ja/öé€", "second\nline 🐻"];
    for (id, text) in [("t-1", texts[0]), ("t-2", texts[1])] {
        for age in [0, 290] {
            assert_eq!(post(&received(id, text), json!({"age": age})), "200 yes");
        }
    }
    line.has(texts).await;
    let room = line.answers("tx-1").await;
    for (event, status) in [
        ("message.finalized", "delivered"),
        ("message.sent", "sent"),
        ("message.finalized", "delivered"),
        ("message.sent", "new"),
    ] {
        assert_eq!(post(&told(event, status), json!({})), "200 yes");
    }
    line.delivered(&room, texts).await;
    assert_eq!(post(&json!({"data": {"event_type": "message.received"}}), json!({})), "200 yes");
    line.set_aside().await;

    let id = line.sms_id().await;
    let text = json!({"do": "send", "base": server.url, "secret": "KEY-of-ours", "from": OURS, "to": CUSTOMER,
        "text": ANSWER, "callback": line.signed, "id": id});
    assert_eq!(sdk.ask(&text), "sent");
    let calls = server.calls();
    let [busy, ours, theirs] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!(busy.body, ours.body, "the text that was not wanted left once more, and once only");
    assert_eq!((&ours.path, ours.json()), (&theirs.path, theirs.json()));
    for header in ["authorization", "content-type", "idempotency-key"] {
        assert_eq!(ours.header(header), theirs.header(header));
    }
}
